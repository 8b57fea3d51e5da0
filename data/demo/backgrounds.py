"""Backgrounds of the demo videos: drawn patterns, crops of the two photographs in scikit-learn, and clutter.

They are as busy as photographs, and as colorful as the objects in front of them: what stands out need not sound.
"""

import colorsys
import functools
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from data.demo.canvas import SIDE, Canvas
from data.demo.shapes import ellipse, rectangle, ribbon, smooth

CLUTTERED = 0.75  # share of the backgrounds on which shapes lie

Background = Callable[[np.random.Generator, int, int], np.ndarray]


def paint(kind: str, random: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A random background of a kind in `BACKGROUNDS`, uint8 [height, width, 3]."""
    pattern = BACKGROUNDS[kind](random, width, height).astype(float)
    if random.random() < CLUTTERED:
        pattern = _with_clutter(pattern, random)
    pattern += random.uniform(1, 4) * random.standard_normal((height, width, 1))  # grain: no flat areas
    return pattern.round().clip(0, 255).astype(np.uint8)


def _color(random: np.random.Generator) -> np.ndarray:
    """RGB, 0 to 255, of any hue."""
    return 255 * np.array(colorsys.hsv_to_rgb(random.random(), random.uniform(0.05, 0.8), random.uniform(0.3, 0.95)))


def _colors(random: np.random.Generator, count: int) -> np.ndarray:
    """A color and its neighbors, [count, 3], far enough apart to be distinct."""
    first = _color(random)
    steps = np.linspace(-1, 1, count) * random.uniform(25, 55)
    return (first + steps[:, None] + random.normal(0, 12, (count, 3))).clip(0, 255)


def _blend(share: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Two colors mixed by a share [height, width] from 0 to 1."""
    return colors[0] + share[..., None] * (colors[1] - colors[0])


def _rotated_grid(random: np.random.Generator, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates x, y [height, width] in pixels along two axes rotated by a random angle."""
    angle = random.uniform(0, np.pi)
    y, x = np.mgrid[:height, :width]
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def _gradient(random: np.random.Generator, width: int, height: int) -> np.ndarray:
    x, _ = _rotated_grid(random, width, height)
    return _blend((x - x.min()) / np.ptp(x), _colors(random, 2))


def _vignette(random: np.random.Generator, width: int, height: int) -> np.ndarray:
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    distance = np.hypot(x - random.random(), y - random.random())
    return _blend(distance / distance.max(), _colors(random, 2))


def _stripes(random: np.random.Generator, width: int, height: int) -> np.ndarray:
    x, _ = _rotated_grid(random, width, height)
    wave = np.sin(2 * np.pi * x / random.uniform(18, 70) + random.uniform(0, 6))
    return _blend(0.5 + 0.5 * np.tanh(wave * random.uniform(1, 6)), _colors(random, 2))


def _checks(random: np.random.Generator, width: int, height: int) -> np.ndarray:
    x, y = _rotated_grid(random, width, height)
    size = random.uniform(16, 50)
    return _colors(random, 2)[(np.floor(x / size) + np.floor(y / size)).astype(int) % 2]


def _dots(random: np.random.Generator, width: int, height: int) -> np.ndarray:
    x, y = _rotated_grid(random, width, height)
    size = random.uniform(24, 56)
    distance = np.hypot(x % size - size / 2, y % size - size / 2)
    return _blend(np.clip(size * random.uniform(0.2, 0.35) - distance, 0, 1), _colors(random, 2))


def _value_noise(random: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Random values on finer and finer grids, smoothed and added: [height, width], 0 to 1."""
    total = np.zeros((height, width))
    cells = int(random.integers(2, 5))
    for octave in range(5):
        grid = Image.fromarray(random.random((cells * 2**octave, cells * 2**octave)).astype(np.float32))
        total += np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC)) * 0.55**octave
    return (total - total.min()) / np.ptp(total)


def _clouds(random: np.random.Generator, width: int, height: int) -> np.ndarray:
    return _blend(_value_noise(random, width, height), _colors(random, 2))


def _marble(random: np.random.Generator, width: int, height: int) -> np.ndarray:
    x, _ = _rotated_grid(random, width, height)
    veins = np.sin(x / random.uniform(8, 25) + 9 * _value_noise(random, width, height))
    return _blend(0.5 + 0.5 * veins, _colors(random, 2))


def _blobs(random: np.random.Generator, width: int, height: int) -> np.ndarray:
    colors = _colors(random, 5).round().astype(int)
    image = Image.new("RGB", (width, height), tuple(colors[0]))
    draw = ImageDraw.Draw(image)
    for _ in range(int(random.integers(12, 40))):
        x, y, rx, ry = random.uniform((0, 0, 10, 10), (width, height, 60, 60))
        draw.ellipse((x - rx, y - ry, x + rx, y + ry), fill=tuple(colors[random.integers(1, 5)]))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(random.uniform(1, 8))))


