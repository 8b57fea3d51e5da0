"""What the programs' command lines have in common: the types of their options, and how they name one another."""

import argparse
import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

DEFAULT_DATA_DIR = Path("datasets/demo")
INTERRUPTED = 130  # exit status after Ctrl-C, as shells have it
INSTALL = "python3 -m pip install -r requirements.txt brings it"  # what to do where a package is missing


def available_cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def whole_number(text: str) -> int:
    """An option's value that is 0 or more."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value} is less than 0")
    return value


def seed_number(text: str) -> int:
    """A seed that numpy and PyTorch both take."""
    value = whole_number(text)
    if value >= 2**63:
        raise argparse.ArgumentTypeError(f"{value} is too large for a seed")
    return value


def positive_int(text: str) -> int:
    """An option's value that is 1 or more."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return value


def positive_float(text: str) -> float:
    """An option's value above 0."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def share(text: str) -> float:
    """An option's value in [0, 1)."""
    value = float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a share, 0 to 1")
    return value


def plain_parser(description: str) -> argparse.ArgumentParser:
    """Parser without options; its help shows the description line by line."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )


def new_parser(description: str) -> argparse.ArgumentParser:
    """Parser with the option that programs on data sets have, ``--data_dir``."""
    parser = plain_parser(description)
    parser.add_argument(
        "--data_dir", type=Path, default=DEFAULT_DATA_DIR, help=f"the data set's folder (default: {DEFAULT_DATA_DIR})"
    )
    return parser


def command(script: str, data_dir: Path) -> str:
    """The command line that runs a program on a data set."""
    option = "" if Path(data_dir) == DEFAULT_DATA_DIR else f" --data_dir {shlex.quote(str(data_dir))}"
    return f"python3 {script}{option}"


def values_of_option(argv: Sequence[str], option: str, parser: argparse.ArgumentParser) -> list[str]:
    """A command line with the values of an option bound to it: ``--videos -a b`` becomes ``--videos=-a --videos=b``.

    Else argparse takes a value that starts with a dash, as names of YouTube videos do, for an option of its own.

    Args:
        argv: the command line's words.
        option: takes several values, and is given as often as one likes (``nargs="+", action="extend"``).
        parser: knows the other options, which end the values.
    """
    ends = {"--", *parser._option_string_actions}

    def bound() -> Iterator[str]:
        """The words, one after the other."""
        inside = False
        for word, following in zip(argv, [*argv[1:], "--"], strict=True):
            if word.partition("=")[0] in ends:
                inside = word == option
                if not inside or following.partition("=")[0] in ends:  # without a value argparse is to refuse it
                    yield word
            else:
                yield f"{option}={word}" if inside else word

    return list(bound())
