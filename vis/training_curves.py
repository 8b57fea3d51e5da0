"""The curves of trainings, read from their ``log.csv`` and drawn with matplotlib."""

import csv
import io
import json
import math
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = {  # title -> name of a line -> its curve
    "loss": {"training": "loss", "validation": "val_loss"},
    "matching accuracy": {"training": "train_accuracy", "validation": "val_accuracy"},
    "distance in training": {
        "positive pairs": "positive_distance",
        "negative pairs": "negative_distance",
        "margin": "margin",
    },
}
COLUMNS = ("epoch", "loss", "val_loss", "train_accuracy", "val_accuracy")
DISTANCES = ("positive_distance", "negative_distance")  # columns that older logs do not have
STYLES = ("--", "-", ":")  # of the lines of a panel
CHANCE = 0.5  # matching accuracy of an untrained network
LEGEND_ROWS = 18  # of one column of the legend
WIDE_RANGE = 50  # the scale is logarithmic if the largest value is more than this times the smallest
FEW = 10  # runs that matplotlib's own colors can tell apart

Curves = dict[str, list[float]]  # column of log.csv, or "margin" -> value of each epoch


def read_log(path: Path) -> Curves:
    """The curves of a ``log.csv``, and the margin that its distances are held against."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            text = file.read()
            rows = list(csv.DictReader(io.StringIO(text, newline="")))
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). The folder of a training has a log.csv") from error
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path} is not the log.csv of a training ({error})") from error
    if text and not text.endswith("\n"):  # a number may have lost its last digits
        raise UserError(f"{path} is cut short: --resume 1 writes it again")
    if not rows:
        raise UserError(f"{path} has no epoch. location_dmc.py adds a line after each epoch")
    if missing := [column for column in COLUMNS if column not in rows[0]]:
        raise UserError(f"{path} is not the log.csv of a training: it has no column {missing[0]}")
    has_distances = all(row.get(column) for row in rows for column in DISTANCES)  # epochs of an older program do not
    columns = (*COLUMNS, *DISTANCES) if has_distances else COLUMNS
    curves = {column: [_number(path, line, column, row) for line, row in enumerate(rows, 2)] for column in columns}
    margin = _read_margin(path.with_name("args.json")) if has_distances else None
    return curves | {"margin": [margin] * len(rows)} if margin else curves


def _read_margin(args: Path) -> float | None:
    """The margin of a training's loss; None if its loss has none, or the file is not there."""
    try:
        options = json.loads(args.read_text(encoding="utf-8"))
        return float(options["margin"]) if options["loss"] == "contrastive" else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{args} is not the args.json of a training ({type(error).__name__}: {error})") from error


def _number(path: Path, line: int, column: str, row: dict[str, str | None]) -> float:
    try:
        value = float(row[column])
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{path}, line {line}: {column} is not a finite number, but {row[column]!r:.50}")
    return value


def draw_curves(runs: dict[str, Curves]) -> "Figure":
    """Loss, matching accuracy, and the distances if a log has them, all runs, by name, in the same axes."""
    import matplotlib
    from matplotlib.lines import Line2D

    titles = _titles(runs.values())
    figure = _new_figure((2 + 4.5 * len(titles), 4.5))

    spread = matplotlib.colormaps["turbo"]
    colors = [f"C{i}" if len(runs) <= FEW else spread(0.05 + 0.9 * i / (len(runs) - 1)) for i in range(len(runs))]
    for axes, title in zip(figure.subplots(1, len(titles)), titles, strict=True):
        _draw_panel(axes, title, list(runs.values()), colors)
    styles = {"validation": "-", "training": "--", f"chance ({CHANCE})": ":"}
    for title in titles[2:]:
        lines = zip(PANELS[title].items(), STYLES, strict=True)
        styles |= {name: style for (name, curve), style in lines if any(curve in curves for curves in runs.values())}
    handles = [Line2D([], [], color=color, linewidth=4) for color in colors]
    handles += [Line2D([], [], color="grey", linestyle=style) for style in styles.values()]
    columns = math.ceil(len(handles) / LEGEND_ROWS)
    legend = figure.legend(handles, ["."] * len(handles), loc="outside right upper", frameon=False, ncols=columns)
    for text, name in zip(legend.get_texts(), [*runs, *styles], strict=True):
        text.set_parse_math(False)  # a name may have dollars or start with "_"
        text.set_text(name)
    return figure


def svg_panels(curves: Curves) -> dict[str, str]:
    """Title -> SVG element, for a web page of any color scheme: black is drawn in the text color of the page."""
    import matplotlib

    panels = {}
    for title in _titles([curves]):
        figure = _new_figure((4.8, 2.8))
        axes = figure.subplots()
        _draw_panel(axes, title, [curves], ["C0"])
        axes.legend(axes.lines, [*PANELS[title], "chance"][: len(axes.lines)], frameon=False)
        file = io.StringIO()
        without_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))  # they hold addresses
        with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": title}):
            figure.savefig(file, format="svg", transparent=True, metadata=without_metadata)
        svg = file.getvalue()
        svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg[svg.index("<svg") :])  # HTML needs no name spaces
        panels[title] = svg.replace("#000000", "currentColor")
    return panels


def _new_figure(size: tuple[float, float]) -> "Figure":
    """An empty figure, `size` in inches."""
    from matplotlib.figure import Figure  # here, so that programs without drawings need not load it

    return Figure(figsize=size, dpi=120, layout="constrained")


def _titles(runs: Collection[Curves]) -> list[str]:
    """The titles of the panels that some run has curves for."""
    return [title for title, lines in PANELS.items() if any({*lines.values()} & {*curves} for curves in runs)]


def _draw_panel(axes: "Axes", title: str, runs: Sequence[Curves], colors: Sequence) -> None:
    """Draw one of PANELS: the curves of each run, and the chance level."""
    from matplotlib.ticker import MaxNLocator

    values = []
    for curves, color in zip(runs, colors, strict=True):
        for column, style in zip(PANELS[title].values(), STYLES, strict=False):
            if column in curves:
                marker = "o" if len(curves["epoch"]) < 3 else None  # a line of one point would be invisible
                axes.plot(curves["epoch"], curves[column], style, color=color, marker=marker, ms=4, linewidth=1.5)
                values += curves[column]
    if title == "matching accuracy":
        axes.axhline(CHANCE, color="grey", linewidth=1, linestyle=":")
    # The contrastive loss of the original recipe starts in the thousands: on a linear scale its end would be flat.
    elif min(values) > 0 and max(values) / min(values) > WIDE_RANGE:
        axes.set_yscale("log")
    axes.set(title=title, xlabel="epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
