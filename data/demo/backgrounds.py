"""Backgrounds of the demo videos: drawn patterns and crops of the two photographs in scikit-learn.

They are paler and softer than the objects in front of them, so that the objects stand out.
"""

import colorsys
import functools
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from sklearn.datasets import load_sample_image

CONTRAST = 0.7  # a pattern keeps this share of its distance from its mean color

Background = Callable[[np.random.Generator, int, int], np.ndarray]


def paint(kind: str, random: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A random background of a kind in `BACKGROUNDS`, uint8 [height, width, 3]."""
    pattern = BACKGROUNDS[kind](random, width, height).astype(float)
    mean = pattern.mean((0, 1))
    soft = mean + CONTRAST * (pattern - mean)
    soft += random.uniform(1, 4) * random.standard_normal((height, width, 1))  # grain: no flat areas
    return soft.round().clip(0, 255).astype(np.uint8)


def _pale_color(random: np.random.Generator) -> np.ndarray:
    """RGB, 0 to 255, of any hue and of low saturation."""
    return 255 * np.array(colorsys.hsv_to_rgb(random.random(), random.uniform(0.05, 0.32), random.uniform(0.4, 0.95)))


def _colors(random: np.random.Generator, count: int) -> np.ndarray:
    """A color and its neighbors, [count, 3], far enough apart to be distinct."""
    first = _pale_color(random)
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


def _photo_crop(name: str, random: np.random.Generator, width: int, height: int) -> np.ndarray:
    photo = Image.fromarray(load_sample_image(name))
    scale = random.uniform(0.45, 0.95) * min(photo.width / width, photo.height / height)
    left = random.uniform(0, photo.width - scale * width)
    top = random.uniform(0, photo.height - scale * height)
    area = (left, top, left + scale * width, top + scale * height)
    crop = photo.resize((width, height), Image.Resampling.BICUBIC, area)
    if random.random() < 0.5:
        crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    crop = crop.filter(ImageFilter.GaussianBlur(random.uniform(0, 2)))  # out of focus behind the thing
    return 0.75 * np.asarray(crop) + 0.25 * _pale_color(random)


DRAWN = (_blobs, _bricks, _checks, _clouds, _dots, _gradient, _marble, _planks, _stripes, _vignette)
PHOTOS = {"photo of a flower": "flower.jpg", "photo of a temple": "china.jpg"}
BACKGROUNDS: dict[str, Background] = {
    **{function.__name__.removeprefix("_"): function for function in DRAWN},
    **{name: functools.partial(_photo_crop, file) for name, file in PHOTOS.items()},
}
