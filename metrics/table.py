"""Figures as plain text tables and as JSON."""

import json
from collections.abc import Mapping
from pathlib import Path

from common.atomic import atomic_file
from common.errors import UserError

FIGURES = {
    "frames": "frames",
    "objects": "objects",
    "mean_iou": "mean IoU",
    "iou_at_0.3": "IoU@0.3",
    "iou_at_0.5": "IoU@0.5",
    "auc": "AUC",
    "pointing": "pointing",
    "area_ratio": "area/box",
    "ciou": "CIoU",
    "ciou_at_0.3": "CIoU@0.3",
    "ciou_auc": "CIoU AUC",
    "nsa": "NSA",
    "accuracy": "accuracy",
    "accuracy_std": "std over folds",
    "recall_at_1": "recall@1",
    "recall_at_5": "recall@5",
    "recall_at_10": "recall@10",
    "median_rank": "median rank",
}


def figures_table(rows: Mapping[str, Mapping[str, float | int | None]], title: str = "") -> list[str]:
    """Lines of a table with a row for each name and a column for each of FIGURES that occurs."""
    cells = figures_cells(rows, title)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join([first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))])
        for first, *rest in cells
    ]


def figures_cells(rows: Mapping[str, Mapping[str, float | int | None]], title: str = "") -> list[list[str]]:
    """The cells of `figures_table`, row by row, the head first. "-" shows a missing figure."""
    columns = [name for name in FIGURES if any(name in figures for figures in rows.values())]
    cells = [[title, *(FIGURES[name] for name in columns)]]
    return cells + [[row, *(_cell(figures.get(name)) for name in columns)] for row, figures in rows.items()]


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write figures to a JSON file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as partial:
            partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8", "backslashreplace")
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror})") from error


def _cell(value: float | int | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
