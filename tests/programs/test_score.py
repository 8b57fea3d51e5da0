"""metrics/score.py: runs, baselines and negative audio as tables and as JSON."""

import json
from pathlib import Path

import numpy as np
import pytest

from data.dmc_pkl import csv_path, write_dmc
from metrics import score

KEYS = [f"-a.b/frame_000/{index:05d}" for index in (0, 7, 14, 21)]
LEFT = np.repeat([[1, 0]], 2, axis=0).repeat(7, 0).repeat(7, 1).astype(np.float32)  # [14, 14]


def write_run(path: Path, keys: list[str] = KEYS, distances: list[list[float]] | None = None) -> Path:
    rows = map(np.array, distances or [[0.5]] * len(keys))
    write_dmc(path, {key: np.stack([LEFT, 1 - LEFT]) for key in keys}, dict(zip(keys, rows, strict=True)))
    return path


def write_boxes(folder: Path, keys: list[str] = KEYS) -> Path:
    entries = {
        f"{key}.jpg": {"bbox": [{"normbox": [i % 2 / 2, 0, 0.5, 1], "category_id": i % 2 + 9}]}
        for i, key in enumerate(keys)
    }
    (folder / "boxes.json").write_text(json.dumps(entries), encoding="utf-8")
    return folder / "boxes.json"


def run(*arguments: object) -> int:
    return score.main([str(argument) for argument in arguments])


def read_json(*arguments: object, folder: Path) -> dict:
    path = folder / "new" / "scores.json"
    assert run(*arguments, "--json", path) == 0
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_output_has_protocol_counts_run_and_baselines(tmp_path, capsys):
    path = write_run(tmp_path / "dmc.pkl")
    write_boxes(tmp_path)
    assert run(path, "--data_dir", tmp_path) == 0  # boxes.json of the data set
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Protocol (the default for the format music): ours, version 1: IoU with the union")
    assert "0.5 of its maximum" in lines[0]
    assert lines[1].startswith("4 frames scored, 0 of them matched by rank within the second; 0 annotations without a")
    head, *rows, _, below = lines[3:]
    assert below.startswith(f"* {path} is below ") and below.endswith(" in IoU@0.3.")
    assert head.split() == ["frames", "mean", "IoU", "IoU@0.3", "IoU@0.5", "AUC", "pointing", "area/box"]
    assert [row.split("  ")[0] for row in rows] == [f"{path} *", "whole frame", "centred disc", "random map"]
    # The map shows the left half. Two frames have their box there, two in the right half.
    figures = [float(text) for text in rows[0].split()[2:]]
    assert figures == pytest.approx([4, 0.5, 0.5, 0.5, 0.5125, 0.5, 1], abs=0.02)


def test_the_json_contains_the_printed_scores(tmp_path, capsys):
    path, boxes = write_run(tmp_path / "dmc.pkl"), write_boxes(tmp_path)
    found = read_json(path, "--boxes", boxes, "--per_video", "--per_class", "--threshold", 0.4, folder=tmp_path)
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == f"Wrote {tmp_path / 'new/scores.json'}."
    assert "\nvideo " in printed and "\nclass " in printed and "\n-a.b " in printed
    assert set(found) == {"protocol", "counts", "runs", "baselines", "negatives", "below", "per_video", "per_class"}
    assert found["protocol"]["threshold"] == 0.4 and found["protocol"]["format"] == "music"
    assert (found["protocol"]["name"], found["protocol"]["version"]) == ("ours", 1)
    assert found["counts"][str(path)]["frames_scored"] == found["runs"][str(path)]["frames"] == 4
    assert found["baselines"]["whole frame"]["mean_iou"] == 0.5
    expected = {"a_cluster": 1, **found["per_video"][str(path)]["-a.b"], "intervals": {}}  # of a single video
    assert expected == found["runs"][str(path)]
    classes = found["per_class"][str(path)]
    assert list(classes) == ["9", "10"] and classes["9"]["mean_iou"] > 0.9 and classes["10"]["mean_iou"] < 0.1


