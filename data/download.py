"""Downloads the videos of published lists into a data set, with yt-dlp (requirements-download.txt).

    python3 data/download.py --music MUSIC_solo_videos.json --data_dir datasets/music
    python3 data/download.py --vggsound vggsound.csv --classes "playing flute" --limit 100 --data_dir datasets/vggsound

Writes `video/`, `labels.json`, the lists if they are published, and `download.csv`: a line for each video that says
done, gone, private, blocked, or failed, and why. You can interrupt the program at any time; running it again resumes.
Videos that are gone or private are not tried again. Check the terms of the site and the licenses of the videos.
"""

import argparse
import contextlib
import csv
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import psutil
from tqdm import tqdm

from common.atomic import atomic_file
from common.cli import command, plain_parser, positive_int, whole_number
from common.errors import UserError
from common.exit_status import exit_status
from data.layout import video_dir, videos_by_name
from data.sets.published import (
    DONE,
    FAILED,
    GONE,
    PRIVATE,
    STATUSES,
    Entry,
    read_ids,
    read_music,
    read_vggsound,
    select,
    write_labels,
    write_published_lists,
)

COLUMNS = ("name", "id", "class", "status", "reason")
WRITE_SECONDS = 10  # download.csv is written this often
Row = dict[str, str]  # line of download.csv


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = plain_parser(__doc__)
    add = parser.add_argument
    add("--data_dir", type=Path, required=True, metavar="DIR", help="the data set's folder")
    add("--music", type=Path, nargs="+", default=[], metavar="JSON", help="lists of MUSIC, of solos and of duets")
    add("--vggsound", type=Path, metavar="CSV", help="list of VGGSound; of each video the 10 seconds that it names")
    add("--ids", type=Path, metavar="TXT", help="list with one ID a line")
    add("--classes", default="", metavar="A,B", help="only videos of these classes (default: all)")
    add("--limit", type=positive_int, metavar="N", help="only N videos, in turn from each class (default: all)")
    add("--num_threads", type=positive_int, default=4, metavar="N", help="downloads at a time (default: %(default)s)")
    add("--sleep", type=whole_number, default=1, metavar="SECONDS", help="pause before each download; more if the site "
        "blocks (default: %(default)s)")  # fmt: skip
    add("--retry", action="store_true", help="try videos again that were gone or private")
    add("--url", default="https://www.youtube.com/watch?v={id}", help="address of a video (default: %(default)s)")
    return parser.parse_args(argv)


def read_entries(options: argparse.Namespace) -> list[Entry]:
    """Return the videos that the options name."""
    if "{id}" not in options.url:
        raise UserError(f"--url {options.url} has no {{id}}, which stands for the ID of a video")
    found = [entry for path in options.music for entry in read_music(path)]
    found += read_vggsound(options.vggsound) if options.vggsound else []
    found += read_ids(options.ids) if options.ids else []
    if not found:
        raise UserError("no video to download: name a list with --music, --vggsound, or --ids")
    return select(found, [name for name in options.classes.split(",") if name.strip()], options.limit)


def make_fetcher(options: argparse.Namespace, entries: Sequence[Entry], stopped: Callable[[], bool]) -> Callable:
    """Return the function that fetches an entry, once all that it needs is there."""
    try:
        from data.sets.fetch import Fetcher
    except ModuleNotFoundError as error:
        raise UserError(
            f"{error.name} is missing: python3 -m pip install -r requirements-download.txt brings it"
        ) from error
    if any(entry.start is not None for entry in entries) and not shutil.which("ffmpeg"):
        raise UserError("excerpts need the program ffmpeg, which is not installed: apt install ffmpeg, for example")
    return Fetcher(video_dir(options.data_dir), options.url, stopped)


def row_of(entry: Entry, status: str, reason: str = "") -> Row:
    """Return the line of a video."""
    return dict(zip(COLUMNS, (entry.name, entry.identity, entry.label, status, reason), strict=True))


