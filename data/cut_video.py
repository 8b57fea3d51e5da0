"""Cuts frames out of videos: by default 4 of each second, chosen by their time stamps.

Reads ``DATA_DIR/video/NAME.mp4``, writes ``DATA_DIR/video_frames/NAME/frame_013/00411.jpg``: the folder is the second,
the file the index of the frame in the video. A finished video is skipped on the next run.
"""

import shutil
import sys
from argparse import Namespace
from collections.abc import Iterable, Sequence
from pathlib import Path

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from PIL import Image

from common.atomic import atomic_folder
from common.cli import positive_int, whole_number
from data.layout import frame_file, video_frames_dir, videos_by_name
from data.media.video import SHORT_SIDE, TimesDiffer, decoded_pts, promised_pts, sample_frames
from data.preprocess.program import cut_parser, cut_videos, decoder_threads, parse_cut, single_video

JPEG_QUALITY = 95


def cut_video(video: Path, folder: Path, fps: int, short_side: int, threads: int) -> None:
    """Write the sample frames of one video, whole or not at all.

    Args:
        video: the video file.
        folder: where ``frame_013/00411.jpg`` go; replaced if it exists.
        fps: frames a second.
        short_side: pixels of the shorter side; 0 keeps the size.
        threads: threads of the decoder.

    Raises:
        MediaError: the video cannot be used.
        OSError: the frames cannot be written.
    """
    with atomic_folder(folder) as partial:
        pts = promised_pts(video)
        try:
            if pts is None:
                raise TimesDiffer
            _write_frames(sample_frames(video, pts, fps, short_side, threads), partial)
        except TimesDiffer:  # a frame was lost or comes without a time stamp: count what is really shown
            shutil.rmtree(partial)
            partial.mkdir()
            frames = sample_frames(video, decoded_pts(video, threads), fps, short_side, threads, check_pts=False)
            _write_frames(frames, partial)


def _write_frames(frames: Iterable[tuple[int, int, Image.Image]], folder: Path) -> None:
    for second, index, picture in frames:
        path = folder / frame_file(second, index)
        path.parent.mkdir(exist_ok=True)
        picture.save(path, quality=JPEG_QUALITY)


def cut_one(videos: list[Path], folder: Path, fps: int, short_side: int, threads: int) -> None:
    """`cut_video` for one NAME, which must not stand for several files."""
    cut_video(single_video(videos), folder, fps, short_side, threads)


def parse(argv: Sequence[str] | None) -> Namespace:
    """Options of this program."""
    parser = cut_parser(__doc__)
    parser.add_argument("--fps", type=positive_int, default=4, help="frames kept of each second (default: 4)")
    parser.add_argument(
        "--short_side",
        type=whole_number,
        default=SHORT_SIDE,
        help="pixels of the frames' shorter side; 0 keeps the video's size (default: %(default)s)",
    )
    return parse_cut(parser, argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    options = parse(argv)
    out = video_frames_dir(options.data_dir)
    videos = videos_by_name(options.data_dir)
    threads = decoder_threads(options, len(videos))
    jobs = {name: (paths, out / name, options.fps, options.short_side, threads) for name, paths in videos.items()}
    settings = {"fps": options.fps, "short_side": options.short_side}
    return cut_videos("cut_video", cut_one, jobs, out, settings, "data/cut_audio.py", options)


if __name__ == "__main__":
    sys.exit(main())
