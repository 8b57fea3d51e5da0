"""Figures as tables in plain text, Markdown, and LaTeX, and as JSON."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from common.atomic import atomic_file

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
    "source_ciou_at_0.3": "source-wise",
    "ciou_auc": "CIoU AUC",
    "nsa": "NSA",
    "accuracy": "accuracy",
    "accuracy_std": "std over folds",
    "recall_at_1": "recall@1",
    "recall_at_5": "recall@5",
    "recall_at_10": "recall@10",
    "median_rank": "median rank",
    "f_score": "F-score",
    "roc_auc": "ROC AUC",
    "ap": "AP",
    "max_f1": "max F1",
    "distance": "at distance",
    "universal_f1": "universal F1",
    "loc_acc": "LocAcc",
    "iiou_at_0.5": "IIoU@0.5",
    "iauc": "IAUC",
    "interactive_pointing": "all pointing",
    "silent_heat": "silent heat",
    "delay": "delay (s)",
    "delay_correlation": "correlation",
}
NO_SHARES = ("area_ratio", "distance", "median_rank", "delay")  # all others are shares. Papers print them in percent

Rows = Mapping[str, Mapping[str, object]]  # row -> figures; its "intervals" are both ends of each figure


def figures_table(rows: Rows, title: str = "") -> list[str]:
    """Lines of a table with a row for each name and a column for each of FIGURES that occurs.

    The ends of the intervals of a row, if it has any, are two more rows below it.
    """
    head, *cells = figures_cells(rows, title)
    lines = [head]
    for row in cells:
        lines.append(row)
        if ends := rows[row[0]].get("intervals"):
            for number, label in enumerate(("from", "to")):
                texts = [_cell(ends[name][number]) if name in ends else "" for name in _columns(rows)]
                lines.append([f"  95% interval {label}", *texts])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join([first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))])
        for first, *rest in lines
    ]


def figures_cells(rows: Rows, title: str = "", paper: bool = False) -> list[list[str]]:
    """The cells of a table row by row, the head first. "-" shows a missing figure.

    For a `paper`, shares are in percent, and the ends of the intervals stand in brackets behind their figure.
    """
    cells = [[title, *(FIGURES[name] for name in _columns(rows))]]
    for row, figures in rows.items():
        cells.append([row])
        for name in _columns(rows):
            text = _cell(figures.get(name), name if paper else None)
            if paper and (ends := (figures.get("intervals") or {}).get(name)):
                text += f" [{', '.join(_cell(end, name) for end in ends)}]"
            cells[-1].append(text)
    return cells


def markdown_table(rows: Rows, title: str = "") -> list[str]:
    """Lines of `figures_table` in Markdown, in percent, with the intervals in brackets."""
    head, *cells = figures_cells(rows, title, paper=True)
    rule = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(row)} |" for row in (head, rule, *cells)]


def latex_table(rows: Rows, title: str = "") -> list[str]:
    """Lines of `figures_table` as a LaTeX tabular, in percent, with the intervals in brackets."""
    cells = figures_cells(rows, title, paper=True)
    head, *lines = (" & ".join(re.sub(r"[&%$#_{}]", r"\\\g<0>", cell) for cell in row) + r" \\" for row in cells)
    columns = "l" + "r" * (len(cells[0]) - 1)
    return [rf"\begin{{tabular}}{{{columns}}}", r"\hline", head, r"\hline", *lines, r"\hline", r"\end{tabular}"]


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write figures to a JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as partial:
        partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8", "backslashreplace")


def _columns(rows: Rows) -> list[str]:
    return [name for name in FIGURES if any(name in figures for figures in rows.values())]


def _cell(value: float | int | None, paper_name: str | None = None) -> str:
    if value is None:
        return "-"
    if isinstance(value, int):
        return str(value)
    if paper_name is None:
        return f"{value:.3f}"
    return f"{value:.2f}" if paper_name in NO_SHARES else f"{100 * value:.1f}"
