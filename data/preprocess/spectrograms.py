"""Writes the spectrograms of a video's audio, ``013.npy`` for second 13, and those of noise and silence."""

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from common.atomic import atomic_file, atomic_folder
from common.cli import number
from common.errors import MediaError
from data.layout import (
    audio_by_name,
    audio_frames_dir,
    noise_file,
    silence_file,
    spectrogram_file,
    stem_spectrogram_file,
    stems_by_name,
    videos_by_name,
)
from data.media.audio import Audio, audio_of_name, whole_seconds
from data.media.spectrogram import SAMPLE_RATE, log_mel, settings
from data.preprocess.program import Step
from data.preprocess.settings import N_FFT

MOST_N_FFT = 4096  # a quarter of a second


def add_spectrogram_options(parser: argparse.ArgumentParser) -> None:
    """Add the option of `spectrograms_step`."""
    parser.add_argument(
        "--n_fft",
        type=number(
            int,
            lambda value: value % 2 == 0 and N_FFT <= value <= MOST_N_FFT,
            f"not an even number from {N_FFT} to {MOST_N_FFT}",
        ),
        default=N_FFT,
        help="samples of the window at 16 kHz; a longer one such as 512 leaves no mel filter empty and separates low "
        "notes, but blurs their onsets (default: %(default)s, as published, which leaves some filters empty)",
    )


def spectrograms_step(options: argparse.Namespace) -> Step:
    """Return the step that cuts the audio of a data set, of its videos and its separate audio tracks."""
    out = audio_frames_dir(options.data_dir)
    videos, audio = videos_by_name(options.data_dir), audio_by_name(options.data_dir)
    names = sorted(videos.keys() | audio.keys())
    stems = stems_by_name(options.data_dir)
    jobs = {
        name: (videos.get(name, []), audio.get(name), stems.get(name, {}), out / name, options.n_fft) for name in names
    }
    return Step(
        "spectrograms", cut_audio, jobs, out, settings(options.n_fft),
        beside=lambda: write_negatives(options.data_dir, options.n_fft),
    )  # fmt: skip


def cut_audio(videos: list[Path], audio_file: Path | None, stems: dict[str, Path], folder: Path, n_fft: int) -> None:
    """Write the spectrogram of each whole second of one NAME and of its stems, all or none; replace the folder."""
    with atomic_folder(folder) as partial:
        for second, spectrogram in _spectrograms(audio_of_name(videos, audio_file), n_fft):
            np.save(partial / spectrogram_file(second), spectrogram)
        for stem, path in stems.items():
            for second, spectrogram in _spectrograms(audio_of_name([], path), n_fft):
                np.save(partial / stem_spectrogram_file(second, stem), spectrogram)


def _spectrograms(audio: Audio, n_fft: int) -> Iterable[tuple[int, np.ndarray]]:
    """Number and spectrogram [201, 64] of each whole second."""
    first_second, seconds = whole_seconds(audio, SAMPLE_RATE)
    if not len(seconds):
        end = audio.start + len(audio.samples) / audio.rate
        raise MediaError(f"its audio has no whole second: it lasts from {audio.start:.2f} to {end:.2f} s of the video")
    return enumerate(log_mel(seconds, n_fft), first_second)


def write_negatives(data_dir: Path, n_fft: int) -> None:
    """Write ``noise.npy``, 64 different seconds of white noise, and ``silence.npy``, one second; always the same."""
    # Every run writes them, which takes a moment, so that none is missing or has another window.
    noise = np.random.default_rng(10).standard_normal((64, SAMPLE_RATE), np.float32) * 0.1  # of full scale
    silence = np.zeros((1, SAMPLE_RATE), np.float32)
    for path, seconds in ((noise_file(data_dir), noise), (silence_file(data_dir), silence)):
        with atomic_file(path) as partial, partial.open("wb") as file:
            np.save(file, log_mel(seconds, n_fft))
