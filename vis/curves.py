"""Draws the curves of several trainings in one figure: loss, matching accuracy, and distances of each epoch.

    python3 vis/curves.py runs/*/log.csv --out curves.png

Validation is solid, training is dashed. The name of a run is that of its folder. Losses of different recipes are not
comparable. Validation accuracies are: chance is 0.5. Distances are those of positive and negative pairs in training,
beside the margin of the contrastive loss.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from common.atomic import atomic_file
from common.cli import plain_parser
from common.errors import UserError
from common.exit_status import exit_status
from vis.training_curves import draw_curves, read_log


def run_names(paths: Sequence[Path]) -> list[str]:
    """The folder of each log, below the folder that all share; with the name of the file where a folder has several."""
    folders = [path.resolve().parent for path in paths]
    shared = os.path.commonpath([folder.parent for folder in folders])
    files = [path.name if folders.count(folder) > 1 else "" for path, folder in zip(paths, folders, strict=True)]
    return [str(Path(os.path.relpath(folder, shared), file)) for folder, file in zip(folders, files, strict=True)]


def plot(paths: Sequence[Path], out: Path) -> int:
    """Draw all readable logs and name the others. Returns the exit status, 1 if a log was left out."""
    curves = {}
    for path in paths:
        try:
            curves[path] = read_log(path)
        except UserError as error:
            print(f"left out: {error}", file=sys.stderr)
    if not curves:
        raise UserError("there is nothing to draw: give the log.csv of at least one training")
    figure = draw_curves(dict(zip(run_names(list(curves)), curves.values(), strict=True)))
    kind = out.suffix.lower().removeprefix(".")
    if kind not in figure.canvas.get_supported_filetypes():
        raise UserError(f"{out}: {out.suffix!r} is not the ending of an image format. Use .png")
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(out) as partial:
        figure.savefig(partial, format=kind, bbox_inches="tight")
    runs = "1 run" if len(curves) == 1 else f"{len(curves)} runs"
    print(f"Wrote the curves of {runs} to {out}. Next: compare the accuracies at the ends of the solid lines.")
    return 0 if len(curves) == len(set(paths)) else 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program. Returns its exit status."""
    parser = plain_parser(__doc__)
    parser.add_argument("logs", type=Path, nargs="+", metavar="log.csv", help="logs of trainings")
    parser.add_argument("--out", type=Path, default=Path("curves.png"), help="the figure (default: curves.png)")
    options = parser.parse_args(argv)
    return exit_status("curves", lambda: plot(options.logs, options.out))


if __name__ == "__main__":
    sys.exit(main())
