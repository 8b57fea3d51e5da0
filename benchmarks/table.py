"""The benchmark's figures as a table in Markdown: mean and standard deviation over the seeds."""

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

HEAD = (
    "set | recipe | v/a clusters | epochs | minutes | mean IoU | IoU@0.5 | AUC | pointing | pointing, shuffled sound | "
    "ROC AUC shuffled | noise | silence"
).split(" | ")
ABSENT = "-"
CIOU_NOTE = "Duets: CIoU in place of IoU, with CIoU@0.3 in place of IoU@0.5."


def mean_and_std(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean, and standard deviation of a sample (over n - 1); None in its place for a single value."""
    return mean(values), stdev(values) if len(values) > 1 else None


def table(runs: Sequence[Mapping[str, Any]], baselines: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lines of the table: for each data set a row for each recipe, then one for each baseline.

    Args:
        runs: one for each data set, recipe and seed; see `benchmarks.recipes.run_figures`.
        baselines: data set -> name -> figures of `metrics.evaluate.summary`.
    """
    rows = []
    for set_name in dict.fromkeys(run["set"] for run in runs):
        of_set = [run for run in runs if run["set"] == set_name]
        for recipe in dict.fromkeys(run["recipe"] for run in of_set):
            rows.append(_recipe_row([run for run in of_set if run["recipe"] == recipe]))
        rows += [_baseline_row(set_name, name, figures) for name, figures in baselines[set_name].items()]
    lines = ["| " + " | ".join(cells) + " |" for cells in (HEAD, ["---"] * len(HEAD), *rows)]
    return [*lines, "", CIOU_NOTE] if any("ciou" in run["own"] for run in runs) else lines


def localization(figures: Mapping[str, float]) -> list[float]:
    """Mean IoU, IoU@0.5, AUC and pointing; where several sounds are told apart, CIoU, CIoU@0.3 and its AUC instead."""
    several = "ciou" in figures
    names = ("ciou", "ciou_at_0.3", "ciou_auc") if several else ("mean_iou", "iou_at_0.5", "auc")
    return [figures[name] for name in (*names, "pointing")]


def _recipe_row(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    first = runs[0]
    columns = zip(*map(_values, runs), strict=True)  # each has a value for each seed
    return [
        first["set"],
        first["recipe"],
        f"{first['v_cluster']}/{first['a_cluster']}",
        " + ".join(map(str, first["epochs"])),
        _cell([run["minutes"] for run in runs], digits=1),
        *map(_cell, columns),
    ]


def _values(run: Mapping[str, Any]) -> list[float]:
    areas = run["roc_auc"]
    return [*localization(run["own"]), run["shuffled"]["pointing"], areas["shuffled"], areas["noise"], areas["silence"]]


def _baseline_row(set_name: str, name: str, figures: Mapping[str, float]) -> list[str]:
    scores = [_cell([value]) for value in localization(figures)]
    cells = [set_name, name, ABSENT, ABSENT, ABSENT, *scores]
    return cells + [ABSENT] * (len(HEAD) - len(cells))


def _cell(values: Sequence[float], digits: int = 2) -> str:
    center, spread = mean_and_std(values)
    return f"{center:.{digits}f}" if spread is None else f"{center:.{digits}f} ± {spread:.{digits}f}"
