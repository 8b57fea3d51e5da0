"""How many seconds of media the programs cut in a second, beside ffmpeg and the loops that one writes first.

    python3 benchmarks/preprocessing.py                        # some minutes on 2 cores
    python3 benchmarks/preprocessing.py --videos 200 --repeats 5

Each is run whole, as a user runs it, start-up included; in turns, so that what slows the machine slows all of them;
the figures are medians. Pictures: 4 of each second, 256 pixels on the shorter side, JPEG. cut_video.py chooses frames
by their time stamps. ffmpeg: -vf fps=4,scale -q:v 2, once with as many processes of one thread as there are cores,
once as one process after the other with as many threads; the faster one counts. OpenCV: cv2.VideoCapture, every
frame read, one process. Sounds: spectrograms of each second. The librosa loop opens, reads and resamples each second by
itself with librosa.load, one process; once from the video, and once from WAV files that ffmpeg has extracted before, in
the same time. benchmarks/plain_loops.py has both loops. What is not installed is left out, and named.
"""

import argparse
import functools
import importlib.util
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.clock import interleaved, medians
from benchmarks.media_sets import MediaSet, long_set, short_set
from benchmarks.plain_loops import FPS, SHORT_SIDE
from benchmarks.programs import ROOT
from benchmarks.results import machine_line, markdown_table, new_results, save_results
from common.cli import available_cores, plain_parser, positive_int
from common.errors import UserError
from common.exit_status import exit_status
from data.layout import audio_frames_dir, video_frames_dir

KINDS = {"pictures": "cut_video.py", "sounds": "cut_audio.py"}  # what is cut, and the program of this project
FFMPEG_QUALITY = 2  # the best that ffmpeg's JPEG encoder has without asking for more


def run_quietly(command: Sequence[object]) -> None:
    """Run a command.

    Raises:
        UserError: it failed.
    """
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise UserError(f"{command[0]} failed, exit status {done.returncode}: {reason}")


def at_a_time(count: int, commands: Sequence[Sequence[object]]) -> None:
    """Run commands, `count` of them at a time."""
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(run_quietly, commands))


def ffmpeg_frames(media_set: MediaSet, out: Path, processes: int, threads: int) -> None:
    """Write 4 frames of each second with the ffmpeg command."""
    commands = []
    for video in media_set.videos:
        folder = out / video.stem
        folder.mkdir(parents=True)
        reading = ("-v", "error", "-nostdin", "-threads", threads, "-i", video.absolute())
        writing = ("-an", "-vf", f"fps={FPS},scale=-2:{SHORT_SIDE}:flags=bicubic", "-q:v", FFMPEG_QUALITY)
        commands.append(["ffmpeg", *reading, *writing, folder.absolute() / "%05d.jpg"])
    at_a_time(processes, commands)


def librosa_from_wav(media_set: MediaSet, out: Path, cores: int) -> None:
    """Extract WAV files with the ffmpeg command, then loop over their seconds."""
    wavs = out / "wav"
    wavs.mkdir(parents=True)
    files = [(wavs / video.stem).absolute().with_name(f"{video.stem}.wav") for video in media_set.videos]
    at_a_time(
        cores,
        [
            ["ffmpeg", "-v", "error", "-nostdin", "-i", video.absolute(), "-vn", file]
            for video, file in zip(media_set.videos, files, strict=True)
        ],
    )
    run_quietly([sys.executable, ROOT / "benchmarks/plain_loops.py", "librosa", out, media_set.seconds, *files])


def contenders(kind: str, media_set: MediaSet, cores: int) -> dict[str, Callable[[], None]]:
    """Name -> what cuts the pictures or the sounds of a set; the first one is this project's program."""
    program, data_dir = KINDS[kind], media_set.data_dir
    out = functools.partial(results_of, media_set)
    plain = [sys.executable, ROOT / "benchmarks/plain_loops.py"]
    works: dict[str, Callable[[], None]] = {
        program: lambda: run_quietly(
            [sys.executable, ROOT / "data" / program, "--data_dir", data_dir, "--num_threads", cores]
        )
    }
    if kind == "pictures":
        if has("ffmpeg"):
            many, one = f"ffmpeg, {cores} processes", f"ffmpeg, {cores} threads"
            works[many] = lambda: ffmpeg_frames(media_set, out(many), cores, 1)
            works[one] = lambda: ffmpeg_frames(media_set, out(one), 1, cores)
        if has("cv2"):
            works["OpenCV loop"] = lambda: run_quietly([*plain, "opencv", out("OpenCV loop"), *media_set.videos])
    elif has("librosa") and has("ffmpeg"):  # librosa reads mp4 by means of the ffmpeg command only
        files = [video.absolute() for video in media_set.videos]
        video_loop, wav_loop = "librosa loop", "librosa loop, WAV"
        works[video_loop] = lambda: run_quietly([*plain, "librosa", out(video_loop), media_set.seconds, *files])
        works[wav_loop] = lambda: librosa_from_wav(media_set, out(wav_loop), cores)
    return works


def has(name: str) -> bool:
    """Whether a command, or a package, is there."""
    return bool(shutil.which(name)) if name == "ffmpeg" else importlib.util.find_spec(name) is not None


