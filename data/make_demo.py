"""Write the demo data set: videos of instruments that play and move, and where each of them is.

A small orchestra, drawn and synthesised, so that everything runs without a download. The files are real mp4 videos
with the variety of real ones: four frame rates, two sample rates, mono and stereo, names that start with a dash.

    python3 data/make_demo.py                                  # 210 solos in datasets/demo
    python3 data/make_demo.py --data_dir datasets/demo_duet --sources 2
    python3 data/make_demo.py --data_dir datasets/demo_silent --distractors 1
"""

import sys
from pathlib import Path

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import contextlib
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from dataclasses import dataclass

import av
import numpy as np
from tqdm import tqdm

from common.cli import INTERRUPTED, available_cores, command, new_parser, positive_int, whole_number
from data.demo.encode import write_video
from data.demo.folder import ForeignDataError, FrameBoxes, prepare_folder, video_path, write_descriptions
from data.demo.plan import SILENT_THINGS, DemoSettings, VideoPlan, plan_videos
from data.demo.scene import HEIGHT, WIDTH, Scene, build_scene, render_frame, visible_boxes
from data.demo.soundtrack import render_sound


@dataclass(frozen=True)
class Task:
    """A video to write, or one that is there and of which only the boxes are wanted (`path` is None)."""

    settings: DemoSettings
    plan: VideoPlan
    path: Path | None


def make_video(task: Task) -> FrameBoxes:
    """Write the video of a task where it asks for one; return the boxes of what sounds, for every frame.

    Raises:
        OSError, av.FFmpegError: it can't be written.
    """
    scene = build_scene(task.settings, task.plan)
    if task.path is None:
        return [visible_boxes(scene, index) for index in range(task.plan.frames)]
    boxes: FrameBoxes = []
    sound = render_sound(task.settings, task.plan)
    frames = _rendered(scene, task.plan.frames, boxes)
    write_video(task.path, frames, (WIDTH, HEIGHT), task.plan.frame_rate, sound, task.plan.sample_rate)
    return boxes


def _rendered(scene: Scene, count: int, boxes: FrameBoxes) -> Iterator[np.ndarray]:
    """The frames one by one; each one's boxes are appended to `boxes`."""
    for index in range(count):
        frame, frame_boxes = render_frame(scene, index)
        boxes.append(frame_boxes)
        yield frame


def make_videos(tasks: Sequence[Task], processes: int) -> list[FrameBoxes]:
    """Do all tasks in several processes, with a progress bar; results in the order of the tasks.

    Raises:
        OSError, av.FFmpegError: a video can't be written.
        BrokenExecutor: a process was killed.
        KeyboardInterrupt: once the videos that were begun are finished.
    """
    with _interrupts_ignored():  # the processes inherit it: Ctrl-C is for this one to handle
        executor = ProcessPoolExecutor(min(processes, len(tasks)), initializer=_ignore_interrupts)
        futures = [executor.submit(make_video, task) for task in tasks]
    try:
        return _results(futures)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _results(futures: Sequence[Future[FrameBoxes]]) -> list[FrameBoxes]:
    with tqdm(futures, unit="video", desc="make videos") as bar:  # closed also on an error, before its message
        return [future.result() for future in bar]


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def make_data_set(data_dir: Path, settings: DemoSettings, processes: int, overwrite: bool) -> int:
    """Write what is missing of a demo data set; return how many of its videos were there already.

    Raises:
        ForeignDataError: the folder holds other data.
        OSError, av.FFmpegError, BrokenExecutor, KeyboardInterrupt: see `make_videos`.
    """
    plans = plan_videos(settings)
    present = prepare_folder(data_dir, settings, plans, overwrite)
    paths = [None if plan.name in present else video_path(data_dir, plan.name) for plan in plans]
    boxes = make_videos([Task(settings, plan, path) for plan, path in zip(plans, paths, strict=True)], processes)
    write_descriptions(data_dir, settings, plans, boxes)
    return len(present)


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Options of the command line."""
    parser = new_parser(__doc__)
    parser.add_argument("--videos", type=positive_int, default=210, metavar="N", help="how many (default: 210)")
    parser.add_argument("--seconds", type=positive_int, default=6, metavar="N", help="length of each (default: 6)")
    parser.add_argument(
        "--sources",
        type=int,
        choices=(1, 2),
        default=1,
        help="instruments in each video: 1 makes solos, 2 duets (default: 1)",
    )
    parser.add_argument(
        "--distractors",
        type=int,
        choices=range(len(SILENT_THINGS) + 1),
        default=0,
        metavar="N",
        help=f"things in each video that make no sound, up to {len(SILENT_THINGS)}; they are seen, but not in "
        "boxes.json (default: 0)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number,
        default=10,
        metavar="N",
        help="another seed makes other videos; the first of a large set are those of a small one (default: 10)",
    )
    parser.add_argument(
        "--num_threads",
        type=positive_int,
        default=available_cores(),
        metavar="N",
        help="processes that make videos at the same time; the videos do not depend on it (default: %(default)s)",
    )
    parser.add_argument(
        "--overwrite",
        type=int,
        choices=(0, 1),
        default=0,
        help="1 removes the demo data set in the folder first, with its extracted frames and sounds and its lists; "
        "0 keeps videos that are there and makes the missing ones (default: %(default)s)",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; return its exit status."""
    arguments = parse_arguments(argv)
    settings = DemoSettings(
        arguments.videos, arguments.seconds, arguments.sources, arguments.distractors, arguments.seed
    )
    data_dir = arguments.data_dir
    try:
        present = make_data_set(data_dir, settings, arguments.num_threads, bool(arguments.overwrite))
    except ForeignDataError as error:
        return _failed(str(error))
    except (OSError, av.FFmpegError) as error:
        return _failed(f"The demo data set can't be written in {data_dir}: {error}. Choose another --data_dir?")
    except BrokenExecutor:
        return _failed("A process was killed, for want of memory? Run again with a smaller --num_threads.")
    except KeyboardInterrupt:
        print("Interrupted. Run again to make the missing videos.", file=sys.stderr)
        return INTERRUPTED
    print(_summary(data_dir, settings.videos, present))
    return 0


def _failed(message: str) -> int:
    print(f"make_demo.py: {message}", file=sys.stderr)
    return 1


def _summary(data_dir: Path, videos: int, present: int) -> str:
    there = f" ({present} of them were there already)" if present else ""
    return (
        f"{videos} videos{there}, boxes.json, labels.json and demo.json are in {data_dir}. "
        f"Next: {command('data/split.py', data_dir)}"
    )


if __name__ == "__main__":
    sys.exit(main())
