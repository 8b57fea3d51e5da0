"""Draws maps and boxes over frames: arrays in, arrays out, fast enough for video.

    image = overlay(frame, relative(maps[0]))
    image = draw_boxes(image, boxes.corners)

The larger the map, the more of the color and the less of the frame shows. Where the map is 0, the frame is unchanged.
"""

import functools

import numpy as np
from PIL import Image, ImageDraw, ImageFont

COLORMAP = "jet"  # its upper half stands out from light and from dark photos
END_OF_COLORMAP = 0.88  # beyond it jet darkens again, so that the maximum would look weaker
STRENGTH = 0.6  # opacity of the color where the map is 1
LEVELS = 256  # of a map when it is drawn
OPACITIES = [round(STRENGTH * level) for level in range(LEVELS)]  # 255 is opaque
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
CAPTIONS_A_SIDE = 20  # the height of a caption is this part of the frame's shorter side
LINES_A_SIDE = 128  # the line of a box is this part of the frame's shorter side


def relative(heat: np.ndarray) -> np.ndarray:
    """A map, float [h, w], relative to its maximum, as scores use it. A map of zeros stays as it is."""
    maximum = heat.max()
    return heat / maximum if maximum > 0 else heat


def overlay(frame: np.ndarray, heat: np.ndarray, colormap: str = COLORMAP) -> np.ndarray:
    """A frame with a map over it, uint8 [H, W, 3].

    Args:
        frame: uint8 [H, W, 3], RGB.
        heat: float [h, w], clipped to 0 ... 1. 0 is transparent.
        colormap: a name of matplotlib.
    """
    levels = _levels(heat, *frame.shape[:2])
    opacity = levels.point(OPACITIES)
    levels.putpalette(color_table(colormap).tobytes())
    return np.asarray(Image.composite(levels.convert("RGB"), Image.fromarray(frame), opacity))  # faster than numpy


def colorize(heat: np.ndarray, height: int, width: int) -> np.ndarray:
    """The colors of a map, float [h, w] in 0 ... 1, without a frame. Returns uint8 [height, width, 3]."""
    return np.take(color_table(COLORMAP), np.asarray(_levels(heat, height, width)), axis=0)


def _levels(heat: np.ndarray, height: int, width: int) -> Image.Image:
    """A map in the size of a frame, quantized, an image of 8 bits a pixel."""
    levels = (np.clip(heat, 0, 1) * (LEVELS - 1) + 0.5).astype(np.uint8)
    return Image.fromarray(levels).resize((width, height), Image.Resampling.BILINEAR)


@functools.cache
def color_table(colormap: str) -> np.ndarray:
    """The color of each level, uint8 [LEVELS, 3]."""
    import matplotlib  # here, so that programs without drawings need not load it

    return matplotlib.colormaps[colormap](np.linspace(0, END_OF_COLORMAP, LEVELS), bytes=True)[:, :3]


def write_caption(frame: np.ndarray, text: str) -> np.ndarray:
    """A frame with a line of text in its lower left corner, white with a black edge, uint8 [H, W, 3]."""
    image = Image.fromarray(frame)
    size = max(10, min(image.size) // CAPTIONS_A_SIDE)
    place = (size // 2, image.height - size // 2)
    font = ImageFont.load_default(size)
    ImageDraw.Draw(image).text(place, text, WHITE, font, "ls", stroke_width=max(1, size // 10), stroke_fill=BLACK)
    return np.asarray(image)


def draw_boxes(frame: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """A frame with white outlines of boxes. Thin black lines on both sides keep them visible on any background.

    Args:
        frame: uint8 [H, W, 3].
        corners: float [N, 4], x1, y1, x2, y2 as fractions of the frame, as in `metrics.maps.annotations.Boxes`.
    """
    image = Image.fromarray(frame)
    draw = ImageDraw.Draw(image)
    line = max(1, round(min(image.size) / LINES_A_SIDE))
    pixels = np.rint(np.asarray(corners) * [*image.size, *image.size]).astype(int).tolist()
    for edge, color in ((1, BLACK), (0, WHITE)):
        for x1, y1, x2, y2 in pixels:
            box = (x1 - edge, y1 - edge, max(x1, x2 - 1) + edge, max(y1, y2 - 1) + edge)
            width = max(1, min(line, x2 - x1, y2 - y1))  # a wider line would leave a small box
            draw.rectangle(box, outline=color, width=width + 2 * edge)
    return np.asarray(image)
