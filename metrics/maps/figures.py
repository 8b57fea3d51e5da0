"""The figures over the frames of a run, and their bootstrap intervals.

The frames of a video are alike, so the bootstrap draws videos, not frames: with 36 test videos of 24 frames there are
36 independent samples, not 864. All figures but the median `area_ratio` are quotients of sums over frames. Their sums
for each video are computed once.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from common.errors import UserError
from data.lists import identity_of
from metrics.maps.annotations import parse_frame
from metrics.maps.evaluate import FrameScore, Part, Scores
from metrics.maps.scores import curve_areas

# The keys are those of `metrics.table.FIGURES`, and "intervals": both ends of each figure's interval.
Figures = dict[str, float | int | dict[str, list[float]] | None]
# From how often each of R resamples has each video, int [R, videos], to the values [R] of each figure.
FiguresOf = Callable[[np.ndarray], dict[str, np.ndarray]]

RESAMPLES = 1000
ENDS = (2.5, 97.5)  # percentiles: a 95% interval


def summary(scores: Scores, seed: int | None = None) -> Figures:
    """The figures over all frames; with a seed also their 95% "intervals", of which a single video has none."""
    videos = videos_of(scores.frames)
    return {
        "frames": len(videos),
        **with_intervals(_figures_of([*scores.frames.values()], scores, videos), videos, seed),
    }


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
    found = {}
    # Numbers first, in their order: of those without zeros in front the longer one is larger.
    for name in sorted(classes, key=lambda name: (0, len(name), name) if name.isdecimal() else (1, 0, name)):
        videos = np.zeros(len(classes[name]), int)  # no intervals
        found[name] = {unit: len(videos), **with_intervals(_figures_of(classes[name], scores, videos), videos)}
    return found


def differences(one: Scores, other: Scores, seed: int) -> Figures:
    """The figures of `other` minus those of `one` on the frames that both have, with their 95% "intervals"."""
    shared = [key for key in one.frames if key in other.frames]
    if not shared:
        raise UserError("the runs share no scored frame")
    videos = videos_of(shared)
    first, second = (_figures_of([run.frames[key] for key in shared], run, videos) for run in (one, other))

    def difference(weights: np.ndarray) -> dict[str, np.ndarray]:
        minuend, subtrahend = second(weights), first(weights)
        return {name: minuend[name] - subtrahend[name] for name in minuend if name in subtrahend}

    return {"frames": len(shared), **with_intervals(difference, videos, seed)}


def with_intervals(figures_of: FiguresOf, videos: np.ndarray, seed: int | None = None) -> Figures:
    """The figures over all `videos`, the number of each frame's, and with a seed their "intervals" over resamples."""
    once = np.ones((1, videos.max() + 1), int)
    found = {name: None if np.isnan(value) else float(value) for name, (value,) in figures_of(once).items()}
    if seed is None:
        return found
    draws = {name: values[~np.isnan(values)] for name, values in figures_of(resampled(videos, seed)).items()}
    ends = {name: np.percentile(values, ENDS).tolist() for name, values in draws.items() if len(values)}
    return {**found, "intervals": ends}


def videos_of(keys: Iterable[str]) -> np.ndarray:
    """The number of the video of each frame, int [N]. Excerpts of a video count as that video."""
    names = [identity_of(parse_frame(key).video) for key in keys]
    return np.unique(names, return_inverse=True)[1]


def resampled(videos: np.ndarray, seed: int) -> np.ndarray:
    """How often each video is in each resample, int [RESAMPLES, videos]; no resample of a single video."""
    count = videos.max() + 1
    draws = RESAMPLES if count > 1 else 0
    return np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=draws)


def _figures_of(scored: Sequence[FrameScore | Part], scores: Scores, videos: np.ndarray) -> FiguresOf:
    """The figures of the protocol over some of the frames or parts, which are of the `videos`."""
    count = videos.max() + 1
    sums = {
        name: (np.bincount(videos, dividends, count), np.bincount(videos, divisors, count))
        for name, (dividends, divisors) in _quotients(scored).items()
    }
    if getattr(scored[0], "f_scores", None) is not None:
        sums["f_score"] = _f_scores(np.array([one.f_scores for one in scored]), videos, count), np.ones(count)
    ratios = np.array([one.area_ratio for one in scored])

    def figures(weights: np.ndarray) -> dict[str, np.ndarray]:
        found = {}
        for name in scores.protocol.figures:
            if name == "area_ratio":
                found[name] = np.array([np.median(np.repeat(ratios, row[videos])) for row in weights])
            elif name in sums:
                with np.errstate(invalid="ignore"):  # a resample can lack what a figure needs: NaN
                    found[name] = (weights @ sums[name][0]) / (weights @ sums[name][1])
        return found

    return figures


def _quotients(scored: Sequence[FrameScore | Part]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Name -> dividends and divisors of each frame: the figure is the sum of the ones over the sum of the others."""
    ious = np.array([one.iou for one in scored])
    values = {
        "mean_iou": ious,
        "iou_at_0.3": ious >= 0.3,
        "iou_at_0.5": ious >= 0.5,
        "auc": curve_areas(ious),
        "pointing": np.array([one.pointing for one in scored]),
    }
    sources = {}
    if getattr(scored[0], "ciou", None) is not None:
        cious = np.array([frame.ciou for frame in scored])
        nsas = np.array([frame.nsa for frame in scored], float)  # NaN without silent maps
        values |= {"ciou": cious, "ciou_at_0.3": cious >= 0.3, "ciou_auc": curve_areas(cious), "nsa": nsas}
        reached = [sum(part.iou >= 0.3 for part in frame.parts) for frame in scored]
        sources["source_ciou_at_0.3"] = np.array(reached), np.array([len(frame.parts) for frame in scored])
    return {name: (np.nan_to_num(one), ~np.isnan(one)) for name, one in values.items()} | sources


def _f_scores(curves: np.ndarray, videos: np.ndarray, count: int) -> np.ndarray:
    """The F-score of each video: the best mean over its frames with a mask that is not empty. It is 0 without any."""
    scored = ~np.isnan(curves[:, 0])
    sums = np.zeros((count, curves.shape[1]))
    np.add.at(sums, videos[scored], curves[scored])
    return (sums / np.maximum(1, np.bincount(videos[scored], minlength=count))[:, None]).max(1)
