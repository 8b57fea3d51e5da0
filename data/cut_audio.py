"""Cuts sound into 1-second log-mel spectrograms, aligned to the picture.

Reads the sound of ``DATA_DIR/video/NAME.mp4``, or ``DATA_DIR/audio/NAME.flac`` (or .wav, ...) where there is one, and
writes ``DATA_DIR/audio_frames/NAME/013.npy``: float32 (201, 64), time and mel band, of second 13. A finished video is
skipped on the next run. Beside them, ``noise.npy`` and ``silence.npy``: seconds in which nothing sounds, to train and
test with.
"""

import os
import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    # Each worker process would start as many threads as there are cores, which then wait for one another.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from common.atomic import atomic_file, atomic_folder
from common.errors import MediaError
from data.layout import (
    audio_by_name,
    audio_frames_dir,
    noise_file,
    silence_file,
    spectrogram_file,
    videos_by_name,
)
from data.media.audio import Audio, audio_of_file, audio_of_video, whole_seconds
from data.media.spectrogram import SAMPLE_RATE, log_mel, settings
from data.preprocess.program import cut_parser, cut_videos, parse_cut, single_video
from data.preprocess.settings import N_FFT

MOST_N_FFT = 4096  # a quarter of a second
NOISE_SECONDS = 64
NOISE_RMS = 0.1  # of full scale
NOISE_SEED = 10


def cut_audio(sound: Audio, folder: Path, n_fft: int = N_FFT) -> None:
    """Write the spectrogram of each whole second of a sound, all or none.

    Args:
        sound: the sound, aligned to the picture.
        folder: where ``013.npy`` go; replaced if it exists.
        n_fft: samples of the window.

    Raises:
        MediaError: the sound is shorter than a second.
        OSError: the spectrograms cannot be written.
    """
    first_second, seconds = whole_seconds(sound, SAMPLE_RATE)
    if not len(seconds):
        end = sound.start + len(sound.samples) / sound.rate
        raise MediaError(
            f"its sound has no whole second: it lasts from {sound.start:.2f} to {end:.2f} s of the picture"
        )
    with atomic_folder(folder) as partial:
        for second, spectrogram in enumerate(log_mel(seconds, n_fft), first_second):
            np.save(partial / spectrogram_file(second), spectrogram)


def audio_of_name(videos: list[Path], sound_file: Path | None) -> Audio:
    """The sound of one NAME: of its separate sound file if it has one, else of its video.

    Raises:
        MediaError: it cannot be had.
    """
    if sound_file is None:
        return audio_of_video(single_video(videos))
    try:
        return audio_of_file(sound_file)
    except MediaError as error:
        raise MediaError(f"{sound_file}: {error}") from error


def cut_one(videos: list[Path], sound_file: Path | None, folder: Path, n_fft: int) -> None:
    """`cut_audio` for one NAME."""
    cut_audio(audio_of_name(videos, sound_file), folder, n_fft)


def write_negatives(data_dir: Path, n_fft: int) -> None:
    """Write ``noise.npy``, 64 different seconds of white noise, and ``silence.npy``, one second; always the same.

    They take a moment, so they are written on every run: none is ever missing or of another window.

    Raises:
        OSError: they cannot be written.
    """
    noise = np.random.default_rng(NOISE_SEED).standard_normal((NOISE_SECONDS, SAMPLE_RATE), np.float32) * NOISE_RMS
    silence = np.zeros((1, SAMPLE_RATE), np.float32)
    for path, seconds in ((noise_file(data_dir), noise), (silence_file(data_dir), silence)):
        with atomic_file(path) as partial, partial.open("wb") as file:
            np.save(file, log_mel(seconds, n_fft))


def window_length(text: str) -> int:
    """An option's value that can be the window of a spectrogram: even, 160 to 4096."""
    value = int(text)
    if value % 2 or not N_FFT <= value <= MOST_N_FFT:
        raise ArgumentTypeError(f"{value} is not an even number from {N_FFT} to {MOST_N_FFT}")
    return value


def parse(argv: Sequence[str] | None) -> Namespace:
    """Options of this program."""
    parser = cut_parser(__doc__)
    parser.add_argument(
        "--n_fft",
        type=window_length,
        default=N_FFT,
        help="samples of the window at 16 kHz; a longer one, as 512, leaves no mel filter empty and tells low notes "
        "apart, but blurs when they begin (default: %(default)s, as published, which leaves some empty)",
    )
    return parse_cut(parser, argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    options = parse(argv)
    out = audio_frames_dir(options.data_dir)
    videos, sounds = videos_by_name(options.data_dir), audio_by_name(options.data_dir)
    names = sorted(videos.keys() | sounds.keys())
    jobs = {name: (videos.get(name, []), sounds.get(name), out / name, options.n_fft) for name in names}
    return cut_videos(
        "cut_audio", cut_one, jobs, out, settings(options.n_fft), "location_dmc.py", options,
        beside=lambda: write_negatives(options.data_dir, options.n_fft),
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
