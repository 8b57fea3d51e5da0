"""How many seconds of media cut_video.py and cut_audio.py cut in a second, beside ffmpeg and plain loops.

    python3 benchmarks/preprocessing.py                        # some minutes on 2 cores
    python3 benchmarks/preprocessing.py --videos 200 --repeats 5

Whole programs are timed, start-up included. They take turns, and the figures are medians. Frames: 4 of each second, 256
pixels on the shorter side, JPEG. ffmpeg runs with as many processes as cores, then as one process with as many threads;
the faster one counts. Audio: spectrograms of each second. The librosa loop reads the videos, then WAV files that ffmpeg
extracts first. benchmarks/plain_loops.py has the loops. A program that is not installed is left out and named.
"""

import argparse
import importlib.util
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np

from benchmarks.shared import ROOT, interleaved, machine_line, markdown_table, new_results, seconds_of
from common.cli import available_cores, plain_parser, positive_int
from common.errors import UserError
from common.exit_status import exit_status
from data.layout import video_dir, videos_by_name
from data.media.audio import audio_of_video
from data.media.container import decoded_frames, open_media, video_stream_of
from data.media.video import SHORT_SIDE
from metrics.table import write_json

PROGRAMS = {"frames": "cut_video.py", "audio": "cut_audio.py"}
FILES = {"frames": "*.jpg", "audio": "[0-9]*.npy"}
LOOPS = ROOT / "benchmarks/plain_loops.py"
LONG_SIZE = (640, 360)
REMEDIES = {
    "ffmpeg": "no ffmpeg command: install it; without it there are no figures of ffmpeg and of librosa",
    "cv2": "no OpenCV: python3 -m pip install -r requirements-benchmark.txt",
    "librosa": "no librosa: python3 -m pip install -r requirements.txt",
}


@dataclass(frozen=True)
class MediaSet:
    """Videos of `seconds` seconds each, in the folder of a data set."""

    title: str
    data_dir: Path
    seconds: int

    @property
    def videos(self) -> list[Path]:
        """The files of the videos."""
        return sorted(path for paths in videos_by_name(self.data_dir).values() for path in paths)


def make_demo(data_dir: Path, count: int, seconds: int) -> None:
    """Make the missing videos of a demo data set, 320 x 240."""
    size = ("--videos", count, "--seconds", seconds)
    run_quietly([sys.executable, ROOT / "data/make_demo.py", "--data_dir", data_dir, *size])


def make_sets(options: argparse.Namespace) -> list[MediaSet]:
    """Many short videos, and a few long ones that are enlarged; missing ones are made."""
    data, count, seconds = options.data.absolute(), options.long_videos, options.long_seconds
    short, long = data / f"short_{options.videos}x{options.seconds}", data / f"long_{count}x{seconds}"
    make_demo(short, options.videos, options.seconds)
    video_dir(long).mkdir(parents=True, exist_ok=True)
    if len(videos_by_name(long)) < count:
        with tempfile.TemporaryDirectory(dir=data) as small:
            make_demo(Path(small), count, seconds)
            for (path,) in videos_by_name(Path(small)).values():
                enlarge(path, video_dir(long) / path.name)
    width, height = LONG_SIZE
    return [
        MediaSet(f"{options.videos} videos of {options.seconds} s, 320 x 240", short, options.seconds),
        MediaSet(f"{count} videos of {seconds} s, {width} x {height}", long, seconds),
    ]


def enlarge(source: Path, target: Path) -> None:
    """Write a video again in `LONG_SIZE`."""
    from data.demo.encode import write_video  # here, so that --help need not load the synthesizer

    audio = audio_of_video(source)
    with open_media(source) as container:
        stream = video_stream_of(container)
        frames: Iterator[np.ndarray] = (
            frame.to_ndarray(format="rgb24", width=LONG_SIZE[0], height=LONG_SIZE[1], interpolation="BICUBIC")
            for frame in decoded_frames(container, stream)
        )
        write_video(target, frames, LONG_SIZE, stream.average_rate, audio.samples[None], audio.rate)


def run_quietly(command: Sequence[object]) -> None:
    """Run a command; a UserError has its last message if it fails."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip() or "no message").splitlines()[-1]
        raise UserError(f"{command[0]} failed, exit status {done.returncode}: {reason}")


def run_own(program: str, media_set: MediaSet, cores: int, out: Path) -> None:
    """Cut a set with a program of this project."""
    video_dir(out).symlink_to(video_dir(media_set.data_dir))
    run_quietly([sys.executable, ROOT / "data" / program, "--data_dir", out, "--num_threads", cores])


def run_loop(loop: str, words: Sequence[object], out: Path) -> None:
    """Cut files with a loop of `plain_loops.py`."""
    run_quietly([sys.executable, LOOPS, loop, out, *words])


def run_ffmpeg(videos: Sequence[Path], processes: int, threads: int, words: Callable[[Path], Sequence[object]]) -> None:
    """Run ffmpeg on each video, in several processes at a time. `words` gives the words after the input."""
    start = ("ffmpeg", "-v", "error", "-nostdin", "-threads", threads, "-i")
    with ThreadPoolExecutor(processes) as pool:
        list(pool.map(run_quietly, [(*start, video, *words(video)) for video in videos]))


def ffmpeg_frames(videos: Sequence[Path], processes: int, threads: int, out: Path) -> None:
    """Write 4 frames of each second with ffmpeg."""
    for video in videos:
        (out / video.stem).mkdir()
    filters = f"fps=4,scale=-2:{SHORT_SIDE}:flags=bicubic"
    options = ("-an", "-vf", filters, "-q:v", 2)  # the best quality of its JPEG encoder
    run_ffmpeg(videos, processes, threads, lambda video: (*options, out / video.stem / "%05d.jpg"))


def librosa_from_wav(media_set: MediaSet, cores: int, out: Path) -> None:
    """Extract WAV files with ffmpeg, then run the librosa loop on them."""
    run_ffmpeg(media_set.videos, cores, 1, lambda video: ("-vn", out / f"{video.stem}.wav"))
    run_loop("librosa", [media_set.seconds, *(out / f"{video.stem}.wav" for video in media_set.videos)], out)


def contenders(kind: str, media_set: MediaSet, cores: int) -> dict[str, Callable[[Path], None]]:
    """Name -> what cuts the frames or the audio of a set into a folder. The first one is this project's program."""
    program, videos = PROGRAMS[kind], media_set.videos
    works = {program: partial(run_own, program, media_set, cores)}
    if kind == "frames" and has("ffmpeg"):
        works[f"ffmpeg, {cores} processes"] = partial(ffmpeg_frames, videos, cores, 1)
        works[f"ffmpeg, {cores} threads"] = partial(ffmpeg_frames, videos, 1, cores)
    if kind == "frames" and has("cv2"):
        works["OpenCV loop"] = partial(run_loop, "opencv", videos)
    if kind == "audio" and has("librosa") and has("ffmpeg"):  # librosa reads mp4 with the ffmpeg command only
        works["librosa loop"] = partial(run_loop, "librosa", [media_set.seconds, *videos])
        works["librosa loop, WAV"] = partial(librosa_from_wav, media_set, cores)
    return works