def test_counts_tell_missing_maps_from_videos_outside_the_run_and_show_runs_of_different_frames(tmp_path, capsys):
    annotated = [*KEYS, "-a.b/frame_001/00030", *(f"{name}/frame_000/00000" for name in "cde")]
    shifted = [f"-a.b/frame_000/{index:05d}" for index in (0, 6, 12, 18)]
    own, other = write_run(tmp_path / "dmc.pkl", shifted), write_run(tmp_path / "other.pkl", KEYS[:2])
    assert run(own, other, "--boxes", write_boxes(tmp_path, annotated)) == 0
    printed = capsys.readouterr().out
    assert f"The runs differ in their frames. The baselines use the frames of {own}." in printed
    assert f"{own}: 4 frames scored, 3 of them matched by rank within the second; 1 annotations without a" in printed
    assert f"{other}: 2 frames scored" in printed
    assert "boxes.json also contains 3 videos without any map." in printed


def test_several_audio_clusters_have_more_figures_which_need_the_distances(tmp_path, capsys):
    path, boxes = write_run(tmp_path / "dmc.pkl", distances=[[0.5, 0.7]] * 4), write_boxes(tmp_path)
    found = read_json(path, "--boxes", boxes, folder=tmp_path)["runs"][str(path)]
    head = capsys.readouterr().out.splitlines()[3]
    assert head.split()[-5:] == ["CIoU", "CIoU@0.3", "CIoU", "AUC", "NSA"]
    assert found["a_cluster"] == 2 and found["ciou"] > 0.9 and found["nsa"] is None
    (tmp_path / "dmc.csv").unlink()
    assert run(path, "--boxes", boxes) == 0
    printed = capsys.readouterr().out
    assert "dmc.pkl counts as maps of one audio cluster" in printed and "NSA" not in printed


def test_a_run_is_compared_with_its_negatives_by_distance(tmp_path, capsys):
    # 16 pairs of an own distance and one with negative audio: only 3 > 2.5 and 4 > 2.5 are in the wrong order.
    rows = {"dmc": [[1], [2], [3], [4]], "dmc_shuffled": [[2.5], [5], [6], [7]], "wrong": [[9]] * 4}
    own, shuffled, wrong = (write_run(tmp_path / f"{name}.pkl", distances=row) for name, row in rows.items())
    arguments = [own, "--negatives", shuffled, wrong, "--boxes", write_boxes(tmp_path)]
    found = read_json(*arguments, folder=tmp_path)
    (of_run,) = found["negatives"].values()
    assert {audio: one["roc_auc"] for audio, one in of_run.items()} == {"shuffled": 0.875, "wrong": 1, "all": 0.9375}
    # Two of four maps are right, at the distances 1 and 3.
    assert (of_run["wrong"]["frames"], of_run["wrong"]["loc_acc"], of_run["wrong"]["distance"]) == (4, 0.5, 3)
    assert list(found["runs"]) == [str(path) for path in (own, shuffled, wrong)]
    printed = capsys.readouterr().out
    assert f"{own} against other audio, by distance:\naudio     frames  ROC AUC" in printed
    assert "\nshuffled       4    0.875" in printed
    csv_path(wrong).unlink()
    assert run(*arguments) == 1
    assert f"there is no {csv_path(wrong)}" in capsys.readouterr().err


def test_named_negatives_have_the_threshold_of_the_validation_list_applied(tmp_path, capsys):
    rows = {"dmc": [[1], [2], [3], [4]], "wrong": [[3.5], [8], [9], [9]]}
    rows |= {"val": [[1], [2], [2], [3]], "val_wrong": [[8]] * 4}
    own, wrong, val, val_wrong = (write_run(tmp_path / f"{name}.pkl", distances=row) for name, row in rows.items())
    boxes = write_boxes(tmp_path)
    arguments = [own, "--negatives", wrong, "--validation", val, val_wrong, "--boxes", boxes]
    found = read_json(*arguments, folder=tmp_path)["negatives"][str(own)]["wrong"]
    assert found["roc_auc"] == 15 / 16
    assert found["universal_f1"] == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))  # up to 3: two right, one wrong, one missed
    assert "universal F1" in capsys.readouterr().out
    assert run(own, "--negatives", wrong, "--validation", val, "--boxes", boxes) == 1
    assert "--validation needs maps with own and with negative audio" in capsys.readouterr().err


