"""Splits the videos that are there into three disjoint lists: train.txt, val.txt, test.txt.

By video, never by second, as the seconds of one video are alike. With labels, every list has each class in the same
proportion. A data set that brings its own lists keeps them.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np

from common.cli import command, new_parser, share, whole_number
from common.errors import UserError
from data.layout import LIST_NAMES, labels_file, list_path, video_dir, videos_by_name
from data.lists import identity_of, label_of, parse_list_line, read_labels, read_list, write_list

PAIRABLE = 2  # videos that a list needs for a wrong pair of picture and sound: training and validation do


def sizes(count: int, val: float, test: float) -> tuple[int, int]:
    """Number of videos in the validation and the test list; from 5 videos on, each list is large enough to be used.

    Raises:
        UserError: there are too few videos for three lists, or none are left for training.
    """
    if count < len(LIST_NAMES):
        raise UserError(f"{count} videos are too few for three lists")
    in_val = max(PAIRABLE if count > 2 * PAIRABLE else 1, round(val * count)) if val else 0
    in_test = max(1, round(test * count)) if test else 0
    if count - in_val - in_test < 1:
        raise UserError(f"--val {val} --test {test} leave none of {count} videos for training")
    return in_val, in_test


def spread(names: Sequence[str], count: int, offset: float) -> list[str]:
    """Take `count` names at equal distances: of any run of equals, as many as its share is, give or take one.

    Args:
        names: all names, equals beside one another.
        count: how many to take.
        offset: in [0, 1), where to begin.
    """
    return [names[int((index + offset) * len(names) / count)] for index in range(count)]


def split(names: Iterable[str], labels: dict[str, str], val: float, test: float, seed: int) -> dict[str, list[str]]:
    """Names of the three lists, disjoint, each class in proportion.

    Args:
        names: the videos that exist.
        labels: class by name or ID (see `label_of`); videos without one count as a class of their own.
        val: share of the validation list.
        test: share of the test list.
        seed: the same seed gives the same lists.

    Raises:
        UserError: there are too few videos.
    """
    rng = np.random.default_rng(seed)
    names = sorted(names)
    in_val, in_test = sizes(len(names), val, test)
    shuffled = [names[i] for i in rng.permutation(len(names))]
    left = sorted(shuffled, key=lambda name: label_of(name, labels))  # stable: shuffled within a class
    lists = {}
    for list_name, count in (("test", in_test), ("val", in_val)):
        lists[list_name] = sorted(spread(left, count, rng.random()))
        taken = set(lists[list_name])
        left = [name for name in left if name not in taken]
    return {"train": sorted(left), **lists}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Options of this program."""
    parser = new_parser(__doc__)
    parser.add_argument("--val", type=share, default=0.12, help="share of the validation list (default: 0.12)")
    parser.add_argument("--test", type=share, default=0.17, help="share of the test list (default: 0.17)")
    parser.add_argument(
        "--labels",
        type=Path,
        help='JSON with the class of each video, {"videos": {"flute": ["ID", ...]}}; every list then has each class in '
        "proportion (default: DATA_DIR/labels.json where there is one)",
    )
    parser.add_argument("--seed", type=whole_number, default=10, help="of the draw (default: 10)")
    parser.add_argument("--force", action="store_true", help="replace the lists that are there")
    return parser.parse_args(argv)


def keep_lists(data_dir: Path, existing: dict[str, Path]) -> None:
    """Say what the data set's own lists hold.

    Raises:
        UserError: one is missing or unreadable, or a video is in two.
    """
    missing = [name for name in LIST_NAMES if name not in existing]
    if missing:
        has = " and ".join(path.name for path in existing.values())
        lacks = " and ".join(f"{name}.txt" for name in missing)
        raise UserError(f"{data_dir} has {has} but no {lacks}: write it yourself, or --force draws all three anew")
    lists = {name: read_list(path) for name, path in existing.items()}
    seen: dict[str, str] = {}
    for list_name, names in lists.items():
        for name in names:
            if seen.setdefault(name, list_name) != list_name:
                raise UserError(f"{name} is in {existing[seen[name]]} and in {existing[list_name]}: take it out of one")
    there = videos_by_name(data_dir).keys()
    print(f"{data_dir} has its own lists, which are kept (--force replaces them):")
    for list_name, names in lists.items():
        gone = sum(name not in there for name in names)
        print(
            f"  {list_name}.txt  {len(names)} videos"
            + (f", {gone} of them not in {video_dir(data_dir)}" if gone else "")
        )


def write_lists(options: argparse.Namespace) -> None:
    """Draw the lists and write them.

    Raises:
        UserError: there are no videos, or too few, or the labels cannot be read.
    """
    names = list(videos_by_name(options.data_dir))
    if not names:
        remedy = f"put some there, or make the demo set with {command('data/make_demo.py', options.data_dir)}"
        raise UserError(f"no videos in {video_dir(options.data_dir)}: {remedy}")
    if unlistable := [name for name in names if parse_list_line(name) != name or len(name.splitlines()) > 1]:
        raise UserError(f"a list cannot hold the name {unlistable[0]!r}: rename the video; nothing was written")
    labels_path = options.labels or labels_file(options.data_dir)
    labels = read_labels(labels_path) if options.labels or labels_path.exists() else {}
    lists = split(names, labels, options.val, options.test, options.seed)
    for list_name in LIST_NAMES:
        write_list(list_path(options.data_dir, list_name), lists[list_name])
    counts = ", ".join(f"{list_name}.txt {len(lists[list_name])}" for list_name in LIST_NAMES)
    print(f"{len(names)} videos: {counts}, in {options.data_dir}")
    if min(len(lists["train"]), len(lists["val"])) < PAIRABLE:
        print(f"Training takes at least {PAIRABLE} videos in train.txt and in val.txt: add videos, then --force.")
    if labels:
        print(labels_summary(names, labels, labels_path))


def labels_summary(names: Sequence[str], labels: dict[str, str], labels_path: Path) -> str:
    """One line on how the labels and the videos that are there fit together."""
    there = {*names, *map(identity_of, names)}
    gone = sum(identity not in there for identity in labels)
    classes = {label_of(name, labels) for name in names} - {""}
    unlabelled = sum(not label_of(name, labels) for name in names)
    return (
        f"{labels_path} names {len(labels)} videos, {gone} of them gone; the lists hold {len(classes)} classes in "
        f"proportion" + (f", {unlabelled} videos have no label" if unlabelled else "")
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    options = parse(argv)
    existing = {name: path for name in LIST_NAMES if (path := list_path(options.data_dir, name)).exists()}
    try:
        if existing and not options.force:
            keep_lists(options.data_dir, existing)
        else:
            write_lists(options)
    except UserError as error:
        print(f"split: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"split: cannot write into {options.data_dir} ({error.strerror}): make it writable", file=sys.stderr)
        return 1
    print(f"Next: {command('data/cut_video.py', options.data_dir)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
