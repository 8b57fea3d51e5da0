"""A map drawn over its frame: arrays in, arrays out, fast enough for video.

    picture = overlay(frame, relative(maps[0]))
    picture = with_boxes(picture, boxes.corners)

The hotter a place, the more of the colour and the less of the frame shows there; where the map is 0, the frame is
untouched. The colours are matplotlib's.
"""

import functools

import numpy as np

from common.cli import INSTALL
from common.errors import UserError
from metrics.scores import resized

COLORMAP = "jet"  # whose hot and half-hot places stand out from photos, light and dark ones
HOTTEST = 0.88  # part of the colours that is used: beyond it jet darkens again, so that the hottest would look less hot
STRENGTH = 0.6  # how much of the frame the colour hides where the map is 1
LEVELS = 256  # of a map, in a picture
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
LINES_A_SIDE = 128  # the line of a box is this part of the frame's shorter side


def relative(heat: np.ndarray) -> np.ndarray:
    """A map as parts of its maximum, as scores see it; as it is where it is 0 everywhere.

    Args:
        heat: float [h, w], 0 or more.
    """
    maximum = heat.max()
    return heat / maximum if maximum > 0 else heat


def overlay(frame: np.ndarray, heat: np.ndarray, colormap: str = COLORMAP, strength: float = STRENGTH) -> np.ndarray:
    """A frame with a map over it, uint8 [H, W, 3].

    Args:
        frame: uint8 [H, W, 3], RGB.
        heat: float [h, w]; 0 is transparent, 1 the hottest colour, what lies beyond counts as these.
        colormap: matplotlib's name for the colours.
        strength: opacity of the hottest colour, 0 ... 1.
    """
    levels = _levels(heat, *frame.shape[:2])
    kept, added = _blend_tables(colormap, strength)
    blended = frame * np.take(kept, levels, axis=0)  # uint16, in 1/256; `take` is faster than indexing
    blended += np.take(added, levels, axis=0)
    blended >>= 8
    return blended.astype(np.uint8)


def heat_picture(heat: np.ndarray, height: int, width: int, colormap: str = COLORMAP) -> np.ndarray:
    """A map alone in its colours, uint8 [height, width, 3].

    Args:
        heat: float [h, w] in 0 ... 1.
        height: of the picture.
        width: of the picture.
        colormap: matplotlib's name for the colours.
    """
    return np.take(color_table(colormap), _levels(heat, height, width), axis=0)


def _levels(heat: np.ndarray, height: int, width: int) -> np.ndarray:
    """A map at a picture's size, in LEVELS steps, uint8 [height, width]."""
    clipped = resized(np.clip(heat, 0, 1), height, width)  # between cells bilinear, so no more than the largest
    return (clipped * (LEVELS - 1) + 0.5).astype(np.uint8)


@functools.cache
def color_table(colormap: str) -> np.ndarray:
    """The colours of the levels of a map, uint8 [LEVELS, 3]; up to HOTTEST.

    Raises:
        UserError: matplotlib is not installed.
    """
    try:
        import matplotlib  # here, so that programs without pictures do without it
    except ImportError as error:
        raise UserError(f"colours of maps need the package matplotlib: {INSTALL}") from error
    return matplotlib.colormaps[colormap](np.linspace(0, HOTTEST, LEVELS), bytes=True)[:, :3]


@functools.cache
def _blend_tables(colormap: str, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """For each level, how much of the frame stays and what is added to it, uint16 [LEVELS, 3] in 1/256."""
    opacity = np.linspace(0, strength, LEVELS)[:, None]
    kept = np.rint((1 - opacity) * 256).astype(np.uint16)
    added = color_table(colormap) * (256 - kept) + 128 * (kept < 256)  # half of a step more, so that it rounds
    return np.repeat(kept, 3, axis=1), added.astype(np.uint16)


def with_boxes(picture: np.ndarray, corners: np.ndarray, color: tuple[int, int, int] = WHITE) -> np.ndarray:
    """A picture with outlines of boxes, between thin black lines, so that they show on any ground.

    Args:
        picture: uint8 [H, W, 3].
        corners: float [N, 4], x1, y1, x2, y2 as fractions of the picture, as in `metrics.annotations.Boxes`.
        color: of the outlines.

    Returns:
        uint8 [H, W, 3].
    """
    drawn = picture.copy()
    height, width = picture.shape[:2]
    line = max(1, round(min(height, width) / LINES_A_SIDE))
    pixels = np.rint(np.asarray(corners) * [width, height, width, height]).astype(int).tolist()
    for x1, y1, x2, y2 in pixels:
        _outline(drawn, (x1 - 1, y1 - 1, x2 + 1, y2 + 1), line + 2, BLACK)
    for box in pixels:
        _outline(drawn, box, line, color)
    return drawn


def _outline(picture: np.ndarray, box: tuple[int, int, int, int], line: int, color: tuple[int, int, int]) -> None:
    """Draw the edge of a box, `line` pixels inward; what lies outside the picture is left out."""
    x1, y1, x2, y2 = box
    for left, top, right, bottom in (
        (x1, y1, x2, min(y2, y1 + line)),
        (x1, max(y1, y2 - line), x2, y2),
        (x1, y1, min(x2, x1 + line), y2),
        (max(x1, x2 - line), y1, x2, y2),
    ):
        picture[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = color
