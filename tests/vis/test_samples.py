"""vis/samples.py: a sample of each class with its box."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from tests.fixtures.sample_set import add_labels, add_video
from vis import samples, sheet


def run(data_dir: Path, *options: str) -> int:
    return samples.main(["--data_dir", str(data_dir), *options])


def test_the_sheet_has_a_sample_of_each_class_with_its_box(tmp_path, monkeypatch):
    for name, kind in (("-a", 0), ("b", 0), ("c", 1)):
        add_video(tmp_path, name, kind=kind)
    add_labels(tmp_path, {"red": ["-a", "b"], "blue": ["c"]})
    box = {"normbox": [0.25, 0.5, 0.5, 0.25], "category_id": 1}
    (tmp_path / "boxes.json").write_text(json.dumps({"c/frame_001/00025.jpg": {"bbox": [box]}}))
    columns = []
    monkeypatch.setattr(
        samples, "column_sheet", lambda given, texts: columns.extend(given) or sheet.column_sheet(given, texts)
    )
    assert run(tmp_path, "--out", str(tmp_path / "sheet.png")) == 0
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.format == "PNG"
    assert [title for title, _ in columns] == ["blue: c, second 1", "red: -a, second 1"]
    frame = np.asarray(columns[0][1][0].convert("L"))
    assert frame.shape == (160, 160)
    white = frame > 200
    assert white[84:116, 38:44].any(1).all() and white[78:84, 44:116].any(0).all()  # left and upper side of the box
    assert white[:74].mean() < 0.02


def test_the_spectrogram_is_bright_in_the_loud_mel_bands(tmp_path):
    add_video(tmp_path, "low", kind=0)  # mel bands 0 to 15: at the bottom
    rows = np.asarray(samples.draw_spectrogram(tmp_path / "audio_frames/low/000.npy").convert("L")).mean(1)
    assert rows[-len(rows) // 4 :].min() > rows[: len(rows) // 2].max()


def test_count_limits_the_samples_labels_are_optional_and_an_empty_set_is_named(tmp_path, capsys):
    assert run(tmp_path) == 1
    assert "run python3 data/cut_video.py" in capsys.readouterr().err
    for name in "abcd":
        add_video(tmp_path, name)
    assert run(tmp_path, "--count", "3") == 0
    assert Image.open(tmp_path / "samples.jpg").width == 3 * (samples.SPECTROGRAM_SIZE[0] + sheet.GAP) + sheet.GAP
