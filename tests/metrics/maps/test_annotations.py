"""The three formats of annotations, and the messages on malformed ones."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from common.errors import UserError
from metrics.maps.annotations import NO_CLASS, Annotations, Frame, parse_frame, read_annotations

KEY = "a/frame_000/00007.jpg"


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
        ("-_-TDDxoaAc_0_1000/frame_000/00000.png", ("-_-TDDxoaAc_0_1000", 0, 0)),
        ("a.b.mp4/frame_1234/123456", ("a.b.mp4", 1234, 123456)),
        ("two words, ü/frame_000/00007", ("two words, ü", 0, 7)),
        ("/home/them/video_frames/a/frame_013/00411.jpg", ("a", 13, 411)),
        ("a/00411.jpg", None),
        ("a/frame_013/00411.txt", None),
        ("a/frame_-13/00411", None),
        ("/frame_013/00411", None),
        ("..a/frame_013/00411", ("..a", 13, 411)),
        ("../frame_013/00411", None),
        ("video_frames/./frame_013/00411", None),
        ("a\x1b[2J/frame_013/00411", None),
        ("a\nscore: done/frame_013/00411", None),
    ],
)
def test_a_frame_key_has_video_second_and_index(key, frame):
    assert parse_frame(key) == frame


def test_music_boxes_become_corners_with_classes_cut_off_at_the_edge(tmp_path):
    content = {
        "-a.b/frame_013/00411.jpg": {
            "bbox": [
                {"normbox": [0.1, 0.2, 0.3, 0.4], "category_id": 3},
                {"normbox": [-0.02, 0.9, 0.5, 0.12], "category_id": "flute"},
                {"normbox": [0.5, 0.5, 0.1, 0.1]},
            ]
        },
        "-a.b/frame_013/00418.png": {"bbox": []},
    }
    found = music(tmp_path, content)
    assert found.format == "music" and list(found.frames) == [Frame("-a.b", 13, 411), Frame("-a.b", 13, 418)]
    boxes, none = found.frames.values()
    np.testing.assert_allclose(boxes.corners, [[0.1, 0.2, 0.4, 0.6], [0, 0.9, 0.48, 1], [0.5, 0.5, 0.6, 0.6]])
    assert boxes.classes == ("3", "flute", "") and none.corners.shape == (0, 4)


def test_boxes_of_one_class_are_one_object_and_boxes_without_class_are_one_each(tmp_path):
    classes = [{"category_id": 3}, {}, {"category_id": 3}, {}]
    boxes = [{"normbox": [0.2 * i, 0, 0.1, 0.1], **name} for i, name in enumerate(classes)]
    (frame,) = music(tmp_path, {KEY: {"bbox": boxes}}).frames.values()
    objects = [(name, corners[:, 0].round(3).tolist()) for name, corners in frame.objects()]
    assert objects == [("3", [0, 0.4]), (NO_CLASS, [0.2]), (NO_CLASS, [0.6])]


NO_BOX = "expected a box of 4 numbers, found"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({KEY: entry([0.1, 0.2, 0.3])}, f"entry '{KEY}', box 0: {NO_BOX} [0.1, 0.2, 0.3]"),
        ({KEY: entry([0, 0, 1, 1], "x")}, f"entry '{KEY}', box 1: expected a list as \"normbox\", found 'x'"),
        ({KEY: entry([0, 0, 1, True])}, f"box 0: {NO_BOX} [0, 0, 1, True]"),
        ({KEY: entry([10, 20, 100, 50])}, f"1 of 1 boxes lie outside the frame or have no area, as one of '{KEY}'"),
        ({KEY: entry([0, 0, 1, 1], category_id=[1])}, f"entry '{KEY}', box 0: expected a whole number or a name as"),
        ({KEY: entry([0, 0, 1, 1], category_id=True)}, 'a name as "category_id", found True'),
        ({KEY: {"bbox": [[0, 0, 1, 1]]}}, f"entry '{KEY}', box 0: expected an object with \"normbox\", found ["),
        ({KEY: {"bbox": {}}}, f"entry '{KEY}': expected a list as \"bbox\", found {{}}"),
        ({KEY: []}, f"entry '{KEY}': expected an object with \"bbox\", found []"),
        ({"a/7.jpg": entry()}, "entry 'a/7.jpg': the key does not have the form NAME/frame_013/00411.jpg"),
        ({KEY: entry(), KEY[:-4]: entry()}, f"entry '{KEY[:-4]}': its frame occurs twice"),
        (3, "expected an object"),
        ("{", "is not JSON"),
        ([{"file": "a", "bbox": []}, {"file": "b", "bbox": [[0, 0, 1]]}], f"entry 1 (b), box 0: {NO_BOX} [0, 0, 1]"),
        ([{"file": "a", "bbox": [0, 0, 1, 1]}], f"entry 0 (a), box 0: {NO_BOX} 0"),
        ([{"file": "a", "bbox": [[0, 0, 224, 1]]}], "'a', with corners at 0, 0, 224, 1. Expected fractions"),
        ([{"file": "a"}], 'entry 0 (a): expected a list as "bbox", found None'),
        ([{"file": "a", "bbox": [], "class": 3}], 'entry 0 (a): expected a text as "class", found 3'),
        ([{"file": "a", "bbox": []}, {"file": "a", "bbox": []}], "entry 1 (a): its clip occurs twice"),
        ([{"bbox": []}], 'entry 0: expected a name as "file", found None'),
        (["a"], "entry 0: expected an object with \"file\", found 'a'"),
    ],
)
def test_malformed_json_is_reported_with_the_entry(tmp_path, content, message):
    with pytest.raises(UserError, match=r"boxes\.json") as error:
        music(tmp_path, content)
    assert message in str(error.value)


NAN, INF = float("nan"), float("inf")
OVERFLOWED = [[0.1, 0.1, 0.6, edge] for edge in (-2.88e16, NAN, INF, -INF, 1e300, 10**400, None, 1.3)] + [[NAN] * 4]
NO_CORNERS = [*OVERFLOWED, [0.6, 0.1, 0.1, 0.6], [0.1, 0.6, 0.6, 0.6], [1.1, 0.1, 1.2, 0.6]]
NO_SIZES = [*OVERFLOWED, [0.5, 0.1, -0.1, 0.6], [0.1, 0.6, 0.5, 0], [1.1, 0.1, 0.1, 0.5]]


def write_boxes(folder: Path, form: str, boxes: list) -> Path:
    """Annotate a frame or clip `a` with boxes, and with some more that are good."""
    good = [0, 0, 0.5, 0.5]
    if form == "music":
        return write(folder / "a.json", {KEY: entry(*boxes), KEY.replace("7", "8"): entry(good, good)})
    if form == "vggss":
        return write(folder / "a.json", [{"file": "a", "bbox": boxes}, {"file": "b", "bbox": [good, good]}])
    edges = [[f"<x>{NAN if edge is None else edge * 256}</x>" for edge in box] for box in [*boxes, good]]
    write(folder / "a.xml", f"<a>{''.join(f'<bbox>{chr(32).join(box)}</bbox>' for box in edges)}</a>")
    return folder


@pytest.mark.parametrize(
    ("form", "boxes"), [("music", NO_SIZES), ("vggss", NO_CORNERS), ("flickr", NO_CORNERS)], ids=str
)
def test_boxes_that_no_frame_can_have_are_left_out_with_a_note_and_the_others_stay(tmp_path, capsys, form, boxes):
    for box in boxes:
        found = read_annotations(write_boxes(tmp_path, form, [[0, 0, 0.5, 0.5], box]))
        first = next(iter((found.clips or found.frames).values()))
        assert found.format == form and len(first.corners) == len(first.classes) == (2 if form == "flickr" else 1), box
        assert (first.corners == [0, 0, 0.5, 0.5]).all()
        note = capsys.readouterr().out
        assert re.search("1 of [34] boxes lie outside the frame or have no area, as one of 'a.*: left out\n", note), box


def test_boxes_of_resting_objects_are_held_to_the_same_rules(tmp_path, capsys):
    boxes = entry([0, 0, 0.5, 0.5], [0.5, 0.5, 0.6, 0.5], [None] * 4)["bbox"]
    found = music(tmp_path, {KEY: {"bbox": boxes[:1], "resting": boxes[1:]}}).resting[parse_frame(KEY)]
    assert (found.corners == [[0.5, 0.5, 1, 1]]).all() and "1 of 3 boxes" in capsys.readouterr().out


def test_any_number_of_boxes_may_have_no_area(tmp_path, capsys):
    found = music(tmp_path, {KEY: entry([0, 0, 0, 0], [0, 0, 0, 0], [0.5, 0.5, 0.5, 0.5], [0.5, 0, 0, 1])})
    assert len(found.frames[parse_frame(KEY)].corners) == 1 and "3 of 4 boxes" in capsys.readouterr().out


@pytest.mark.parametrize(("bad", "refused"), [(9, False), (10, True)])
def test_a_file_in_another_unit_is_refused_although_a_box_fits(tmp_path, bad, refused):
    content = {KEY: entry(*[[10, 20, 100, 50]] * bad, [0, 0, 1, 1])}
    if refused:
        with pytest.raises(UserError, match=r"10 of 11 boxes .* Expected fractions of the frame"):
            music(tmp_path, content)
    else:
        assert len(music(tmp_path, content).frames[parse_frame(KEY)].corners) == 1


def test_pascal_voc_boxes_are_in_pixels_of_the_stated_size(tmp_path):
    box = "<bndbox><xmin>64</xmin><ymin>0</ymin><xmax>320</xmax><ymax>240</ymax></bndbox>"
    part = "<part><bndbox><xmin>0</xmin><ymin>0</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></part>"
    size = "<size><width>640</width><height>480</height><depth>3</depth></size>"
    write(tmp_path / "v.xml", f"<annotation>{size}<object><name>cello</name>{box}{part}</object></annotation>")
    write(tmp_path / "w.xml", f"<annotation><object>{box.replace('320', '256')}</object></annotation>")  # of no size
    found = read_annotations(tmp_path)
    np.testing.assert_allclose(found.clips["v"].corners, [[0.1, 0, 0.5, 0.5]])
    np.testing.assert_allclose(found.clips["w"].corners, [[0.25, 0, 1, 0.9375]])


def test_vggss_clips_have_a_class_and_corners_cut_off_at_the_edge(tmp_path):
    content = [
        {"file": "-a.b_000030", "class": "dog barking", "bbox": [[0.1, 0.2, 0.4, 0.6], [-0.01, 0, 0.5, 1.01]]},
        {"file": "c_000001", "bbox": []},
    ]
    found = read_annotations(write(tmp_path / "vggss.json", content))
    assert found.format == "vggss" and list(found.clips) == ["-a.b_000030", "c_000001"]
    np.testing.assert_allclose(found.clips["-a.b_000030"].corners, [[0.1, 0.2, 0.4, 0.6], [0, 0, 0.5, 1]])
    assert found.clips["-a.b_000030"].classes == ("dog barking", "dog barking")


def test_flickr_boxes_are_the_last_four_children_by_name_or_position(tmp_path):
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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<annotation>", "is not XML"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><annotation>&a;</annotation>', "declares a document type"),
        ("<a><bbox><x>1</x><x>2</x><x>3</x></bbox></a>", f"bbox 0: {NO_BOX} [1.0, 2.0, 3.0]"),
        ("<a><bbox><x>1</x><x>2</x><x>many</x><x>4</x></bbox></a>", "bbox 0: an edge is not a number"),
        ("<a><bbox><x>1</x><x>2</x><x/><x>4</x></bbox></a>", "bbox 0: an edge is not a number"),
        (
            "<a><bbox><x>9</x><x>2</x><x>640</x><x>4</x></bbox></a>",
            "as one of 'odd', with corners at 0.0351562, 0.0078125",
        ),
        ("<a><size><width/></size><object><bndbox/></object></a>", "its size is not a number"),
        ("<a><object><bndbox><x>1</x></bndbox></object></a>", f"bndbox 0: {NO_BOX} [1.0]"),
    ],
)
def test_a_malformed_xml_is_reported_with_the_element(tmp_path, content, message):
    write(tmp_path / "good.xml", "<a/>")
    write(tmp_path / "odd.xml", content)
    with pytest.raises(UserError, match="odd") as error:
        read_annotations(tmp_path)
    assert message in str(error.value)


def test_a_missing_or_undecodable_file_is_reported(tmp_path):
    (tmp_path / "boxes.json").write_bytes(b"\xff\xfe{}")
    for path, message in (
        (tmp_path / "none.json", r"none\.json cannot be read"),
        (tmp_path, "contains no XML file and no NAME/000.png"),
        (tmp_path / "boxes.json", r"boxes\.json is not UTF-8 text"),
    ):
        with pytest.raises(UserError, match=message):
            read_annotations(path)
