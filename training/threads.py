"""The number of threads that compute on a CPU."""

import copy
import os
import time

import torch

from training.device import DeviceLoader
from training.distributed import world_size
from training.optim import MicroBatch
from training.steps import Stepper

NUM_THREADS = "OMP_NUM_THREADS"  # environment variable that PyTorch reads
ROUNDS = 3  # of steps in turns, the first one without the clock


def choose_threads(stepper: Stepper, loader: DeviceLoader) -> None:
    """Halve the number of threads as long as a step becomes faster; prints the choice.

    Threads wait for one another in each operation. Where another program takes one of their cores, they wait most of
    the time. The steps are those of a copy, so the training is the same as with OMP_NUM_THREADS set to this number.
    """
    threads = torch.get_num_threads()
    if loader.device.type != "cpu" or threads == 1 or NUM_THREADS in os.environ or world_size() > 1:
        return
    step = MicroBatch(next(iter(loader)), step=0, weight=1.0, first=True, last=True)
    trial, found = copy.deepcopy(stepper), {}
    trial.parallel.train()
    with torch.random.fork_rng(devices=()):
        while threads > 1:
            rounds = [[_seconds(trial, step, number) for number in (threads, threads // 2)] for _ in range(ROUNDS)]
            more, fewer = (sum(steps) / len(steps) for steps in zip(*rounds[1:], strict=True))
            found |= {threads: more, threads // 2: fewer}
            if more <= fewer:
                break
            threads //= 2
    torch.set_num_threads(threads)
    times = ", ".join(f"{number}: {seconds:.2f} s" for number, seconds in found.items())
    print(f"Computing threads: {threads} (a step with {times}); {NUM_THREADS}=N sets another number")


def _seconds(stepper: Stepper, step: MicroBatch, threads: int) -> float:
    torch.set_num_threads(threads)
    start = time.perf_counter()
    stepper.step(step)
    return time.perf_counter() - start
