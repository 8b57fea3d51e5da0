"""Overlays of a run: names, colours on the right place, the right frames, and a word for each that cannot be drawn."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.cli import new_parser, values_of_option
from data.dmc_pkl import csv_path, read_dmc, write_dmc
from metrics.annotations import read_annotations
from metrics.evaluate import score_run
from vis import draw, sheet
from vis.overlay import WHITE

NAMES = ("-a.b", "--videos", "プロ ñ_0")  # of real videos' kind: a dash in front, an option's name, unicode and a blank
KEYS = [f"{name}/frame_013/{index:05d}" for name in NAMES for index in (411, 418)]
SIZES = dict(zip(NAMES, [(96, 64), (64, 96), (80, 80)], strict=True))  # width, height
GREY = 100
HOT = {key: (number // 3, number % 3 + 1) for number, key in enumerate(KEYS)}  # cell of 4 x 5 with the maximum


def maps_of(key: str, a_cluster: int = 1) -> np.ndarray:
    """Three maps [3, 4, 5]: the first is hot in one cell, the second in the opposite one."""
    first = np.zeros((4, 5), np.float32)
    first[HOT[key]] = 0.8
    maps = np.stack([first, first[::-1, ::-1], np.full((4, 5), 0.1, np.float32)])
    return maps / maps.sum(0).max()


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data set of grey frames, with boxes on half of the maps' hot cells."""
    folder = tmp_path / "set"
    boxes = {}
    for number, key in enumerate(KEYS):
        path = folder / "video_frames" / f"{key}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZES[key.split("/")[0]], (GREY,) * 3).save(path, quality=95)
        row, column = HOT[key]
        share = (number + 1) / len(KEYS)  # the later, the better the box
        box = [column / 5, row / 4, share / 5, share / 4]
        boxes[f"{key}.jpg"] = {"bbox": [{"normbox": box, "category_id": 3}] if number != 2 else []}
    (folder / "boxes.json").write_text(json.dumps(boxes), encoding="utf-8")
    return folder


@pytest.fixture
def dmc_pkl(tmp_path: Path) -> Path:
    return write_run(tmp_path / "dmc.pkl")


def write_run(path: Path, a_cluster: int = 1) -> Path:
    write_dmc(path, {key: maps_of(key) for key in KEYS}, {key: np.ones(a_cluster) for key in KEYS})
    return path


def run(dmc_pkl: Path, data_dir: Path, *options: object) -> int:
    return draw.main([str(dmc_pkl), "--data_dir", str(data_dir), *map(str, options)])


def overlays(dmc_pkl: Path) -> list[str]:
    return sorted(path.name for path in dmc_pkl.with_name("dmc_overlays").iterdir())


def file_name(key: str, suffix: str = "") -> str:
    name, _, index = key.split("/")
    return f"{name}_013_{index}{suffix}.jpg"


def test_every_frame_has_an_overlay_of_its_name_and_size_whose_colour_is_on_the_hot_cell(dmc_pkl, data_dir, capsys):
    assert run(dmc_pkl, data_dir) == 0
    assert overlays(dmc_pkl) == sorted(map(file_name, KEYS))
    assert "-a.b_013_00411.jpg" in overlays(dmc_pkl)
    for key in KEYS:
        with Image.open(dmc_pkl.with_name("dmc_overlays") / file_name(key)) as picture:
            assert picture.format == "JPEG" and picture.size == SIZES[key.split("/")[0]]
            change = np.abs(np.asarray(picture).astype(int) - GREY).max(2)
        row, column = HOT[key]
        height, width = change.shape
        y, x = round((row + 0.5) / 4 * height), round((column + 0.5) / 5 * width)
        assert change[y, x] > 0.8 * change.max() > 40
        far = change[-8:] if row < 2 else change[:8]
        assert far.max() < 12  # JPEG
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"Wrote the overlays of 6 frames to {dmc_pkl.with_name('dmc_overlays')}. "
        f"Next: python3 metrics/score.py --data_dir {data_dir} {dmc_pkl}"
    ]


