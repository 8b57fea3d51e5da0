"""What a run starts from: its options, and the checkpoint that it reads."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.checkpoints.checkpoint import Checkpoint, read_checkpoint
from training.distributed import broadcast_from_rank0, launch_id
from training.option_checks import check_options, without_effect
from training.options import BEST, LAST, inherited_words, merge_options, parse_options


def read_start(given: dict[str, Any]) -> tuple[dict[str, Any], Checkpoint | None]:
    """The given options, and the checkpoint to start from.

    If torchrun restarts a training that it started, it resumes as with `--resume 1`. Over several machines rank 0 may
    move to another one: give `--resume 1` there. A training of another torchrun stays as it is.
    """
    options, launch = merge_options(given, {}), launch_id()
    last, path = Path(options.out) / LAST, Path(options.ckpt_file or Path(options.out) / BEST)
    if not options.evaluate and last.exists() and (options.resume or launch):
        checkpoint = read_checkpoint(last)
        if options.resume:
            return given, checkpoint
        if checkpoint.state.get("launch") == launch:
            print(f"Restarted by torchrun: resuming from {last}, as with --resume 1")
            return {**given, "resume": 1}, checkpoint
    elif not options.evaluate and options.resume:
        start = f"from {path}" if options.use_pretrain else "fresh"
        print(f"--resume 1: there is no {last}, so the training starts {start}")
    needed = options.evaluate or options.use_pretrain or options.export_published
    if options.evaluate and not options.ckpt_file:
        print(f"--evaluate 1 without --ckpt_file: using {path}")
    return given, read_checkpoint(path) if needed else None


def read_options(description: str, argv: Sequence[str] | None) -> tuple[Namespace, Checkpoint | None]:
    """All options and the checkpoint; prints what the checkpoint adds and what has no effect."""
    parser, given = parse_options(description, argv)
    given, checkpoint = broadcast_from_rank0(read_start, given)
    options = merge_options(given, checkpoint.args if checkpoint else {})
    if problem := check_options(options):
        parser.error(problem)
    if checkpoint and (words := inherited_words(options, given)):
        print(f"from {checkpoint.path}: {words}")
    data_dir = checkpoint.args.get("data_dir", options.data_dir) if checkpoint else options.data_dir
    if "data_dir" not in given and data_dir != options.data_dir:
        print(f"{checkpoint.path} was trained on {data_dir}, which is not here: using {options.data_dir}")
    for sentence in without_effect(options, given):
        print(sentence)
    return options, checkpoint
