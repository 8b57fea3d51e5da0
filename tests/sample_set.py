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