def test_a_name_of_as_many_bytes_as_a_file_may_have(tmp_path, data_dir):
    name = "音" * 80  # 240 bytes, 254 with what the picture's name adds
    shutil.copytree(data_dir / "video_frames" / NAMES[0], data_dir / "video_frames" / name)
    write_dmc(tmp_path / "dmc.pkl", {f"{name}/frame_013/00411": np.ones((1, 2, 2))}, {})
    csv_path(tmp_path / "dmc.pkl").unlink()
    assert run(tmp_path / "dmc.pkl", data_dir) == 0
    assert overlays(tmp_path / "dmc.pkl") == [f"{name}_013_00411.jpg"]


def test_two_sound_clusters_have_a_picture_each(tmp_path, data_dir):
    dmc_pkl = write_run(tmp_path / "dmc.pkl", a_cluster=2)
    assert run(dmc_pkl, data_dir, "--videos", "-a.b") == 0
    assert overlays(dmc_pkl) == sorted(file_name(key, end) for key in KEYS[:2] for end in ("_0", "_1"))
    first, second = (
        np.asarray(Image.open(dmc_pkl.with_name("dmc_overlays") / file_name(KEYS[0], end))).astype(int)
        for end in ("_0", "_1")
    )
    # The second map is hot in the opposite cell.
    assert np.abs(first - second[::-1, ::-1]).mean() < 2 < np.abs(first - second).mean()


def test_without_distances_it_is_one_sound_and_said_so(dmc_pkl, data_dir, capsys):
    csv_path(dmc_pkl).unlink()
    assert run(dmc_pkl, data_dir) == 0
    assert f"There is no {csv_path(dmc_pkl)}" in capsys.readouterr().out
    assert overlays(dmc_pkl) == sorted(map(file_name, KEYS))


def test_boxes_are_drawn_where_they_are_asked_for_only(dmc_pkl, data_dir, tmp_path, capsys):
    key = KEYS[-1]
    row, column = HOT[key]
    corner = (row * 20, column * 16)  # of the box, in a frame of 80 x 80
    for options, white in (((), False), (("--boxes", data_dir / "boxes.json"), True)):
        assert run(dmc_pkl, data_dir, "--out", tmp_path / "out", *options) == 0
        picture = np.asarray(Image.open(tmp_path / "out" / file_name(key)))
        assert (np.abs(picture[corner].astype(int) - WHITE).max() < 60) == white
    assert f"--boxes {data_dir / 'boxes.json'} {dmc_pkl}" in capsys.readouterr().out.splitlines()[-1]


def test_best_and_worst_are_by_the_scores_of_score_py(dmc_pkl, data_dir, tmp_path):
    scores = score_run(read_dmc(dmc_pkl), 1, read_annotations(data_dir / "boxes.json")).by_frame()
    in_order = sorted(scores, key=lambda key: scores[key]["iou"])
    assert len(in_order) == 5 and len({score["iou"] for score in scores.values()}) == 5
    assert in_order != [key for key in KEYS if key in scores]  # not the order of the file
    for choose, expected in (("worst", in_order[:2]), ("best", in_order[-2:])):
        out = tmp_path / choose
        assert run(dmc_pkl, data_dir, "--choose", choose, "--count", 2, "--out", out) == 0
        assert sorted(path.name for path in out.iterdir()) == sorted(map(file_name, expected))