def has(name: str) -> bool:
    """Whether a command or a package is installed."""
    return bool(shutil.which(name)) if name == "ffmpeg" else importlib.util.find_spec(name) is not None


def run_once(work: Callable[[Path], None], kind: str, media_set: MediaSet) -> tuple[float, int]:
    """Seconds of a contender that writes into a new folder, and the number of files that it writes."""
    with tempfile.TemporaryDirectory(dir=media_set.data_dir) as out:
        return seconds_of(work, Path(out)), sum(1 for _ in Path(out).rglob(FILES[kind]))


def measure(kind: str, media_set: MediaSet, cores: int, repeats: int) -> dict[str, Any]:
    """Name of a contender -> its runs in seconds, their median, seconds of media a second, and files written."""
    works = contenders(kind, media_set, cores)
    runs = interleaved({name: partial(run_once, work, kind, media_set) for name, work in works.items()}, repeats)
    figures = {}
    for name, of_work in runs.items():
        seconds, files = zip(*of_work, strict=True)
        figures[name] = {
            "runs": seconds,
            "median": median(seconds),
            "media_seconds_per_second": media_set.seconds * len(media_set.videos) / median(seconds),
            "files": files[-1],
        }
    return figures


def ratios(kind: str, figures: dict[str, Any]) -> dict[str, float]:
    """Time of the program over the faster ffmpeg's, and time of each loop over the program's."""
    program, own = PROGRAMS[kind], figures[PROGRAMS[kind]]["median"]
    ffmpeg = [figure["median"] for name, figure in figures.items() if name.startswith("ffmpeg")]
    loops = {f"{name} / {program}": figure["median"] / own for name, figure in figures.items() if "loop" in name}
    return ({f"{program} / ffmpeg": own / min(ffmpeg)} if ffmpeg else {}) | loops


def table(results: dict[str, Any]) -> list[str]:
    """Lines of the table: a row for each set and contender."""
    rows = [
        (title, kind, name, f"{figure['median']:.2f}", f"{figure['media_seconds_per_second']:.0f}", figure["files"])
        for title, of_set in results["sets"].items()
        for kind in PROGRAMS
        for name, figure in of_set[kind].items()
    ]
    return markdown_table(("set", "kind", "program", "s", "s of media a s", "files"), rows)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = plain_parser(__doc__)
    for name, default, text in (
        ("videos", 40, "short videos"),
        ("seconds", 6, "length of a short video"),
        ("long_videos", 8, "long videos"),
        ("long_seconds", 60, "length of a long video"),
        ("repeats", 3, "runs of each program"),
        ("num_threads", available_cores(), "processes of our programs and of ffmpeg, or its threads"),
    ):
        text = f"{text} (default: {default})"
        parser.add_argument(f"--{name}", type=positive_int, default=default, metavar="N", help=text)
    text = "folder of the videos; missing ones are made (default: %(default)s)"
    parser.add_argument("--data", type=Path, default=Path("datasets/benchmark/preprocessing"), help=text)
    text = "file of all figures (default: %(default)s)"
    parser.add_argument("--json", type=Path, default=Path("runs/benchmark/preprocessing.json"), help=text)
    return parser.parse_args(argv)


def benchmark(options: argparse.Namespace) -> None:
    """Measure, print the table, save the figures."""
    missing = [remedy for name, remedy in REMEDIES.items() if not has(name)]
    results = {**new_results(options), "missing": missing, "sets": {}, "ratios": {}}
    for media_set in make_sets(options):
        title = media_set.title
        print(f"{title}: {options.repeats} times each", flush=True)
        of_set = {kind: measure(kind, media_set, options.num_threads, options.repeats) for kind in PROGRAMS}
        results["sets"][title] = of_set
        results["ratios"][title] = ratios("frames", of_set["frames"]) | ratios("audio", of_set["audio"])
        write_json(options.json, results)
    print("", *table(results), "", sep="\n")
    for title, of_set in results["ratios"].items():
        print(f"{title}: " + ", ".join(f"{name} {ratio:.2f}" for name, ratio in of_set.items()))
    print(*missing, machine_line(results), f"Wrote {options.json}.", sep="\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    options = parse(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a plain kill ends it as Ctrl-C does
    return exit_status("preprocessing", lambda: benchmark(options))


if __name__ == "__main__":
    sys.exit(main())
