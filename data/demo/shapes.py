"""Outlines of the objects in the demo videos: lists of points, in coordinates from 0 to 1."""

from collections.abc import Sequence

import numpy as np

Point = tuple[float, float]


def rectangle(left: float, top: float, right: float, bottom: float) -> list[Point]:
    """Corners of an upright rectangle."""
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def ellipse(x: float, y: float, rx: float, ry: float, start: float = 0, end: float = 360) -> list[Point]:
    """Points of an ellipse, or of its arc between two angles in degrees, clockwise from the right."""
    angles = np.radians(np.linspace(start, end, 49))
    return list(zip(x + rx * np.cos(angles), y + ry * np.sin(angles), strict=True))


def smooth(points: Sequence[Point], closed: bool = True, steps: int = 10) -> list[Point]:
    """A Catmull-Rom curve through the points, closed or from the first to the last."""
    knots = np.asarray(points, float)
    knots = np.concatenate([knots[-1:], knots, knots[:2]] if closed else [knots[:1], knots, knots[-1:]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(knots[:-3], knots[1:-2], knots[2:-1], knots[3:], strict=True):
        pieces.append(b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))))
    if not closed:
        pieces.append(knots[-1:])
    return [tuple(point) for point in np.concatenate(pieces)]


def symmetric(right_half: Sequence[Point]) -> list[Point]:
    """The right half of an outline, from top to bottom, and its mirror image about x = 0.5."""
    return [*right_half, *[(1 - x, y) for x, y in reversed(right_half) if x != 0.5]]


def ribbon(points: Sequence[Point], widths: float | Sequence[float]) -> list[Point]:
    """Outline of a band along a line, of one width or of a width at each point."""
    line = np.asarray(points, float)
    along = np.gradient(line, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], 1) / np.maximum(np.hypot(*along.T), 1e-9)[:, None]
    half = np.broadcast_to(np.asarray(widths, float) / 2, len(line))[:, None]
    return [tuple(point) for point in np.concatenate([line + across * half, (line - across * half)[::-1]])]
