"""Prepares a data set for training: lists, frames and spectrograms.

Does what `split.py`, `cut_video.py` and `cut_audio.py` do, in this order, and takes their options. You can interrupt it
at any time; running it again resumes.

    python3 data/prepare.py --data_dir datasets/mine
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    # Otherwise each worker process starts one thread a core, and they wait for one another.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from data.preprocess.frames import add_frame_options, frames_step
from data.preprocess.program import cut_parser, run_steps
from data.preprocess.spectrograms import add_spectrogram_options, spectrograms_step
from data.sets.splitting import add_split_options, keep_or_write_lists


def main(argv: Sequence[str] | None = None) -> int:
    """Prepare a data set; return the exit status."""
    parser = cut_parser(__doc__)
    add_split_options(parser)
    add_frame_options(parser)
    add_spectrogram_options(parser)
    steps = [frames_step, spectrograms_step]
    return run_steps("prepare", steps, "location_dmc.py", parser.parse_args(argv), first=keep_or_write_lists)


if __name__ == "__main__":
    sys.exit(main())
