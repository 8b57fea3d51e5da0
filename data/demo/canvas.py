"""A canvas for the objects in the demo videos: shapes with light, shade and an outline."""

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from data.demo.shapes import Point, ellipse, ribbon

Color = tuple[int, int, int]

SIDE = 512  # pixels of the canvas; videos show objects at about a quarter of this size, so that edges are smooth
INK = (28, 24, 32)
CREAM = (246, 240, 226)
LINE = 0.012  # width of an inner line, as a share of the canvas
RIM = 0.016  # width of the dark rim around an object
RAMP = np.linspace(255, 0, 64)
LIGHT = Image.fromarray((0.4 * RAMP[None] + 0.6 * RAMP[:, None]).astype(np.uint8))  # from the upper left


def mix(color: Color, other: Color, share: float) -> Color:
    """`color` with a share of `other`, 0 to 1."""
    return tuple(round(a + (b - a) * share) for a, b in zip(color, other, strict=True))


def lighter(color: Color, share: float = 0.4) -> Color:
    """`color` mixed with white."""
    return mix(color, (255, 255, 255), share)


def darker(color: Color, share: float = 0.35) -> Color:
    """`color` mixed with ink."""
    return mix(color, INK, share)


class Canvas:
    """A transparent square; coordinates run from 0 to 1, y downwards."""

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
        """A lit disc with a glint."""
        self.shape(ellipse(x, y, radius, radius), color)
        glint = radius * 0.35
        self.shape(ellipse(x - glint, y - glint, glint, glint), lighter(color, 0.7), outline=False, depth=0)

    def tube(self, points: Sequence[Point], widths: float | Sequence[float], color: Color) -> None:
        """A round pipe along a line, with dark edges and a glint; several widths are interpolated along the line."""
        widths = np.atleast_1d(widths)
        width = np.interp(np.linspace(0, 1, len(points)), np.linspace(0, 1, len(widths)), widths)
        for share, tone in ((1, darker(color)), (0.66, color), (0.25, lighter(color, 0.6))):
            self.shape(ribbon(points, width * share), tone, outline=False, depth=0)
        outline = ribbon(points, width)
        self.line([*outline, outline[0]], darker(color, 0.75))

    def cut_out(self) -> Image.Image:
        """The drawn object with a dark rim, RGBA, cropped to its visible part."""
        alpha = self.image.getchannel("A")
        spread = alpha.filter(ImageFilter.GaussianBlur(RIM * SIDE))
        rim = Image.new("RGBA", self.image.size, (*INK, 0))
        rim.putalpha(spread.point(lambda value: min(255, max(0, (value - 20) * 16))))
        rim.alpha_composite(self.image)
        return rim.crop(rim.getbbox())


Drawing = Callable[[Canvas, Color, Color, Color], None]  # draws an object in three colors: body, second part, accent
