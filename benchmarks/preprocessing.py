"""How many seconds of media cut_video.py and cut_audio.py cut in a second, beside ffmpeg and plain loops.

    python3 benchmarks/preprocessing.py                        # some minutes on 2 cores
    python3 benchmarks/preprocessing.py --videos 200 --repeats 5

Needs the ffmpeg command and requirements-benchmark.txt. Whole programs are timed, start-up included. They take turns,
and the figures are medians. Frames: 4 of each second, 256 pixels on the shorter side, JPEG; ffmpeg runs with as many
processes as cores. Audio: spectrograms of each second. The librosa loop reads the videos, then WAV files that ffmpeg
extracts first. benchmarks/plain_loops.py has the loops. "times ours" is the time in parts of that of our program.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.shared import interleaved, markdown_table, print_table, run_command, run_program
from common.cli import available_cores, plain_parser, positive_int
from common.errors import UserError
from data.layout import video_dir, videos_by_name
from data.media.video import SHORT_SIDE

FRAMES, SPECTROGRAMS = "*.jpg", "[0-9]*.npy"
LONG_SIZE = (640, 360)
HEAD = ("set", "program", "s", "s of media a s", "times ours", "files")


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
    run_program("data/make_demo.py", "--data_dir", data_dir, "--videos", count, "--seconds", seconds, quiet=True)


def make_sets(options: argparse.Namespace) -> list[MediaSet]:
    """Many short videos, and a few long ones that are enlarged; missing ones are made."""
    data, count, seconds = options.data.absolute(), options.long_videos, options.long_seconds
    short, long = data / f"short_{options.videos}x{options.seconds}", data / f"long_{count}x{seconds}"
    width, height = LONG_SIZE
    make_demo(short, options.videos, options.seconds)
    if not long.exists():
        with tempfile.TemporaryDirectory(dir=data) as folder:
            small, large = Path(folder) / "small", video_dir(Path(folder) / "large")
            make_demo(small, count, seconds)
            large.mkdir(parents=True)
            filters = ("-vf", f"scale={width}:{height}:flags=bicubic", "-c:a", "copy")
            run_ffmpeg(video_dir(small).iterdir(), 1, lambda video: (*filters, large / video.name))
            large.parent.rename(long)
    return [
        MediaSet(f"{options.videos} videos of {options.seconds} s, 320 x 240", short, options.seconds),
        MediaSet(f"{count} videos of {seconds} s, {width} x {height}", long, seconds),
    ]


def run_ffmpeg(videos: Iterable[Path], processes: int, words: Callable[[Path], Sequence[object]]) -> None:
    """Run ffmpeg on each video, in several processes at a time. `words` gives the words after the input."""
    with ThreadPoolExecutor(processes) as pool:
        start = ("ffmpeg", "-v", "error", "-nostdin", "-i")
        list(pool.map(lambda video: run_command(*start, video, *words(video), quiet=True), videos))


def run_own(program: str, media_set: MediaSet, cores: int, out: Path) -> None:
    """Cut a set with a program of this project."""
    video_dir(out).symlink_to(video_dir(media_set.data_dir))
    run_program(program, "--data_dir", out, "--num_threads", cores, quiet=True)


def run_loop(loop: str, words: Sequence[object], out: Path) -> None:
    """Cut files with a loop of `plain_loops.py`."""
    run_program("benchmarks/plain_loops.py", loop, out, *words, quiet=True)


def ffmpeg_frames(videos: Sequence[Path], cores: int, out: Path) -> None:
    """Write 4 frames of each second with ffmpeg."""
    for video in videos:
        (out / video.stem).mkdir()
    options = ("-an", "-vf", f"fps=4,scale=-2:{SHORT_SIDE}:flags=bicubic", "-q:v", 2)  # its best quality of JPEG
    run_ffmpeg(videos, cores, lambda video: (*options, out / video.stem / "%05d.jpg"))


def librosa_from_wav(media_set: MediaSet, cores: int, out: Path) -> None:
    """Extract WAV files with ffmpeg, then run the librosa loop on them."""
    run_ffmpeg(media_set.videos, cores, lambda video: ("-vn", out / f"{video.stem}.wav"))
    run_loop("librosa", [media_set.seconds, *(out / f"{video.stem}.wav" for video in media_set.videos)], out)


def measure(media_set: MediaSet, cores: int, repeats: int) -> list[list[str]]:
    """A row of the table for each program; the first one of each kind is ours."""
    videos, rows = media_set.videos, []
    for pattern, works in (
        (FRAMES, {
            "cut_video.py": partial(run_own, "data/cut_video.py", media_set, cores),
            "ffmpeg": partial(ffmpeg_frames, videos, cores),
            "OpenCV loop": partial(run_loop, "opencv", videos),
        }),
        (SPECTROGRAMS, {
            "cut_audio.py": partial(run_own, "data/cut_audio.py", media_set, cores),
            "librosa loop": partial(run_loop, "librosa", [media_set.seconds, *videos]),
            "librosa loop on WAV files": partial(librosa_from_wav, media_set, cores),
        }),
    ):  # fmt: skip
        runs = interleaved({name: partial(run_once, work, media_set, pattern) for name, work in works.items()}, repeats)
        medians = {name: median(seconds for seconds, _ in of_work) for name, of_work in runs.items()}
        media, ours = media_set.seconds * len(videos), next(iter(medians.values()))
        rows += [
            [media_set.title, name, f"{time:.2f}", f"{media / time:.0f}", f"{time / ours:.2f}", runs[name][-1][1]]
            for name, time in medians.items()
        ]
    return rows


def run_once(work: Callable[[Path], None], media_set: MediaSet, pattern: str) -> tuple[float, int]:
    """Seconds of a program that writes into a new folder, and the number of files that it writes."""
    with tempfile.TemporaryDirectory(dir=media_set.data_dir) as out:
        start = time.perf_counter()
        work(Path(out))
        return time.perf_counter() - start, sum(1 for _ in Path(out).rglob(pattern))


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = plain_parser(__doc__)
    for name, default, text in (
        ("videos", 40, "short videos"),
        ("seconds", 6, "length of a short video"),
        ("long_videos", 8, "long videos"),
        ("long_seconds", 60, "length of a long video"),
        ("repeats", 3, "runs of each program"),
        ("num_threads", available_cores(), "processes of our programs and of ffmpeg"),
    ):
        text = f"{text} (default: {default})"
        parser.add_argument(f"--{name}", type=positive_int, default=default, metavar="N", help=text)
    text = "folder of the videos; missing ones are made (default: %(default)s)"
    parser.add_argument("--data", type=Path, default=Path("datasets/benchmark/preprocessing"), help=text)
    return parser.parse_args(argv)


def table(options: argparse.Namespace) -> list[str]:
    """Lines of the table."""
    if not shutil.which("ffmpeg") or not find_spec("cv2"):
        raise UserError("this needs the ffmpeg command, and python3 -m pip install -r requirements-benchmark.txt")
    rows = [row for one in make_sets(options) for row in measure(one, options.num_threads, options.repeats)]
    return markdown_table(HEAD, rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    options = parse(argv)
    return print_table("preprocessing", lambda: table(options))


if __name__ == "__main__":
    sys.exit(main())
