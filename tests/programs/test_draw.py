"""vis/draw.py: overlays and sheets of the right frames, and a reason for each frame that cannot be drawn."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.dmc_pkl import csv_path
from metrics.maps.runs import read_run
from tests.fixtures.report_set import GREY, KEYS, NAMES, SIZE, UNBOXED, hot_cell, make_run, maps_of, pickled, scores_of
from vis import draw, sheet
from vis.frames import map_titles
from vis.overlay import WHITE


@pytest.fixture
def rows(monkeypatch) -> list:
    """Titles and rows of the sheet."""
    given = []
    monkeypatch.setattr(
        draw, "contact_sheet", lambda titles, rows: given.extend([titles, *rows]) or sheet.contact_sheet(titles, rows)
    )
    return given


def run(dmc_pkl: Path, data_dir: Path, *options: object) -> int:
    return draw.main([str(dmc_pkl), "--data_dir", str(data_dir), *map(str, options)])


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def overlays(dmc_pkl: Path) -> list[str]:
    return names_in(dmc_pkl.with_name("dmc_overlays"))


def file_names(keys: list[str], suffix: str = "") -> list[str]:
    parts = (key.split("/") for key in keys)
    return sorted(f"{name}_{folder.removeprefix('frame_')}_{index}{suffix}.jpg" for name, folder, index in parts)


def test_each_frame_has_an_overlay_of_its_name_and_size_with_the_color_on_the_hot_cell(dmc_pkl, data_dir, capsys):
    assert run(dmc_pkl, data_dir) == 0
    assert overlays(dmc_pkl) == file_names(KEYS) and "-a.b_001_00031.jpg" in overlays(dmc_pkl)
    for key in KEYS:
        with Image.open(dmc_pkl.with_name("dmc_overlays") / file_names([key])[0]) as image:
            assert image.format == "JPEG" and image.size == SIZE
            change = np.abs(np.asarray(image).astype(int) - GREY).max(2)
        row, column = hot_cell(key)
        y, x = round((row + 0.5) / 4 * SIZE[1]), round((column + 0.5) / 5 * SIZE[0])
        assert change[y, x] > 0.75 * change.max() > 40
        assert (change[-8:] if row < 2 else change[:8]).max() < 12  # far from it; JPEG
    assert capsys.readouterr().out.splitlines() == [
        f"Wrote the overlays of 16 frames to {dmc_pkl.with_name('dmc_overlays')}. "
        f"Next: python3 metrics/score.py --data_dir {data_dir} {dmc_pkl}"
    ]


def test_overlays_have_boxes_only_with_the_option(dmc_pkl, data_dir, tmp_path, capsys):
    key = KEYS[-1]
    row, column = hot_cell(key)
    corner = (row * SIZE[1] // 4, round(column * SIZE[0] / 5))
    for options, white in (((), False), (("--boxes", data_dir / "boxes.json"), True)):
        assert run(dmc_pkl, data_dir, "--out", tmp_path / "out", *options) == 0
        image = np.asarray(Image.open(tmp_path / "out" / file_names([key])[0]))
        assert (np.abs(image[corner].astype(int) - WHITE).max() < 60) == white
    assert f"--boxes {data_dir / 'boxes.json'} {dmc_pkl}" in capsys.readouterr().out.splitlines()[-1]


def test_frames_are_chosen_by_order_seed_or_the_scores_of_score_py(dmc_pkl, data_dir, tmp_path):
    def drawn(*options: object) -> list[str]:
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        assert run(dmc_pkl, data_dir, "--out", tmp_path / "out", *options) == 0
        return names_in(tmp_path / "out")

    scores = scores_of(dmc_pkl, data_dir)
    in_order = sorted(scores, key=lambda key: scores[key]["iou"])
    assert in_order != [key for key in KEYS if key in scores]  # not the order of the file
    assert drawn("--choose", "worst", "--count", 2) == file_names(in_order[:2])
    assert drawn("--choose", "best", "--count", 2) == file_names(in_order[-2:])
    assert drawn("--choose", "first", "--count", 2) == file_names(KEYS[:2])
    assert drawn("--count", 0) == file_names(KEYS)
    samples = [drawn("--count", 3, "--seed", seed) for seed in (1, 1, 2, 3)]
    assert samples[0] == samples[1] and len(samples[0]) == 3
    assert any(sample != samples[0] for sample in samples[2:])


def test_what_cannot_be_drawn_is_named_and_the_rest_drawn(tmp_path, data_dir, capsys):
    """tests/vis/test_frames.py has all reasons."""
    dmc_pkl = pickled(tmp_path / "dmc.pkl", {key: maps_of(key) for key in KEYS[:-1]} | {KEYS[-1]: np.ones((1, 2, 2))})
    gone = data_dir / "video_frames" / f"{KEYS[0]}.jpg"
    gone.unlink()
    assert run(dmc_pkl, data_dir, "--videos", "-nobody", NAMES[0], NAMES[3]) == 1
    assert overlays(dmc_pkl) == file_names([*KEYS[1:4], *KEYS[12:-1]])
    output = capsys.readouterr()
    head, nobody, first, last = output.err.splitlines()[-4:]
    assert head.endswith("3 could not be drawn:") and nobody == f"  -nobody: {dmc_pkl} has no map of it"
    assert str(gone) in first and f"{KEYS[-1]}: it has 1 maps" in last
    assert f"There is no {csv_path(dmc_pkl)}" in output.out  # so the maps count as those of one audio cluster
    assert output.out.splitlines()[-1].startswith("Wrote the overlays of 6 frames")


def test_the_sheet_has_a_row_for_each_frame_with_boxes_maps_and_overlay(dmc_pkl, data_dir, tmp_path, rows, capsys):
    file = tmp_path / "new" / "sheet.png"
    assert run(dmc_pkl, data_dir, "--sheet", file, "--videos", NAMES[3]) == 0
    assert f"and all of them on {file}. Next: " in capsys.readouterr().out
    with Image.open(file) as image:
        assert image.format == "PNG"
    height, width = sheet.HEIGHT, sheet.HEIGHT * SIZE[0] // SIZE[1]
    for key, shown in zip(KEYS[12:], rows[1:], strict=True):
        assert all(image.size == (width, height) for image in shown.images)
        frame, matched, _, _, over = (np.asarray(image).astype(int) for image in shown.images)
        row, column = hot_cell(key)
        y, x = round((row + 0.5) / 4 * height), round((column + 0.5) / 5 * width)
        assert matched[y, x, 0] > 100 > matched[y, x, 2]  # red on the hot cell, blue elsewhere
        assert matched[-1 - y, -1 - x, 2] > 100 > matched[-1 - y, -1 - x, 0]
        assert over[y, x, 0] - over[y, x, 2] > 40 and np.abs(over[-1 - y, -1 - x] - GREY).max() <= 2
        assert (frame[row * height // 4 + 1, column * width // 5 + 5] > 200).all()  # the upper edge of the box
        assert np.abs(frame[-1 - y, -1 - x] - GREY).max() <= 2


@pytest.mark.parametrize(
    ("a_cluster", "titles", "words"),
    [(1, ["overlay"], {"iou": "IoU"}), (2, ["overlay 0", "overlay 1"], {"ciou": "CIoU", "iou": "IoU"})],
)
def test_each_audio_cluster_has_an_overlay_and_the_sheet_has_scores(tmp_path, data_dir, rows, a_cluster, titles, words):
    dmc_pkl = make_run(tmp_path / "run", a_cluster)
    assert run(dmc_pkl, data_dir, "--sheet", tmp_path / "s.jpg", "--choose", "first", "--count", 3) == 0
    suffixes = ["_0", "_1"] if a_cluster == 2 else [""]
    assert overlays(dmc_pkl) == sorted(name for suffix in suffixes for name in file_names(KEYS[:3], suffix))
    given, *rows = rows
    assert given == ["frame", *map_titles(read_run(dmc_pkl)), *titles]
    assert rows[0].text == "-a.b   second 0, frame 0" and len(rows[0].images) == len(given)
    scores = scores_of(dmc_pkl, data_dir)[KEYS[0]]
    words = words | {"pointing": "pointing"}
    assert rows[0].figures == [f"{word} {scores[name]:.2f}" for name, word in words.items()]
    assert rows[UNBOXED].figures == ["no box"]
    if a_cluster == 2:  # the second map is hot in the opposite cell
        first, second = (np.asarray(image).astype(int) for image in rows[0].images[-2:])
        assert np.abs(first - second[::-1, ::-1]).mean() < 2 < np.abs(first - second).mean()


def test_without_boxes_the_sheet_has_no_scores_and_choosing_by_score_fails(dmc_pkl, data_dir, tmp_path, capsys):
    (data_dir / "boxes.json").unlink()
    assert run(dmc_pkl, data_dir, "--sheet", tmp_path / "sheet.jpg", "--count", 1) == 0
    assert "No scores on the sheet: There is no" in capsys.readouterr().out
    assert run(dmc_pkl, data_dir, "--choose", "best") == 1
    assert "--choose best needs boxes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--choose", "best", "--boxes", "none.json"], ["none.json cannot be read"]),
        (["--videos", "nobody"], ["no map of nobody", "-a.b"]),
        (["--sheet", "sheet.txt"], ["sheet.txt", ".jpg or .png"]),
        (["--sheet", "sheet.jpg"], ["at most 3 frames, not 16: lower --count"]),
        (["--out", "taken"], ["cannot read or write taken"]),
    ],
)
def test_a_user_error_is_a_sentence(dmc_pkl, data_dir, tmp_path, monkeypatch, capsys, options, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(draw, "MAX_ROWS", 3)  # what a JPEG file can hold
    Path("taken").touch()
    assert run(dmc_pkl, data_dir, *options) == 1
    error = capsys.readouterr().err
    assert error.startswith("draw: ") and all(word in error for word in words), error
    assert not dmc_pkl.with_name("dmc_overlays").exists()
