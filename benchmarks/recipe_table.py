"""The table of `benchmarks/recipes.py`: mean and deviation of each recipe over its seeds, beside baselines.

A training has failed if its score is less than half of the median of its row. area/box is the area that a map predicts,
as a multiple of the area of the boxes.
"""

from collections.abc import Mapping, Sequence
from statistics import mean, median, stdev
from typing import Any

from benchmarks.shared import markdown_table
from data.dmc_pkl import NEGATIVE_AUDIO

HEAD = (
    "set | recipe | v/a clusters | epochs | minutes | failed | mean IoU | IoU@0.5 | AUC | pointing | area/box | "
    "pointing, shuffled audio | ROC AUC shuffled | noise | silence"
).split(" | ")
DUET_NOTE = "Duets: CIoU in place of IoU, with CIoU@0.3 in place of IoU@0.5."


def table(runs: Sequence[Mapping[str, Any]], baselines: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lines of the table: for each set a row for each recipe, mean ± deviation over the seeds, and for each baseline.

    `runs` has the figures of each network, `baselines` set -> name -> figures.
    """
    rows = []
    for set_name in dict.fromkeys(run["set"] for run in runs):
        of_set = [run for run in runs if run["set"] == set_name]
        for recipe in dict.fromkeys(run["recipe"] for run in of_set):
            of_recipe = [run for run in of_set if run["recipe"] == recipe]
            first, columns = of_recipe[0], zip(*map(_values, of_recipe), strict=True)
            clusters, epochs = f"{first['v_cluster']}/{first['a_cluster']}", str(first["epoch"])
            minutes = mean_and_deviation([run["minutes"] for run in of_recipe], digits=1)
            failed = f"{failures(of_recipe)} of {len(of_recipe)}"
            rows.append([set_name, recipe, clusters, epochs, minutes, failed, *map(mean_and_deviation, columns)])
        for name, figures in baselines[set_name].items():
            scores = [mean_and_deviation([value]) for value in localization(figures)]
            rows.append([set_name, name, *"----", *scores, *"----"])
    return [*markdown_table(HEAD, rows), *(["", DUET_NOTE] if any("ciou" in run["own"] for run in runs) else [])]


def failures(runs: Sequence[Mapping[str, Any]]) -> int:
    """How many trainings reach less than half of the median score."""
    scores = [localization(run["own"])[1] for run in runs]
    return sum(score < median(scores) / 2 for score in scores)


def mean_and_deviation(values: Sequence[float], digits: int = 2) -> str:
    """Mean ± standard deviation of a sample; a single value has no deviation."""
    center = f"{mean(values):.{digits}f}"
    return f"{center} ± {stdev(values):.{digits}f}" if len(values) > 1 else center


def localization(figures: Mapping[str, float]) -> list[float]:
    """Mean IoU, IoU@0.5, AUC, pointing, area; with several sources CIoU, CIoU@0.3 and its AUC instead."""
    names = ("ciou", "ciou_at_0.3", "ciou_auc") if "ciou" in figures else ("mean_iou", "iou_at_0.5", "auc")
    return [figures[name] for name in (*names, "pointing", "area_ratio")]


def _values(run: Mapping[str, Any]) -> list[float]:
    return [
        *localization(run["own"]),
        run["shuffled"]["pointing"],
        *(run["roc_auc"][audio] for audio in NEGATIVE_AUDIO),
    ]
