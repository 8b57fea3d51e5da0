"""Cuts audio into log-mel spectrograms of one second, aligned to the video.

Reads the audio of ``DATA_DIR/video/NAME.mp4``, or ``DATA_DIR/audio/NAME.flac`` (or .wav, ...) if there is one, and
writes ``DATA_DIR/audio_frames/NAME/013.npy``: float32 (201, 64), time and mel band, of second 13. Finished videos are
skipped on the next run. It also writes ``noise.npy`` and ``silence.npy``: spectrograms of white noise and of silence,
to train and test with. If there are stems, ``DATA_DIR/stems/NAME/5.wav``, it also writes their spectrograms, as
``013_5.npy``.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    # Otherwise each worker process starts one thread a core, and they wait for one another.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from data.preprocess.program import cut_parser, run_steps
from data.preprocess.spectrograms import add_spectrogram_options, spectrograms_step


def main(argv: Sequence[str] | None = None) -> int:
    """Cut the audio of a data set; return the exit status."""
    parser = cut_parser(__doc__)
    add_spectrogram_options(parser)
    return run_steps("cut_audio", [spectrograms_step], "location_dmc.py", parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