def test_the_difference_from_the_first_run_is_in_the_table_and_in_the_json(tmp_path, capsys):
    keys = [f"{video}/frame_000/00000" for video in "abcd"]
    paths = [write_run(tmp_path / name, keys) for name in ("one.pkl", "two.pkl")]
    found = read_json("--compare", *paths, "--boxes", write_boxes(tmp_path, keys), folder=tmp_path)
    difference = found["differences"][str(paths[1])]
    assert (difference["frames"], difference["mean_iou"], difference["intervals"]["mean_iou"]) == (4, 0, [0, 0])
    assert len(found["runs"][str(paths[0])]["intervals"]["mean_iou"]) == 2
    printed = capsys.readouterr().out
    assert f"\nDifferences from {paths[0]}:\n" in printed and "\n  95% interval from " in printed


@pytest.mark.parametrize(
    ("option", "mark", "row"), [("--markdown", "", "| whole frame | 4 |"), ("--latex", "% ", r"whole frame & 4 &")]
)
def test_tables_for_papers(tmp_path, capsys, option, mark, row):
    path = write_run(tmp_path / "dmc.pkl")
    arguments = [path, "--boxes", write_boxes(tmp_path), "--protocol", "music-solo", option]
    assert run(*arguments, "--json", tmp_path / "scores.json") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{mark}Protocol: music-solo, version 1: ") and lines[1].startswith(f"{mark}4 frames")
    assert lines[-1].startswith(f"{mark}Wrote ")
    assert any(line.startswith(row) for line in lines)


def test_scores_of_clips_name_their_protocol_and_tell_nothing_of_ranks(tmp_path, capsys):
    boxes = tmp_path / "vggss.json"
    boxes.write_text(json.dumps([{"file": "-a.b", "bbox": [[0, 0, 0.5, 1]]}]), encoding="utf-8")
    found = read_json(write_run(tmp_path / "dmc.pkl"), "--boxes", boxes, folder=tmp_path)
    assert found["protocol"]["format"] == "vggss"
    protocol, counts, *_ = capsys.readouterr().out.splitlines()
    assert protocol.startswith("Protocol (the default for the format vggss): vggss, version 1: ")
    assert counts.startswith("1 frames scored; 0 annotations")


def test_a_user_error_is_one_line(tmp_path, capsys):
    path, boxes = write_run(tmp_path / "dmc.pkl"), write_boxes(tmp_path)
    three, empty = tmp_path / "three.pkl", tmp_path / "empty.pkl"
    write_dmc(three, {KEYS[0]: np.ones((2, 7, 7))}, {KEYS[0]: np.ones(3)})
    write_dmc(empty, {}, {})
    (tmp_path / "file").touch()
    for arguments, message in (
        ([path, "--data_dir", tmp_path / "set"], f"there is no {tmp_path / 'set/boxes.json'}: name a file or folder"),
        ([three, "--boxes", boxes], f"three.pkl: the map '{KEYS[0]}' has the shape (2, 7, 7), too small for 3"),
        ([empty, "--boxes", boxes], "empty.pkl contains no maps"),
        ([path, path, "--boxes", boxes], "is named twice"),
        ([path, "--boxes", boxes, "--json", tmp_path / "file/s.json"], f"cannot read or write {tmp_path / 'file'}"),
    ):
        assert run(*arguments) == 1
        error = capsys.readouterr().err
        assert error.startswith("score: ") and message in error and error.count("\n") == 1


def test_a_class_may_have_any_name_and_a_number_of_any_length(tmp_path, capsys):
    boxes = write_boxes(tmp_path)
    names = ["9" * 5000, "10", "\ud800", "<b>$(b)\x1b[2J"]
    content = json.loads(boxes.read_text())
    for entry, name in zip(content.values(), names, strict=True):
        entry["bbox"][0]["category_id"] = name
    boxes.write_text(json.dumps(content))
    path = write_run(tmp_path / "dmc.pkl")
    found = read_json(path, "--boxes", boxes, "--per_class", folder=tmp_path)["per_class"][str(path)]
    assert set(found) == set(names) and list(found)[:2] == ["10", "9" * 5000]
    assert "\x1b" not in capsys.readouterr().out


def test_a_threshold_outside_0_to_1_is_refused(tmp_path, capsys):
    for value in ("0", "1.5", "nan"):
        with pytest.raises(SystemExit, match="2"):
            run(tmp_path / "dmc.pkl", "--threshold", value)
        assert "--threshold" in capsys.readouterr().err
