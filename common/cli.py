"""The common part of all command lines: option types, parsers, and the commands that messages recommend."""

import argparse
import math
import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T", int, float)

DEFAULT_DATA_DIR = Path("datasets/demo")
INSTALL = "python3 -m pip install -r requirements.txt brings it"  # remedy for a missing package


def available_cores() -> int:
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def number(kind: Callable[[str], T], fits: Callable[[T], bool], problem: str) -> Callable[[str], T]:
    """Make the type of an option: a number of a kind that fits; `problem` says what another one is."""

    def parse(text: str) -> T:
        value = kind(text)
        if not fits(value):
            raise argparse.ArgumentTypeError(f"{text} is {problem}")
        return value

    parse.__name__ = kind.__name__  # argparse says: invalid int value
    return parse


MOST = 2**31  # of what is counted
whole_number = number(int, lambda value: 0 <= value < MOST, "not from 0 to 2^31 - 1")
seed_number = number(int, lambda value: 0 <= value < 2**63, "not from 0 to 2^63 - 1")  # as numpy and PyTorch accept
positive_int = number(int, lambda value: 1 <= value < MOST, "not from 1 to 2^31 - 1")
positive_float = number(float, lambda value: 0 < value < math.inf, "not above 0 and finite")


def plain_parser(description: str) -> argparse.ArgumentParser:
    """Make a parser without options; its help shows the description line by line."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )


def new_parser(description: str) -> argparse.ArgumentParser:
    """Make a parser with the option of all programs on data sets, ``--data_dir``."""
    parser = plain_parser(description)
    parser.add_argument(
        "--data_dir", type=Path, default=DEFAULT_DATA_DIR, help=f"the data set's folder (default: {DEFAULT_DATA_DIR})"
    )
    return parser


def command(script: str, data_dir: Path) -> str:
    """Return the command line that runs a program on a data set."""
    option = "" if Path(data_dir) == DEFAULT_DATA_DIR else f" --data_dir {shlex.quote(str(data_dir))}"
    return f"python3 {script}{option}"


def values_of_option(argv: Sequence[str], option: str, parser: argparse.ArgumentParser) -> list[str]:
    """Bind the values of an option to it: ``--videos -a b`` becomes ``--videos=-a --videos=b``.

    Names of YouTube videos can start with a dash; argparse would take such a value for an option.

    Args:
        argv: words of the command line.
        option: declared with ``nargs="+", action="extend"``.
        parser: knows the other options, which end the values.
    """
    ends = {"--", *parser._option_string_actions}

    def bound() -> Iterator[str]:
        inside = False
        for word, following in zip(argv, [*argv, "--"][1:], strict=True):
            if word.partition("=")[0] in ends:
                inside = word == option
                if not inside or following.partition("=")[0] in ends:  # argparse reports an option without values
                    yield word
            else:
                yield f"{option}={word}" if inside else word

    return list(bound())
