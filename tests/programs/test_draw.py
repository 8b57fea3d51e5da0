"""vis/draw.py: overlays and sheets of the right frames, and a reason for each frame that cannot be drawn."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.dmc_pkl import csv_path
from tests.fixtures.report_set import GREY, KEYS, NAMES, SIZE, UNBOXED, hot_cell, make_run, maps_of, pickled, scores_of
from vis import draw, sheet
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
        far = change[-8:] if row < 2 else change[:8]
        assert far.max() < 12  # JPEG
    assert capsys.readouterr().out.splitlines() == [
        f"Wrote the overlays of 16 frames to {dmc_pkl.with_name('dmc_overlays')}. "
        f"Next: python3 metrics/score.py --data_dir {data_dir} {dmc_pkl}"
    ]


def test_the_longest_name_that_a_file_system_admits_can_be_drawn(tmp_path, data_dir):
    name = "音" * 80  # 240 bytes, 254 with the rest of the file name
    shutil.copytree(data_dir / "video_frames" / NAMES[0], data_dir / "video_frames" / name)
    dmc_pkl = pickled(tmp_path / "dmc.pkl", {f"{name}/frame_000/00000": np.ones((1, 2, 2))})
    assert run(dmc_pkl, data_dir) == 0
    assert overlays(dmc_pkl) == [f"{name}_000_00000.jpg"]


def test_two_audio_clusters_have_an_overlay_each(tmp_path, data_dir):
    dmc_pkl = make_run(tmp_path / "run", a_cluster=2)
    assert run(dmc_pkl, data_dir, "--videos", "-a.b") == 0
    names = [file_names(KEYS[:4], f"_{cluster}") for cluster in (0, 1)]
    assert overlays(dmc_pkl) == sorted([*names[0], *names[1]])
    first, second = (np.asarray(Image.open(dmc_pkl.with_name("dmc_overlays") / name[0])).astype(int) for name in names)
    # The second map is hot in the opposite cell.
    assert np.abs(first - second[::-1, ::-1]).mean() < 2 < np.abs(first - second).mean()


def test_maps_pickled_count_as_those_of_one_audio_cluster(dmc_pkl, data_dir, capsys):
    csv_path(dmc_pkl).unlink()
    assert run(dmc_pkl, data_dir) == 0
    assert f"There is no {csv_path(dmc_pkl)}" in capsys.readouterr().out
    assert overlays(dmc_pkl) == file_names(KEYS)


def test_overlays_have_boxes_only_with_the_option(dmc_pkl, data_dir, tmp_path, capsys):
    key = KEYS[-1]
    row, column = hot_cell(key)
    corner = (row * SIZE[1] // 4, round(column * SIZE[0] / 5))
    for options, white in (((), False), (("--boxes", data_dir / "boxes.json"), True)):
        assert run(dmc_pkl, data_dir, "--out", tmp_path / "out", *options) == 0
        image = np.asarray(Image.open(tmp_path / "out" / file_names([key])[0]))
        assert (np.abs(image[corner].astype(int) - WHITE).max() < 60) == white
    assert f"--boxes {data_dir / 'boxes.json'} {dmc_pkl}" in capsys.readouterr().out.splitlines()[-1]


def test_best_and_worst_rank_by_the_scores_of_score_py(dmc_pkl, data_dir, tmp_path):
    scores = scores_of(dmc_pkl, data_dir)
    in_order = sorted(scores, key=lambda key: scores[key]["iou"])
    assert len(in_order) == 15
    assert in_order != [key for key in KEYS if key in scores]  # not the order of the file
    for choose, expected in (("worst", in_order[:2]), ("best", in_order[-2:])):
        out = tmp_path / choose
        assert run(dmc_pkl, data_dir, "--choose", choose, "--count", 2, "--out", out) == 0
        assert names_in(out) == file_names(expected)


def test_first_count_and_seed_choose_frames(dmc_pkl, data_dir, tmp_path):
    def drawn(*options: object) -> list[str]:
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        assert run(dmc_pkl, data_dir, "--out", tmp_path / "out", *options) == 0
        return names_in(tmp_path / "out")

    assert drawn("--choose", "first", "--count", 2) == file_names(KEYS[:2])
    assert drawn("--count", 0) == file_names(KEYS)
    samples = [drawn("--count", 3, "--seed", seed) for seed in (1, 1, 2, 3)]
    assert samples[0] == samples[1] and len(samples[0]) == 3
    assert any(sample != samples[0] for sample in samples[2:])


def test_names_of_videos_may_start_with_a_dash_and_unknown_ones_are_named(dmc_pkl, data_dir, capsys):
    assert run(dmc_pkl, data_dir, "--videos", "-nobody", NAMES[0], NAMES[3]) == 1
    assert f"-nobody: {dmc_pkl} has no map of it" in capsys.readouterr().err
    assert overlays(dmc_pkl) == file_names([*KEYS[:4], *KEYS[12:]])
    with pytest.raises(SystemExit):
        run(dmc_pkl, data_dir, "--videos")


def test_frames_and_maps_that_cannot_be_drawn_are_named_and_the_others_drawn(tmp_path, data_dir, capsys):
    maps = {key: maps_of(key) for key in KEYS}
    maps[KEYS[2]] = np.full((3, 4, 5), np.nan)
    maps[KEYS[3]] = maps_of(KEYS[3])[:2]
    dmc_pkl = pickled(tmp_path / "dmc.pkl", maps)
    gone, broken = (data_dir / "video_frames" / f"{key}.jpg" for key in KEYS[:2])
    gone.unlink()
    broken.write_bytes(b"no image")
    assert run(dmc_pkl, data_dir) == 1
    output = capsys.readouterr()
    assert overlays(dmc_pkl) == file_names(KEYS[4:])
    head, first, second, third, fourth = output.err.splitlines()[-5:]
    assert head.endswith("4 could not be drawn:")
    assert str(gone) in first and "--data_dir" in first
    # The video has other frames, so cut_video.py alone would skip it.
    assert f"delete {data_dir / 'video_frames' / NAMES[0]} and run python3 data/cut_video.py" in first
    assert str(broken) in second and "data/cut_video.py" in second
    assert f"{KEYS[2]}: its maps have values" in third and f"{KEYS[3]}: it has 2 maps, but" in fourth
    assert output.out.splitlines()[-1].startswith("Wrote the overlays of 12 frames")


def test_a_video_without_frames_needs_no_deletion(dmc_pkl, data_dir, capsys):
    shutil.rmtree(data_dir / "video_frames" / NAMES[0])
    assert run(dmc_pkl, data_dir) == 1
    lines = capsys.readouterr().err.splitlines()[-4:]
    assert all("does not exist: run python3 data/cut_video.py" in line for line in lines)


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
    ("a_cluster", "titles", "figures"),
    [
        (1, ["matched map", "map 1", "map 2", "overlay"], ["iou", "pointing"]),
        (2, ["map of sound 0", "map of sound 1", "map 2", "overlay 0", "overlay 1"], ["ciou", "iou", "pointing"]),
    ],
)
def test_the_sheet_names_its_images_and_has_the_scores(tmp_path, data_dir, rows, a_cluster, titles, figures):
    dmc_pkl = make_run(tmp_path / "run", a_cluster)
    assert run(dmc_pkl, data_dir, "--sheet", tmp_path / "s.jpg", "--choose", "first", "--count", 3) == 0
    given, *rows = rows
    assert given == ["frame", *titles] and all(len(row.images) == len(given) for row in rows)
    assert rows[0].text == "-a.b   second 0, frame 0"
    words, scores = {"ciou": "CIoU", "iou": "IoU"}, scores_of(dmc_pkl, data_dir)[KEYS[0]]
    assert rows[0].figures == [f"{words.get(name, name)} {scores[name]:.2f}" for name in figures]
    assert rows[UNBOXED].figures == ["no box"]


def test_without_usable_boxes_the_sheet_has_no_scores_and_choosing_by_score_fails(dmc_pkl, data_dir, tmp_path, capsys):
    boxes = data_dir / "boxes.json"
    boxes.write_text('{"other/frame_000/00000.jpg": {"bbox": []}}', encoding="utf-8")
    reasons = ["none of 16 maps has an annotation", f"here is no {boxes}"]
    for reason in reasons:
        assert run(dmc_pkl, data_dir, "--sheet", tmp_path / "sheet.jpg", "--count", 1) == 0
        assert "No scores on the sheet: " in (said := capsys.readouterr().out) and reason in said
        assert run(dmc_pkl, data_dir, "--choose", "best") == 1
        assert reason in capsys.readouterr().err
        boxes.unlink(missing_ok=True)


def test_a_sheet_that_no_jpeg_can_hold_is_refused_before_drawing(tmp_path, data_dir, capsys):
    keys = [f"a/frame_000/{index:05d}" for index in range(sheet.MAX_ROWS + 1)]
    dmc_pkl = pickled(tmp_path / "dmc.pkl", {key: np.ones((1, 1, 1)) for key in keys})
    (data_dir / "boxes.json").unlink()
    assert run(dmc_pkl, data_dir, "--sheet", tmp_path / "sheet.jpg", "--count", 0) == 1
    assert "lower --count" in capsys.readouterr().err and not (tmp_path / "dmc_overlays").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--choose", "best", "--boxes", "none.json"], ["none.json cannot be read"]),
        (["--videos", "nobody"], ["no map of nobody", "-a.b"]),
        (["--sheet", "sheet.txt"], ["sheet.txt", ".jpg or .png"]),
        (["--out", "taken"], ["cannot read or write taken"]),
    ],
)
def test_a_user_error_is_a_sentence(dmc_pkl, data_dir, tmp_path, monkeypatch, capsys, options, words):
    monkeypatch.chdir(tmp_path)
    Path("taken").touch()
    assert run(dmc_pkl, data_dir, *options) == 1
    error = capsys.readouterr().err
    assert error.startswith("draw: ") and all(word in error for word in words), error
    assert not dmc_pkl.with_name("dmc_overlays").exists()


def test_a_key_of_another_form_is_named(tmp_path, data_dir, capsys):
    assert run(pickled(tmp_path / "dmc.pkl", {"frame": np.ones((1, 1, 1))}), data_dir) == 1
    assert "the key 'frame'" in capsys.readouterr().err


def test_a_command_line_without_words_is_refused_with_the_usage(capsys):
    with pytest.raises(SystemExit) as stopped:
        draw.main([])
    assert stopped.value.code == 2
    assert "dmc_pkl" in capsys.readouterr().err
