"""A small drawing board for the things in the demo videos: smooth shapes with light, shade and an outline."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Color = tuple[int, int, int]
Point = tuple[float, float]

SIDE = 512  # pixels of the board; things are shown about a quarter as large, so that their edges come out smooth
INK = (28, 24, 32)
CREAM = (246, 240, 226)
LINE = 0.012  # width of an inner line, of the board's side
RIM = 0.016  # width of the dark line around the whole thing


def mix(color: Color, other: Color, share: float) -> Color:
    """`color` with a share of `other`, 0 to 1."""
    return tuple(round(a + (b - a) * share) for a, b in zip(color, other, strict=True))


def lighter(color: Color, share: float = 0.4) -> Color:
    """`color` mixed with white."""
    return mix(color, (255, 255, 255), share)


def darker(color: Color, share: float = 0.35) -> Color:
    """`color` mixed with ink."""
    return mix(color, INK, share)


def rectangle(left: float, top: float, right: float, bottom: float) -> list[Point]:
    """Corners of an upright rectangle."""
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def ellipse(x: float, y: float, rx: float, ry: float, start: float = 0, end: float = 360) -> list[Point]:
    """Points of an ellipse, or of its arc between two angles in degrees, clockwise from the right."""
    angles = np.radians(np.linspace(start, end, 49))
    return list(zip(x + rx * np.cos(angles), y + ry * np.sin(angles), strict=True))


def smooth(points: Sequence[Point], closed: bool = True, steps: int = 10) -> list[Point]:
    """A curve through the points (Catmull-Rom), closed or from the first to the last."""
    knots = np.asarray(points, float)
    knots = np.concatenate([knots[-1:], knots, knots[:2]] if closed else [knots[:1], knots, knots[-1:]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(knots[:-3], knots[1:-2], knots[2:-1], knots[3:], strict=True):
        pieces.append(b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))))
    if not closed:
        pieces.append(knots[-1:])
    return [tuple(point) for point in np.concatenate(pieces)]


def smooth_widths(widths: Sequence[float], steps: int = 10) -> np.ndarray:
    """Widths for the points that `smooth(points, closed=False)` puts between as many knots."""
    at = np.append(np.arange((len(widths) - 1) * steps) / steps, len(widths) - 1)
    return np.interp(at, np.arange(len(widths)), widths)


def symmetric(right_half: Sequence[Point]) -> list[Point]:
    """The right half of an outline, top to bottom, and its mirror image about x = 0.5."""
    return [*right_half, *[(1 - x, y) for x, y in reversed(right_half) if x != 0.5]]


def ribbon(points: Sequence[Point], widths: float | Sequence[float]) -> list[Point]:
    """Outline of a band along a line, of one width or of a width at each point."""
    line = np.asarray(points, float)
    along = np.gradient(line, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], 1) / np.maximum(np.hypot(*along.T), 1e-9)[:, None]
    half = np.broadcast_to(np.asarray(widths, float) / 2, len(line))[:, None]
    return [tuple(point) for point in np.concatenate([line + across * half, (line - across * half)[::-1]])]


def _light_from_upper_left() -> Image.Image:
    ramp = np.linspace(255, 0, 64)
    return Image.fromarray((0.4 * ramp[None] + 0.6 * ramp[:, None]).astype(np.uint8))


LIGHT = _light_from_upper_left()


class Canvas:
    """A transparent square board; coordinates run from 0 to 1, y downwards."""

    def __init__(self) -> None:
        self.image = Image.new("RGBA", (SIDE, SIDE))
        self._draw = ImageDraw.Draw(self.image)

    def shape(self, points: Sequence[Point], color: Color, outline: bool = True, depth: float = 0.4) -> None:
        """A filled outline, lit from the upper left; `depth` 0 is flat."""
        pixels = [(x * SIDE, y * SIDE) for x, y in points]
        xs, ys = zip(*pixels, strict=True)
        left, top = int(min(xs)), int(min(ys))
        size = (int(max(xs)) - left + 2, int(max(ys)) - top + 2)
        mask = Image.new("L", size)
        ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in pixels], fill=255)
        light = Image.new("RGBA", size, (*lighter(color, depth), 255))
        shade = Image.new("RGBA", size, (*darker(color, depth), 255))
        self.image.paste(Image.composite(light, shade, LIGHT.resize(size)), (left, top), mask)
        if outline:
            self.line([*points, points[0], points[1]], darker(color, 0.75))

    def line(self, points: Sequence[Point], color: Color, width: float = LINE) -> None:
        """A line through the points."""
        pixels = [(x * SIDE, y * SIDE) for x, y in points]
        self._draw.line(pixels, (*color, 255), max(1, round(width * SIDE)), "curve")

    def disc(self, x: float, y: float, radius: float, color: Color) -> None:
        """A button: a lit disc with a glint."""
        self.shape(ellipse(x, y, radius, radius), color)
        glint = radius * 0.35
        self.shape(ellipse(x - glint, y - glint, glint, glint), lighter(color, 0.7), outline=False, depth=0)

    def tube(self, points: Sequence[Point], widths: float | Sequence[float], color: Color) -> None:
        """A round pipe along a line: dark at its edges, with a glint."""
        width = np.broadcast_to(np.asarray(widths, float), len(points))
        dark = darker(color, 0.75)
        for share, tone in ((1, darker(color)), (0.66, color), (0.25, lighter(color, 0.6))):
            self.shape(ribbon(points, width * share), tone, outline=False, depth=0)
        outline = ribbon(points, width)
        self.line([*outline, outline[0]], dark)

    def cut_out(self) -> Image.Image:
        """The thing on the board with a dark rim, RGBA, cropped to what is drawn."""
        alpha = self.image.getchannel("A")
        spread = alpha.filter(ImageFilter.GaussianBlur(RIM * SIDE))
        rim = Image.new("RGBA", self.image.size, (*INK, 0))
        rim.putalpha(spread.point(lambda value: min(255, max(0, (value - 20) * 16))))
        rim.alpha_composite(self.image)
        return rim.crop(rim.getbbox())
