"""The sources of a video one by one, for ``--audio swap``: each frame is tested with each of its sources alone."""

import os
import re
from functools import partial

import torch

from common.cli import command
from common.errors import UserError
from data.index import SecondIndex
from data.layout import audio_frames_dir, category_order, stem_spectrogram_file, stems_dir
from data.negative_audio import AudioSource
from data.preprocess.settings import audio_command
from data.read import read_spectrogram

STEM_FILE = re.compile(r"[0-9]+_(?P<stem>.+)\.npy")


def stem_sources(seconds: SecondIndex) -> list[AudioSource]:
    """Return an audio source for each number of a stem; the stems of a video are in the order of `category_order`.

    Raises:
        UserError: a video has fewer than two stems, or another number of them than the first one.
    """
    stems = [_stems_of(seconds, name) for name in seconds.names]
    for name, own in zip(seconds.names, stems, strict=True):
        if len(own) < 2 or len(own) != len(stems[0]):
            data_dir = seconds.data_dir
            raise UserError(
                f"--audio swap takes the same number of sources in all videos, two or more, but {name} has {len(own)} "
                f"and {seconds.names[0]} {len(stems[0])}: put their audio into {stems_dir(data_dir) / name}, run "
                f"{audio_command(data_dir)} --overwrite 1. {command('data/make_demo.py', data_dir)} --sources 2 "
                "--stems 1 makes a set with stems"
            )
    return [partial(_stem_audio, seconds, stems, number) for number in range(len(stems[0]))]


def _stems_of(seconds: SecondIndex, name: str) -> list[str]:
    files = map(STEM_FILE.fullmatch, os.listdir(audio_frames_dir(seconds.data_dir) / name))
    return sorted({match["stem"] for match in files if match}, key=category_order)


def _stem_audio(seconds: SecondIndex, stems: list[list[str]], number: int, index: int) -> torch.Tensor:
    """Return the spectrogram of one source of second `index`."""
    file = stem_spectrogram_file(int(seconds.second[index]), stems[seconds.video[index]][number])
    return torch.from_numpy(read_spectrogram(seconds.spectrogram_path(index).with_name(file))).unsqueeze(0)