def fetch_all(options: argparse.Namespace, entries: Sequence[Entry]) -> Iterator[Row]:
    """Yield the line of each entry, as it comes; Ctrl-C ends the downloads under way."""
    if not entries:
        return
    stop = threading.Event()
    fetch = make_fetcher(options, entries, stop.is_set)

    def fetch_politely(entry: Entry) -> Row:
        stop.wait(options.sleep)
        return row_of(entry, *fetch(entry))

    with ThreadPoolExecutor(options.num_threads) as pool:
        try:
            futures = [pool.submit(fetch_politely, entry) for entry in entries]
            for future in tqdm(as_completed(futures), total=len(futures), desc="download", unit="video"):
                yield future.result()
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            for child in psutil.Process().children():  # ffmpeg, which hears nothing of it
                child.terminate()
            raise


def read_results(path: Path) -> dict[str, Row]:
    """Read download.csv, the line of each NAME; empty if there is none."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        if any(row.keys() != {*COLUMNS} or None in row.values() for row in rows):
            raise ValueError("a line has other columns")
        return {row["name"]: row for row in rows}
    except FileNotFoundError:
        return {}
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path} is damaged ({error}): delete it") from error


def write_results(path: Path, rows: dict[str, Row]) -> None:
    """Write download.csv."""
    with atomic_file(path) as partial, partial.open("w", -1, "utf-8", "backslashreplace", "") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows.values())


def report(options: argparse.Namespace, entries: Sequence[Entry], rows: dict[str, Row], path: Path) -> int:
    """Print what there is and what is missing; return the exit status."""
    by_status = {status: [entry for entry in entries if rows[entry.name]["status"] == status] for status in STATUSES}
    there = Counter(entry.label for entry in by_status[DONE])
    for label, count in sorted(Counter(entry.label for entry in entries).items()):
        print(f"  {label or 'no class'}: {there[label]} of {count}")
    print(", ".join(f"{len(found)} {status}" for status, found in by_status.items()) + f": {path}")
    failed = by_status[FAILED]
    if failed:
        print(f"{len(failed)} failed, and are tried again when you run it again:", file=sys.stderr)
        for entry in failed[:20]:
            print(f"  {entry.name}: {rows[entry.name]['reason']}", file=sys.stderr)
    if not by_status[DONE]:
        print("download: no video came", file=sys.stderr)
        return 1
    write_published_lists(options.data_dir, by_status[DONE])
    print(f"Next: {command('data/prepare.py', options.data_dir)}")
    return int(bool(failed))


def download(options: argparse.Namespace) -> int:
    """Download what is missing; return the exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # SIGTERM ends it as Ctrl-C does
    entries = read_entries(options)
    path = options.data_dir / "download.csv"
    rows = read_results(path)
    incomplete = video_dir(options.data_dir) / ".incomplete"
    incomplete.mkdir(parents=True, exist_ok=True)
    for leftover in filter(Path.is_dir, incomplete.iterdir()):  # excerpts of a run that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    write_labels(options.data_dir, entries)
    present = videos_by_name(options.data_dir)
    rows |= {entry.name: row_of(entry, DONE) for entry in entries if entry.name in present}
    settled = () if options.retry else (GONE, PRIVATE)
    left = [
        entry for entry in entries
        if entry.name not in present and (entry.name not in rows or rows[entry.name]["status"] not in settled)
    ]  # fmt: skip
    written = time.monotonic()
    try:
        with contextlib.closing(fetch_all(options, left)) as fetched:
            for row in fetched:
                rows[row["name"]] = row
                if time.monotonic() > written + WRITE_SECONDS:
                    write_results(path, rows)
                    written = time.monotonic()
    finally:
        write_results(path, rows)
    return report(options, entries, rows, path)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program."""
    options = parse(argv)
    stopped = "stopped; finished videos are kept, run it again to go on"
    return exit_status("download", lambda: download(options), stopped)


if __name__ == "__main__":
    sys.exit(main())
