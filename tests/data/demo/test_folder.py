"""The folder of a demo data set: no other data is lost, and the descriptions fit the extracted frames."""

import dataclasses
from collections import Counter

import pytest

from common.errors import UserError
from data.demo.folder import prepare_folder, video_path, write_descriptions
from data.demo.pauses import playing_spans
from data.demo.plan import CATEGORY_IDS, plan_videos
from data.layout import frame_file
from data.media.frame_selection import select_at_constant_rate
from tests.fixtures.demo_sets import CROWDS, SOLOS, read_json


def prepare(folder, settings=SOLOS):
    return prepare_folder(folder, settings, plan_videos(settings))


def describe(folder, settings):
    """Write descriptions in which all instruments always have the same box."""
    plans = plan_videos(settings)
    write_descriptions(folder, settings, plans, [[[(32, 60, 64, 120)] * settings.sources] * p.frames for p in plans])


@pytest.fixture
def folder(tmp_path):
    """A complete demo data set with empty videos."""
    prepare(tmp_path)
    for plan in plan_videos(SOLOS):
        video_path(tmp_path, plan.name).touch()
    describe(tmp_path, SOLOS)
    return tmp_path


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_set_of_other_settings_is_kept(folder):
    before = files(folder)
    others = {"seed": 11, "videos": 9, "seconds": 3, "sources": 2, "distractors": 1, "stems": 1, "pauses": 1}
    for option, value in others.items():
        with pytest.raises(UserError, match=f"{option}.* instead of {value}.*--data_dir") as error:
            prepare(folder, dataclasses.replace(SOLOS, **{option: value}))
        assert str(folder) in str(error.value)
    assert files(folder) == before


def test_a_set_that_was_stopped_before_its_first_video_has_its_settings_already(tmp_path):
    prepare(tmp_path)
    prepare(tmp_path)
    with pytest.raises(UserError, match="pauses 0 instead of 1"):
        prepare(tmp_path, dataclasses.replace(SOLOS, pauses=1))


@pytest.mark.parametrize("described", [True, False])
def test_other_videos_are_refused(folder, described):
    (folder / "video" / "holiday.mp4").write_bytes(b"precious")
    if not described:
        (folder / "demo.json").unlink()
    before = files(folder)
    with pytest.raises(UserError, match=r"holiday\.mp4.*--data_dir"):
        prepare(folder)
    assert files(folder) == before


@pytest.mark.parametrize(
    "file", ["demo.json []", "demo.json {", 'demo.json {"settings": 1}', "boxes.json {", "labels.json {"]
)
def test_descriptions_of_another_data_set_are_kept(tmp_path, file):
    name, content = file.split(" ", 1)
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=name):
        prepare(tmp_path)
    assert files(tmp_path) == {tmp_path / name: content.encode()}


def test_with_pauses_the_boxes_tell_what_sounds_at_a_frame_from_what_rests(tmp_path):
    settings = dataclasses.replace(CROWDS, seconds=6, pauses=1)
    describe(tmp_path, settings)
    boxes = read_json(tmp_path / "boxes.json")
    for plan in plan_videos(settings):
        spans = dict(zip(plan.instruments, playing_spans(settings, plan), strict=True))
        for key in (key for key in boxes if key.startswith(plan.name)):
            time = int(key[-9:-4]) / plan.frame_rate
            sounding = [name for name in plan.instruments if any(start <= time < end for start, end in spans[name])]
            listed = {field: [box["category_id"] for box in entries] for field, entries in boxes[key].items()}
            resting = [name for name in plan.instruments if name not in sounding]
            expected = {"bbox": sounding, "resting": resting}
            assert listed == {field: [CATEGORY_IDS[name] for name in names] for field, names in expected.items()}
    assert {len(entry["resting"]) for entry in boxes.values()} == {0, 1, 2}


@pytest.mark.parametrize("settings", [SOLOS, CROWDS], ids=["solos", "crowds"])
def test_descriptions_have_boxes_of_each_frame_under_its_extracted_key_and_labels_of_each_video(tmp_path, settings):
    prepare(tmp_path, settings)
    describe(tmp_path, settings)
    files = [tmp_path / f"{name}.json" for name in ("demo", "boxes", "labels")]
    assert sorted(files, key=lambda file: file.stat().st_mtime_ns) == files  # else a killed run could not go on
    demo, boxes, labels = map(read_json, files)
    plans = plan_videos(settings)
    assert Counter(key.split("/")[0] for key in boxes) == {plan.name: plan.frames for plan in plans}
    for plan in plans:
        entry = [{"normbox": [0.1, 0.25, 0.1, 0.25], "category_id": CATEGORY_IDS[name]} for name in plan.instruments]
        for second, index in select_at_constant_rate(plan.frames, plan.frame_rate, 4):
            assert boxes[f"{plan.name}/{frame_file(second, index)}"] == {"bbox": entry}
    named = {name: label for label, names in labels["videos"].items() for name in names}
    assert named == {plan.name: " ".join(plan.instruments) for plan in plans}
    assert demo["categories"] == {str(number): name for name, number in CATEGORY_IDS.items()}
