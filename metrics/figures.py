"""The figures over the frames of a run, and their bootstrap intervals.

The frames of a video are alike, so the bootstrap draws videos, not frames: with 36 test videos of 24 frames there are
36 independent samples, not 864. All figures but the median `area_ratio` are quotients of sums over frames. Their sums
for each video are computed once.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from common.errors import UserError
from data.lists import identity_of
from metrics.annotations import parse_frame
from metrics.evaluate import FrameScore, Part, Scores
from metrics.scores import curve_areas

# The keys are those of `metrics.table.FIGURES`, and "intervals": both ends of each figure's interval.
Figures = dict[str, float | int | dict[str, list[float]] | None]

RESAMPLES = 1000
ENDS = (2.5, 97.5)  # percentiles: a 95% interval


def summary(scores: Scores, seed: int | None = None) -> Figures:
    """The figures over all frames; with a seed also their 95% "intervals", of which a single video has none."""
    videos = videos_of(scores.frames)
    sample = _Sample([*scores.frames.values()], scores.protocol.figures, videos)
    found = {"frames": len(videos), **sample.overall()}
    if seed is not None:
        found["intervals"] = interval_ends(sample.figures(resampled(videos, seed)))
    return found


def per_video(scores: Scores) -> dict[str, Figures]:
    """NAME -> the figures of `summary` over the frames of the video; sorted."""
    videos = defaultdict(dict)
    for key, frame in scores.frames.items():
        videos[parse_frame(key).video][key] = frame
    return {name: summary(replace(scores, frames=videos[name])) for name in sorted(videos)}


def per_class(scores: Scores) -> dict[str, Figures]:
    """Class -> figures of its objects if objects are scored, else of the frames that show it; sorted."""
    classes = defaultdict(list)
    for frame in scores.frames.values():
        unit = "frames" if frame.ciou is None else "objects"
        for part in frame.parts:
            classes[part.class_name].append(part)
    # Numbers first, in their order: of those without zeros in front the longer one is larger.
    in_order = sorted(classes, key=lambda name: (0, len(name), name) if name.isdecimal() else (1, 0, name))
    return {
        name: {unit: len(parts), **_Sample(parts, scores.protocol.figures, np.zeros(len(parts), int)).overall()}
        for name, parts in ((name, classes[name]) for name in in_order)
    }


def differences(one: Scores, other: Scores, seed: int) -> Figures:
    """The figures of `other` minus those of `one` on the frames that both have, with their 95% "intervals"."""
    shared = [key for key in one.frames if key in other.frames]
    if not shared:
        raise UserError("the runs share no scored frame")
    videos = videos_of(shared)
    first, second = (_Sample([run.frames[key] for key in shared], run.protocol.figures, videos) for run in (one, other))

    def difference(weights: np.ndarray) -> dict[str, np.ndarray]:
        minuend, subtrahend = second.figures(weights), first.figures(weights)
        return {name: minuend[name] - subtrahend[name] for name in minuend if name in subtrahend}

    found = as_values(difference(np.ones((1, videos.max() + 1), int)))
    return {"frames": len(shared), **found, "intervals": interval_ends(difference(resampled(videos, seed)))}


def videos_of(keys: Iterable[str]) -> np.ndarray:
    """The number of the video of each frame, int [N]. Excerpts of a video count as that video."""
    names = [identity_of(parse_frame(key).video) for key in keys]
    return np.unique(names, return_inverse=True)[1]


def resampled(videos: np.ndarray, seed: int) -> np.ndarray:
    """How often each video is in each resample, int [RESAMPLES, videos]; no resample of a single video."""
    count = videos.max() + 1
    draws = RESAMPLES if count > 1 else 0
    return np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=draws)


def as_values(figures: dict[str, np.ndarray]) -> Figures:
    """The only value [1] of each figure; None for NaN."""
    return {name: None if np.isnan(value) else float(value) for name, (value,) in figures.items()}


def interval_ends(figures: dict[str, np.ndarray]) -> dict[str, list[float]]:
    """The 95% interval of each figure, from its values in all resamples."""
    found = {name: values[~np.isnan(values)] for name, values in figures.items()}
    return {name: np.percentile(values, ENDS).tolist() for name, values in found.items() if len(values)}


class _Sample:
    """What the figures need of scored frames: sums for each video."""

    def __init__(self, scored: Sequence[FrameScore | Part], wanted: Sequence[str], videos: np.ndarray) -> None:
        count = self.videos = videos.max() + 1
        self.sums: dict[str, tuple[np.ndarray, np.ndarray]] = {}  # name -> dividend and divisor of each video
        for name, (dividends, divisors) in _quotients(scored).items():
            self.sums[name] = np.bincount(videos, dividends, count), np.bincount(videos, divisors, count)
        if getattr(scored[0], "f_scores", None) is not None:
            curves = np.array([one.f_scores for one in scored])
            self.sums["f_score"] = _f_scores(curves, videos, count), np.ones(count)
        ratios = np.array([one.area_ratio for one in scored])
        order = np.argsort(ratios)
        self.ratios, self.video_of_ratio = ratios[order], videos[order]
        self.wanted = [name for name in wanted if name in {*self.sums, "area_ratio"}]

    def overall(self) -> Figures:
        """The figures over all."""
        return as_values(self.figures(np.ones((1, self.videos), int)))

    def figures(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """The figures [R] of each resample, from how often it has each video, int [R, videos]."""
        with np.errstate(invalid="ignore"):  # a resample can lack what a figure needs: NaN
            return {
                name: self._median_ratios(weights)
                if name == "area_ratio"
                else (weights @ self.sums[name][0]) / (weights @ self.sums[name][1])
                for name in self.wanted
            }

    def _median_ratios(self, weights: np.ndarray) -> np.ndarray:
        medians = []
        for row in weights:
            after = np.cumsum(row[self.video_of_ratio])  # frames up to this one
            middle = [np.searchsorted(after, after[-1] / 2, side) for side in ("left", "right")]
            medians.append(self.ratios[middle].mean())
        return np.array(medians)


def _quotients(scored: Sequence[FrameScore | Part]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Name -> dividends and divisors of each frame: the figure is the sum of the ones over the sum of the others."""
    ious = np.array([one.iou for one in scored])
    ones = np.ones(len(scored))
    found = {
        "mean_iou": (ious, ones),
        "iou_at_0.3": (ious >= 0.3, ones),
        "iou_at_0.5": (ious >= 0.5, ones),
        "auc": (curve_areas(ious), ones),
        "pointing": (np.array([one.pointing for one in scored]), ones),
    }
    if getattr(scored[0], "ciou", None) is not None:
        cious = np.array([frame.ciou for frame in scored])
        reached = np.array([sum(part.iou >= 0.3 for part in frame.parts) for frame in scored])
        nsas = np.array([np.nan if frame.nsa is None else frame.nsa for frame in scored])
        found |= {
            "ciou": (cious, ones),
            "ciou_at_0.3": (cious >= 0.3, ones),
            "source_ciou_at_0.3": (reached, np.array([len(frame.parts) for frame in scored])),
            "ciou_auc": (curve_areas(cious), ones),
            "nsa": (np.nan_to_num(nsas), ~np.isnan(nsas)),
        }
    return found


def _f_scores(curves: np.ndarray, videos: np.ndarray, count: int) -> np.ndarray:
    """The F-score of each video: the best mean over its frames with a mask that is not empty. It is 0 without any."""
    scored = ~np.isnan(curves[:, 0])
    sums = np.zeros((count, curves.shape[1]))
    np.add.at(sums, videos[scored], curves[scored])
    return (sums / np.maximum(1, np.bincount(videos[scored], minlength=count))[:, None]).max(1)
