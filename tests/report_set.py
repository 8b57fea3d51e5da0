"""Makes a small data set with videos, and a run on it, for the tests of the page about a run."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from data.dmc_pkl import write_dmc
from data.layout import frame_file
from tests.media import write_media
from tests.sample_set import add_labels

# Of real videos' kind (a dash in front, letters of other scripts), and what would be markup, code or a template.
NAMES = ("-a.b", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }} it's &amp;", "プロ ñ_0")
SECONDS, RATE = 2, 25
INDICES = (0, 6)  # of the frames within a second
SIZE = (96, 64)  # width, height
PITCH = dict(zip(NAMES, (300, 500, 700, 900), strict=True))  # Hz of each video's sound
CLASSES = {'<b>"flute"': [NAMES[0], NAMES[1]], "violin's": [NAMES[2]]}  # the last video has none
LOG = "epoch,loss,train_accuracy,val_loss,val_accuracy\n1,3.5,0.5,3.6,0.49\n2,2,0.75,2.5,0.6\n3,1.5,0.9,2.25,0.875\n"

KEYS = [
    f"{name}/{frame_file(second, second * RATE + index).removesuffix('.jpg')}"
    for name in NAMES
    for second in range(SECONDS)
    for index in INDICES
]


def maps_of(number: int) -> np.ndarray:
    """Three maps [3, 4, 5] of frame `number`: the first is hot in one cell, the second in the opposite one."""
    first = np.full((4, 5), 0.02, np.float32)
    first[number // 5 % 4, number % 5] = 0.8
    maps = np.stack([first, first[::-1, ::-1], np.full((4, 5), 0.1, np.float32)])
    return maps / maps.sum(0)


def make_report_set(data_dir: Path) -> None:
    """Make frames, videos, labels, and boxes that fit the maps the better, the later the frame; one frame has none."""
    boxes = {}
    for number, key in enumerate(KEYS):
        path = data_dir / "video_frames" / f"{key}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE, (100, 100, 100)).save(path, quality=95)
        share = (number + 1) / len(KEYS)
        box = [number % 5 / 5, number // 5 % 4 / 4, share / 5, share / 4]
        boxes[f"{key}.jpg"] = {"bbox": [{"normbox": box, "category_id": 3}] if number != 2 else []}
    (data_dir / "boxes.json").write_text(json.dumps(boxes), encoding="utf-8")
    add_labels(data_dir, CLASSES)
    for name in NAMES:
        time = np.arange(round((SECONDS + 0.1) * 16_000)) / 16_000
        write_media(
            data_dir / "video" / f"{name}.mp4",
            frames=SECONDS * RATE,
            rate=RATE,
            sound=(0.5 * np.sin(2 * np.pi * PITCH[name] * time)).astype(np.float32),
        )


def make_run(folder: Path, a_cluster: int = 1) -> Path:
    """Write a run's ``dmc.pkl``, ``dmc.csv`` and ``log.csv``; returns the first."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    distances = {key: rng.random(a_cluster) for key in KEYS}
    write_dmc(folder / "dmc.pkl", {key: maps_of(number) for number, key in enumerate(KEYS)}, distances)
    (folder / "log.csv").write_text(LOG, encoding="utf-8")
    return folder / "dmc.pkl"
