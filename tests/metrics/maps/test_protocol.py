"""The protocols, against the formulas of the public scorers, written out in float64."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.errors import UserError
from metrics.maps.annotations import Annotations, Boxes, parse_frame, read_annotations
from metrics.maps.evaluate import read_mask, score_baselines, score_run
from metrics.maps.figures import summary
from metrics.maps.protocol import DEFAULTS, PROTOCOLS, describe, protocol_for
from metrics.maps.scores import SIZE

KEYS = [f"{video}/frame_005/0{index}" for video in "ab" for index in range(150, 153)]
EDGE, TINY, MIDDLE, WIDE = (0.7, 0, 1, 0.31), (0.5, 0.5, 0.503, 0.503), (0.2, 0.3, 0.55, 0.9), (0, 0.4, 0.95, 0.6)


def annotations(form: str, truths: dict[str, list], classes: str = "1234") -> Annotations:
    boxes = {
        key: Boxes(np.array(corners), tuple(classes[: len(corners)]), are_votes=form == "flickr")
        for key, corners in truths.items()
    }
    if form == "music":
        return Annotations(form, Path("there"), frames={parse_frame(key): value for key, value in boxes.items()})
    return Annotations(form, Path("there"), clips={key.split("/")[0]: value for key, value in boxes.items()})


def random_maps(keys: list[str], count: int) -> dict[str, np.ndarray]:
    """Smooth maps at full size, so that nothing is resized."""
    coarse = np.random.default_rng(0).random((len(keys), count, 4, 4), np.float32)
    return dict(zip(keys, np.kron(coarse, np.ones((SIZE // 4, SIZE // 4), np.float32)) ** 2, strict=True))


def oracle_iou(heat: np.ndarray, boxes: list, level: float, strict: bool, votes: bool = False) -> float:
    """Sum of truth in the prediction / (sum of truth + predicted pixels without truth)."""
    y, x = np.mgrid[:SIZE, :SIZE]
    count = np.zeros((SIZE, SIZE))
    for x1, y1, x2, y2 in ([int(edge * SIZE) for edge in box] for box in boxes):
        count += (x1 <= x) & (x < x2) & (y1 <= y) & (y < y2)
    truth = np.minimum(1, count / 2) if votes else np.sign(count)
    predicted = heat > level if strict else heat >= level
    return (truth * predicted).sum() / (truth.sum() + (predicted * (truth == 0)).sum())


def oracle_auc(ious: list[float]) -> float:
    shares = [np.mean([iou >= step / 20 for iou in ious]) for step in range(21)]
    return sum(0.05 * (one + other) / 2 for one, other in pairwise(shares))


@pytest.mark.parametrize(("form", "second"), [("flickr", 4), ("vggss", 5)])
def test_the_brighter_half_of_the_pixels_is_scored_with_the_consensus_or_the_union(form, second):
    truths = {KEYS[0]: [MIDDLE, WIDE, EDGE], KEYS[3]: [TINY, EDGE]}
    maps = random_maps([key.replace("005", f"{second:03d}") for key in truths], 2)
    found = summary(score_run(maps, 1, annotations(form, truths)))
    ious = []
    for heat, boxes in zip(maps.values(), truths.values(), strict=True):
        level = sorted(heat[0].ravel().tolist())[SIZE * SIZE // 2]
        ious.append(oracle_iou(heat[0], boxes, level, strict=False, votes=form == "flickr"))
    expected = {"mean_iou": np.mean(ious), "iou_at_0.5": np.mean(np.array(ious) >= 0.5), "auc": oracle_auc(ious)}
    assert found == pytest.approx({"frames": 2, **expected})


def test_music_solo_scores_the_pixels_above_a_tenth_of_the_maximum():
    truths = {KEYS[0]: [MIDDLE, WIDE], KEYS[1]: [EDGE]}
    maps = random_maps([*truths], 2)
    music = annotations("music", truths)
    found = summary(score_run(maps, 1, music, protocol_for(music, "music-solo")))
    ious = [oracle_iou(maps[key][0], boxes, 0.1 * maps[key][0].max(), strict=True) for key, boxes in truths.items()]
    assert found == pytest.approx(
        {"frames": 2, "iou_at_0.5": np.mean(np.array(ious) >= 0.5), "auc": oracle_auc(ious)}, abs=1e-9
    )


@pytest.mark.parametrize(("name", "part"), [("music-duet", 0.2), ("music-synthetic", 0.5)])
def test_duets_are_scored_by_frame_and_by_source_with_a_map_for_each(name, part):
    truths = {KEYS[0]: [MIDDLE, EDGE], KEYS[1]: [WIDE, EDGE], KEYS[3]: [MIDDLE]}
    maps = random_maps([*truths], 3)
    music = annotations("music", truths)
    found = summary(score_run(maps, 2, music, protocol_for(music, name)))
    frames, sources, quiet = [], [], []
    for key, boxes in truths.items():
        table = np.array(
            [[oracle_iou(heat, [box], part * heat.max(), True) for heat in maps[key][:2]] for box in boxes]
        )
        orders = ([0, 1], [1, 0])
        best = max(([table[i, order[i]] for i in range(len(boxes))] for order in orders), key=sum)
        frames.append(np.mean(best))
        sources += best
        quiet.append(np.mean(maps[key][2] <= 0.2))
    expected = {
        "ciou_at_0.3": np.mean(np.array(frames) >= 0.3),
        "source_ciou_at_0.3": np.mean(np.array(sources) >= 0.3),
        "ciou_auc": oracle_auc(frames),
        "nsa": np.mean(quiet),
    }
    if name == "music-synthetic":
        del expected["source_ciou_at_0.3"]
    assert found == pytest.approx({"frames": 3, **expected})


def write_mask(folder: Path, key: str, mask: np.ndarray) -> None:
    frame = parse_frame(key)
    path = folder / frame.video / f"{frame.second:03d}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((mask * 255).astype(np.uint8)).save(path)


def test_avsbench_scores_masks_by_iou_and_f_score(tmp_path):
    keys = [f"{video}/frame_{second:03d}/{second:05d}" for video in "ab" for second in (0, 1)]
    shares = np.array([0.4, 0.2, 0.1, 0])  # the last mask is empty
    masks = np.random.default_rng(1).random((4, SIZE, SIZE)) < shares[:, None, None]
    maps = random_maps(keys, 2)
    for key, mask in zip(keys, masks, strict=True):
        write_mask(tmp_path, key, mask)
    found = summary(score_run(maps, 1, read_annotations(tmp_path)))
    ious, curves = [], []
    for (heat, _), mask in zip(maps.values(), masks, strict=True):
        predicted = heat > 0.5
        both, either = (predicted & mask).sum(), (predicted | mask).sum()
        ious.append(both / either if mask.any() else (~predicted).mean())
        curve = []
        for threshold in np.linspace(0, 1 - 1e-10, 255):
            chosen = heat >= threshold
            precision = (chosen & mask).sum() / (chosen.sum() + 1e-20)
            recall = (chosen & mask).sum() / (mask.sum() + 1e-20)
            bottom = 0.3 * precision + recall
            curve.append(1.3 * precision * recall / bottom if bottom else 0)
        curves.append(curve)
    f_score = (np.mean(curves[:2], axis=0).max() + np.max(curves[2])) / 2  # by video, without the empty mask
    assert found == pytest.approx({"frames": 4, "mean_iou": np.mean(ious), "f_score": f_score})


def test_the_mask_of_a_second_is_that_of_its_first_frame_and_is_counted_where_it_is_missing(tmp_path):
    for second in (0, 1):
        write_mask(tmp_path, f"a/frame_{second:03d}/0", np.ones((4, 4)))
    write_mask(tmp_path, "b/frame_000/0", np.ones((4, 4)))
    maps = dict.fromkeys(["a/frame_000/00007", "a/frame_000/00000"], np.ones((1, 2, 2), np.float32))
    scores = score_run(maps, 1, read_annotations(tmp_path))
    counts = scores.counts
    assert [*scores.frames] == ["a/frame_000/00000"] and scores.frames["a/frame_000/00000"].iou == 1
    assert (counts.annotations_without_map, counts.maps_without_annotation, counts.videos_without_map) == (1, 1, 1)


def test_masks_of_any_mode_and_size_are_read_and_a_damaged_one_is_named(tmp_path):
    image = Image.fromarray(np.array([[0, 255], [0, 0]], np.uint8))
    palette = Image.fromarray(np.array([[0, 1], [0, 0]], np.uint8), "P")
    palette.putpalette([0, 0, 0, 0, 0, 200])
    for one in (image, image.convert("1"), image.convert("RGB"), palette):
        one.save(tmp_path / "mask.png")
        assert (read_mask(tmp_path / "mask.png") == np.kron([[0, 1], [0, 0]], np.ones((112, 112)))).all()
    (tmp_path / "mask.png").write_bytes((tmp_path / "mask.png").read_bytes()[:60])
    with pytest.raises(UserError, match=r"mask\.png cannot be read"):
        read_mask(tmp_path / "mask.png")


CELL = np.zeros((1, 14, 14), np.float32)
CELL[0, 3, 3] = 1


@pytest.mark.parametrize("name", [name for name in PROTOCOLS if name != "avsbench"])
@pytest.mark.parametrize("heat", [np.full((1, 7, 7), 0.7), np.zeros((1, 7, 7)), CELL], ids=["all", "none", "cell"])
def test_degenerate_maps_have_scores(name, heat):
    form = PROTOCOLS[name].formats[0]
    truth = annotations(form, {KEYS[0]: [MIDDLE, EDGE]})
    frame = score_run({KEYS[0]: heat}, 1, truth, PROTOCOLS[name]).frames[KEYS[0]]
    union = oracle_iou(np.ones((SIZE, SIZE)), [MIDDLE, EDGE], 0, True)
    if heat is CELL:  # the brighter half includes the zeros around the cell, as in EZ-VSL
        assert 0 <= frame.iou < 0.1 or PROTOCOLS[name].threshold == "median"
    elif form == "flickr":
        assert frame.iou == pytest.approx(oracle_iou(np.ones((SIZE, SIZE)), [MIDDLE, EDGE], 0, True, votes=True))
    else:
        nothing = not heat.any() and PROTOCOLS[name].threshold != "median"
        assert frame.iou == pytest.approx(0 if nothing else union, rel=0.02)


def test_the_whole_frame_scores_the_mean_area_of_the_boxes():
    truths = {KEYS[0]: [(0.25, 0.25, 0.75, 0.5)], KEYS[3]: [(0, 0, 0.5, 1), (0.25, 0, 0.5, 0.5)]}
    maps = random_maps([*truths], 2)
    for form in ("music", "vggss"):
        for protocol in (one for one in PROTOCOLS.values() if form in one.formats and "mean_iou" in one.figures):
            found = summary(score_baselines(maps, annotations(form, truths), protocol)["whole frame"])
            assert found["mean_iou"] == (0.125 + 0.5) / 2


def test_vggss_is_scored_at_5_seconds_or_in_the_middle_and_clips_without_a_box_are_counted():
    maps = random_maps([f"{clip}/frame_{second:03d}/{30 * second:05d}" for clip in "ab" for second in range(9)], 1)
    maps |= random_maps(["short/frame_000/00000", "short/frame_001/00030", "empty/frame_005/00150"], 1)
    truths = {f"{clip}/": [MIDDLE] for clip in ("a", "b", "short")} | {"empty/": []}
    scores = score_run(maps, 1, annotations("vggss", truths))
    assert [*scores.frames] == ["a/frame_005/00150", "b/frame_005/00150", "short/frame_001/00030"]
    assert scores.counts.annotated_without_box == 1


def test_a_protocol_is_the_default_of_its_format_and_refuses_others():
    for form, name in DEFAULTS.items():
        assert protocol_for(Annotations(form, Path("x"))).name == name
    with pytest.raises(UserError, match=r"music-duet is for annotations of the format music, .* ours, vggss$"):
        protocol_for(Annotations("vggss", Path("x")), "music-duet")


def test_the_description_names_a_changed_threshold_and_an_upper_bound():
    music = Annotations("music", Path("x"))
    solo = protocol_for(music, "music-solo")
    assert "music-solo, version 1: " in describe(solo, music, False, 10)["text"]
    assert "comparable with Hu et al." in describe(solo, music, False, 10)["text"]
    changed = describe(protocol_for(music, "music-solo", "adaptive"), music, False, 10)
    assert changed["threshold"] == "adaptive" and "comparable with" not in changed["text"]
    assert "version 1, with another threshold: " in changed["text"] and "an upper bound" in changed["text"]
    assert protocol_for(music, "music-solo", 0.1) == solo == replace(solo)
