"""Choice and properties of the device that computes."""

import platform
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch

from ganfill.errors import UserError


def choose_device(name: str = "auto") -> torch.device:
    """Returns the device of a name: ``cpu``, ``cuda`` or ``cuda:1``; ``auto`` is CUDA if there is a GPU, else the CPU.

    Raises:
        UserError: there is no such device, or ganfill does not support it, as ``mps``.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(str(name))
    except RuntimeError:
        raise UserError(f"device={name} is not a device: use auto, cpu, cuda or cuda:1") from None
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"device={name} is not supported: use device=cpu or device=cuda")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"device={name}, but this machine has no such GPU: use device=cpu or device=auto")
    return device


def has_bfloat16(device: torch.device) -> bool:
    """True where bfloat16 arithmetic is native, and so faster than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):  # torch 2.11 may not have it
        return False
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def without_autocast(tensor: torch.Tensor) -> AbstractContextManager:
    """Returns a context that switches autocast off on the device of ``tensor``; meta tensors have no autocast."""
    device = tensor.device.type
    return torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext()


def describe(device: torch.device) -> str:
    """Returns the name of the GPU or of the processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def send(tensor: torch.Tensor, device: torch.device | str) -> torch.Tensor:
    """Copies a CPU tensor to ``device`` asynchronously."""
    if torch.device(device).type == "cuda":
        tensor = tensor.pin_memory()  # a copy from pageable memory waits for all work queued on the device
    return tensor.to(device, non_blocking=True)
