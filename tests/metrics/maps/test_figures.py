"""Bootstrap intervals over videos, against figures computed again on each resample."""

import numpy as np
import pytest
import sklearn.metrics

from metrics.maps import figures
from metrics.maps.evaluate import FrameScore, Part, Scores
from metrics.maps.figures import differences, resampled, summary, videos_of
from metrics.maps.matching import Counts
from metrics.maps.protocol import OURS, PROTOCOLS

RNG = np.random.default_rng(0)
KEYS = [f"{video}/frame_000/{index:05d}" for video, count in (("a", 3), ("b", 4), ("c", 1)) for index in range(count)]


def frame(ious: list[float], nsa: float | None = None) -> FrameScore:
    parts = [Part("1", iou, iou**2, iou + 1) for iou in ious]
    return FrameScore(parts, ious[0] + 1, ious[0], ious[0] ** 2, float(np.mean(ious)), nsa)


def scores(frames: list[FrameScore], protocol=OURS, keys: list[str] = KEYS) -> Scores:
    return Scores(dict(zip(keys, frames, strict=True)), Counts(), protocol)


RANDOM = [frame(RNG.random(1 + i % 2).tolist(), None if i == 2 else float(RNG.random())) for i in range(8)]


def oracle(frames: list[FrameScore], name: str) -> float:
    """A figure over frames, some of which are there several times."""
    ious, cious = (np.array([getattr(one, field) for one in frames]) for field in ("iou", "ciou"))
    curve = np.arange(21) / 20
    auc = [sklearn.metrics.auc(curve, [np.mean(values >= x) for x in curve]) for values in (ious, cious)]
    return {
        "mean_iou": np.mean(ious),
        "iou_at_0.3": np.mean(ious >= 0.3),
        "iou_at_0.5": np.mean(ious >= 0.5),
        "auc": auc[0],
        "pointing": np.mean([one.pointing for one in frames]),
        "area_ratio": np.median([one.area_ratio for one in frames]),
        "ciou": np.mean(cious),
        "ciou_at_0.3": np.mean(cious >= 0.3),
        "source_ciou_at_0.3": np.mean([part.iou >= 0.3 for one in frames for part in one.parts]),
        "ciou_auc": auc[1],
        "nsa": np.nanmean([np.nan if one.nsa is None else one.nsa for one in frames]),
    }[name]


@pytest.mark.parametrize("protocol", [OURS, PROTOCOLS["music-duet"]], ids=lambda one: one.name)
def test_intervals_are_percentiles_of_the_figures_of_resampled_videos(monkeypatch, protocol):
    monkeypatch.setattr(figures, "RESAMPLES", 40)
    found = summary(scores(RANDOM, protocol), seed=3)
    assert set(found) == {"frames", "intervals", *protocol.figures}
    draws = resampled(videos_of(KEYS), 3)
    assert draws.shape == (40, 3) and (draws.sum(1) == 3).all()
    again = [[RANDOM[i] for i, video in enumerate(videos_of(KEYS)) for _ in range(row[video])] for row in draws]
    for name in protocol.figures:
        assert found[name] == pytest.approx(oracle(RANDOM, name))
        expected = np.percentile([oracle(frames, name) for frames in again], [2.5, 97.5])
        assert found["intervals"][name] == pytest.approx(expected), name


def test_the_interval_is_that_of_independent_videos_not_of_their_frames():
    # 20 videos of 50 equal frames each, half of them found: the standard error is sqrt(0.25 / 20) = 0.112.
    keys = [f"{video}/frame_000/{index:05d}" for video in range(20) for index in range(50)]
    found = summary(scores([frame([float(video % 2)]) for video in range(20) for _ in range(50)], OURS, keys), seed=0)
    low, high = found["intervals"]["iou_at_0.5"]
    assert (high - low) / 2 == pytest.approx(1.96 * 0.112, rel=0.15)
    assert found["nsa"] is None and "nsa" not in found["intervals"]


def test_the_seed_decides_and_one_video_has_no_interval():
    one, again, other = (resampled(videos_of(KEYS), seed).tolist() for seed in (1, 1, 2))
    assert one == again != other
    assert summary(scores(RANDOM[:3], OURS, KEYS[:3]), seed=1)["intervals"] == {}


def test_excerpts_of_a_video_are_drawn_together():
    names = [f"{name}/frame_000/00000" for name in ("abcdefghijk_0_1000", "abcdefghijk_1000_2000", "lmnopqrstuv_0_9")]
    assert videos_of(names).tolist() == [0, 0, 1]


def test_a_difference_is_paired_on_the_frames_of_both():
    better = [one._replace(iou=one.iou + 0.125, pointing=0.0) for one in RANDOM]
    found = differences(scores(RANDOM), scores(better[1:], OURS, KEYS[1:]), seed=0)
    assert found["frames"] == 7 and found["mean_iou"] == pytest.approx(0.125)
    assert found["intervals"]["mean_iou"] == pytest.approx([0.125] * 2)  # in each resample
    low, high = found["intervals"]["pointing"]
    assert low < found["pointing"] < high < 0
    assert found["ciou"] == 0 and found["intervals"]["ciou"] == [0, 0]
