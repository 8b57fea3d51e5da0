"""Keeps the frames of a data set in memory, as they are before any chance, so that each is decoded once."""

from collections.abc import Sequence

import numpy as np
import torch

from common.errors import SampleError
from data.index import SecondIndex
from data.shared_zeros import SharedZeros
from data.transforms import frame_shape, shape_before_chance

MOST_FRAMES = 4  # that `cut_video.py` leaves of a second; if there are more, the others are read anew each time


class FrameCache:
    """Frames of a data set's seconds in memory that all processes that load data share.

    A frame takes the room of the first frame of its video; one of another size is not kept. Memory is taken when a
    frame is put there.

    Args:
        shapes: [3, height, width] of the frames of each video.
        video: int (n,), number of each second's video.
    """

    def __init__(self, shapes: Sequence[tuple[int, ...]], video: np.ndarray) -> None:
        self._shapes = [tuple(shape) for shape in shapes]
        self._video = video
        sizes = np.array([np.prod(shape) for shape in self._shapes], dtype=np.int64)[video] * MOST_FRAMES
        self._start = np.concatenate([[0], np.cumsum(sizes)])
        self._pixels = SharedZeros(int(self._start[-1]))
        self._filled = torch.zeros(len(video), MOST_FRAMES, dtype=torch.bool).share_memory_()

    @property
    def num_bytes(self) -> int:
        """Size in memory once all frames have been read."""
        return len(self._pixels.bytes)

    def get(self, second: int, position: int) -> torch.Tensor | None:
        """A frame, uint8 [3, h, w]; None if it has not been kept.

        Args:
            second: its number in the data set.
            position: its place among the frames of the second.
        """
        if position >= MOST_FRAMES or not self._filled[second, position]:
            return None
        return self._place(second, position)

    def put(self, second: int, position: int, picture: torch.Tensor) -> None:
        """Keep a frame if there is room for it."""
        if position < MOST_FRAMES and tuple(picture.shape) == self._shapes[self._video[second]]:
            self._place(second, position).copy_(picture)
            self._filled[second, position] = True  # two processes may have done the same: both wrote the same

    def _place(self, second: int, position: int) -> torch.Tensor:
        shape = self._shapes[self._video[second]]
        size = int(np.prod(shape))
        start = int(self._start[second]) + position * size
        return self._pixels.bytes[start : start + size].view(shape)


def frame_cache(seconds: SecondIndex, image_size: int, augmentation: str | None, most_bytes: int) -> FrameCache | None:
    """A cache for the frames of `seconds`; None if they take more than `most_bytes`.

    Args:
        seconds: of a data set.
        image_size: pixels of the square pictures.
        augmentation: what will be done to them, see `data.transforms.before_chance`.
        most_bytes: memory to spend.
    """
    frames = np.bincount(seconds.video, minlength=len(seconds.names)) * MOST_FRAMES
    shapes, size = [], 0
    for number, first in enumerate(seconds.first[:-1]):
        shapes.append(_shape(seconds, int(first), image_size, augmentation))
        size += int(np.prod(shapes[-1])) * int(frames[number])
        if size > most_bytes:
            return None
    return FrameCache(shapes, seconds.video)


def _shape(seconds: SecondIndex, second: int, image_size: int, augmentation: str | None) -> tuple[int, ...]:
    """Of a second's first frame as it is kept; of one that cannot be read, nothing: who wants it will say so.

    Nothing is decoded, as a large set has to start in seconds.
    """
    if shape := shape_before_chance(image_size, augmentation):
        return shape
    try:
        return frame_shape(seconds.frame_paths(second)[0])
    except SampleError:
        return (0,)
