"""Write the demo data set: videos of instruments that play and move, and boxes of the instruments.

The instruments are drawn and synthesized, so that you need no download. The videos are mp4 files as varied as real
ones: four frame rates, two sample rates, mono and stereo, names that start with a dash. You can interrupt the program
at any time; running it again makes the missing videos.

    python3 data/make_demo.py                                  # 210 solos in datasets/demo
    python3 data/make_demo.py --data_dir datasets/demo_duet --sources 2
    python3 data/make_demo.py --data_dir datasets/demo_silent --distractors 1
    python3 data/make_demo.py --data_dir datasets/demo_stems --sources 2 --stems 1
    python3 data/make_demo.py --data_dir datasets/demo_pauses --pauses 1
"""

import sys
from pathlib import Path

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import fields

from tqdm import tqdm

from common.at_work import at_work
from common.cli import available_cores, command, new_parser, positive_int, whole_number
from common.errors import UserError
from common.exit_status import exit_status
from data.demo.folder import prepare_folder, video_path, write_descriptions
from data.demo.plan import DISTRACTORS, DemoSettings, VideoPlan, plan_videos
from data.demo.scene import Box
from data.preprocess.runner import open_pool


def make_videos(
    data_dir: Path, settings: DemoSettings, plans: Sequence[VideoPlan], processes: int
) -> list[list[list[Box]]]:
    """Call `make_video` for each plan in several processes; return the boxes in the order of the plans."""
    from data.demo.encode import make_video  # here, so that --help need not load the synthesizer

    executor = open_pool(min(processes, len(plans)))
    try:
        futures = [executor.submit(make_video, data_dir, settings, plan) for plan in plans]
        with tqdm(futures, unit="video", desc="make videos") as bar:  # closes the bar before an error message
            return [future.result() for future in bar]
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def make_data_set(data_dir: Path, settings: DemoSettings, processes: int) -> None:
    """Write the missing videos and the descriptions of a demo data set, and print the next step."""
    plans = plan_videos(settings)
    try:
        with at_work(data_dir):
            prepare_folder(data_dir, settings, plans)
            present = sum(video_path(data_dir, plan.name).exists() for plan in plans)
            write_descriptions(data_dir, settings, plans, make_videos(data_dir, settings, plans, processes))
    except OSError as error:
        raise UserError(f"cannot write the demo data set in {data_dir}: {error}. Choose another --data_dir?") from error
    except BrokenExecutor as error:
        raise UserError("a process was killed, perhaps for lack of memory: use a smaller --num_threads.") from error
    existed = f" ({present} of them existed already)" if present else ""
    written = f"{len(plans)} videos{existed}, boxes.json, labels.json and demo.json"
    print(f"{written} are in {data_dir}. Next: {command('data/prepare.py', data_dir)}")


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the options."""
    parser = new_parser(__doc__)
    add = parser.add_argument
    add("--videos", type=positive_int, default=210, metavar="N", help="number of videos (default: %(default)s)")
    add("--seconds", type=positive_int, default=6, metavar="N", help="length of each video (default: %(default)s)")
    add("--sources", type=int, choices=(1, 2), default=1, help="1 makes solos, 2 makes duets (default: %(default)s)")
    most = len(DISTRACTORS)
    help_text = f"silent objects in each video, up to {most}; they have no box in boxes.json (default: %(default)s)"
    add("--distractors", type=int, choices=range(most + 1), default=0, metavar="N", help=help_text)
    help_text = "1 also writes the audio of each instrument alone, stems/NAME/ID.wav, for --audio swap"
    add("--stems", type=int, choices=(0, 1), default=0, help=f"{help_text} (default: %(default)s)")
    help_text = "1 lets each instrument play and rest in turn; boxes.json tells the resting ones apart"
    add("--pauses", type=int, choices=(0, 1), default=0, help=f"{help_text} (default: %(default)s)")
    help_text = "another seed makes other videos; a larger set starts with the videos of a smaller one (default: 10)"
    add("--seed", type=whole_number, default=10, metavar="N", help=help_text)
    help_text = "processes; the videos do not depend on their number (default: %(default)s)"
    add("--num_threads", type=positive_int, default=available_cores(), metavar="N", help=help_text)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Write the demo data set and return the exit status."""
    options = parse_arguments(argv)
    settings = DemoSettings(**{field.name: getattr(options, field.name) for field in fields(DemoSettings)})
    return exit_status(
        "make_demo.py",
        lambda: make_data_set(options.data_dir, settings, options.num_threads),
        stopped="interrupted; run it again to make the missing videos",
    )


if __name__ == "__main__":
    sys.exit(main())
