"""Adam, and what float16 needs beside it: its smallest number is so large that small gradients would be 0."""

from argparse import Namespace
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

WEIGHT_DECAY = 1e-4
SCALER = "scaler"  # key in the optimizer's state


def build_optimizer(parameters: Iterable[nn.Parameter], options: Namespace) -> torch.optim.Adam:
    """Adam as published, its step a single kernel."""
    return torch.optim.Adam(parameters, lr=options.learning_rate, weight_decay=WEIGHT_DECAY, fused=True)


def build_scaler(
    optimizer: torch.optim.Optimizer, precision: torch.dtype, device: torch.device
) -> torch.amp.GradScaler:
    """Scales the loss, and with it all gradients, up to where float16 can tell them from 0; else does nothing.

    A step whose gradients overflow is left out, and the scale halved. From now on the scale is part of the optimizer's
    state, so that a checkpoint has it.
    """
    scaler = torch.amp.GradScaler(device.type, enabled=precision == torch.float16)

    def add_scale(_: torch.optim.Optimizer, state: dict[str, Any]) -> dict[str, Any]:
        return {**state, SCALER: scaler.state_dict()} if scaler.is_enabled() else state

    def take_scale(_: torch.optim.Optimizer, state: dict[str, Any]) -> dict[str, Any]:
        if scaler.is_enabled() and state.get(SCALER):
            scaler.load_state_dict(state[SCALER])
        return {key: value for key, value in state.items() if key != SCALER}

    optimizer.register_state_dict_post_hook(add_scale)
    optimizer.register_load_state_dict_pre_hook(take_scale)
    return scaler
