"""The precision that the backbones compute in; clustering, distances and losses always have float32."""

import torch

PRECISIONS = ("auto", "fp32", "bf16", "fp16")


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """The type that ``--precision`` names; ``auto`` is bfloat16 where the hardware computes in it, else float32."""
    if name == "auto":
        return torch.bfloat16 if computes_bfloat16(device) else torch.float32
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[name]


def slow_training(precision: torch.dtype, device: torch.device) -> str | None:
    """What to tell a user whose training would take hundreds of times as long as need be."""
    if precision == torch.float16 and device.type == "cpu":
        # PyTorch has no fast gradients of convolutions in float16 there: 4.4 s against 5 ms in bfloat16 (2.14).
        return (
            "--precision fp16 trains hundreds of times slower on a CPU than fp32: stop (Ctrl-C) and take "
            "--precision auto, unless you want just that"
        )
    return None


def computes_bfloat16(device: torch.device) -> bool:
    """Whether a device has instructions for bfloat16: without them it is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":  # of x86; whether ARM's instructions make training faster has not been seen
        if get_capabilities := getattr(torch.cpu, "get_capabilities", None):
            return bool(get_capabilities().get("avx512_bf16"))
        return getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()  # older PyTorch has no public one
    return False