def test_first_random_count_and_seed(dmc_pkl, data_dir, tmp_path):
    def drawn(*options: object) -> list[str]:
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        assert run(dmc_pkl, data_dir, "--out", tmp_path / "out", *options) == 0
        return sorted(path.name for path in (tmp_path / "out").iterdir())

    assert drawn("--choose", "first", "--count", 2) == sorted(map(file_name, KEYS[:2]))
    assert drawn("--count", 0) == sorted(map(file_name, KEYS))
    samples = [drawn("--choose", "random", "--count", 3, "--seed", seed) for seed in (1, 1, 2, 3)]
    assert samples[0] == samples[1] and len(samples[0]) == 3
    assert any(sample != samples[0] for sample in samples[2:])


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--videos", NAMES[0], NAMES[2]], [NAMES[0], NAMES[2]]),
        ([f"--videos={name}" for name in NAMES], NAMES),  # so also a name that is an option's
    ],
)
def test_names_of_videos_may_start_with_a_dash(dmc_pkl, data_dir, words, names):
    assert run(dmc_pkl, data_dir, *words, "--count", 0) == 0
    assert overlays(dmc_pkl) == sorted(file_name(key) for key in KEYS if key.split("/")[0] in names)


def test_a_video_without_maps_is_named_and_the_others_drawn(dmc_pkl, data_dir, capsys):
    assert run(dmc_pkl, data_dir, "--videos", "-nobody", NAMES[0]) == 1
    assert f"-nobody: {dmc_pkl} has no map of it" in capsys.readouterr().err
    assert overlays(dmc_pkl) == sorted(map(file_name, KEYS[:2]))


def test_values_of_an_option_are_bound_to_it_and_others_are_left():
    parser = new_parser("")
    parser.add_argument("--videos", nargs="+", action="extend")
    parser.add_argument("pkl", nargs="?")
    options = parser.parse_args(
        values_of_option(["--videos", "-a", "--b=c", "d", "--data_dir", "x"], "--videos", parser)
    )
    assert (options.videos, str(options.data_dir), options.pkl) == (["-a", "--b=c", "d"], "x", None)
    options = parser.parse_args(values_of_option(["--videos", "-a", "--", "dmc.pkl"], "--videos", parser))
    assert (options.videos, options.pkl) == (["-a"], "dmc.pkl")
    for without in (["--videos"], ["--videos", "--data_dir", "x"]):
        with pytest.raises(SystemExit):
            parser.parse_args(values_of_option(without, "--videos", parser))


def test_a_frame_that_is_gone_or_broken_is_named_with_the_remedy_and_the_others_go_on(dmc_pkl, data_dir, capsys):
    gone, broken = (data_dir / "video_frames" / f"{key}.jpg" for key in KEYS[:2])
    gone.unlink()
    broken.write_bytes(b"no picture")
    assert run(dmc_pkl, data_dir) == 1
    output = capsys.readouterr()
    assert overlays(dmc_pkl) == sorted(map(file_name, KEYS[2:]))
    head, first, second = output.err.splitlines()[-3:]
    assert head.endswith("2 could not be drawn:")
    assert str(gone) in first and "--data_dir" in first
    # The video has other frames, so that cut_video.py alone would skip it.
    assert f"delete {data_dir / 'video_frames' / NAMES[0]} and run python3 data/cut_video.py" in first
    assert str(broken) in second and "data/cut_video.py" in second
    assert output.out.splitlines()[-1].startswith("Wrote the overlays of 4 frames")


def test_of_a_video_without_any_frame_nothing_is_to_be_deleted(dmc_pkl, data_dir, capsys):
    shutil.rmtree(data_dir / "video_frames" / NAMES[0])
    assert run(dmc_pkl, data_dir) == 1
    first, second = capsys.readouterr().err.splitlines()[-2:]
    assert all("is not there: run python3 data/cut_video.py" in line for line in (first, second))


def test_maps_that_cannot_be_drawn_are_named(tmp_path, data_dir, capsys):
    maps = {key: maps_of(key) for key in KEYS}
    maps[KEYS[1]] = np.full((3, 4, 5), np.nan)
    maps[KEYS[2]] = maps_of(KEYS[2])[:2]
    write_dmc(tmp_path / "dmc.pkl", maps, {})
    csv_path(tmp_path / "dmc.pkl").unlink()
    assert run(tmp_path / "dmc.pkl", data_dir) == 1
    error = capsys.readouterr().err
    assert f"{KEYS[1]}: its maps hold values" in error and f"{KEYS[2]}: it has 2 maps where" in error
    assert overlays(tmp_path / "dmc.pkl") == sorted(map(file_name, [KEYS[0], *KEYS[3:]]))


