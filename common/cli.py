"""The common part of all command lines: option types, parsers, and the commands that messages recommend."""

import argparse
import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

DEFAULT_DATA_DIR = Path("datasets/demo")
INSTALL = "python3 -m pip install -r requirements.txt brings it"  # remedy for a missing package


def available_cores() -> int:
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def whole_number(text: str) -> int:
    """Parse an integer of at least 0."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value} is less than 0")
    return value


def seed_number(text: str) -> int:
    """Parse a seed that numpy and PyTorch accept."""
    value = whole_number(text)
    if value >= 2**63:
        raise argparse.ArgumentTypeError(f"{value} is too large for a seed")
    return value


def positive_int(text: str) -> int:
    """Parse an integer of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return value


def positive_float(text: str) -> float:
    """Parse a finite number above 0."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


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
