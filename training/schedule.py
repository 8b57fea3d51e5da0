"""The learning rate of each step."""

import math

SCHEDULES = ("constant", "cosine")


def learning_rate(highest: float, schedule: str, warmup: int, step: int, steps: int) -> float:
    """Learning rate of a step: it rises over the first `warmup` steps, then stays, or falls as half a cosine.

    Args:
        highest: what it rises to.
        schedule: one of `SCHEDULES`; ``cosine`` reaches 0 after the last step.
        warmup: steps in which it rises in proportion.
        step: from 0, counted over all epochs.
        steps: of the whole training.
    """
    rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
    fall = 0.5 * (1 + math.cos(math.pi * step / steps)) if schedule == "cosine" else 1.0
    return highest * rise * fall
