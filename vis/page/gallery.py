"""What a web page shows of a run's frames: which ones, their pictures, maps and sounds, small enough for hundreds."""

import io
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from common.errors import MediaError, MediaWarning
from data.media.audio import audio_of_name
from data.layout import audio_by_name, audio_dir, video_dir, videos_by_name
from data.lists import label_of
from metrics.annotations import Boxes
from metrics.frame_keys import Frame
from metrics.scores import resized
from vis.overlay import LEVELS, relative
from vis.page.clips import clips_of_seconds

SHORT_SIDE = 320  # pixels of a picture's shorter side, at most
MOST_PIXELS = SHORT_SIDE * 570  # of a picture; only wider ones than 16:9 are made smaller by it
MOST_BYTES = 48_000  # of a picture: 300 of them with maps and sounds, written as text, are below 30 MB
QUALITIES = (82, 70, 55, 40, 25, 12)  # of JPEG: the first that is small enough
MOST_CELLS = 32  # of a map's side; larger maps are made smaller

Second = tuple[str, int]  # NAME and second


@dataclass(frozen=True)
class Card:
    """A frame of the gallery.

    Attributes:
        frame: which one.
        jpeg: its picture.
        width: of the picture, in pixels.
        height: of the picture, in pixels.
        maps: uint8 [v_cluster, h, w], parts of each map's maximum.
        boxes: (x, y, width, height) as fractions of the frame.
        label: its class; empty if it has none.
        scores: by their names; empty if it has no boxes.
        distance: of its sound to the maps that are matched; None if that is not known.
    """

    frame: Frame
    jpeg: bytes
    width: int
    height: int
    maps: np.ndarray
    boxes: list[tuple[float, float, float, float]]
    label: str
    scores: dict[str, float]
    distance: float | None

    @property
    def second(self) -> Second:
        """The second that it is of."""
        return self.frame.video, self.frame.second


def spread_over_videos(frames: Mapping[str, Frame], count: int, seed: int) -> list[str]:
    """Keys of `count` random frames, about as many of each video, in the order of videos and time; 0 is all of them."""
    rng = np.random.default_rng(seed)
    of_video: dict[str, list[str]] = {}
    for key, frame in frames.items():
        of_video.setdefault(frame.video, []).append(key)
    turns = [
        (turn, rng.random(), keys[index])  # in each turn every video gives a frame, in random order
        for keys in of_video.values()
        for turn, index in enumerate(rng.permutation(len(keys)))
    ]
    chosen = [key for *_, key in sorted(turns)[: count or len(turns)]]
    return sorted(chosen, key=lambda key: (frames[key], key))


def small_jpeg(picture: np.ndarray) -> tuple[bytes, int, int]:
    """A picture in at most MOST_BYTES or of the lowest quality, its width and its height.

    Args:
        picture: uint8 [H, W, 3].
    """
    height, width = picture.shape[:2]
    factor = min(1, SHORT_SIDE / min(height, width), math.sqrt(MOST_PIXELS / (height * width)))
    image = Image.fromarray(picture)
    if factor < 1:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    for quality in QUALITIES:
        file = io.BytesIO()
        image.save(file, format="JPEG", quality=quality, optimize=True)
        if file.tell() <= MOST_BYTES:
            break
    return file.getvalue(), image.width, image.height


def map_levels(maps: np.ndarray) -> np.ndarray:
    """Each map as parts of its own maximum, in LEVELS steps.

    Args:
        maps: float [v_cluster, h, w].

    Returns:
        uint8 [v_cluster, h, w]; h and w at most MOST_CELLS.
    """
    height, width = (min(size, MOST_CELLS) for size in maps.shape[1:])
    if (height, width) != maps.shape[1:]:
        maps = resized(maps, height, width)
    return np.stack([np.rint(relative(np.maximum(heat, 0)) * (LEVELS - 1)).astype(np.uint8) for heat in maps])


def class_of(video: str, labels: dict[str, str], boxes: Boxes | None) -> str:
    """The class of a frame: its video's label, else what its boxes are of; empty if nothing says it."""
    if label := label_of(video, labels):
        return label
    names = dict.fromkeys(name for name in boxes.classes if name) if boxes else {}
    return ", ".join(f"class {name}" if name.isdecimal() else name for name in names)


def corners_and_sizes(boxes: Boxes | None) -> list[tuple[float, float, float, float]]:
    """(x, y, width, height) of each box, as fractions of the frame."""
    corners = np.round(boxes.corners, 4).tolist() if boxes else []
    return [(x1, y1, round(x2 - x1, 4), round(y2 - y1, 4)) for x1, y1, x2, y2 in corners]


def clips_of(seconds: Iterable[Second], data_dir: Path) -> tuple[dict[Second, bytes], dict[Second, str]]:
    """The sounds of seconds, out of the videos or their separate sound tracks.

    Returns:
        MP3 of each second that can be had; and of the others why not.
    """
    of_video: dict[str, list[int]] = {}
    for name, second in seconds:
        of_video.setdefault(name, []).append(second)
    videos, sounds = videos_by_name(data_dir), audio_by_name(data_dir)
    clips: dict[Second, bytes] = {}
    missing: dict[Second, str] = {}
    for name, wanted in tqdm(of_video.items(), desc="sounds", unit="video", leave=False):
        try:
            found = _clips_of_video(videos.get(name, []), sounds.get(name), wanted, data_dir)
        except MediaError as error:
            missing |= {(name, second): str(error) for second in wanted}
            continue
        clips |= {(name, second): clip for second, clip in found.items()}
        missing |= {(name, second): "the sound does not last that long" for second in wanted if second not in found}
    return clips, missing


def _clips_of_video(
    videos: list[Path], sound_file: Path | None, seconds: Sequence[int], data_dir: Path
) -> dict[int, bytes]:
    """The clips of one NAME; raises MediaError, which names the file."""
    if not videos and sound_file is None:
        raise MediaError(
            f"there is no file of this name in {video_dir(data_dir)} or {audio_dir(data_dir)}: "
            "put it there, or name the maps' data set with --data_dir"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MediaWarning)  # cut_audio.py has told of it
        try:
            return clips_of_seconds(audio_of_name(videos, sound_file), seconds)
        except MediaError as error:
            raise MediaError(str(error) if sound_file else f"{videos[0]}: {error}") from error
