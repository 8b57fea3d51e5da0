"""Maps that nobody needs to learn. A method that does not beat them has learned nothing about sound."""

import numpy as np

from metrics.scores import SIZE

DISC_RADIUS = 65  # of SIZE pixels

WHOLE_FRAME = "whole frame"
CENTRED_DISC = "centred disc"
RANDOM_MAP = "random map"


def whole_frame() -> np.ndarray:
    """A map that shows the whole frame alike, float32 [SIZE, SIZE]."""
    return np.ones((SIZE, SIZE), np.float32)


def centred_disc() -> np.ndarray:
    """A map that shows the middle of the frame, float32 [SIZE, SIZE]: people film what sounds."""
    offset = np.arange(SIZE) + 0.5 - SIZE / 2
    return (offset[:, None] ** 2 + offset**2 <= DISC_RADIUS**2).astype(np.float32)


def random_maps(count: int, grid: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Uniform noise on a run's own grid, float32 [count, *grid]: what a network with random maps would score."""
    return rng.random((count, *grid), np.float32)
