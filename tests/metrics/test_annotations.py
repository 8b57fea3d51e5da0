"""The three formats of annotations, and what is said of malformed ones."""

import json
from pathlib import Path

import numpy as np
import pytest

from common.errors import UserError
from metrics.annotations import NO_CLASS, Annotations, read_annotations
from metrics.frame_keys import Frame, parse_frame


def write(path: Path, content: object) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def music(tmp_path: Path, content: object) -> Annotations:
    return read_annotations(write(tmp_path / "boxes.json", content))


def entry(*normboxes: object, **more: object) -> dict:
    return {"bbox": [{"normbox": box, **more} for box in normboxes]}


@pytest.mark.parametrize(
    ("key", "frame"),
    [
        ("a/frame_013/00411.jpg", ("a", 13, 411)),
        ("a/frame_013/00411", ("a", 13, 411)),
        ("-_-TDDxoaAc_0_1000/frame_000/00000.png", ("-_-TDDxoaAc_0_1000", 0, 0)),
        ("a.b.mp4/frame_1234/123456.jpg", ("a.b.mp4", 1234, 123456)),
        ("two words, ü/frame_000/00007", ("two words, ü", 0, 7)),
        ("/home/them/video_frames/a/frame_013/00411.jpg", ("a", 13, 411)),
        ("a/00411.jpg", None),
        ("a/frame_013/00411.txt", None),
        ("a/frame_-13/00411", None),
        ("/frame_013/00411", None),
    ],
)
def test_keys_of_frames(key, frame):
    assert parse_frame(key) == frame


def test_music_boxes_become_corners_with_their_classes(tmp_path):
    content = {
        "-a.b/frame_013/00411.jpg": {
            "bbox": [
                {"normbox": [0.1, 0.2, 0.3, 0.4], "category_id": 3},
                {"normbox": [0, 0, 1, 1], "category_id": "flute"},
                {"normbox": [0.5, 0.5, 0.1, 0.1]},
            ]
        },
        "-a.b/frame_013/00418.png": {"bbox": []},
    }
    found = music(tmp_path, content)
    assert found.format == "music" and list(found.frames) == [Frame("-a.b", 13, 411), Frame("-a.b", 13, 418)]
    boxes, none = found.frames.values()
    np.testing.assert_allclose(boxes.corners, [[0.1, 0.2, 0.4, 0.6], [0, 0, 1, 1], [0.5, 0.5, 0.6, 0.6]])
    assert boxes.classes == ("3", "flute", "") and none.corners.shape == (0, 4)


def test_boxes_of_a_class_are_one_object_and_each_box_without_is_one(tmp_path):
    boxes = [
        {"normbox": [0, 0, 0.1, 0.1], "category_id": 3},
        {"normbox": [0.2, 0, 0.1, 0.1]},
        {"normbox": [0.4, 0, 0.1, 0.1], "category_id": 3},
        {"normbox": [0.6, 0, 0.1, 0.1]},
    ]
    (frame,) = music(tmp_path, {"a/frame_000/00000.jpg": {"bbox": boxes}}).frames.values()
    objects = list(frame.objects().values())
    assert [name for name, _ in objects] == ["3", NO_CLASS, NO_CLASS]
    assert [corners[:, 0].round(3).tolist() for _, corners in objects] == [[0, 0.4], [0.2], [0.6]]


def test_a_box_that_reaches_over_the_edge_is_cut_off_there(tmp_path):
    found = music(tmp_path, {"a/frame_000/00000.jpg": entry([-0.02, 0.9, 0.5, 0.12])})
    np.testing.assert_allclose(found.frames[Frame("a", 0, 0)].corners, [[0, 0.9, 0.48, 1]])


KEY = "a/frame_000/00007.jpg"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({KEY: entry([0.1, 0.2, 0.3])}, f"entry '{KEY}', box 0 has 3 numbers"),
        ({KEY: entry([0, 0, 1, 1], "x")}, f"entry '{KEY}', box 1 has a text"),
        ({KEY: entry([0, 0, 1, None])}, f"entry '{KEY}', box 0 holds something that is no number"),
        ({KEY: entry([0, 0, 1, True])}, f"entry '{KEY}', box 0 holds something that is no number"),
        ({KEY: entry([0, 0, 1, float("nan")])}, f"entry '{KEY}', box 0 holds a number that is not finite"),
        ({KEY: entry([0, 0, 1, float("inf")])}, f"entry '{KEY}', box 0 holds a number that is not finite"),
        ({KEY: entry([0, 0, 1, 10**400])}, f"entry '{KEY}', box 0 holds a number beyond"),
        ({KEY: entry([0.5, 0, -0.1, 1])}, f"entry '{KEY}', box 0 has a negative size"),
        ({KEY: entry([10, 20, 100, 50])}, f"entry '{KEY}', box 0 lies outside the frame"),
        ({KEY: entry([0, 0, 1, 1], category_id=[1])}, f"entry '{KEY}', box 0 has a \"category_id\""),
        ({KEY: entry([0, 0, 1, 1], category_id=True)}, f"entry '{KEY}', box 0 has a \"category_id\""),
        ({KEY: {"bbox": [[0, 0, 1, 1]]}}, f"entry '{KEY}', box 0 has no \"normbox\""),
        ({KEY: {"bbox": {}}}, f"entry '{KEY}' has no list \"bbox\""),
        ({KEY: []}, f"entry '{KEY}' has no list \"bbox\""),
        ({"a/7.jpg": entry()}, "the key 'a/7.jpg' is not of the form"),
        ({KEY: entry(), KEY[:-4]: entry()}, "is there twice"),
        (3, "holds a number"),
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
    ],
)
def test_a_malformed_boxes_json_is_named_with_the_entry(tmp_path, content, message):
    with pytest.raises(UserError, match=r"boxes\.json") as error:
        music(tmp_path, content)
    assert message in str(error.value)