def test_the_sheet_has_a_row_for_each_frame_with_boxes_maps_and_overlay(dmc_pkl, data_dir, tmp_path, capsys):
    file = tmp_path / "new" / "sheet.png"
    assert run(dmc_pkl, data_dir, "--sheet", file, "--videos", NAMES[2]) == 0
    assert f"and all of them on {file}. Next: " in capsys.readouterr().out
    with Image.open(file) as picture:
        assert picture.format == "PNG"
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    side, gap, line = sheet.HEIGHT, sheet.GAP, sheet.LINE  # frames of this video are square
    assert pixels.shape[0] == 2 * gap + line + 2 * (line + side + gap)
    tops = [2 * gap + 2 * line + row * (line + side + gap) for row in range(2)]
    cells = [
        [pixels[top : top + side, left : left + side] for left in range(gap, 5 * (side + gap), side + gap)]
        for top in tops
    ]
    for key, (frame, matched, _, _, over) in zip(KEYS[4:], cells, strict=True):
        row, column = HOT[key]
        y, x = round((row + 0.5) / 4 * side), round((column + 0.5) / 5 * side)
        assert matched[y, x, 0] > 100 > matched[y, x, 2]  # red on the hot cell, blue elsewhere
        assert matched[-1 - y, -1 - x, 2] > 100 > matched[-1 - y, -1 - x, 0]
        assert over[y, x, 0] - over[y, x, 2] > 40 and np.abs(over[-1 - y, -1 - x] - GREY).max() <= 2
        assert (frame[row * side // 4 + 1, column * side // 5 + 5] > 200).all()  # the box's upper edge
        assert np.abs(frame[-1 - y, -1 - x] - GREY).max() <= 2


def test_the_sheets_figures_are_the_scores(dmc_pkl, data_dir, tmp_path, monkeypatch):
    rows = []
    monkeypatch.setattr(
        draw, "contact_sheet", lambda titles, given: rows.extend([titles, *given]) or Image.new("RGB", (9, 9))
    )
    assert run(dmc_pkl, data_dir, "--sheet", tmp_path / "s.jpg", "--choose", "first", "--count", 3) == 0
    scores = score_run(read_dmc(dmc_pkl), 1, read_annotations(data_dir / "boxes.json")).by_frame()
    titles, *rows = rows
    assert titles == ["frame", "matched map", "map 1", "map 2", "overlay"]
    assert all(len(row.pictures) == len(titles) for row in rows)
    assert rows[0].text == "-a.b   second 13, frame 411"
    assert rows[0].figures == [f"IoU {scores[KEYS[0]]['iou']:.2f}", f"pointing {scores[KEYS[0]]['pointing']:.2f}"]
    assert rows[2].figures == ["no box"]


def test_a_sheet_of_two_sounds_names_each_and_has_ciou(tmp_path, data_dir, monkeypatch):
    rows = []
    monkeypatch.setattr(
        draw, "contact_sheet", lambda titles, given: rows.extend([titles, *given]) or Image.new("RGB", (9, 9))
    )
    dmc_pkl = write_run(tmp_path / "dmc.pkl", a_cluster=2)
    assert run(dmc_pkl, data_dir, "--sheet", tmp_path / "s.jpg", "--choose", "best", "--count", 1) == 0
    assert rows[0] == ["frame", "map of sound 0", "map of sound 1", "map 2", "overlay 0", "overlay 1"]
    assert len(rows[1].pictures) == 6
    assert [line.split()[0] for line in rows[1].figures] == ["CIoU", "IoU", "pointing"]


def test_a_data_set_without_boxes_has_a_sheet_without_scores(dmc_pkl, data_dir, tmp_path):
    (data_dir / "boxes.json").unlink()
    assert run(dmc_pkl, data_dir, "--sheet", tmp_path / "sheet.jpg") == 0
    with Image.open(tmp_path / "sheet.jpg") as picture:
        assert picture.format == "JPEG" and picture.height == 2 * 10 + 20 + 6 * (20 + sheet.HEIGHT + 10)


def test_boxes_of_other_videos_are_said_where_the_sheet_only_would_have_had_them(dmc_pkl, data_dir, tmp_path, capsys):
    (data_dir / "boxes.json").write_text('{"other/frame_000/00000.jpg": {"bbox": []}}', encoding="utf-8")
    assert run(dmc_pkl, data_dir, "--sheet", tmp_path / "sheet.jpg") == 0
    assert "No scores on the sheet: no map of 6 has an annotation" in capsys.readouterr().out
    assert run(dmc_pkl, data_dir, "--choose", "best") == 1
    assert "no map of 6 has an annotation" in capsys.readouterr().err


def test_a_text_that_is_too_long_loses_its_middle():
    font = sheet._font()
    text = "a name that " + "goes on and on " * 20
    short = sheet.elided(text, 200, font)
    assert 150 < font.getlength(short) <= 200 and "…" in short and short.startswith("a name") and short.endswith("on ")
    assert sheet.elided("short", 200, font) == "short"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--choose", "best", "--boxes", "none.json"], ["none.json cannot be read"]),
        (["--videos", "nobody"], ["no map of nobody", "-a.b"]),
        (["--sheet", "sheet.txt"], ["sheet.txt", ".jpg or .png"]),
        (["--out", "taken"], ["cannot read or write taken"]),
    ],
)
def test_what_cannot_be_done_is_a_sentence(dmc_pkl, data_dir, tmp_path, monkeypatch, capsys, options, words):
    monkeypatch.chdir(tmp_path)
    Path("taken").touch()
    assert run(dmc_pkl, data_dir, *options) == 1
    error = capsys.readouterr().err
    assert error.startswith("draw: ") and all(word in error for word in words), error
    assert not dmc_pkl.with_name("dmc_overlays").exists()


