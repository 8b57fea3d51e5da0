"""Writes the sample frames of a video: ``frame_013/00411.jpg`` is frame 411, in second 13."""

import argparse
import io
import shutil
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from common.atomic import atomic_folder
from common.cli import available_cores, positive_int, whole_number
from common.errors import MediaError
from data.layout import frame_file, video_frames_dir, videos_by_name
from data.media.container import packet_pts, single_file
from data.media.video import SHORT_SIDE, TimesDiffer, decoded_pts, sample_frames
from data.preprocess.program import Step


def add_frame_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `frames_step`."""
    parser.add_argument("--fps", type=positive_int, default=4, help="frames kept of each second (default: 4)")
    parser.add_argument(
        "--short_side",
        type=whole_number,
        default=SHORT_SIDE,
        help="pixels of the frames' shorter side; 0 keeps the video's size (default: %(default)s)",
    )


def frames_step(options: argparse.Namespace) -> Step:
    """Return the step that cuts the frames of a data set's videos."""
    out = video_frames_dir(options.data_dir)
    videos = videos_by_name(options.data_dir)
    # Videos that are cut at the same time share the cores.
    threads = 1 if options.dask else max(1, available_cores() // min(options.num_threads, max(1, len(videos))))
    jobs = {name: (paths, out / name, options.fps, options.short_side, threads) for name, paths in videos.items()}
    return Step("frames", cut_video, jobs, out, {"fps": options.fps, "short_side": options.short_side})


JPEG_SIDE = 65_535  # pixels


def cut_video(videos: list[Path], folder: Path, fps: int, short_side: int, threads: int) -> None:
    """Write the sample frames of one NAME into `folder`, all or none; for the arguments see `sample_frames`."""
    video = single_file(videos)
    with atomic_folder(folder) as partial:
        pts = packet_pts(video)
        try:
            if pts is None:
                raise TimesDiffer
            _write(sample_frames(video, pts, fps, short_side, threads), partial)
        except TimesDiffer:  # a frame is lost or has no time stamp: count the frames that decode
            shutil.rmtree(partial)
            partial.mkdir()
            pts = decoded_pts(video, threads)
            _write(sample_frames(video, pts, fps, short_side, threads, check_pts=False), partial)


def _write(frames: Iterable[tuple[int, int, Image.Image]], folder: Path) -> None:
    for second, index, frame in frames:
        if max(frame.size) > JPEG_SIDE:
            shape = " x ".join(map(str, frame.size))
            raise MediaError(
                f"its frames are so narrow that they become {shape} pixels, and JPEG holds {JPEG_SIDE} a side: "
                "leave it out, or use a smaller --short_side"
            )
        path = folder / frame_file(second, index)
        path.parent.mkdir(exist_ok=True)
        content = io.BytesIO()  # Pillow itself says nothing if a disk is too full for the end of a file
        frame.save(content, format="JPEG", quality=95)
        path.write_bytes(content.getbuffer())
