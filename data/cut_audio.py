"""Cuts audio into log-mel spectrograms of one second, aligned to the video.

Reads the audio of ``DATA_DIR/video/NAME.mp4``, or ``DATA_DIR/audio/NAME.flac`` (or .wav, ...) if there is one, and
writes ``DATA_DIR/audio_frames/NAME/013.npy``: float32 (201, 64), time and mel band, of second 13. Finished videos are
skipped on the next run. It also writes ``noise.npy`` and ``silence.npy``: spectrograms of white noise and of silence,
to train and test with.
"""

import os
import sys
from argparse import ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    # Otherwise each worker process starts one thread a core, and they wait for one another.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from data.layout import audio_by_name, audio_frames_dir, videos_by_name
from data.media.spectrogram import settings
from data.preprocess.program import cut_parser, cut_videos, parse_cut
from data.preprocess.settings import N_FFT
from data.preprocess.spectrograms import cut_audio, write_negatives

MOST_N_FFT = 4096  # a quarter of a second


def window_length(text: str) -> int:
    """Check an option's value that is the window of a spectrogram: even, 160 to 4096."""
    value = int(text)
    if value % 2 or not N_FFT <= value <= MOST_N_FFT:
        raise ArgumentTypeError(f"{value} is not an even number from {N_FFT} to {MOST_N_FFT}")
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """Cut the audio of a data set; return the exit status."""
    parser = cut_parser(__doc__)
    parser.add_argument(
        "--n_fft",
        type=window_length,
        default=N_FFT,
        help="samples of the window at 16 kHz; a longer one such as 512 leaves no mel filter empty and separates low "
        "notes, but blurs their onsets (default: %(default)s, as published, which leaves some filters empty)",
    )
    options = parse_cut(parser, argv)
    out = audio_frames_dir(options.data_dir)
    videos, audio = videos_by_name(options.data_dir), audio_by_name(options.data_dir)
    names = sorted(videos.keys() | audio.keys())
    jobs = {name: (videos.get(name, []), audio.get(name), out / name, options.n_fft) for name in names}
    return cut_videos(
        "cut_audio", cut_audio, jobs, out, settings(options.n_fft), "location_dmc.py", options,
        beside=lambda: write_negatives(options.data_dir, options.n_fft),
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
