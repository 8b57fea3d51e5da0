"""The three lists: disjoint, by video, in proportion, and a data set's own are kept."""

import itertools
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from common.errors import UserError
from data import split
from data.lists import parse_list_line, read_list


def make_videos(data_dir: Path, names: list[str], suffix: str = ".mp4") -> list[str]:
    (data_dir / "video").mkdir(parents=True, exist_ok=True)
    for name in names:
        (data_dir / "video" / f"{name}{suffix}").touch()
    return names


def run(data_dir: Path, *options: str) -> int:
    return split.main(["--data_dir", str(data_dir), *options])


def lists(data_dir: Path) -> dict[str, list[str]]:
    return {name: read_list(data_dir / f"{name}.txt") for name in ("train", "val", "test")}


def test_lists_are_disjoint_complete_and_of_the_sizes_asked_for(tmp_path):
    names = make_videos(tmp_path, [f"v{i:03d}" for i in range(210)])
    assert run(tmp_path) == 0
    found = lists(tmp_path)
    assert {name: len(videos) for name, videos in found.items()} == {"train": 149, "val": 25, "test": 36}
    assert sorted(itertools.chain(*found.values())) == names
    assert run(tmp_path, "--force", "--val", "0.5", "--test", "0.25") == 0
    assert {name: len(videos) for name, videos in lists(tmp_path).items()} == {"train": 53, "val": 105, "test": 52}


def test_the_same_seed_gives_the_same_lists_and_another_one_others(tmp_path):
    make_videos(tmp_path, [f"v{i:03d}" for i in range(50)])
    found = []
    for seed in ("1", "1", "2"):
        assert run(tmp_path, "--seed", seed, "--force") == 0
        found.append(lists(tmp_path))
    assert found[0] == found[1] != found[2]


def labelled_set(data_dir: Path) -> dict[str, str]:
    """84 videos of four classes of very different size, by 11-character IDs; 3 labels are of videos that are gone."""
    sizes = {"flute": 40, "bell": 24, "drum": 12, "organ": 8}
    label_of, videos = {}, {}
    rng = np.random.default_rng(0)
    for label, size in sizes.items():
        ids = ["".join(rng.choice(list("abcXYZ019-_"), 11)) for _ in range(size)]
        videos[label] = ids
        label_of |= dict.fromkeys(ids, label)
    make_videos(data_dir, [f"{identity}_0_1000" if i % 2 else identity for i, identity in enumerate(label_of)])
    videos["flute"] = [*videos["flute"], "gone1234567", "gone2234567", "gone3234567"]
    (data_dir / "labels.json").write_text(json.dumps({"videos": videos}))
    return label_of


def test_labels_make_every_list_stratified_and_gone_videos_are_counted(tmp_path, capsys):
    label_of = labelled_set(tmp_path)
    assert run(tmp_path) == 0
    total = Counter(label_of.values())
    for name, videos in lists(tmp_path).items():
        counts = Counter(label_of[video[:11]] for video in videos)
        for label, size in total.items():
            # Two draws after another, each right to one video.
            assert abs(counts[label] - size * len(videos) / 84) < 2, (name, label)
    out = capsys.readouterr().out
    assert "names 87 videos, 3 of them gone" in out and "4 classes" in out


def test_without_labels_the_same_videos_are_not_stratified(tmp_path):
    """Shows that the test above can fail: some seed leaves a class out of proportion."""
    label_of = labelled_set(tmp_path)
    (tmp_path / "labels.json").unlink()
    worst = 0
    for seed in range(10):
        run(tmp_path, "--force", "--seed", str(seed))
        for videos in lists(tmp_path).values():
            counts = Counter(label_of[video[:11]] for video in videos)
            worst = max(
                worst,
                *(abs(counts[label] - size * len(videos) / 84) for label, size in Counter(label_of.values()).items()),
            )
    assert worst >= 2


def test_labels_elsewhere_and_damaged_labels(tmp_path, capsys):
    make_videos(tmp_path, [f"v{i}" for i in range(10)])
    assert run(tmp_path, "--labels", str(tmp_path / "none.json")) == 1
    assert "none.json" in capsys.readouterr().err
    for text in ("[1, 2]", "{", '{"videos": 3}', '{"videos": {"a": 3}}'):
        (tmp_path / "labels.json").write_text(text)
        assert run(tmp_path) == 1
        assert "labels.json" in capsys.readouterr().err
    (tmp_path / "mine.json").write_text(json.dumps({"videos": {"a": ["v1", "v2"]}}))
    assert run(tmp_path, "--labels", str(tmp_path / "mine.json")) == 0
    assert "8 videos have no label" in capsys.readouterr().out