def test_best_without_boxes_names_the_option(dmc_pkl, data_dir, capsys):
    (data_dir / "boxes.json").unlink()
    assert run(dmc_pkl, data_dir, "--choose", "best") == 1
    assert "--choose best needs boxes" in capsys.readouterr().err and not dmc_pkl.with_name("dmc_overlays").exists()


def test_a_sheet_that_no_jpeg_could_hold_is_refused_before_drawing(tmp_path, data_dir, capsys):
    keys = [f"a/frame_000/{index:05d}" for index in range(sheet.MOST_ROWS + 1)]
    write_dmc(tmp_path / "dmc.pkl", {key: np.ones((1, 1, 1)) for key in keys}, {key: np.ones(1) for key in keys})
    options = ["--sheet", tmp_path / "sheet.jpg", "--count", 0]
    (data_dir / "boxes.json").unlink()
    assert run(tmp_path / "dmc.pkl", data_dir, *options) == 1
    assert "lower --count" in capsys.readouterr().err and not (tmp_path / "dmc_overlays").exists()


def test_files_that_are_no_maps_are_named(tmp_path, data_dir, capsys):
    (tmp_path / "dmc.pkl").write_bytes(b"no pickle")
    for path in (tmp_path / "dmc.pkl", tmp_path / "none.pkl"):
        assert run(path, data_dir) == 1
        assert str(path) in capsys.readouterr().err
    write_dmc(tmp_path / "dmc.pkl", {"frame": np.ones((1, 1, 1))}, {"frame": np.ones(1)})
    assert run(tmp_path / "dmc.pkl", data_dir) == 1
    assert "the key 'frame'" in capsys.readouterr().err