def test_vggss_by_name_with_classes_and_corners_cut_off(tmp_path):
    content = [
        {"file": "-a.b_000030", "class": "dog barking", "bbox": [[0.1, 0.2, 0.4, 0.6], [-0.01, 0, 0.5, 1.01]]},
        {"file": "c_000001", "bbox": []},
    ]
    found = read_annotations(write(tmp_path / "vggss.json", content))
    assert found.format == "vggss" and list(found.clips) == ["-a.b_000030", "c_000001"]
    np.testing.assert_allclose(found.clips["-a.b_000030"].corners, [[0.1, 0.2, 0.4, 0.6], [0, 0, 0.5, 1]])
    assert found.clips["-a.b_000030"].classes == ("dog barking", "dog barking")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            [{"file": "a", "bbox": [[0, 0, 1, 1]]}, {"file": "b", "bbox": [[0, 0, 1]]}],
            "entry 1 (b), box 0 has 3 numbers",
        ),
        ([{"file": "a", "bbox": [0, 0, 1, 1]}], "entry 0 (a), box 0 has a number where"),
        ([{"file": "a", "bbox": [[0.9, 0, 0.1, 1]]}], "entry 0 (a), box 0 has a negative size"),
        ([{"file": "a", "bbox": [[0, 0, 224, 1]]}], "entry 0 (a), box 0 lies outside"),
        ([{"file": "a"}], 'entry 0 (a) has no list "bbox"'),
        ([{"file": "a", "bbox": [], "class": 3}], 'entry 0 (a) has a "class" that is no text'),
        ([{"file": "a", "bbox": []}, {"file": "a", "bbox": []}], "entry 1 (a) is there twice"),
        ([{"bbox": []}], "entry 0 has no name"),
        (["a"], "entry 0 has no name"),
        ({"a": 1}, "holds an object, not ["),
    ],
)
def test_a_malformed_vggss_is_named_with_the_entry(tmp_path, content, message):
    with pytest.raises(UserError, match=r"vggss\.json") as error:
        read_annotations(write(tmp_path / "vggss.json", content), "vggss")
    assert message in str(error.value)


def test_flickr_reads_the_last_four_children_of_every_bbox(tmp_path):
    (tmp_path / "notes.txt").touch()
    content = (
        '<?xml version="1.0" encoding="utf-8"?><annotation><object><bbox><annotator>1</annotator><xmin>64</xmin>'
        "<ymin>0</ymin><xmax>128</xmax><ymax>256</ymax></bbox></object><object><deeper>"
        "<bbox><xmax>128</xmax><xmin>64</xmin><ymax>32</ymax><ymin>16</ymin></bbox></deeper>"
        "<bbox><i>9</i><a>0</a><b>64</b><c>128.0</c><d>258</d></bbox></object></annotation>"
    )
    write(tmp_path / "123.45.xml", content)
    found = read_annotations(tmp_path)
    assert found.format == "flickr" and list(found.clips) == ["123.45"]
    expected = [[0.25, 0, 0.5, 1], [0.25, 0.0625, 0.5, 0.125], [0, 0.25, 0.5, 1]]
    np.testing.assert_allclose(found.clips["123.45"].corners, expected)


BOMB = '<!DOCTYPE x [<!ENTITY a "b">]><annotation>&a;</annotation>'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<annotation>", "is no XML"),
        ("", "is no XML"),
        (BOMB, "declares a document type"),
        ("<a><bbox><x>1</x><x>2</x><x>3</x></bbox></a>", "bbox 0 has 3 numbers"),
        ("<a><bbox><x>1</x><x>2</x><x>many</x><x>4</x></bbox></a>", "bbox 0 has an edge that is no number"),
        ("<a><bbox><x>1</x><x>2</x><x/><x>4</x></bbox></a>", "bbox 0 has an edge that is no number"),
        ("<a><bbox><x>1</x><x>2</x><x>nan</x><x>4</x></bbox></a>", "bbox 0 holds a number that is not finite"),
        ("<a><bbox><x>9</x><x>2</x><x>8</x><x>4</x></bbox></a>", "bbox 0 has a negative size"),
        ("<a><bbox><x>9</x><x>2</x><x>640</x><x>4</x></bbox></a>", "bbox 0 lies outside"),
    ],
)
def test_a_malformed_xml_is_named_with_the_element(tmp_path, content, message):
    write(tmp_path / "good.xml", "<a/>")
    write(tmp_path / "odd.xml", content)
    with pytest.raises(UserError, match=r"odd\.xml") as error:
        read_annotations(tmp_path, "flickr")
    assert message in str(error.value)


def test_absent_and_undecodable_files_are_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.json cannot be read"):
        read_annotations(tmp_path / "none.json")
    with pytest.raises(UserError, match="are not a folder of XML files"):
        read_annotations(tmp_path / "none", "flickr")
    with pytest.raises(UserError, match="holds no XML file"):
        read_annotations(tmp_path)
    (tmp_path / "boxes.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(UserError, match=r"boxes\.json is no text"):
        read_annotations(tmp_path / "boxes.json")
