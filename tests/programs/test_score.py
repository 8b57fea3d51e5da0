"""The program: several runs beside what needs no learning, as a table and as JSON."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from common.errors import UserError
from data.dmc_pkl import write_dmc
from metrics import score
from metrics.runs import negatives, read_distances, roc_auc
from metrics.table import figures_table

ROOT = Path(__file__).resolve().parents[2]
KEYS = [f"-a.b/frame_000/{index:05d}" for index in (0, 7, 14, 21)]
LEFT = np.repeat([[1, 0]], 2, axis=0).repeat(7, 0).repeat(7, 1).astype(np.float32)  # [14, 14]


def write_run(path: Path, keys: list[str] = KEYS, distances: list[list[float]] | None = None) -> Path:
    distances = distances or [[0.5]] * len(keys)
    write_dmc(
        path, {key: np.stack([LEFT, 1 - LEFT]) for key in keys}, dict(zip(keys, map(np.array, distances), strict=True))
    )
    return path


def write_boxes(folder: Path, keys: list[str] = KEYS, name: str = "boxes.json") -> Path:
    sides = [0, 0.5]
    entries = {
        f"{key}.jpg": {"bbox": [{"normbox": [sides[i % 2], 0, 0.5, 1], "category_id": i % 2 + 9}]}
        for i, key in enumerate(keys)
    }
    (folder / name).write_text(json.dumps(entries), encoding="utf-8")
    return folder / name


def run(*arguments: object) -> int:
    return score.main([str(argument) for argument in arguments])


def test_the_table_has_the_run_the_baselines_the_counts_and_the_protocol(tmp_path, capsys):
    path, boxes = write_run(tmp_path / "dmc.pkl"), write_boxes(tmp_path)
    assert run(path, "--boxes", boxes) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Protocol: MUSIC") and "0.5 of its maximum" in lines[0]
    assert lines[1] == (
        "4 frames scored, 0 of them matched by rank within the second; 0 annotations without a map, "
        "0 maps without an annotation."
    )
    head, *rows = lines[3:]
    assert head.split() == ["frames", "mean", "IoU", "IoU@0.3", "IoU@0.5", "AUC", "pointing"]
    assert [row.split("  ")[0] for row in rows] == [str(path), "whole frame", "centred disc", "random map"]
    # Two frames' boxes are the left half, where the map is, two the right half.
    figures = rows[0].split()[1:]
    assert figures[0] == "4" and [float(text) for text in figures[1:]] == pytest.approx(
        [0.5, 0.5, 0.5, 0.5125, 0.5], abs=0.02
    )
    assert len({len(line) for line in (head, *rows)}) == 1


def test_the_json_holds_all_of_it(tmp_path, capsys):
    path, boxes = write_run(tmp_path / "dmc.pkl"), write_boxes(tmp_path)
    out = tmp_path / "new" / "scores.json"
    assert run(path, "--boxes", boxes, "--json", out, "--per_video", "--per_class", "--threshold", 0.4) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == f"Wrote {out}."
    assert "\nvideo " in printed and "\nclass " in printed and "\n-a.b " in printed
    found = json.loads(out.read_text(encoding="utf-8"))
    assert set(found) == {"protocol", "counts", "runs", "baselines", "roc_auc", "per_video", "per_class"}
    assert found["protocol"]["threshold"] == 0.4 and found["protocol"]["format"] == "music"
    assert found["counts"][str(path)]["frames_scored"] == found["runs"][str(path)]["frames"] == 4
    assert set(found["baselines"]) == {"whole frame", "centred disc", "random map"}
    assert found["baselines"]["whole frame"]["mean_iou"] == 0.5
    assert found["per_video"][str(path)]["-a.b"] == {
        k: v for k, v in found["runs"][str(path)].items() if k != "a_cluster"
    }
    classes = found["per_class"][str(path)]
    assert list(classes) == ["9", "10"] and classes["9"]["mean_iou"] > 0.9 and classes["10"]["mean_iou"] < 0.1
    assert [p.name for p in out.parent.iterdir()] == ["scores.json"]


def test_the_seed_changes_the_random_map_alone(tmp_path):
    path, boxes = write_run(tmp_path / "dmc.pkl"), write_boxes(tmp_path)
    found = []
    for seed in (10, 10, 11):
        assert run(path, "--boxes", boxes, "--json", tmp_path / "s.json", "--seed", seed) == 0
        found.append(json.loads((tmp_path / "s.json").read_text(encoding="utf-8")))
    first, again, other = found
    assert first == again
    assert first["runs"] == other["runs"] and first["baselines"]["random map"] != other["baselines"]["random map"]


def test_boxes_of_the_data_set_are_the_default(tmp_path, capsys):
    write_boxes(tmp_path)
    assert run(write_run(tmp_path / "dmc.pkl"), "--data_dir", tmp_path) == 0
    assert "4 frames scored" in capsys.readouterr().out


def test_what_the_annotations_hold_beyond_the_run_is_told_apart_from_what_is_missing(tmp_path, capsys):
    annotated = [*KEYS, "-a.b/frame_001/00030", *(f"{name}/frame_000/00000" for name in "cde")]
    assert run(write_run(tmp_path / "dmc.pkl"), "--boxes", write_boxes(tmp_path, annotated)) == 0
    printed = capsys.readouterr().out
    assert "; 1 annotations without a map, 0 maps" in printed
    assert "boxes.json also holds 3 videos of which there are no maps." in printed


def test_frames_found_by_rank_are_counted(tmp_path, capsys):
    shifted = [f"-a.b/frame_000/{index:05d}" for index in (0, 6, 12, 18)]
    assert run(write_run(tmp_path / "dmc.pkl", shifted), "--boxes", write_boxes(tmp_path)) == 0
    assert "4 frames scored, 3 of them matched by rank" in capsys.readouterr().out


def test_two_sounds_have_their_figures(tmp_path, capsys):
    path = write_run(tmp_path / "dmc.pkl", distances=[[0.5, 0.7]] * 4)
    assert run(path, "--boxes", write_boxes(tmp_path), "--json", tmp_path / "s.json") == 0
    head = capsys.readouterr().out.splitlines()[3]
    assert head.split()[-5:] == ["CIoU", "CIoU@0.3", "CIoU", "AUC", "NSA"]
    found = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))["runs"][str(path)]
    assert found["a_cluster"] == 2 and found["ciou"] > 0.9 and found["nsa"] is None


def test_without_distances_one_sound_is_assumed_and_said(tmp_path, capsys):
    path = write_run(tmp_path / "dmc.pkl", distances=[[0.5, 0.7]] * 4)
    (tmp_path / "dmc.csv").unlink()
    assert run(path, "--boxes", write_boxes(tmp_path)) == 0
    printed = capsys.readouterr().out
    assert "dmc.pkl is taken as maps of one sound" in printed and "NSA" not in printed


def test_own_is_told_from_negatives_by_distance(tmp_path, capsys):
    own = write_run(tmp_path / "dmc.pkl", distances=[[1], [2], [3], [4]])
    shuffled = write_run(tmp_path / "dmc_shuffled.pkl", distances=[[2.5], [5], [6], [7]])
    noise = write_run(tmp_path / "dmc_noise.pkl", distances=[[9], [9], [9], [9]])
    other = write_run(tmp_path / "other.pkl")
    out = tmp_path / "s.json"
    assert run(own, shuffled, noise, other, "--boxes", write_boxes(tmp_path), "--json", out) == 0
    printed = capsys.readouterr().out
    # 16 pairs of an own and a shuffled distance: only 3 > 2.5 and 4 > 2.5 are the wrong way round.
    assert "ROC AUC of own against shuffled, by matched distance: 0.875 (4 frames)" in printed
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found["roc_auc"] == {str(own): {"shuffled": 0.875, "noise": 1}}
    assert list(found["runs"]) == [str(path) for path in (own, shuffled, noise, other)]
    assert printed.count("frames scored") == 1


def test_roc_auc_by_hand_takes_all_sounds_and_the_frames_of_both():
    own = {"a": np.array([3.0, 4.0]), "b": np.array([1.0, 0.0]), "only own": np.array([100.0, 0.0])}
    other = {"b": np.array([0.0, 5.0]), "a": np.array([0.0, 6.0]), "only other": np.array([0.0, 0.0])}
    # D: own 5, 1, other 6, 5. Pairs: 6 > 5, 6 > 1, 5 > 1, and 5 = 5 for a half.
    assert roc_auc(own, other) == (3.5 / 4, 2)
    with pytest.raises(UserError, match="share no frame"):
        roc_auc({"a": np.ones(1)}, {"b": np.ones(1)})


def test_negatives_are_known_by_their_names_and_folders():
    own, noise, silence, *others = map(
        Path, ("x/dmc.pkl", "x/dmc_noise.pkl", "x/dmc_silence.pkl", "dmc_noise.pkl", "y/dmc_silence.pkl", "x/dmc2.pkl")
    )
    assert negatives([noise, own, *others, silence]) == {own: {"noise": noise, "silence": silence}}
    assert negatives([own, *others]) == negatives([noise, silence]) == {}
    assert negatives([own, noise.absolute()]) == {own: {"noise": noise.absolute()}}


def test_each_of_several_networks_is_compared_with_its_own_negatives(tmp_path, capsys):
    paths = []
    for folder, other in (("a", [[9]] * 4), ("b", [[2.5], [5], [6], [7]])):
        (tmp_path / folder).mkdir()
        paths.append(write_run(tmp_path / folder / "dmc.pkl", distances=[[1], [2], [3], [4]]))
        paths.append(write_run(tmp_path / folder / "dmc_noise.pkl", distances=other))
    a, _, b, _ = map(str, paths)
    assert run(*paths, "--boxes", write_boxes(tmp_path), "--json", tmp_path / "s.json") == 0
    found = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))
    assert found["roc_auc"] == {a: {"noise": 1}, b: {"noise": 0.875}}
    printed = capsys.readouterr().out
    for path, area in ((a, "1.000"), (b, "0.875")):
        assert f"{path}: ROC AUC of own against noise, by matched distance: {area} (4 frames)" in printed


def test_a_negative_without_distances_is_still_scored(tmp_path, capsys):
    own, noise = write_run(tmp_path / "dmc.pkl"), write_run(tmp_path / "dmc_noise.pkl")
    (tmp_path / "dmc_noise.csv").unlink()
    assert run(own, noise, "--boxes", write_boxes(tmp_path)) == 0
    assert "against noise: not without the distances of both" in capsys.readouterr().out


def test_runs_of_different_frames_are_counted_apart(tmp_path, capsys):
    own, other = write_run(tmp_path / "dmc.pkl"), write_run(tmp_path / "other.pkl", KEYS[:2])
    assert run(own, other, "--boxes", write_boxes(tmp_path)) == 0
    printed = capsys.readouterr().out
    assert f"The runs differ in their frames; the baselines are on those of {own}." in printed
    assert f"{own}: 4 frames scored" in printed and f"{other}: 2 frames scored" in printed


@pytest.mark.parametrize("name", ["vggss.json", "xml"])
def test_the_other_formats_are_recognised(tmp_path, capsys, name):
    boxes = tmp_path / name
    if name == "xml":
        boxes.mkdir()
        box = "<bbox><n>1</n><xmin>0</xmin><ymin>0</ymin><xmax>128</xmax><ymax>256</ymax></bbox>"
        (boxes / "-a.b.xml").write_text(f"<a><b>{box * 3}</b></a>", encoding="utf-8")
    else:
        boxes.write_text(json.dumps([{"file": "-a.b", "bbox": [[0, 0, 0.5, 1]]}]), encoding="utf-8")
    assert run(write_run(tmp_path / "dmc.pkl"), "--boxes", boxes, "--per_class", "--json", tmp_path / "s.json") == 0
    assert "1 frames scored; 0 annotations" in capsys.readouterr().out
    found = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))
    assert found["protocol"]["format"] == ("flickr" if name == "xml" else "vggss")
    (figures,) = found["runs"].values()
    assert figures["mean_iou"] > 0.9


def test_what_is_wrong_is_said_in_a_line(tmp_path, capsys):
    path, boxes = write_run(tmp_path / "dmc.pkl"), write_boxes(tmp_path)
    elsewhere = write_boxes(tmp_path, ["other/frame_000/00000"], "elsewhere.json")
    with_nan = tmp_path / "nan.pkl"
    write_dmc(with_nan, {KEYS[0]: np.full((2, 7, 7), np.nan)}, {KEYS[0]: np.ones(1)})
    three = tmp_path / "three.pkl"
    write_dmc(three, {KEYS[0]: np.ones((2, 7, 7))}, {KEYS[0]: np.ones(3)})
    write_dmc(tmp_path / "empty.pkl", {}, {})
    (tmp_path / "file").touch()
    for arguments, message in (
        ([tmp_path / "none.pkl", "--boxes", boxes], "none.pkl cannot be read"),
        ([path, "--boxes", tmp_path / "none.json"], "none.json cannot be read"),
        ([path, "--data_dir", tmp_path / "set"], f"there is no {tmp_path / 'set/boxes.json'}: name a file or folder"),
        ([path, "--boxes", elsewhere], f"'{KEYS[0]}', and annotations of 'other/frame_000/00000'"),
        ([with_nan, "--boxes", boxes], f"nan.pkl: the map '{KEYS[0]}' holds values that are no finite numbers"),
        ([three, "--boxes", boxes], f"three.pkl: the map '{KEYS[0]}' has the shape (2, 7, 7), too small for 3"),
        ([tmp_path / "empty.pkl", "--boxes", boxes], "empty.pkl holds no maps"),
        ([path, path, "--boxes", boxes], "is given twice"),
        ([path, "--boxes", boxes, "--json", tmp_path / "file/s.json"], "s.json cannot be written"),
    ):
        assert run(*arguments) == 1
        said = capsys.readouterr().err
        assert said.startswith("score: ") and message in said and said.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("key,distance_0\na,0.5\nb,x\n", r"line 3 \(b\): could not convert"),
        ("key,distance_0\na,nan\n", r"line 2 \(a\): there are not 1 finite"),
        ("key,distance_0,distance_1\na,1\n", r"line 2 \(a\): there are not 2 finite"),
        ("a,b\n", "does not begin with"),
        ("key\n", "does not begin with"),
        ("", "does not begin with"),
        ("key,distance_0\n", "holds no distances"),
    ],
)
def test_malformed_distances_are_named_with_the_line(tmp_path, content, message):
    (tmp_path / "dmc.csv").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=rf"dmc\.csv.*{message}"):
        read_distances(tmp_path / "dmc.csv")


@pytest.mark.parametrize("value", ["0", "1.5", "nan", "x"])
def test_a_threshold_that_is_no_part_of_the_maximum_is_refused(tmp_path, capsys, value):
    with pytest.raises(SystemExit, match="2"):
        run(tmp_path / "dmc.pkl", "--threshold", value)
    assert "--threshold" in capsys.readouterr().err


def test_it_runs_by_path_from_any_folder(tmp_path):
    write_run(tmp_path / "dmc.pkl")
    write_boxes(tmp_path)
    command = [sys.executable, ROOT / "metrics/score.py", "dmc.pkl", "--boxes", "boxes.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "4 frames scored" in done.stdout and not done.stderr


def test_a_table_is_aligned_and_shows_what_a_row_has_not():
    rows = {"a": {"frames": 3, "auc": 0.5}, "longer": {"frames": 12, "auc": 1.0, "nsa": None}, "b": {"nsa": 0.25}}
    assert figures_table(rows, "run") == [
        "run     frames    AUC    NSA",
        "a            3  0.500      -",
        "longer      12  1.000      -",
        "b            -      -  0.250",
    ]
