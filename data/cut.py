"""What `cut_video.py` and `cut_audio.py` share: options, skipping what is finished, the run over all videos."""

import argparse
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from data.command_line import INTERRUPTED, available_cores, command, new_parser, positive_int
from data.errors import MediaError, UserError
from data.layout import video_dir
from data.run_over_videos import report, run_over_videos
from data.settings import record_settings
from data.whole_files import clear_partial


def cut_parser(description: str) -> argparse.ArgumentParser:
    """Parser with the options that both programs have."""
    parser = new_parser(description)
    parser.add_argument(
        "--num_threads",
        type=positive_int,
        default=available_cores(),
        help="worker processes, each works on one video (default: one a core, here %(default)s)",
    )
    parser.add_argument(
        "--overwrite", type=int, choices=(0, 1), default=0, help="1 cuts finished videos again (default: 0)"
    )
    return parser


def single_video(videos: list[Path]) -> Path:
    """The one file of a NAME.

    Raises:
        MediaError: there are several, as ``a.mp4`` and ``a.webm``.
    """
    if len(videos) > 1:
        names = ", ".join(video.name for video in videos)
        raise MediaError(f"several videos have this name: {names}; keep one of them")
    return videos[0]


def is_finished(folder: Path) -> bool:
    """Whether a video's folder is there and holds something: it only appears when it is whole."""
    return folder.is_dir() and any(folder.iterdir())


def cut_videos(
    program: str,
    work: Callable[..., None],
    jobs: dict[str, tuple],
    out: Path,
    settings: dict[str, object],
    next_script: str,
    options: argparse.Namespace,
    beside: Callable[[], None] | None = None,
) -> int:
    """Run `work` on every job whose folder in `out` is not finished; returns the exit status.

    Args:
        program: its name, for messages.
        work: cuts one video, called with a job's arguments.
        jobs: NAME -> arguments; writes ``out/NAME``.
        out: folder of the results.
        settings: what the results depend on, recorded in `out`.
        next_script: what to run afterwards.
        options: of `cut_parser`.
        beside: writes what lies in `out` beside the videos' folders, once the settings are known to fit.
    """
    if not jobs:
        print(
            f"{program}: no videos in {video_dir(options.data_dir)}. Put some there, or make the demo set with "
            f"{command('data/make_demo.py', options.data_dir)}",
            file=sys.stderr,
        )
        return 1
    try:
        out.mkdir(parents=True, exist_ok=True)
        record_settings(out, settings, bool(options.overwrite))
        clear_partial(out)
        if beside:
            beside()
        if options.overwrite:
            for name in jobs:
                shutil.rmtree(out / name, ignore_errors=True)
    except UserError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{program}: cannot write into {out} ({error.strerror}): make it writable", file=sys.stderr)
        return 1
    left = {name: arguments for name, arguments in jobs.items() if not is_finished(out / name)}
    try:
        outcomes = run_over_videos(work, left, options.num_threads, program)
    except KeyboardInterrupt:
        print(f"{program}: stopped; finished videos are kept, run it again to go on", file=sys.stderr)
        return INTERRUPTED
    next_step = command(next_script, options.data_dir)
    return report(outcomes, len(jobs) - len(left), "cut", out, next_step)
