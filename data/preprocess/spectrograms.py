"""Writes the spectrograms of a video's audio, ``013.npy`` for second 13, and those of noise and silence."""

import argparse
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from common.atomic import atomic_file, atomic_folder
from common.cli import number
from common.errors import MediaError, UserError
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
from data.media.spectrogram import SAMPLE_RATE, log_mel, settings, spectrograms
from data.preprocess.program import Step
from data.preprocess.settings import LENGTHS, N_FFT, SHORT

MOST_N_FFT = 4096  # a quarter of a second


def add_spectrogram_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `spectrograms_step`."""
    parser.add_argument(
        "--seconds",
        type=int,
        choices=LENGTHS,
        default=SHORT,
        help="audio in the spectrogram of each second: 5 takes two seconds before and after it too, with VGGish's "
        "parameters, as in the CVPR paper (default: %(default)s)",
    )
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
    if options.seconds != SHORT and options.n_fft != N_FFT:
        raise UserError(f"--n_fft goes with --seconds {SHORT}: spectrograms of {options.seconds} have VGGish's window")
    out, cut = audio_frames_dir(options.data_dir), (options.n_fft, options.seconds)
    videos, audio = videos_by_name(options.data_dir), audio_by_name(options.data_dir)
    names = sorted(videos.keys() | audio.keys())
    stems = stems_by_name(options.data_dir)
    jobs = {name: (videos.get(name, []), audio.get(name), stems.get(name, {}), out / name, *cut) for name in names}
    return Step(
        "spectrograms", cut_audio, jobs, out, settings(*cut),
        beside=lambda: write_negatives(options.data_dir, *cut),
    )  # fmt: skip


def cut_audio(
    videos: list[Path], audio_file: Path | None, stems: dict[str, Path], folder: Path, n_fft: int, length: int
) -> None:
    """Write the spectrogram of each whole second of one NAME and of its stems, all or none; replace the folder."""
    with atomic_folder(folder) as partial:
        for second, spectrogram in _cut(audio_of_name(videos, audio_file), n_fft, length):
            save_array(partial / spectrogram_file(second), spectrogram)
        for stem, path in stems.items():
            for second, spectrogram in _cut(audio_of_name([], path), n_fft, length):
                save_array(partial / stem_spectrogram_file(second, stem), spectrogram)


def _cut(audio: Audio, n_fft: int, length: int) -> Iterable[tuple[int, np.ndarray]]:
    """Number and spectrogram [T, 64] of each whole second."""
    first_second, seconds = whole_seconds(audio, SAMPLE_RATE)
    if len(seconds) < length:
        end = audio.start + len(audio.samples) / audio.rate
        whole = "whole second" if length == SHORT else f"{length} whole seconds"
        raise MediaError(f"its audio has no {whole}: it lasts from {audio.start:.2f} to {end:.2f} s of the video")
    return enumerate(spectrograms_of(seconds, n_fft, length), first_second)


def spectrograms_of(seconds: np.ndarray, n_fft: int, length: int) -> Iterable[np.ndarray]:
    """Compute the spectrogram of each second of consecutive ones, float32 [n, 16000], from `length` seconds around it.

    Near both ends these are the first or the last ones that there are.
    """
    if length == SHORT:
        return log_mel(seconds, n_fft)
    starts = np.clip(np.arange(len(seconds)) - length // 2, 0, len(seconds) - length)
    # One at a time: windows overlap, and those of an hour would take a gigabyte.
    return (spectrograms(seconds[start : start + length].reshape(1, -1), n_fft, length)[0] for start in starts)


def write_negatives(data_dir: Path, n_fft: int, length: int) -> None:
    """Write ``noise.npy``, 64 spectrograms of white noise, and ``silence.npy``, one of silence; always the same."""
    # Every run writes them, which takes a moment, so that none is missing or has another window.
    size = length * SAMPLE_RATE
    noise = np.random.default_rng(10).standard_normal((64, size), np.float32) * 0.1  # of full scale
    silence = np.zeros((1, size), np.float32)
    for path, audio in ((noise_file(data_dir), noise), (silence_file(data_dir), silence)):
        with atomic_file(path) as partial:
            save_array(partial, spectrograms(audio, n_fft, length))


def save_array(path: Path, array: np.ndarray) -> None:
    """Write an array as ``.npy``. numpy itself says nothing if a disk is too full for the last 4 kB of a file."""
    content = io.BytesIO()
    np.save(content, array)
    path.write_bytes(content.getbuffer())