def results_of(media_set: MediaSet, name: str) -> Path:
    """Folder that a contender writes into."""
    own = {"cut_video.py": video_frames_dir, "cut_audio.py": audio_frames_dir}
    return own[name](media_set.data_dir) if name in own else media_set.data_dir / "others" / name


def measure(kind: str, media_set: MediaSet, cores: int, repeats: int) -> dict[str, Any]:
    """Time all contenders on a set.

    Returns:
        Name -> its runs in seconds, their median, seconds of media a second, and how many files it wrote.
    """

    def clear(name: str) -> None:
        shutil.rmtree(results_of(media_set, name), ignore_errors=True)

    seconds = interleaved(contenders(kind, media_set, cores), repeats, before=clear)
    suffix = {"pictures": "*.jpg", "sounds": "[0-9]*.npy"}[kind]
    figures = {
        name: {
            "runs": seconds[name],
            "median": middle,
            "media_seconds_per_second": media_set.media_seconds / middle,
            "files": sum(1 for _ in results_of(media_set, name).rglob(suffix)),
        }
        for name, middle in medians(seconds).items()
    }
    for name in seconds:
        clear(name)
    return figures


def yardsticks(kind: str, figures: dict[str, Any]) -> dict[str, float]:
    """How the program of this project compares.

    Returns:
        Of pictures its time over that of the faster ffmpeg, and OpenCV's time over its own; of sounds the times of both
        librosa loops over its own. What was not measured is left out.
    """
    own = figures[KINDS[kind]]["median"]
    others = {name: figure["median"] for name, figure in figures.items() if name != KINDS[kind]}
    ffmpeg = [middle for name, middle in others.items() if name.startswith("ffmpeg")]
    ratios = {f"{name} / {KINDS[kind]}": middle / own for name, middle in others.items() if "loop" in name}
    return {f"{KINDS[kind]} / ffmpeg": own / min(ffmpeg), **ratios} if ffmpeg else ratios


def table(results: dict[str, Any]) -> list[str]:
    """Lines of the table: a row for each set and contender."""
    rows = []
    for title, of_set in results["sets"].items():
        for kind, program in KINDS.items():
            own = of_set[kind][program]["median"]
            for name, figure in of_set[kind].items():
                cells = (f"{figure['median']:.2f}", f"{figure['media_seconds_per_second']:.0f}")
                rows.append((title, kind, name, *cells, f"{figure['median'] / own:.2f}", figure["files"]))
    head = ("set", "of each second", "what", "s", "s of media a s", "time / ours", "files")
    return markdown_table(head, rows)


def missing() -> list[str]:
    """A line for each yardstick that cannot be had."""
    remedies = {
        "ffmpeg": "the ffmpeg command is not there: no ffmpeg, and no librosa loop, which reads videos with it",
        "cv2": "OpenCV is not there: python3 -m pip install -r requirements-benchmark.txt brings it",
        "librosa": "librosa is not there: python3 -m pip install -r requirements-benchmark.txt brings it",
    }
    return [line for name, line in remedies.items() if not has(name)]


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Options of this program."""
    parser = plain_parser(__doc__)
    parser.add_argument("--videos", type=positive_int, default=40, metavar="N", help="short ones (default: 40)")
    parser.add_argument("--seconds", type=positive_int, default=6, metavar="N", help="of each short one (default: 6)")
    parser.add_argument("--long_videos", type=positive_int, default=8, metavar="N", help="long ones (default: 8)")
    parser.add_argument("--long_seconds", type=positive_int, default=60, metavar="N", help="of each (default: 60)")
    parser.add_argument("--repeats", type=positive_int, default=3, metavar="N", help="runs of each (default: 3)")
    parser.add_argument(
        "--num_threads",
        type=positive_int,
        default=available_cores(),
        metavar="N",
        help="processes of our programs and of ffmpeg, or its threads (default: the cores, here %(default)s)",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("datasets/benchmark/preprocessing"),
        help="folder of the videos, which are made where they are missing (default: %(default)s)",
    )
    parser.add_argument(
        "--json", type=Path, default=Path("runs/benchmark/preprocessing.json"), help="file of all figures (%(default)s)"
    )
    return parser.parse_args(argv)


def benchmark(options: argparse.Namespace) -> None:
    """Measure, print the table, save the figures.

    Raises:
        UserError: a program failed, or the figures cannot be written.
    """
    results = {**new_results(options), "missing": missing(), "sets": {}, "ratios": {}}
    sets = (
        short_set(options.data, options.videos, options.seconds),
        long_set(options.data, options.long_videos, options.long_seconds),
    )
    for media_set in sets:
        print(f"\n{media_set.title}: {options.repeats} times each", flush=True)
        of_set = {kind: measure(kind, media_set, options.num_threads, options.repeats) for kind in KINDS}
        results["sets"][media_set.title] = of_set
        results["ratios"][media_set.title] = {
            name: ratio for kind in KINDS for name, ratio in yardsticks(kind, of_set[kind]).items()
        }
        save_results(options.json, results)
    print("", *table(results), "", sep="\n")
    for title, ratios in results["ratios"].items():
        print(f"{title}: " + ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items()))
    print(*results["missing"], machine_line(results), f"\nWrote {options.json}.", sep="\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    options = parse(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a plain kill ends it as Ctrl-C does
    return exit_status("preprocessing", lambda: benchmark(options))


if __name__ == "__main__":
    sys.exit(main())
