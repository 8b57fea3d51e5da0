"""The curves of one training as figures of a web page: where lines, ticks and labels of each panel lie."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.ticker import MaxNLocator

from vis.curves import CHANCE, PANELS, Curves, is_logarithmic

WIDTH, HEIGHT = 460, 250  # units of the drawing
LEFT, RIGHT, TOP, BOTTOM = 44, 14, 12, 40  # its margins
MOST_POWERS = 6  # of ten that a logarithmic axis names
SERIES = ("training", "validation")  # in the order of PANELS


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: how far it lies from the left or from the top, and its text."""

    at: float
    text: str


@dataclass(frozen=True)
class Line:
    """A curve.

    Attributes:
        name: one of SERIES.
        points: of each epoch, from the left and from the top.
        texts: what each of them says.
    """

    name: str
    points: list[tuple[float, float]]
    texts: list[str]


@dataclass(frozen=True)
class Panel:
    """A drawing of WIDTH x HEIGHT.

    Attributes:
        title: what it is of.
        lines: its curves.
        epochs: marks of the horizontal axis.
        values: marks of the vertical one.
        chance: height at which a network would be that has learned nothing; None where that is not known.
    """

    title: str
    lines: list[Line]
    epochs: list[Tick]
    values: list[Tick]
    chance: float | None


def panels_of(curves: Curves) -> list[Panel]:
    """A panel for the loss and one for the matching accuracy, as in `vis.curves`."""
    return [_panel(curves, title, columns) for title, columns in PANELS.items()]


def _panel(curves: Curves, title: str, columns: Sequence[str]) -> Panel:
    chance = None if title == "loss" else CHANCE
    values = [value for column in columns for value in curves[column]] + ([] if chance is None else [chance])
    logarithmic = is_logarithmic(title, values)
    heights = _powers_of_ten(values) if logarithmic else _round_values(values)  # reach over all
    scaled = math.log10 if logarithmic else float
    low, high = scaled(heights[0]), scaled(heights[-1])
    first, last = min(curves["epoch"]), max(curves["epoch"])
    epochs = MaxNLocator(7, integer=True, steps=[1, 2, 5, 10]).tick_values(first, last).tolist()

    def x(epoch: float) -> float:
        part = (epoch - first) / (last - first) if last > first else 0.5
        return round(LEFT + part * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        return round(TOP + (high - scaled(value)) / (high - low) * (HEIGHT - TOP - BOTTOM), 1)

    lines = [
        Line(
            name,
            [(x(epoch), y(value)) for epoch, value in zip(curves["epoch"], curves[column], strict=True)],
            [f"epoch {e:g}: {title} {v:.4g} ({name})" for e, v in zip(curves["epoch"], curves[column], strict=True)],
        )
        for name, column in zip(SERIES, columns, strict=True)
    ]
    return Panel(
        title,
        lines,
        [Tick(x(epoch), f"{epoch:g}") for epoch in epochs if first <= epoch <= last],
        [Tick(y(value), f"{value:.6g}") for value in heights],
        None if chance is None else y(chance),
    )


def _round_values(values: Sequence[float]) -> list[float]:
    return MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(min(values), max(values)).tolist()


def _powers_of_ten(values: Sequence[float]) -> list[float]:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    step = math.ceil((high - low) / MOST_POWERS)
    return [10.0**power for power in range(low, high + step, step)]
