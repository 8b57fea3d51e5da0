"""Splits the videos of a data set into three disjoint lists: train.txt, val.txt, test.txt.

Whole videos are split, because the seconds of a video are alike. With labels.json, all lists have the classes in the
same proportion. Lists that the data set already has are kept.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from common.cli import command, new_parser
from common.exit_status import exit_status
from data.layout import left_out
from data.sets.splitting import add_split_options, keep_or_write_lists


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program."""
    parser = new_parser(__doc__)
    add_split_options(parser)
    options = parser.parse_args(argv)

    def work() -> None:
        for line in left_out(options.data_dir):
            print(line)
        keep_or_write_lists(options)
        print(f"Next: {command('data/cut_video.py', options.data_dir)}")

    return exit_status("split", work)


if __name__ == "__main__":
    sys.exit(main())
