"""metrics/retrieval.py: ranks and chance against counting, distances against a loop, the table of a set."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from data.index import index_seconds
from data.transforms import load_frame, resize
from metrics import retrieval
from tests.fixtures.sample_set import add_labels, add_video, make_set
from tests.programs.test_features import save_network
from training.checkpoints.load import load_trained


def test_ranks_count_what_is_nearer_and_ties_against_the_network():
    distances = np.array([[1.0, 2, 3, 4], [1, 1, 1, 1], [5, 4, 3, 2]])
    relevant = np.array([[0, 0, 1, 0], [0, 1, 0, 1], [0, 1, 0, 1]], bool)
    assert retrieval.first_ranks(distances, relevant).tolist() == [3, 3, 1]


@pytest.mark.parametrize("relevant", [np.eye(4), [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [1, 1, 0, 1]]])
def test_chance_is_the_mean_over_all_orders(relevant, monkeypatch):
    monkeypatch.setattr(retrieval, "RANKS", (1, 2, 3, 10))
    relevant = np.array(relevant, bool)
    ranks = np.array(
        [1 + np.argmax(row[list(order)]) for row in relevant for order in itertools.permutations(range(4))]
    )
    expected = {f"recall_at_{k}": pytest.approx(np.mean(ranks <= k)) for k in (1, 2, 3, 10)}
    assert retrieval.chance(relevant) == expected | {"median_rank": np.sort(ranks)[(len(ranks) - 1) // 2]}


def test_both_directions_and_the_class_have_rows():
    # Audio 0 and 1 are of one class and taken for each other; audio 2 is nearest to the frame of all.
    distances = np.array([[2.0, 1, 9], [1, 2, 9], [0, 0.5, 1]])
    table = retrieval.retrieval_table(distances, np.array(["x", "x", ""]))
    assert [row["recall_at_1"] for row in table.values()] == pytest.approx([0, 1 / 3, 1 / 3, 1, 1, 1])
    assert table["audio to frame, own"]["median_rank"] == 2
    assert [*table] == [
        f"{row}, {case}" for case in ("own", "same class") for row in ("audio to frame", "frame to audio", "chance")
    ]
    assert len(retrieval.retrieval_table(distances, np.array([""] * 3))) == 3


def test_the_middle_second_of_each_video_takes_part_and_excerpts_count_as_one(tmp_path):
    names = ["short", "abcdefghijk_0_1000", "abcdefghijk_1000_2000", "long"]
    for name, seconds in zip(names, (1, 2, 3, 4), strict=True):
        add_video(tmp_path, name, seconds=seconds, frames=1)
    seconds = index_seconds(tmp_path, names)
    chosen = [(seconds.name(index), seconds.second[index]) for index in retrieval.middle_seconds(seconds)]
    assert chosen == [("short", 0), ("abcdefghijk_1000_2000", 0), ("long", 2)]


@pytest.mark.usefixtures("small")
def test_distances_are_the_matched_ones_of_training(tmp_path: Path):
    for number, name in enumerate("abc"):
        add_video(tmp_path, name, kind=number, size=40)
    path, model = save_network(tmp_path / "net.pth", "improved", v_cluster=3, a_cluster=2)
    model.v_cluster, model.a_cluster = 3, 2
    found = retrieval.distances_between(load_trained(path), index_seconds(tmp_path, ["a", "b", "c"]), [1, 4, 7])
    with torch.no_grad():
        audio = [
            model.encode_audio(torch.from_numpy(np.load(tmp_path / f"audio_frames/{name}/001.npy"))[None, None])[0]
            for name in "abc"
        ]
        frames = [resize(load_frame(tmp_path / f"video_frames/{name}/frame_001/00025.jpg"), 32) for name in "abc"]
        visual = [model.encode_frames(frame[None])[0] for frame in frames]
    for (i, heard), (j, seen) in itertools.product(enumerate(audio), enumerate(visual)):
        squares = ((heard[0][:, None] - seen[0][None]) ** 2).sum(-1).double().numpy()  # [2, 3]
        matched = min(squares[0, one] + squares[1, other] for one, other in itertools.permutations(range(3), 2))
        assert found[i, j] == pytest.approx(matched, rel=1e-3, abs=1e-6)


@pytest.mark.usefixtures("small")
def test_the_program_prints_the_table_of_the_test_list(tmp_path, capsys):
    make_set(tmp_path, train=0, val=0, test=4, size=32, seconds=2)
    add_labels(tmp_path, {"x": ["test0", "test2"], "y": ["test1", "test3"]})
    path, model = save_network(tmp_path / "net.pth")
    arguments = [str(path), "--data_dir", str(tmp_path)]
    assert retrieval.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "One second of each of 4 videos"
    assert lines[3].split() == "recall@1 recall@5 recall@10 median rank".split()
    rows = {line[:26].strip(): line[26:].split() for line in lines[4:]}
    assert len(rows) == 6 and rows["chance, own"] == ["0.250", "1.000", "1.000", "2.000"]
    assert rows["chance, same class"][0] == "0.500"

    model.audio_projection.bias.data[0] = torch.nan
    torch.save({"model": model.state_dict()}, path)
    assert retrieval.main(arguments) == 1 and "finite" in capsys.readouterr().err
    (tmp_path / "test.txt").unlink()
    assert retrieval.main(arguments) == 1 and "data/split.py" in capsys.readouterr().err
