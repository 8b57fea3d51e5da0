"""What the programs that cut videos share: options, finished videos, the run over all videos."""

import argparse
import contextlib
import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from common.at_work import at_work
from common.atomic import remove_folder
from common.cli import available_cores, command, new_parser, positive_int
from common.errors import UserError
from common.exit_status import exit_status
from data.layout import left_out, names_of_set, no_videos
from data.preprocess.runner import Cut, Jobs, Work, Workers, local_workers, map_videos, report
from data.preprocess.settings import record_settings


@dataclass(frozen=True)
class Step:
    """One kind of result of all videos: frames, or spectrograms."""

    title: str  # of its progress bar
    work: Work
    jobs: Jobs
    out: Path  # the results of NAME are in ``out/NAME``
    settings: dict[str, object]  # the results depend on them
    beside: Callable[[], None] = lambda: None  # writes further files into `out`, once the settings are known to fit


def cut_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser with the options of all these programs."""
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
        help="let the workers of this Dask scheduler cut the videos; they need the same folders as this machine, on a "
        "shared file system (requirements-cluster.txt; default: this machine alone)",
    )
    parser.add_argument(
        "--overwrite", type=int, choices=(0, 1), default=0, help="1 cuts finished videos again (default: 0)"
    )
    return parser


def scheduler_address(text: str) -> str:
    """Check an option's value that is the address of a Dask scheduler."""
    with contextlib.suppress(ValueError):  # the port is no number
        parts = urlsplit(text)
        if parts.scheme in ("tcp", "tls") and parts.hostname and parts.port:
            return text
    raise argparse.ArgumentTypeError(f"{text} is no tcp://HOST:PORT")


def is_finished(folder: Path) -> bool:
    """Whether a video's folder has files; it appears only when it is complete."""
    return folder.is_dir() and any(folder.iterdir())


def cut_unless_finished(work: Work, folder: Path, arguments: tuple) -> None:
    """Call `work`; a cluster repeats a finished job if its worker dies before the result arrives."""
    if not is_finished(folder):
        work(*arguments)


def open_workers(options: argparse.Namespace, out: Path) -> contextlib.AbstractContextManager[Workers]:
    """Open the workers that the options ask for."""
    if not options.dask:
        return contextlib.nullcontext(local_workers(options.num_threads))
    try:
        from data.preprocess.dask_executor import dask_workers
    except ModuleNotFoundError as error:
        raise UserError(
            f"--dask needs the package {error.name}: python3 -m pip install -r requirements-cluster.txt brings it"
        ) from error
    return dask_workers(options.dask, out)


def prepare_folder(step: Step, overwrite: bool) -> None:
    """Make the folder of the results ready, unless its files were cut with other settings."""
    out = step.out
    out.mkdir(parents=True, exist_ok=True)
    if overwrite:  # before the new settings are recorded: a kill must not leave old results under them
        for name in step.jobs:
            remove_folder(out / name)
    record_settings(out, step.settings, overwrite)
    step.beside()


def cut_step(step: Step, options: argparse.Namespace) -> Cut:
    """Do the jobs of a step whose results are not finished."""
    # Before results are removed: there may be no scheduler.
    with open_workers(options, step.out) as workers, at_work(step.out):
        prepare_folder(step, bool(options.overwrite))
        gc.freeze()  # librosa's objects: else each worker process would search and thereby copy them
        left = {name: (step.work, step.out / name, job) for name, job in step.jobs.items()}
        left = {name: job for name, job in left.items() if not is_finished(job[1])}
        results = map_videos(cut_unless_finished, left, workers, step.title)
    return Cut(step.out, results, finished_before=len(step.jobs) - len(left))


def run_steps(
    program: str,
    steps: Sequence[Callable[[argparse.Namespace], Step]],
    next_script: str,
    options: argparse.Namespace,
    first: Callable[[argparse.Namespace], None] = lambda options: None,
) -> int:
    """Call `first`, then cut all steps; print a summary and the next command; return the exit status."""

    def run() -> int:
        if options.dask:
            options.data_dir = options.data_dir.absolute()  # workers run in other folders
        for line in left_out(options.data_dir):
            print(line)
        first(options)
        planned = [step(options) for step in steps]
        if not any(step.jobs for step in planned) and not names_of_set(options.data_dir):
            raise no_videos(options.data_dir)
        return report([cut_step(step, options) for step in planned], command(next_script, options.data_dir))

    return exit_status(program, run, stopped="stopped; finished videos are kept, run it again to go on")