def _planks(random: np.random.Generator, width: int, height: int) -> np.ndarray:
    colors = _colors(random, 2)
    size = int(random.integers(28, 60))
    rows = np.arange(height) // size
    tone = random.uniform(0, 0.6, rows[-1] + 1)[rows][:, None]
    grain = np.stack([_value_noise(random, width, 8)[random.integers(8)] for _ in range(rows[-1] + 1)])[rows]
    wave = 0.5 + 0.5 * np.sin(18 * grain + 0.35 * np.arange(height)[:, None])
    planks = _blend(tone + 0.4 * wave, colors)
    planks[np.arange(height) % size < 2] *= 0.6
    if random.random() < 0.5:
        return planks
    upright = Image.fromarray(planks.clip(0, 255).astype(np.uint8)).transpose(Image.Transpose.ROTATE_90)
    return np.asarray(upright.resize((width, height), Image.Resampling.BICUBIC))


def _bricks(random: np.random.Generator, width: int, height: int) -> np.ndarray:
    colors = _colors(random, 2)
    long, high = int(random.integers(36, 70)), int(random.integers(16, 30))
    y, x = np.mgrid[:height, :width]
    row = y // high
    x = x + row % 2 * (long // 2)
    tones = random.uniform(0.3, 1, (row.max() + 1, x.max() // long + 1))[row, x // long]
    return _blend(np.where((y % high < 2) | (x % long < 2), 0, tones), colors)


def _collage(random: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Pieces of several patterns, each piece with what is nearest to its center."""
    from scipy.spatial import cKDTree  # here, so that --help of data/make_demo.py need not load it

    centers = random.uniform((0, 0), (height, width), (int(random.integers(4, 9)), 2))
    _, piece = cKDTree(centers).query(np.indices((height, width)).transpose(1, 2, 0))
    patterns = [DRAWN[number](random, width, height) for number in random.integers(len(DRAWN), size=len(centers))]
    return np.choose(piece[..., None], patterns)


def _with_clutter(pattern: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Shapes that are no object, lit as the objects are, on a background."""
    height, width = pattern.shape[:2]
    canvas = Canvas()
    for _ in range(int(random.integers(6, 40))):
        x, y = random.random(2)
        rx, ry = random.uniform(0.015, 0.11, 2)
        turn = 2 * np.pi * random.random()
        outline = np.array(_SHAPES[random.integers(len(_SHAPES))](random)) * (rx, ry)
        rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        color = tuple(_color(random).round().astype(int).tolist())
        canvas.shape([tuple(point) for point in outline @ rotation + (x, y)], color, outline=random.random() < 0.5)
    area = (0, 0, SIDE, SIDE * height / width)
    shapes = np.asarray(canvas.image.resize((width, height), Image.Resampling.LANCZOS, area), float)
    return pattern + shapes[..., 3:] / 255 * (shapes[..., :3] - pattern)


_SHAPES = (  # outlines within -1 and 1
    lambda random: ellipse(0, 0, 1, 1),
    lambda random: rectangle(-1, -1, 1, 1),
    lambda random: [(0, -1), (1, 1), (-1, 1)],
    lambda random: smooth(random.uniform(-1, 1, (6, 2)).tolist()),
    lambda random: ribbon(smooth(random.uniform(-1, 1, (4, 2)).tolist(), closed=False), 0.3),
)


def _photo_crop(name: str, random: np.random.Generator, width: int, height: int) -> np.ndarray:
    from sklearn.datasets import load_sample_image  # here, as it takes seconds to load

    photo = Image.fromarray(load_sample_image(name))
    scale = random.uniform(0.3, 0.95) * min(photo.width / width, photo.height / height)
    left = random.uniform(0, photo.width - scale * width)
    top = random.uniform(0, photo.height - scale * height)
    area = (left, top, left + scale * width, top + scale * height)
    crop = photo.resize((width, height), Image.Resampling.BICUBIC, area)
    if random.random() < 0.5:
        crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.asarray(crop)


DRAWN = (_blobs, _bricks, _checks, _clouds, _dots, _gradient, _marble, _planks, _stripes, _vignette)
PHOTOS = {"photo of a flower": "flower.jpg", "photo of a temple": "china.jpg"}
BACKGROUNDS: dict[str, Background] = {
    **{function.__name__.removeprefix("_"): function for function in DRAWN},
    "collage": _collage,
    **{name: functools.partial(_photo_crop, file) for name, file in PHOTOS.items()},
}
