"""What `cut_video.py` and `cut_audio.py` share: options, skipping what is finished, the run over all videos."""

import argparse
import contextlib
import gc
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from common.atomic import clear_partial
from common.cli import INTERRUPTED, available_cores, command, new_parser, positive_int
from common.errors import MediaError, UserError
from data.layout import video_dir
from data.preprocess.runner import Source, ended_like_ctrl_c, map_videos, processes, report
from data.preprocess.settings import record_settings

SCHEMES = ("tcp", "tls")  # of Dask schedulers


def cut_parser(description: str) -> argparse.ArgumentParser:
    """Parser with the options that both programs have."""
    parser = new_parser(description)
    parser.add_argument(
        "--num_threads",
        type=positive_int,
        default=available_cores(),
        help="worker processes, each works on one video (default: one a core, here %(default)s); no effect with --dask",
    )
    parser.add_argument(
        "--dask",
        type=scheduler_address,
        metavar="tcp://HOST:PORT",
        help="have the workers of this Dask scheduler cut the videos, on as many machines as there are; they need the "
        "same folders as this one, on a shared file system (requirements-cluster.txt; default: this machine alone)",
    )
    parser.add_argument(
        "--overwrite", type=int, choices=(0, 1), default=0, help="1 cuts finished videos again (default: 0)"
    )
    return parser


def scheduler_address(text: str) -> str:
    """An option's value that is the address of a Dask scheduler."""
    parts = urlsplit(text)
    try:
        if parts.scheme in SCHEMES and parts.hostname and parts.port:
            return text
    except ValueError:  # the port is no number
        pass
    raise argparse.ArgumentTypeError(f"{text} is no tcp://HOST:PORT")


def parse_cut(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """Options of a parser that `cut_parser` made."""
    options = parser.parse_args(argv)
    if options.dask:
        options.data_dir = options.data_dir.absolute()  # workers run in other folders
    return options


def decoder_threads(options: argparse.Namespace, videos: int) -> int:
    """Threads for each of so many videos; the videos that are cut at the same time share the cores."""
    return 1 if options.dask else max(1, available_cores() // min(options.num_threads, max(1, videos)))


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


@contextlib.contextmanager
def open_source(options: argparse.Namespace, out: Path, work: Callable[..., None]) -> Iterator[Source]:
    """Yield what has videos cut: processes of this machine, or a Dask cluster; see `cut_videos`.

    Raises:
        UserError: there is no such cluster, or it cannot do the work.
    """
    if not options.dask:
        yield processes(options.num_threads)
        return
    try:
        from data.preprocess.dask_executor import dask_cluster
    except ModuleNotFoundError as error:
        raise UserError(
            f"--dask needs the package {error.name}: python3 -m pip install -r requirements-cluster.txt brings it"
        ) from error
    with dask_cluster(options.dask, out, work, await_worker=bool(options.overwrite)) as source:
        yield source


@contextlib.contextmanager
def made_to_stay() -> Iterator[None]:
    """What is made as long as this lasts, libraries above all, stays to the end: it is never searched for garbage.

    Neither now, nor in the workers, whose copies of it would be written to by that (see `gc.freeze`), nor at the end:
    librosa alone takes a third of a second less.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()


def prepare(
    out: Path, settings: dict[str, object], names: Iterable[str], overwrite: bool, beside: Callable[[], None] | None
) -> None:
    """Make the folder of the results ready; see `cut_videos`.

    Raises:
        UserError: what is in it was cut with other settings, or it cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        record_settings(out, settings, overwrite)
        clear_partial(out)
        if beside:
            beside()
        if overwrite:
            for name in names:
                shutil.rmtree(out / name, ignore_errors=True)
    except OSError as error:
        raise UserError(f"cannot write into {out} ({error.strerror}): make it writable") from error


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
        # Before anything is replaced: there may be no cluster, or one that cannot help.
        with ended_like_ctrl_c(), open_source(options, out, work) as source:
            with made_to_stay():
                prepare(out, settings, jobs, bool(options.overwrite), beside)
            left = {name: arguments for name, arguments in jobs.items() if not is_finished(out / name)}
            outcomes = map_videos(work, left, source, program)
    except UserError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{program}: stopped; finished videos are kept, run it again to go on", file=sys.stderr)
        return INTERRUPTED
    next_step = command(next_script, options.data_dir)
    return report(outcomes, len(jobs) - len(left), "cut", out, next_step)
