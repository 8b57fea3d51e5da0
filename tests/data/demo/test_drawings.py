"""The drawings: shape tells the instrument, color does not."""

import itertools

import numpy as np
from PIL import Image
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import NearestCentroid

from data.demo.drawings import PALETTE, draw, pick_colors
from data.demo.plan import INSTRUMENTS


def test_color_does_not_tell_the_instrument():
    for number in range(len(INSTRUMENTS)):
        colors = [color for repeat in range(40) for color in pick_colors(np.random.default_rng([repeat, number]))]
        assert set(colors) == set(PALETTE)
    names = np.repeat(INSTRUMENTS, 8)
    chroma = [mean_chroma(name, repeat) for repeat, name in enumerate(names)]
    accuracy = cross_val_score(NearestCentroid(), chroma, names, cv=LeaveOneOut()).mean()
    assert accuracy < 0.35  # by chance 0.1; keys and drum skins are always cream


def mean_chroma(name, seed):
    pixels = np.asarray(draw(name, np.random.default_rng(seed)).resize((64, 64)), float)
    mean = (pixels[..., :3] * pixels[..., 3:]).sum((0, 1)) / pixels[..., 3].sum()
    return (mean - mean.mean()) / np.linalg.norm(mean - mean.mean())


def test_no_two_instruments_share_a_silhouette():
    silhouettes = {name: silhouette(draw(name, np.random.default_rng(0))) for name in INSTRUMENTS}
    for (name, one), (other, two) in itertools.combinations(silhouettes.items(), 2):
        assert (one & two).sum() / (one | two).sum() < 0.85, (name, other)


def silhouette(drawing):
    """Visible pixels, centered in a square, [128, 128]."""
    side = max(drawing.size)
    square = Image.new("L", (side, side))
    square.paste(drawing.getchannel("A"), ((side - drawing.width) // 2, (side - drawing.height) // 2))
    return np.asarray(square.resize((128, 128))) > 128
