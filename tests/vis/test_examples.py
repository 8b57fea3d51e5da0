"""vis/examples.py: the choice of frames and the three pictures."""

import json

import numpy as np
import pytest
from PIL import Image

from data.layout import frame_file
from metrics.maps.annotations import parse_frame
from tests.fixtures.planted import plant_checkpoint
from tests.fixtures.report_set import make_report_set, make_run
from vis import examples, sheet


@pytest.mark.slow
def test_two_sheets_and_an_animation_are_written(tmp_path, monkeypatch):
    make_report_set(tmp_path / "set")
    folders = []
    for a_cluster in (1, 2):
        folder = make_run(tmp_path / str(a_cluster), a_cluster).parent
        (folder / "args.json").write_text(json.dumps({"data_dir": str(tmp_path / "set")}), encoding="utf-8")
        small = {"image_size": 32, "test_sizes": 1, "v_cluster": 3, "a_cluster": a_cluster}
        plant_checkpoint(folder / "best.pth", [(220, 40, 40)], [(120, 120, 120)], **small)
        folders.append(str(folder))
    sheets = []
    monkeypatch.setattr(
        examples, "column_sheet", lambda columns, texts: sheets.append(columns) or sheet.column_sheet(columns, texts)
    )
    out = tmp_path / "out"
    assert examples.main(["--solo", folders[0], "--duet", folders[1], "--out", str(out)]) == 0
    assert {path.name for path in out.iterdir()} == {"example_solo.jpg", "example_duet.jpg", "heat.webp"}
    ((_, solo), *_), ((_, duet), *_) = sheets
    assert (len(solo), len(duet)) == (2, 3)
    # The first map is hot in the upper half, the second one in the lower half.
    images = [np.asarray(image).astype(int) for image in duet[1:]]
    first, second = (np.argwhere(image[..., 0] - image[..., 2] > 80)[:, 0].mean() for image in images)
    assert first < sheet.HEIGHT / 2 < second
    with Image.open(out / "heat.webp") as animation:
        assert animation.n_frames == 2 * examples.FRAMES_PER_SECOND


def test_each_video_brings_new_instruments_and_shows_its_middle():
    keys = [f"{name}/{frame_file(second, index)}" for name in "badc" for second in (0, 1) for index in (9, 3)]
    frames = {key: parse_frame(key) for key in keys}
    labels = {"a": "flute", "b": "flute cello", "c": "violin cello", "d": "cello"}
    assert examples.choose(frames, labels) == [
        ("flute", ("a", 1, 3), "a/frame_001/00003.jpg"),
        ("violin + cello", ("c", 1, 3), "c/frame_001/00003.jpg"),
    ]
