"""What each of two processes has and writes, under torchrun: what `test_parallel_results.py` looks at."""

import sys
from pathlib import Path

import torch
from torch import nn

import location_dmc
from data.other_sounds import NoiseNegatives
from models.device import seed_everything
from models.distributed import average_statistics
from models.dmc import DMC, build_dmc
from models.options import merge_options
from models.processes import from_first, is_first, joined
from models.run_folder import LAST, RunFolder
from tests.parallel_steps import shrink

SMALL = {"image_size": 32, "batch_size": 4, "num_threads": 0, "precision": "fp32", "save_every": 1}
SMALL |= {"recipe": "original", "log": "tensorboard"}
State = dict[str, torch.Tensor]


def state_of(model: nn.Module) -> State:
    return {name: value.clone() for name, value in model.state_dict().items()}


def averaged(first: bool) -> tuple[State, State]:
    """A network before and after its statistics are averaged; each process has weights, data and counts of its own."""
    torch.manual_seed(0 if first else 1)
    model = nn.Sequential(nn.Conv2d(1, 3, 1), nn.BatchNorm2d(3), nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))
    for weight in model.parameters():
        nn.init.normal_(weight)
    for _ in range(2 if first else 5):
        model(torch.randn(8, 1, 4, 4) * (1 if first else 3) + 1)
    before = state_of(model)
    average_statistics(model)
    return before, state_of(model)


def train(data_dir: Path, own: Path, of_first: Path) -> DMC:
    """Train for an epoch, resume for another and evaluate; each process is given a folder of its own to write into.

    Args:
        data_dir: the data set.
        own: where this process would leave what it writes.
        of_first: where the first process does.
    """
    options = merge_options({"data_dir": str(data_dir), **SMALL}, {})
    seed_everything(options.seed)
    device = torch.device("cpu")
    model = shrink(build_dmc(options))
    loaders = location_dmc.build_pair_loaders(options, device)
    noise = NoiseNegatives(data_dir, options.noise_negatives)
    resumed = None
    for options.epoch in (1, 2):
        location_dmc.train(options, model, *loaders, noise, RunFolder(own / "run"), resumed)
        resumed = from_first(location_dmc.read_checkpoint, of_first / "run" / LAST)
    model.set_testing(options)
    location_dmc.evaluate(model, location_dmc.build_test_loader(options, device), own / "dmc.pkl")
    return model


def main(data_dir: Path, out: Path) -> None:
    """Write what there is in each process, under its number."""
    with joined():
        torch.set_num_threads(1)
        first = is_first()
        own = out / ("0" if first else "1")
        results = {"averaged": averaged(first), "trained": state_of(train(data_dir, own, out / "0"))}
    torch.save(results, own.with_suffix(".pt"))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
