"""Shows what sounds in a video of your own: a heat map over the picture, with the original sound.

    python3 vis/localize.py my_video.mp4 --ckpt_file runs/dmc/best.pth

writes my_video_heat.mp4: the same pictures, upright, at the same times. All that the network is, is the checkpoint's.
"""

import os
import sys
from pathlib import Path

# As in location_dmc.py: threads that wait for one another are to leave the cores to the video's decoder and encoder.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import contextlib
import math
import signal
import time
import warnings
from collections.abc import Sequence

import av
import torch

from common.atomic import atomic_file
from common.cli import available_cores, plain_parser, positive_int, whole_number
from common.errors import MediaError, MediaWarning, UserError
from common.exit_status import exit_status
from training.load import Trained, load_trained
from vis.heat_video.render import Style, Summary, write_heat_video
from vis.heat_video.writer import kind_of

SILENCE = -50.0  # decibels of full scale
MAPS_A_SECOND = 8
LEAST_MAPS_A_SECOND = 4  # below, what moves is shown where it was


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Options of this program."""
    parser = plain_parser(__doc__)
    parser.add_argument("video", type=Path, help="any video with sound that FFmpeg reads")
    parser.add_argument(
        "--ckpt_file",
        type=Path,
        default=Path("runs/dmc/best.pth"),
        help="the trained network, with its options; the published code's too (default: %(default)s)",
    )
    parser.add_argument("--out", type=Path, help="the video to write, .mp4, .mov or .mkv (default: VIDEO_heat.mp4)")
    parser.add_argument("--json", type=Path, help="a file for the peak and the box of each frame")
    parser.add_argument(
        "--cluster",
        type=whole_number,
        help="show one map only: 0 is matched to the first sound cluster, those that no sound is matched to come last "
        "(default: those of all sound clusters, each in its colour)",
    )
    parser.add_argument("--side_by_side", action="store_true", help="show the plain picture to the left")
    parser.add_argument(
        "--draw_box", type=int, choices=(0, 1), default=0, help="1 draws the box around each map's peak (default: 0)"
    )
    parser.add_argument(
        "--silence",
        type=decibels,
        default=SILENCE,
        metavar="DECIBELS",
        help="of full scale: sound up to this level shows no heat, from 6 above it on all of it "
        f"(default: {SILENCE:g})",
    )
    parser.add_argument(
        "--maps_per_second",
        type=maps_per_second,
        default=MAPS_A_SECOND,
        help="how often the network looks, at least 4; between these maps heat changes smoothly (default: %(default)s)",
    )
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"), help="auto is a GPU if any")
    parser.add_argument(
        "--num_threads",
        type=positive_int,
        default=available_cores(),
        help="of decoder, network and encoder each (default: one a core, here %(default)s)",
    )
    parser.add_argument(
        "--overwrite", type=int, choices=(0, 1), default=0, help="1 replaces files that are there (default: 0)"
    )
    return parser.parse_args(argv)


def maps_per_second(text: str) -> int:
    """An option's value that is 4 or more."""
    value = int(text)
    if value < LEAST_MAPS_A_SECOND:
        raise argparse.ArgumentTypeError(f"{value} is less than {LEAST_MAPS_A_SECOND}")
    return value


def decibels(text: str) -> float:
    """An option's value that is a finite number."""
    value = float(text)
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text} is no finite number")
    return value


def shown_clusters(trained: Trained, cluster: int | None) -> list[int]:
    """The maps that are shown: all sound clusters', or the one that is asked for.

    Raises:
        UserError: there is no such map.
    """
    if cluster is None:
        return list(range(trained.options.a_cluster))
    if cluster >= trained.options.v_cluster:
        most = trained.options.v_cluster - 1
        raise UserError(f"--cluster {cluster}: this network has the maps 0 to {most}, one a cluster of the picture")
    return [cluster]


def require_outputs(video: Path, outputs: dict[str, Path | None], overwrite: bool) -> None:
    """Make sure that the files may be written, and make their folders.

    Args:
        video: the source.
        outputs: option -> the file that it names; None where there is none.
        overwrite: whether files that are there may be replaced.

    Raises:
        UserError: two are the same, or one is a folder, or there already.
        OSError: a folder cannot be made.
    """
    named = {option: path for option, path in outputs.items() if path}
    if len({path.resolve() for path in (video, *named.values())}) <= len(named):
        raise UserError(f"the video, {' and '.join(named)} have to be different files")
    for option, path in named.items():
        if path.is_dir():
            raise UserError(f"{path} is a folder: {option} names a file")
        if path.exists() and not overwrite:
            raise UserError(f"{path} is there already: --overwrite 1 replaces it, {option} names another file")
        path.parent.mkdir(parents=True, exist_ok=True)


def localize(options: argparse.Namespace) -> None:
    """Write the video, and the JSON file if it is asked for, each whole or not at all.

    Raises:
        UserError: something that the user can mend.
        OSError, av.FFmpegError: a file cannot be written.
    """
    out = options.out or options.video.with_name(f"{options.video.stem}_heat.mp4")
    kind = kind_of(out)
    require_outputs(options.video, {"--out": out, "--json": options.json}, bool(options.overwrite))
    torch.set_num_threads(options.num_threads)
    trained = load_trained(options.ckpt_file, options.device)
    if trained.note:
        print(trained.note)
    clusters = shown_clusters(trained, options.cluster)
    style = Style(clusters, bool(options.draw_box), options.side_by_side, options.silence, options.maps_per_second)
    begin = time.perf_counter()
    with contextlib.ExitStack() as files:
        file = files.enter_context(files.enter_context(atomic_file(out)).open("wb"))
        json = None
        if options.json:
            json = files.enter_context(files.enter_context(atomic_file(options.json)).open("w", encoding="utf-8"))
        written = write_heat_video(options.video, file, kind, trained, style, options.num_threads, json)
    report(written, time.perf_counter() - begin, out, options)


def report(written: Summary, seconds: float, out: Path, options: argparse.Namespace) -> None:
    """Print what was written, how fast, and what to do if nothing is to be seen in it."""
    print(
        f"Wrote {out}: {written.pictures} frames, {written.with_heat} of them with heat, in {seconds:.1f} s, "
        f"{written.seconds / seconds:.1f} times as fast as it plays."
    )
    if options.json:
        print(f"The peak and the box of each are in {options.json}.")
    if not written.with_heat:
        print(f"No sound is louder than --silence {options.silence:g} decibels: give a lower one to see its heat.")


def try_localize(options: argparse.Namespace) -> None:
    """As `localize`; then what was odd about the video is told, and what went wrong is a UserError.

    Raises:
        UserError, OSError: as `localize`.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MediaWarning)
        try:
            localize(options)
        except MediaError as error:
            raise UserError(f"{options.video}: {error}") from error
        except av.FFmpegError as error:
            raise OSError(error.errno, error.strerror, error.filename) from error
        except torch.OutOfMemoryError as error:
            raise UserError("the device's memory is too small: try --device cpu") from error
    for note in dict.fromkeys(str(one.message) for one in caught if issubclass(one.category, MediaWarning)):
        print(f"{options.video}: {note}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    options = parse(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a plain kill ends it as Ctrl-C does
    return exit_status("localize", lambda: try_localize(options), "stopped, nothing was written")


if __name__ == "__main__":
    sys.exit(main())