def test_own_lists_are_kept_unless_forced(tmp_path, capsys):
    make_videos(tmp_path, [f"v{i}" for i in range(10)])
    own = {"train": "v1.flac v1.mp4\nv2.flac v2.mp4\n", "val": "v3\nv4\n", "test": "v5\ngone\n"}
    for name, text in own.items():
        (tmp_path / f"{name}.txt").write_text(text)
    assert run(tmp_path) == 0
    assert {name: (tmp_path / f"{name}.txt").read_text() for name in own} == own
    out = capsys.readouterr().out
    assert "are kept" in out and "2 videos, 1 of them not in" in out
    assert run(tmp_path, "--force") == 0
    assert (tmp_path / "train.txt").read_text() != own["train"]


def test_own_lists_that_are_incomplete_or_overlap_are_named(tmp_path, capsys):
    make_videos(tmp_path, [f"v{i}" for i in range(10)])
    (tmp_path / "train.txt").write_text("v1\nv2\n")
    assert run(tmp_path) == 1
    assert "no val.txt and test.txt" in capsys.readouterr().err
    (tmp_path / "val.txt").write_text("v2\n")
    (tmp_path / "test.txt").write_text("v3\n")
    assert run(tmp_path) == 1
    assert "v2 is in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("-_-TDDxoaAc_0_1000", "-_-TDDxoaAc_0_1000"),
        ("-_-TDDxoaAc_0_1000.flac -_-TDDxoaAc_0_1000.mp4", "-_-TDDxoaAc_0_1000"),
        ("two words", "two words"),
        ("two words.flac two words.mp4", "two words"),
        ("  v1.mp4\r", "v1"),
        ("v1.wav\tv1.MKV", "v1"),
        ("v1.2", "v1.2"),
        ("a.flac b.mp4", "a.flac b"),
        ("", ""),
    ],
)
def test_lines_of_lists(line, name):
    assert parse_list_line(line) == name


def test_lists_with_windows_line_ends_a_byte_order_mark_and_doubles(tmp_path):
    (tmp_path / "l.txt").write_bytes(b"\xef\xbb\xbfa\r\n\r\nb\r\na\r\n")
    assert read_list(tmp_path / "l.txt") == ["a", "b"]


def test_few_videos(tmp_path, capsys):
    assert run(tmp_path) == 1
    assert "data/make_demo.py" in capsys.readouterr().err
    make_videos(tmp_path, ["a", "b"])
    assert run(tmp_path) == 1
    assert "2 videos are too few" in capsys.readouterr().err
    for name, sizes, usable in (("c", (1, 1, 1), False), ("d", (2, 1, 1), False), ("e", (2, 2, 1), True)):
        make_videos(tmp_path, [name])
        assert run(tmp_path, "--force") == 0
        assert tuple(len(videos) for videos in lists(tmp_path).values()) == sizes
        assert ("add videos" in capsys.readouterr().out) == (not usable)


def test_shares_that_leave_nothing_to_train_on():
    with pytest.raises(UserError, match="leave none of 10"):
        split.sizes(10, 0.6, 0.4)


def test_a_name_that_a_list_cannot_hold_is_named(tmp_path, capsys):
    make_videos(tmp_path, ["a", "b", "c", "d", "e", "two\nlines"])
    assert run(tmp_path) == 1
    assert "two\\nlines" in capsys.readouterr().err and not list(tmp_path.glob("*.txt"))


def test_seeds_change_the_lists_also_where_every_class_has_one_video(tmp_path):
    names = make_videos(tmp_path, [f"v{i:02d}" for i in range(10)])
    labels = {"a": names[:5], "b": names[5:]}
    found = {
        tuple(split.split(names, {v: k for k, vs in labels.items() for v in vs}, 0.2, 0.1, s)["test"])
        for s in range(40)
    }
    assert len(found) >= 8  # any of the ten can be the one test video


def test_only_videos_count(tmp_path):
    make_videos(tmp_path, ["a", "b", "c", "d", "e"])
    make_videos(tmp_path, ["notes"], ".txt")
    make_videos(tmp_path, [".hidden"])
    make_videos(tmp_path, ["f"], ".WebM")
    assert run(tmp_path) == 0
    assert sorted(itertools.chain(*lists(tmp_path).values())) == ["a", "b", "c", "d", "e", "f"]
