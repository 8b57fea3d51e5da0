"""Lists and labels of all known forms are read, and damaged ones are named."""

import pytest

from common.errors import UserError
from data.lists import label_of, parse_list_line, read_labels, read_list
from tests.fixtures.sample_set import add_labels


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
def test_a_line_gives_the_name_with_or_without_suffixes(line, name):
    assert parse_list_line(line) == name


def test_a_list_may_have_windows_line_ends_a_byte_order_mark_and_doubles(tmp_path):
    (tmp_path / "l.txt").write_bytes(b"\xef\xbb\xbfa\r\n\r\nb\r\na\r\n")
    assert read_list(tmp_path / "l.txt") == ["a", "b"]


def test_an_absent_or_binary_list_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no list .*l\.txt; data/split\.py writes"):
        read_list(tmp_path / "l.txt")
    (tmp_path / "l.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"l\.txt cannot be read"):
        read_list(tmp_path / "l.txt")


def test_a_video_of_two_classes_has_both(tmp_path):
    add_labels(tmp_path, {"flute": ["-_-TDDxoaAc", "x", "x"], "acoustic_guitar": ["-_-TDDxoaAc"], "drum": ["y"]})
    labels = read_labels(tmp_path / "labels.json")
    names = ["-_-TDDxoaAc_0_1000", "x", "z"]
    assert [label_of(name, labels) for name in names] == ["flute acoustic_guitar", "flute", ""]


@pytest.mark.parametrize("text", ["[1, 2]", "{", '{"videos": 3}', '{"videos": {"a": 3}}'])
def test_damaged_labels_are_named(tmp_path, text):
    (tmp_path / "labels.json").write_text(text)
    with pytest.raises(UserError, match=r"labels\.json are not of the form"):
        read_labels(tmp_path / "labels.json")
    with pytest.raises(UserError, match=r"none\.json cannot be read"):
        read_labels(tmp_path / "none.json")
