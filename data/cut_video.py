"""Cuts frames out of videos, by default 4 of each second, selected by their time stamps.

Reads ``DATA_DIR/video/NAME.mp4``, writes ``DATA_DIR/video_frames/NAME/frame_013/00411.jpg``: the folder is the second,
the file name is the index of the frame in the video. Finished videos are skipped on the next run.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from data.preprocess.frames import add_frame_options, frames_step
from data.preprocess.program import cut_parser, run_steps


def main(argv: Sequence[str] | None = None) -> int:
    """Cut the videos of a data set; return the exit status."""
    parser = cut_parser(__doc__)
    add_frame_options(parser)
    return run_steps("cut_video", [frames_step], "data/cut_audio.py", parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
