"""Paints heat over the frames of a video. Without PyTorch: the options of vis/localize.py need no more."""

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from data.media.video import orientation, turn_upright
from vis.overlay import COLORMAP, draw_boxes, overlay, write_caption

COLORMAPS = ("autumn", "winter", "summer", "cool")  # for several maps in one frame: red, blue, green, pink
SILENCE = -50.0  # decibels of full scale


@dataclass(frozen=True)
class Style:
    """How heat is shown."""

    clusters: Sequence[int]  # the maps to show
    draw_box: bool = False  # whether to draw the boxes around their peaks
    side_by_side: bool = False  # whether to put the plain frame to their left
    silence: float = SILENCE  # decibels of full scale. Audio up to this level shows no heat.
    list_peaks: bool = False  # whether the peak and the box of each frame are wanted: 70 MB an hour


class HeatPainter:
    """Paints the frames of a video, all in the size of its first one, which is given as decoded."""

    def __init__(self, first: av.VideoFrame, style: Style) -> None:
        self._width, self._height = first.width, first.height
        self._side_by_side = style.side_by_side
        colormaps = [COLORMAP] if len(style.clusters) == 1 else itertools.cycle(COLORMAPS)
        self._colormaps = dict(zip(style.clusters, colormaps, strict=False))
        self._reformatter = VideoReformatter()  # shared: a new one costs more than a frame
        self._turn = orientation(first)
        width, height = (self._height, self._width) if self._turn[0] else (self._width, self._height)
        self.size = (width * (2 if style.side_by_side else 1), height)  # of a painted frame

    def paint(
        self, frame: av.VideoFrame, heats: Mapping[int, np.ndarray], boxes: Collection[Sequence[float]], caption: str
    ) -> np.ndarray:
        """An upright frame with its heat, RGB, uint8 [height, width, 3].

        Args:
            frame: as decoded.
            heats: cluster -> map in 0 ... 1, float [h, w]; empty in silence.
            boxes: to draw, x1, y1, x2, y2 as fractions of the frame.
            caption: to write on it, may be empty.
        """
        rgb = self._reformatter.reformat(
            frame, self._width, self._height, format="rgb24", interpolation="BICUBIC", threads=1
        )
        plain = painted = np.ascontiguousarray(turn_upright(rgb.to_ndarray(), self._turn))
        for cluster, heat in heats.items():
            painted = overlay(painted, heat, self._colormaps[cluster])
        if boxes:
            painted = draw_boxes(painted, np.array(boxes))
        if caption:
            painted = write_caption(painted, caption)
        return np.hstack([plain, painted]) if self._side_by_side else painted
