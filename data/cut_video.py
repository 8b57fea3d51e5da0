"""Cuts frames out of videos, by default 4 of each second, selected by their time stamps.

Reads ``DATA_DIR/video/NAME.mp4``, writes ``DATA_DIR/video_frames/NAME/frame_013/00411.jpg``: the folder is the second,
the file name is the index of the frame in the video. Finished videos are skipped on the next run.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from common.cli import available_cores, positive_int, whole_number
from data.layout import video_frames_dir, videos_by_name
from data.media.video import SHORT_SIDE
from data.preprocess.frames import cut_video
from data.preprocess.program import cut_parser, cut_videos, parse_cut


def main(argv: Sequence[str] | None = None) -> int:
    """Cut the videos of a data set; return the exit status."""
    parser = cut_parser(__doc__)
    parser.add_argument("--fps", type=positive_int, default=4, help="frames kept of each second (default: 4)")
    parser.add_argument(
        "--short_side",
        type=whole_number,
        default=SHORT_SIDE,
        help="pixels of the frames' shorter side; 0 keeps the video's size (default: %(default)s)",
    )
    options = parse_cut(parser, argv)
    out = video_frames_dir(options.data_dir)
    videos = videos_by_name(options.data_dir)
    # Videos that are cut at the same time share the cores.
    threads = 1 if options.dask else max(1, available_cores() // min(options.num_threads, max(1, len(videos))))
    jobs = {name: (paths, out / name, options.fps, options.short_side, threads) for name, paths in videos.items()}
    settings = {"fps": options.fps, "short_side": options.short_side}
    return cut_videos("cut_video", cut_video, jobs, out, settings, "data/cut_audio.py", options)


if __name__ == "__main__":
    sys.exit(main())
