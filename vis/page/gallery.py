"""The frames on the web page of a run: which ones, and their pixels and maps, small enough for hundreds on a page."""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from common.errors import SampleError
from data.lists import label_of, labels_of_set
from metrics.maps.annotations import Boxes, Frame
from metrics.maps.runs import Run
from metrics.maps.scores import resized
from vis.frames import ScoredFrames, read_frame, require_drawable
from vis.overlay import LEVELS, relative
from vis.page.clips import Second

SHORT_SIDE = 320  # pixels of a frame's shorter side, at most
MAX_PIXELS = SHORT_SIDE * 570  # of a frame; smaller than SHORT_SIDE allows only if it is wider than 16:9
MAX_BYTES = 48_000  # of a frame: 300 of them with maps and audio, as base64, take less than 30 MB
QUALITIES = (82, 70, 55, 40, 25, 12)  # of JPEG: the first that is small enough
MAX_CELLS = 32  # of a map's side


@dataclass(frozen=True)
class Card:
    """A frame of the gallery."""

    frame: Frame  # video, second and index
    jpeg: bytes  # its pixels
    width: int  # in pixels
    height: int  # in pixels
    maps: np.ndarray  # uint8 [V, h, w], each relative to its maximum
    boxes: list[tuple[float, float, float, float]]  # x, y, width, height as fractions of the frame
    label: str  # its class, may be empty
    scores: dict[str, float]  # name -> score, empty without boxes
    distance: float | None  # of its audio to the matched maps. None if unknown.

    @property
    def second(self) -> Second:
        """The video and the second of the frame."""
        return self.frame.video, self.frame.second


def spread_over_videos(frames: Mapping[str, Frame], count: int, seed: int) -> list[str]:
    """Keys of `count` random frames (0: all), about as many of each video, sorted by video and time."""
    rng = np.random.default_rng(seed)
    by_video: dict[str, list[str]] = {}
    for key, frame in frames.items():
        by_video.setdefault(frame.video, []).append(key)
    turns = [
        (turn, rng.random(), keys[index])  # in each turn every video gives a frame, in random order
        for keys in by_video.values()
        for turn, index in enumerate(rng.permutation(len(keys)))
    ]
    chosen = [key for *_, key in sorted(turns)[: count or len(turns)]]
    return sorted(chosen, key=lambda key: (frames[key], key))


def make_cards(
    keys: Sequence[str], run: Run, frames: Mapping[str, Frame], scored: ScoredFrames, data_dir: Path
) -> tuple[list[Card], list[str]]:
    """The cards of the gallery, and a line for each frame that cannot be shown."""
    labels = labels_of_set(data_dir)
    cards, failures = [], []
    for key in tqdm(keys, desc="frames", unit="frame", leave=False):
        frame, maps, boxes = frames[key], run.maps[key], scored.boxes.get(key)
        try:
            require_drawable(maps, run)
            jpeg, width, height = small_jpeg(read_frame(frame, data_dir))
        except SampleError as error:
            failures.append(f"{key}: {error}")
            continue
        corners = np.round(boxes.corners, 4).tolist() if boxes else []
        card = Card(
            frame=frame,
            jpeg=jpeg,
            width=width,
            height=height,
            maps=map_levels(maps),
            boxes=[(x1, y1, round(x2 - x1, 4), round(y2 - y1, 4)) for x1, y1, x2, y2 in corners],
            label=class_of(frame.video, labels, boxes),
            scores=scored.scores.get(key, {}),
            distance=float(np.linalg.norm(run.distances[key])) if run.distances and key in run.distances else None,
        )
        cards.append(card)
    return cards, failures


def small_jpeg(frame: np.ndarray) -> tuple[bytes, int, int]:
    """A frame, uint8 [H, W, 3], as JPEG of at most MAX_BYTES if any quality allows it. Also its width and height."""
    height, width = frame.shape[:2]
    factor = min(1, SHORT_SIDE / min(height, width), math.sqrt(MAX_PIXELS / (height * width)))
    image = Image.fromarray(frame)
    if factor < 1:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    for quality in QUALITIES:
        file = io.BytesIO()
        image.save(file, format="JPEG", quality=quality, optimize=True)
        if file.tell() <= MAX_BYTES:
            break
    return file.getvalue(), image.width, image.height


def map_levels(maps: np.ndarray) -> np.ndarray:
    """Each map of float [V, h, w] relative to its maximum, quantized: uint8 [V, h, w], h and w at most MAX_CELLS."""
    height, width = (min(size, MAX_CELLS) for size in maps.shape[1:])
    if (height, width) != maps.shape[1:]:
        maps = resized(maps, height, width)
    return np.stack([np.rint(relative(np.maximum(heat, 0)) * (LEVELS - 1)).astype(np.uint8) for heat in maps])


def class_of(video: str, labels: dict[str, str], boxes: Boxes | None) -> str:
    """The class of a frame: the label of its video, else the classes of its boxes, else empty."""
    if label := label_of(video, labels):
        return label
    names = dict.fromkeys(name for name in boxes.classes if name) if boxes else {}
    return ", ".join(f"class {name}" if name.isdecimal() else name for name in names)
