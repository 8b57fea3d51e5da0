"""Plain text tables of figures."""

from collections.abc import Mapping, Sequence

FIGURES = {
    "frames": "frames",
    "objects": "objects",
    "mean_iou": "mean IoU",
    "iou_at_0.3": "IoU@0.3",
    "iou_at_0.5": "IoU@0.5",
    "auc": "AUC",
    "pointing": "pointing",
    "ciou": "CIoU",
    "ciou_at_0.3": "CIoU@0.3",
    "ciou_auc": "CIoU AUC",
    "nsa": "NSA",
}


def figures_table(rows: Mapping[str, Mapping[str, float | int | None]], title: str = "") -> list[str]:
    """Lines of a table with a row for each name and a column for each of its figures; "-" where a row has none.

    Args:
        rows: name -> figures, by the keys of FIGURES.
        title: over the column of the names.
    """
    return aligned(figures_cells(rows, title))


def figures_cells(rows: Mapping[str, Mapping[str, float | int | None]], title: str = "") -> list[list[str]]:
    """The cells of `figures_table`, its head first."""
    columns = [name for name in FIGURES if any(name in figures for figures in rows.values())]
    cells = [[title, *(FIGURES[name] for name in columns)]]
    return cells + [[row, *(_cell(figures.get(name)) for name in columns)] for row, figures in rows.items()]


def aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join([first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))])
        for first, *rest in cells
    ]


def _cell(value: float | int | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
