"""What the benchmarks save: their figures, with the machine, the date and the versions that these depend on."""

import argparse
import datetime
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from common.cli import available_cores
from metrics.table import write_json


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name."""
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or platform.machine()


def device_name() -> str:
    """The GPU's name, ``mps``, or ``cpu``: looked up without setting anything that a training would feel."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return "mps" if torch.backends.mps.is_available() else "cpu"


def machine() -> dict[str, Any]:
    """What times depend on."""
    return {
        "cpu": cpu_model(),
        "cores": available_cores(),
        "threads": torch.get_num_threads(),
        "device": device_name(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def load() -> float | None:
    """Mean number of processes that wanted a core in the last minute; None where the system does not tell.

    Before a benchmark begins, it says whether anything ran beside it.
    """
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def option_values(options: argparse.Namespace) -> dict[str, Any]:
    """A program's options as JSON takes them."""
    return {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}


def new_results(options: argparse.Namespace) -> dict[str, Any]:
    """The head of a benchmark's results: date, machine, its load, and the options; the figures are added to it."""
    return {
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "load": load(),
        "options": option_values(options),
    }


def save_results(path: Path, results: Mapping[str, Any]) -> None:
    """Write results as JSON, whole or not at all.

    Raises:
        UserError: they cannot be written.
    """
    write_json(Path(path), dict(results))


def machine_line(results: Mapping[str, Any]) -> str:
    """One line on where figures come from, to stand under their table."""
    there = results["machine"]
    gpu = "" if there["device"] == "cpu" else f", {there['device']}"
    load_before = "" if results.get("load") is None else f", load before {results['load']:.1f}"
    return f"{there['cpu']}, {there['cores']} cores{gpu}, PyTorch {there['torch']}, {results['date']}{load_before}."


def markdown_table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a table in Markdown, its columns aligned: the first one to the left, the others to the right.

    Args:
        head: names of the columns.
        rows: cells, as many as `head` has, shown by `str`.

    Raises:
        ValueError: a row has another length than the head.
    """
    texts = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(4, *map(len, column)) for column in zip(*texts, strict=True)]
    rule = ["-" * width if column == 0 else "-" * (width - 1) + ":" for column, width in enumerate(widths)]

    def line(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        return "| " + " | ".join(padded) + " |"

    return [line(texts[0]), line(rule), *map(line, texts[1:])]
