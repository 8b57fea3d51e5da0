"""Makes small sets of frames and spectrograms for the tests, as `cut_video.py` and `cut_audio.py` leave them."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from data.layout import (
    audio_frames_dir,
    frame_file,
    labels_file,
    noise_file,
    silence_file,
    spectrogram_file,
    video_frames_dir,
)
from data.video_lists import write_list


def add_video(
    data_dir: Path, name: str, seconds: int = 3, kind: int = 0, size: int = 32, frames: int = 4, seed: int = 0
) -> None:
    """Add a video's samples: a square of the kind's colour on noise, and a sound in the kind's mel bands."""
    rng = np.random.default_rng((seed, *name.encode()))
    color = [(220, 30, 30), (30, 30, 220), (30, 200, 30), (210, 210, 30)][kind]
    for second in range(seconds):
        for index in range(frames):
            picture = rng.integers(90, 160, (size, size, 3)).astype(np.uint8)
            top, left = rng.integers(size // 2, size=2)
            picture[top : top + size // 2, left : left + size // 2] = color
            path = video_frames_dir(data_dir) / name / frame_file(second, second * 25 + index * 6)
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(path, quality=95)
        spectrogram = rng.normal(-60, 5, (201, 64)).astype(np.float32)
        spectrogram[:, kind * 16 : kind * 16 + 16] += 50
        path = audio_frames_dir(data_dir) / name / spectrogram_file(second)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, spectrogram)


def make_set(data_dir: Path, train: int = 6, val: int = 2, test: int = 2, kinds: int = 2, **options: int) -> None:
    """Make a set of videos that alternate between `kinds`, with its three lists."""
    lists = {"train": train, "val": val, "test": test}
    for list_name, count in lists.items():
        names: Sequence[str] = [f"{list_name}{number}" for number in range(count)]
        for number, name in enumerate(names):
            add_video(data_dir, name, kind=number % kinds, **options)
        write_list(data_dir / f"{list_name}.txt", names)


def add_negatives(data_dir: Path) -> None:
    """Add noise and silence; the first value of each second of noise is its row."""
    noise = np.random.default_rng(0).normal(-20, 5, (64, 201, 64)).astype(np.float32)
    noise[:, 0, 0] = np.arange(64)
    np.save(noise_file(data_dir), noise)
    np.save(silence_file(data_dir), np.full((1, 201, 64), -100, np.float32))


def add_labels(data_dir: Path, videos: dict[str, list[str]]) -> None:
    """Add ``labels.json``: class -> names."""
    labels_file(data_dir).write_text(json.dumps({"videos": videos}))


def textured(kind: int, size: int) -> np.ndarray:
    """A bright picture that is told by its colour and its texture, uint8 [size, size, 3]."""
    rows, columns = np.mgrid[:size, :size] // 4 % 2
    shade = np.array([rows ^ columns, rows, columns, np.ones_like(rows)][kind])[..., None]
    color = np.array([(255, 60, 60), (60, 255, 60), (80, 80, 255), (255, 255, 40)][kind])
    return (color * (0.45 + 0.55 * shade)).astype(np.uint8)


def make_located_set(data_dir: Path, train: int, val: int, test: int, kinds: int, seconds: int, size: int) -> None:
    """Make a set with ``boxes.json``: a bright textured square anywhere in each frame.

    Nothing else tells videos apart: the dark noise around the square is that of all videos.
    """
    boxes = {}
    for list_name, count in {"train": train, "val": val, "test": test}.items():
        names = [f"{list_name}{number}" for number in range(count)]
        for number, name in enumerate(names):
            boxes |= _add_located_video(data_dir, name, number % kinds, seconds, size)
        write_list(data_dir / f"{list_name}.txt", names)
    (data_dir / "boxes.json").write_text(json.dumps(boxes))
    add_negatives(data_dir)


def _add_located_video(data_dir: Path, name: str, kind: int, seconds: int, size: int) -> dict[str, dict]:
    rng = np.random.default_rng((7, *name.encode()))
    side, boxes = round(size * 0.4), {}
    for second in range(seconds):
        for index in range(4):
            picture = rng.integers(20, 90, (size, size, 3)).astype(np.uint8)
            top, left = rng.integers(size - side + 1, size=2)
            picture[top : top + side, left : left + side] = textured(kind, side)
            file = frame_file(second, second * 25 + index * 6)
            path = video_frames_dir(data_dir) / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(path, quality=95)
            corner = [left / size, top / size, side / size, side / size]
            boxes[f"{name}/{file}"] = {"bbox": [{"normbox": corner, "category_id": kind}]}
        spectrogram = rng.normal(-60, 5, (201, 64)).astype(np.float32)
        spectrogram[:, kind * 16 : kind * 16 + 16] += 50
        path = audio_frames_dir(data_dir) / name / spectrogram_file(second)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, spectrogram)
    return boxes
