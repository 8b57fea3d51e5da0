"""Writes the spectrograms of a video's audio, ``013.npy`` for second 13, and those of noise and silence."""

from pathlib import Path

import numpy as np

from common.atomic import atomic_file, atomic_folder
from common.errors import MediaError
from data.layout import noise_file, silence_file, spectrogram_file
from data.media.audio import audio_of_name, whole_seconds
from data.media.spectrogram import SAMPLE_RATE, log_mel


def cut_audio(videos: list[Path], audio_file: Path | None, folder: Path, n_fft: int) -> None:
    """Write the spectrogram of each whole second of one NAME into `folder`, all or none; replace the folder."""
    audio = audio_of_name(videos, audio_file)
    first_second, seconds = whole_seconds(audio, SAMPLE_RATE)
    if not len(seconds):
        end = audio.start + len(audio.samples) / audio.rate
        raise MediaError(f"its audio has no whole second: it lasts from {audio.start:.2f} to {end:.2f} s of the video")
    with atomic_folder(folder) as partial:
        for second, spectrogram in enumerate(log_mel(seconds, n_fft), first_second):
            np.save(partial / spectrogram_file(second), spectrogram)


def write_negatives(data_dir: Path, n_fft: int) -> None:
    """Write ``noise.npy``, 64 different seconds of white noise, and ``silence.npy``, one second; always the same."""
    # Every run writes them, which takes a moment, so that none is missing or has another window.
    noise = np.random.default_rng(10).standard_normal((64, SAMPLE_RATE), np.float32) * 0.1  # of full scale
    silence = np.zeros((1, SAMPLE_RATE), np.float32)
    for path, seconds in ((noise_file(data_dir), noise), (silence_file(data_dir), silence)):
        with atomic_file(path) as partial, partial.open("wb") as file:
            np.save(file, log_mel(seconds, n_fft))
