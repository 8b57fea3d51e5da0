"""Lists and labels of all known forms are read, and damaged ones are named."""

import pytest

from common.errors import UserError
from data.lists import can_hold, label_of, parse_list_line, read_labels, read_list, write_list
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


def test_a_line_that_is_too_long_for_a_name_takes_no_time():
    line = ".mp4 " * 200_000 + "x"
    assert parse_list_line(line) == line


def test_a_list_may_have_windows_line_ends_a_byte_order_mark_and_doubles(tmp_path):
    (tmp_path / "l.txt").write_bytes(b"\xef\xbb\xbfa\r\n\r\nb\r\na\r\n")
    assert read_list(tmp_path / "l.txt") == ["a", "b"]


ODD = ["-a", "a b", "ü", "u\u0308", "\u4e2d\u6587", "\U0001f3bb", "a'\"`$(b)%s{}", "a.b.c", "a,b;c:d", "#1"]
ODD += ["a\\b", "con", "a\u200bb", "x" * 255, "~", "a..", "mp4", "*?"]
UNHOLDABLE = ["a\nb", "a\rb", "a\u2028b", "a\x85b", " a", "a ", "a\t", "\ufeffa", "a.mp4", "a.WAV", "caf\udce9"]


@pytest.mark.parametrize(("name", "held"), [*((name, True) for name in ODD), *((name, False) for name in UNHOLDABLE)])
def test_a_list_holds_each_name_that_is_read_as_it_is_written(tmp_path, name, held):
    assert can_hold(name) == held
    if held:
        write_list(tmp_path / "l.txt", [name])
        assert read_list(tmp_path / "l.txt") == [name]


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


def test_labels_may_have_a_byte_order_mark(tmp_path):
    (tmp_path / "labels.json").write_text('{"videos": {"fl\u00fcte": ["a"]}}', encoding="utf-8-sig")
    assert read_labels(tmp_path / "labels.json") == {"a": "fl\u00fcte"}


@pytest.mark.parametrize(
    "videos",
    ["3", '{"a": 3}', '{"a": "b c"}', '{"a": {"b": 1}}', '{"a": [1]}', '{"a": [["b"]]}', '{"a": null}', '["b"]'],
)
@pytest.mark.parametrize(
    "form", ['{{"videos": {}}}', "[{}]", "{}", '{{"videos": {}', "\ufeff\ufeff{}", "[" * 100_000 + "{}"]
)
def test_damaged_labels_are_named(tmp_path, form, videos):
    (tmp_path / "labels.json").write_text(form.format(videos), encoding="utf-8")
    with pytest.raises(UserError, match=r"labels\.json are not of the form"):
        read_labels(tmp_path / "labels.json")
    with pytest.raises(UserError, match=r"none\.json cannot be read"):
        read_labels(tmp_path / "none.json")
