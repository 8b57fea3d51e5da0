"""The three lists are disjoint, split by video and in proportion; lists of the data set itself are kept."""

import itertools
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from common.errors import UserError
from data import split
from data.lists import read_list
from data.sets import splitting
from tests.fixtures.sample_set import add_labels


def make_videos(data_dir: Path, names: list[str]) -> list[str]:
    (data_dir / "video").mkdir(parents=True, exist_ok=True)
    for name in names:
        (data_dir / "video" / f"{name}.mp4").touch()
    return names


def run(data_dir: Path, *options: str) -> int:
    return split.main(["--data_dir", str(data_dir), *options])


def lists(data_dir: Path) -> dict[str, list[str]]:
    return {name: read_list(data_dir / f"{name}.txt") for name in ("train", "val", "test")}


def lengths(data_dir: Path) -> list[int]:
    return [len(names) for names in lists(data_dir).values()]


def test_lists_are_disjoint_complete_and_as_large_as_asked_for(tmp_path, capsys):
    names = make_videos(tmp_path, [f"v{i:03d}" for i in range(210)])
    (tmp_path / "video/notes.txt").touch()
    assert run(tmp_path) == 0
    assert f"left out of {tmp_path / 'video'}, as their endings are not known: 'notes.txt'\n" in capsys.readouterr().out
    assert lengths(tmp_path) == [149, 25, 36]
    found = lists(tmp_path)
    assert sorted(itertools.chain(*found.values())) == names
    assert run(tmp_path, "--force", "--seed", "11") == 0
    assert lists(tmp_path) != found
    assert run(tmp_path, "--force", "--val", "0.5", "--test", "0.25") == 0
    assert lengths(tmp_path) == [53, 105, 52]


def test_only_the_same_seed_gives_the_same_lists_even_if_a_class_is_as_small_as_the_list():
    names = [f"v{i:02d}" for i in range(10)]
    labels = {name: "ab"[number // 5] for number, name in enumerate(names)}
    draws = [splitting.split(names, labels, 0.2, 0.1, seed) for seed in (*range(40), 0)]
    assert draws[-1] == draws[0] and len({tuple(draw["test"]) for draw in draws}) >= 8


def test_each_class_is_in_proportion_in_all_lists_and_gone_videos_are_counted(tmp_path, capsys):
    sizes = {"flute": 40, "bell": 24, "drum": 12, "organ": 8}
    rng = np.random.default_rng(0)
    videos = {
        label: ["".join(rng.choice(list("abcXYZ019-_"), 11)) for _ in range(size)] for label, size in sizes.items()
    }
    label_of = {identity: label for label, identities in videos.items() for identity in identities}
    make_videos(tmp_path, [f"{identity}_0_1000" if i % 2 else identity for i, identity in enumerate(label_of)])
    make_videos(tmp_path, ["unlabelled"])
    add_labels(tmp_path, videos | {"flute": [*videos["flute"], "gone1234567", "gone2234567", "gone3234567"]})
    assert run(tmp_path) == 0
    for name, names in lists(tmp_path).items():
        counts = Counter(label_of.get(video[:11]) for video in names)
        for label, size in sizes.items():  # two draws, each exact to one video
            assert abs(counts[label] - size * len(names) / 85) < 2, (name, label)
    out = capsys.readouterr().out
    assert "names 87 videos, 3 of them gone" in out and "4 classes in proportion, 1 videos have no label" in out


def test_lists_of_the_data_set_are_kept_unless_forced(tmp_path, capsys):
    make_videos(tmp_path, [f"v{i}" for i in range(10)])
    own = {"train": "v1.flac v1.mp4\nv2.flac v2.mp4\n", "val": "v3\nv4\n", "test": "v5\ngone\n"}
    for name, text in own.items():
        (tmp_path / f"{name}.txt").write_text(text)
    assert run(tmp_path) == 0
    assert {name: (tmp_path / f"{name}.txt").read_text() for name in own} == own
    out = capsys.readouterr().out
    assert "are kept" in out and "5 videos are in none of them, as v0" in out
    assert re.search("2 videos, 1 of them not in .*, as 'gone': an entry is the NAME of", out)
    assert run(tmp_path, "--force") == 0
    assert (tmp_path / "train.txt").read_text() != own["train"]


def test_incomplete_or_overlapping_lists_of_the_data_set_are_named(tmp_path, capsys):
    (tmp_path / "train.txt").write_text("v1\nv2\n")
    assert run(tmp_path) == 1
    assert "no val.txt and test.txt" in capsys.readouterr().err
    (tmp_path / "val.txt").write_text("v2\n")
    (tmp_path / "test.txt").write_text("v3\n")
    assert run(tmp_path) == 1
    assert "v2 is in" in capsys.readouterr().err


def test_few_videos_give_usable_lists_or_a_note(tmp_path, capsys):
    assert run(tmp_path) == 1
    assert "data/make_demo.py" in capsys.readouterr().err
    make_videos(tmp_path, ["a", "b"])
    assert run(tmp_path) == 1
    assert "2 videos are too few" in capsys.readouterr().err
    for name, sizes, usable in (("c", [1, 1, 1], False), ("d", [2, 1, 1], False), ("e", [2, 2, 1], True)):
        make_videos(tmp_path, [name])
        assert run(tmp_path, "--force") == 0
        assert lengths(tmp_path) == sizes
        assert ("add videos" in capsys.readouterr().out) == (not usable)


def test_fractions_that_leave_nothing_for_training_are_an_error():
    with pytest.raises(UserError, match="leave none of 10"):
        splitting.sizes(10, 0.6, 0.4)


@pytest.mark.parametrize("name", ["two\nlines", "caf\udce9", "a.mov"], ids=ascii)
def test_a_name_that_a_list_cannot_hold_is_an_error_before_anything_is_written(tmp_path, capsys, name):
    make_videos(tmp_path, ["a", "b", "c", "d", "e", name])
    assert run(tmp_path) == 1
    assert f"cannot hold {name!r}: rename the video" in capsys.readouterr().err and not list(tmp_path.glob("*.txt"))
