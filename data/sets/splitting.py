"""Draws the lists of a data set, train.txt, val.txt and test.txt, or checks those that it has."""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from common.cli import number, whole_number
from common.errors import UserError
from data.layout import LIST_NAMES, labels_file, list_path, names_of_set, no_videos, video_dir
from data.lists import ENTRY_FORM, identity_of, label_of, labels_of_set, read_list, require_listable, write_lists

VAL, TEST, SEED = 0.12, 0.17, 10  # fractions of the videos, and the seed of the draw
fraction = number(float, lambda value: 0 <= value < 1, "no fraction from 0 to 1")
PAIRABLE = 2  # videos that a list for training or validation needs: a negative pair takes a frame of another video


def sizes(count: int, val: float, test: float) -> tuple[int, int]:
    """Return the numbers of videos for validation and test; from 5 videos on, all lists are usable."""
    if count < len(LIST_NAMES):
        raise UserError(f"{count} videos are too few for three lists")
    in_val = max(PAIRABLE if count > 2 * PAIRABLE else 1, round(val * count)) if val else 0
    in_test = max(1, round(test * count)) if test else 0
    if count - in_val - in_test < 1:
        raise UserError(f"--val {val} --test {test} leave none of {count} videos for training")
    return in_val, in_test


def spread(names: Sequence[str], count: int, offset: float) -> list[str]:
    """Take `count` names at equal distances, so that each class, a run of `names`, gives its share.

    `offset` is the place of the first one, in [0, 1) of the distance.
    """
    return [names[int((index + offset) * len(names) / count)] for index in range(count)]


def split(names: Iterable[str], labels: dict[str, str], val: float, test: float, seed: int) -> dict[str, list[str]]:
    """Draw the names of the three lists, disjoint, with each class in proportion; `val` and `test` are fractions.

    `labels` are as for `label_of`; videos without a label are one more class.
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


def add_split_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `keep_or_write_lists`."""
    for option, default, purpose in (("--val", VAL, "validation"), ("--test", TEST, "the test")):
        help_text = f"fraction of the videos for {purpose} (default: {default})"
        parser.add_argument(option, type=fraction, default=default, help=help_text)
    parser.add_argument("--seed", type=whole_number, default=SEED, help="seed of the draw (default: %(default)s)")
    parser.add_argument("--force", action="store_true", help="replace existing lists")


def check_own_lists(data_dir: Path, existing: dict[str, Path]) -> None:
    """Print the sizes of the data set's own lists, which must be three and disjoint."""
    if missing := [f"{name}.txt" for name in LIST_NAMES if name not in existing]:
        has, lacks = " and ".join(path.name for path in existing.values()), " and ".join(missing)
        raise UserError(f"{data_dir} has {has} but no {lacks}: write it yourself, or --force draws all three anew")
    lists = {name: read_list(path) for name, path in existing.items()}
    seen: dict[str, str] = {}
    for list_name, names in lists.items():
        for name in names:
            if seen.setdefault(name, list_name) != list_name:
                raise UserError(f"{name} is in {existing[seen[name]]} and in {existing[list_name]}: remove it from one")
    videos = names_of_set(data_dir)
    print(f"{data_dir} has its own lists, which are kept (--force replaces them):")
    for list_name, names in lists.items():
        gone = [name for name in names if name not in videos]
        example = f", as {gone[0]!r:.100}: {ENTRY_FORM}" if gone else ""
        note = f", {len(gone)} of them not in {video_dir(data_dir)}{example}" if gone else ""
        print(f"  {list_name}.txt  {len(names)} videos{note}")
    if unlisted := [name for name in videos if name not in seen]:
        print(f"  {len(unlisted)} videos are in none of them, as {unlisted[0]}")


def draw_lists(options: argparse.Namespace) -> None:
    """Draw the lists and write them."""
    names = names_of_set(options.data_dir)
    if not names:
        raise no_videos(options.data_dir)
    require_listable(names)
    labels = labels_of_set(options.data_dir)
    lists = split(names, labels, options.val, options.test, options.seed)
    write_lists({list_path(options.data_dir, list_name): lists[list_name] for list_name in LIST_NAMES})
    counts = ", ".join(f"{list_name}.txt {len(lists[list_name])}" for list_name in LIST_NAMES)
    print(f"{len(names)} videos: {counts}, in {options.data_dir}")
    if min(len(lists["train"]), len(lists["val"])) < PAIRABLE:
        print(f"Training needs at least {PAIRABLE} videos in train.txt and in val.txt: add videos, then --force.")
    if labels:
        gone = len(labels.keys() - {*names, *map(identity_of, names)})
        classes = [label_of(name, labels) for name in names]
        note = f", {classes.count('')} videos have no label" if "" in classes else ""
        print(
            f"{labels_file(options.data_dir)} names {len(labels)} videos, {gone} of them gone; the lists hold "
            f"{len({*classes} - {''})} classes in proportion{note}"
        )


def keep_or_write_lists(options: argparse.Namespace) -> None:
    """Keep the data set's own lists, or write new ones if there are none or with ``--force``."""
    existing = {name: path for name in LIST_NAMES if (path := list_path(options.data_dir, name)).exists()}
    if existing and not options.force:
        check_own_lists(options.data_dir, existing)
    else:
        draw_lists(options)
