"""The sheet of samples: one of each class, its box on the object, and a message where there is nothing to draw."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from tests.fixtures.sample_set import add_video
from vis import samples


def run(data_dir: Path, *options: str) -> int:
    return samples.main(["--data_dir", str(data_dir), *options])


def test_one_sample_of_each_class_with_its_box(tmp_path):
    for name, kind in (("-a", 0), ("b", 0), ("c", 1)):
        add_video(tmp_path, name, kind=kind)
    (tmp_path / "labels.json").write_text(json.dumps({"videos": {"red": ["-a", "b"], "blue": ["c"]}}))
    (tmp_path / "boxes.json").write_text(
        json.dumps({"c/frame_001/00025.jpg": {"bbox": [{"normbox": [0.25, 0.5, 0.5, 0.25], "category_id": 1}]}})
    )
    assert run(tmp_path, "--out", str(tmp_path / "sheet.png")) == 0
    with Image.open(tmp_path / "sheet.png") as picture:
        assert picture.format == "PNG"
        sheet = np.array(picture.convert("L")).astype(int)
    width, height = samples.FRAME_SIZE
    assert sheet.shape[1] == 2 * (width + samples.GAP) + samples.GAP  # blue, then red
    blue = sheet[samples.GAP + samples.CAPTION :, samples.GAP :][:height, :width]
    white = blue > 230
    assert white[height // 2 : height * 3 // 4, width // 4 : width // 4 + 2].mean() > 0.8  # the box's left side
    assert white[height // 2 : height // 2 + 2, width // 4 : width * 3 // 4].mean() > 0.8  # its top
    assert white[: height // 2 - 4].mean() < 0.02


def test_the_spectrogram_is_loud_where_the_kind_sounds(tmp_path):
    add_video(tmp_path, "low", kind=0)  # mel bands 0 to 15: at the bottom
    picture = np.array(samples.draw_spectrogram(tmp_path / "audio_frames/low/000.npy").convert("L")).astype(int)
    rows = picture.mean(1)
    assert rows[-len(rows) // 4 :].min() > rows[: len(rows) // 2].max()


def test_count_limits_the_sheet_and_classes_are_optional(tmp_path):
    for name in "abcdefg":
        add_video(tmp_path, name)
    assert run(tmp_path, "--count", "3") == 0
    assert Image.open(tmp_path / "samples.jpg").width == 3 * (samples.FRAME_SIZE[0] + samples.GAP) + samples.GAP


def test_an_unknown_kind_of_picture_is_named(tmp_path, capsys):
    add_video(tmp_path, "a")
    assert run(tmp_path, "--out", str(tmp_path / "sheet.txt")) == 1
    assert "sheet.txt" in capsys.readouterr().err and not (tmp_path / "sheet.txt").exists()


def test_nothing_to_draw_names_the_commands(tmp_path, capsys):
    assert run(tmp_path) == 1
    assert "data/cut_video.py" in capsys.readouterr().err
    add_video(tmp_path, "a")
    (tmp_path / "boxes.json").write_text("{")
    assert run(tmp_path) == 1
    assert "boxes.json" in capsys.readouterr().err
