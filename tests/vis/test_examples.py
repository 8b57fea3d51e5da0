"""The README's pictures: which frames are shown, that the animation moves, and what is said where a run is missing."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.layout import frame_file
from metrics.annotations import parse_frame
from tests.fixtures.planted import plant_checkpoint
from tests.fixtures.report_set import NAMES, make_report_set, make_run
from vis import examples, sheet


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    """Options for two trainings on one data set, of one sound and of two."""
    make_report_set(tmp_path / "set")
    options = []
    for name, a_cluster in (("solo", 1), ("duet", 2)):
        folder = tmp_path / name
        make_run(folder, a_cluster)
        (folder / "args.json").write_text(json.dumps({"data_dir": str(tmp_path / "set")}), encoding="utf-8")
        plant_checkpoint(
            folder / "best.pth", np.array([(220, 40, 40)]), np.array([(120, 120, 120)]),
            image_size=32, test_sizes=1, v_cluster=3, a_cluster=a_cluster,
        )  # fmt: skip
        options += [f"--{name}", str(folder)]
    return [*options, "--out", str(tmp_path / "pictures")]


def test_a_sheet_each_and_an_animation_are_written(folders, tmp_path, capsys):
    assert examples.main(folders) == 0
    out = tmp_path / "pictures"
    assert {path.name for path in out.iterdir()} == {"example_solo.jpg", "example_duet.jpg", "heat.webp"}
    assert f"to {out}" in capsys.readouterr().out
    solo, duet = (Image.open(out / f"example_{name}.jpg") for name in ("solo", "duet"))
    row = sheet.LINE + sheet.HEIGHT + sheet.GAP
    assert duet.size == (solo.width, solo.height + row)
    # The first video's map is hot in its upper half, that of the second sound in the opposite place.
    one, other = (hottest_row(np.asarray(duet), number) for number in (1, 2))
    assert one < sheet.HEIGHT / 2 < other
    with Image.open(out / "heat.webp") as animation:
        assert animation.n_frames == 2 * examples.FRAMES_A_SECOND


def hottest_row(picture: np.ndarray, row: int) -> float:
    """Of the first picture in a row of a sheet: in which line of pixels its red lies, on average."""
    top = 2 * sheet.GAP + sheet.LINE + row * (sheet.LINE + sheet.HEIGHT + sheet.GAP) + sheet.LINE
    shown = picture[top : top + sheet.HEIGHT, sheet.GAP : sheet.GAP + sheet.HEIGHT * 3 // 2].astype(int)
    red = shown[..., 0] - shown[..., 2] > 80
    assert red.any()
    return float(np.argwhere(red)[:, 0].mean())


def test_each_video_shown_brings_new_instruments_and_its_middle_second():
    frames = {
        f"{name}/{frame_file(second, index)}": None
        for name in ("b", "a", "d", "c") for second in (0, 1, 2) for index in (9, 3)
    }  # fmt: skip
    frames = {key: parse_frame(key.removesuffix(".jpg")) for key in frames}
    labels = {"a": "flute", "b": "flute cello", "c": "violin cello", "d": "cello"}
    shown = examples.choose(frames, labels)
    assert [(frame.video, frame.second, frame.index) for frame in shown.values()] == [("a", 1, 3), ("c", 1, 3)]


@pytest.mark.parametrize("missing", ["args.json", "dmc.pkl", "best.pth"])
def test_what_is_missing_of_a_training_is_named(folders, tmp_path, capsys, missing):
    (tmp_path / "duet" / missing).unlink()
    assert examples.main(folders) == 1
    said = capsys.readouterr().err
    assert said.startswith("examples: ") and missing in said and "Traceback" not in said


def test_a_video_that_is_gone_is_named(folders, tmp_path, capsys):
    for path in (tmp_path / "set/video").iterdir():
        path.unlink()
    assert examples.main(folders) == 1
    assert f"the video {sorted(NAMES)[0]} is not in" in capsys.readouterr().err
