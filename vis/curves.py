"""Draws the curves of trainings over one another: loss and matching accuracy of each epoch, from their log.csv.

    python3 vis/curves.py runs/*/log.csv --out curves.png

Validation is drawn solid, training dashed; a run has the name of its folder. Losses of different recipes cannot be
compared, matching accuracies can: chance is 0.5.
"""

import csv
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from common.atomic import atomic_file
from common.cli import INSTALL, plain_parser
from common.errors import UserError
from common.exit_status import exit_status

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANELS = {"loss": ("loss", "val_loss"), "matching accuracy": ("train_accuracy", "val_accuracy")}  # training, validation
COLUMNS = ("epoch", *(column for pair in PANELS.values() for column in pair))
CHANCE = 0.5  # matching accuracy of a network that has learned nothing
LEGEND_ROWS = 18  # of one column of the legend
WIDE = 50  # times the smallest loss; where the largest is more, the scale is logarithmic
FEW = 10  # runs that matplotlib's own colours tell apart

Curves = dict[str, list[float]]  # column of log.csv -> value of each epoch


def read_log(path: Path) -> Curves:
    """The curves of a ``log.csv``.

    Raises:
        UserError: it cannot be read, holds no epoch, or something that is no number.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): it is in the folder of a training") from error
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path} is no log.csv of a training ({error})") from error
    if not rows:
        raise UserError(f"{path} holds no epoch: location_dmc.py adds a line after each")
    if missing := [column for column in COLUMNS if column not in rows[0]]:
        raise UserError(f"{path} is no log.csv of a training: it has no column {missing[0]}")
    curves: Curves = {column: [] for column in COLUMNS}
    for number, row in enumerate(rows, 2):
        for column in COLUMNS:
            try:
                curves[column].append(_finite(row[column]))
            except (TypeError, ValueError) as error:
                raise UserError(f"{path}, line {number}: {column} is no number, but {row[column]!r:.50}") from error
    return curves


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{value} is not finite")
    return value


def run_names(paths: Sequence[Path]) -> dict[Path, str]:
    """A name for each log: its folder's, with as many of the folders above as tell it from the others."""
    parts = {path: path.resolve().parent.parts for path in paths}
    names = {}
    for path, own in parts.items():
        others = [other for other in parts.values() if other != own]
        depth = next((d for d in range(1, len(own)) if all(other[-d:] != own[-d:] for other in others)), len(own))
        names[path] = str(Path(*own[-depth:]))
        if sum(other == own for other in parts.values()) > 1:  # several logs in one folder
            names[path] = str(Path(names[path], path.name))
    return names


def draw_curves(runs: dict[str, Curves]) -> "Figure":
    """Loss on the left, matching accuracy on the right, the runs over one another.

    Args:
        runs: name -> curves, at least one.

    Raises:
        UserError: matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
        from matplotlib.lines import Line2D
        from matplotlib.ticker import MaxNLocator
    except ImportError as error:
        raise UserError(f"curves need the package matplotlib: {INSTALL}") from error
    spread = matplotlib.colormaps["turbo"]
    colors = [f"C{i}" if len(runs) <= FEW else spread(0.05 + 0.9 * i / (len(runs) - 1)) for i in range(len(runs))]
    figure = Figure(figsize=(11, 4.5), dpi=120, layout="constrained")
    for axes, (title, columns) in zip(figure.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        for curves, color in zip(runs.values(), colors, strict=True):
            for column, style in zip(columns, ("--", "-"), strict=True):
                marker = "o" if len(curves["epoch"]) < 3 else None  # else a training of one epoch would not be seen
                axes.plot(
                    curves["epoch"], curves[column], style, color=color, marker=marker, markersize=4, linewidth=1.5
                )
        if title != "loss":
            axes.axhline(CHANCE, color="grey", linewidth=1, linestyle=":")
        if is_logarithmic(title, [value for curves in runs.values() for column in columns for value in curves[column]]):
            axes.set_yscale("log")
        axes.set(title=title, xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    styles = {"validation": "-", "training": "--", f"chance ({CHANCE})": ":"}
    handles = [Line2D([], [], color=color, linewidth=4) for color in colors]
    handles += [Line2D([], [], color="grey", linestyle=style) for style in styles.values()]
    columns = math.ceil(len(handles) / LEGEND_ROWS)
    legend = figure.legend(handles, ["."] * len(handles), loc="outside right upper", frameon=False, ncols=columns)
    for text, name in zip(legend.get_texts(), [*runs, *styles], strict=True):
        text.set_parse_math(False)  # a name with dollars is no formula, and one may start with "_"
        text.set_text(name)
    return figure


def is_logarithmic(title: str, values: Sequence[float]) -> bool:
    """Whether a panel's scale is: some losses would be a flat line on a linear one that shows them all.

    The contrastive loss of the original recipe begins in thousands.
    """
    return title == "loss" and min(values) > 0 and max(values) / min(values) > WIDE


def write_figure(figure: "Figure", path: Path) -> None:
    """Write a figure, whole or not at all, in the format that its name ends with.

    Raises:
        UserError: there is no such format.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in figure.canvas.get_supported_filetypes():
        raise UserError(f"{path}: no kind of picture ends with {path.suffix!r}, use .png")
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as partial:
        figure.savefig(partial, format=kind, bbox_inches="tight")


def plot(paths: Sequence[Path], out: Path) -> int:
    """Draw all logs that can be read and name the others; returns the exit status, 1 if there are any.

    Raises:
        UserError: none can be read, or the picture cannot be written.
    """
    paths = list({path.resolve(): path for path in paths}.values())  # a log that is given twice is one
    curves, failures = {}, []
    for path in paths:
        try:
            curves[path] = read_log(path)
        except UserError as error:
            failures.append(str(error))
    names = run_names(list(curves))
    for failure in failures:
        print(f"left out: {failure}", file=sys.stderr)
    if not curves:
        raise UserError("there is nothing to draw: give the log.csv of at least one training")
    write_figure(draw_curves({names[path]: one for path, one in curves.items()}), out)
    runs = "1 run" if len(curves) == 1 else f"{len(curves)} runs"
    print(f"Wrote the curves of {runs} to {out}. Next: look where the solid lines of the accuracy end.")
    return 1 if failures else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    parser = plain_parser(__doc__)
    parser.add_argument("logs", type=Path, nargs="+", metavar="log.csv", help="logs of trainings")
    parser.add_argument("--out", type=Path, default=Path("curves.png"), help="the picture (default: curves.png)")
    options = parser.parse_args(argv)
    return exit_status("curves", lambda: plot(options.logs, options.out))


if __name__ == "__main__":
    sys.exit(main())
