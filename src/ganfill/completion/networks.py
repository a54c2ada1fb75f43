"""How a search runs a model: which precision, and in batches whose size leaves no trace in the answer.

A convolution rounds differently for different batch sizes. On CPU, sizes that are powers of two were found to give
every item the same bits; others (3, 5, 7, ...) were not. So every batch is filled up to the next power of two.
"""

from typing import TYPE_CHECKING

import torch

from ganfill.errors import UserError

if TYPE_CHECKING:
    from ganfill.modelfile import Model


def choose_device(name: str = "auto") -> torch.device:
    """``auto`` is the first CUDA device if there is one; otherwise any name torch knows (``cpu``, ``cuda:1``).

    Raises:
        UserError: there is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"device={name} is not a device: use auto, cpu, cuda or cuda:1") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"device={name}, but this machine has no such GPU: use device=cpu or device=auto")
    return device


def has_bfloat16(device: torch.device) -> bool:
    """True where bfloat16 arithmetic is native, and so faster than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


class Networks:
    """Generator and discriminator of a model as a search calls them: float32 in and out, power-of-two batches.

    Args:
        model: holds ``generator``, ``discriminator`` and ``latent``, frozen and in evaluation mode.
        precision: ``auto`` (bfloat16 where it is native), ``bf16`` or ``fp32``.

    Raises:
        UserError: ``precision`` is none of these.
    """

    def __init__(self, model: "Model", precision: str = "auto") -> None:
        if precision not in ("auto", "bf16", "fp32"):
            raise UserError(f"precision={precision} is not known: use auto, bf16 or fp32")
        self.model = model
        self.device = next(model.generator.parameters()).device
        self.bfloat16 = has_bfloat16(self.device) if precision == "auto" else precision == "bf16"

    def generate(self, z: torch.Tensor) -> torch.Tensor:
        """Maps z (M, d) to pictures (M, 3, R, R) in [-1, 1]."""
        return self._run(self.model.generator, z)

    def logits(self, pictures: torch.Tensor) -> torch.Tensor:
        """Maps pictures (M, 3, R, R) to logits (M,), positive for real."""
        return self._run(self.model.discriminator, pictures)

    def _run(self, network: torch.nn.Module, batch: torch.Tensor) -> torch.Tensor:
        n = len(batch)
        missing = (1 << (n - 1).bit_length()) - n
        if missing:
            batch = torch.cat([batch, batch[-1:].detach().expand(missing, *batch.shape[1:])])
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            return network(batch)[:n].float()
