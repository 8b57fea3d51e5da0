"""How heat is shown in a video, and what was written. Without PyTorch: the options of vis/localize.py need no more."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

SILENCE = -50.0  # decibels of full scale
MAPS_PER_SECOND = 8


@dataclass(frozen=True)
class Style:
    """How heat is shown."""

    clusters: Sequence[int]  # the maps to show
    draw_box: bool = False  # whether to draw the boxes around their peaks
    side_by_side: bool = False  # whether to put the plain frame to their left
    silence: float = SILENCE  # decibels of full scale. Audio up to this level shows no heat.
    maps_per_second: int = MAPS_PER_SECOND  # how often the network gets a frame


@dataclass
class Summary:
    """What was written."""

    num_frames: int = 0  # all frames
    distances: list[float] = field(default_factory=list)  # of audio and frame, for each frame with heat
    seconds: float = 0.0  # from the first to the last frame
    peaks: list[dict[str, Any]] | None = None  # for each frame, as in the JSON file, if wanted: 70 MB an hour
