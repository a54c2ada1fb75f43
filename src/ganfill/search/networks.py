"""Runs the networks of a model in a chosen precision, in batches whose size does not affect the results.

A convolution rounds differently for different batch sizes. On a CPU, batch sizes that are powers of two give every item the
same bits; other sizes do not. So every batch is filled up to the next power of two.
"""

from collections.abc import Callable

import torch

from ganfill.checkpoints import checkpoint
from ganfill.devices import has_bfloat16
from ganfill.errors import UserError
from ganfill.models.model import Model
from ganfill.search.target import Target


class Networks:
    """The networks of a model with float32 inputs and outputs and power-of-two batches.

    Args:
        model: networks frozen and in evaluation mode.
        precision: ``auto`` (bfloat16 where it is native), ``bf16`` or ``fp32``.

    Raises:
        UserError: the precision is not known.
    """

    def __init__(self, model: Model, precision: str = "auto") -> None:
        if precision not in ("auto", "bf16", "fp32"):
            raise UserError(f"precision={precision} is not known: use auto, bf16 or fp32")
        self.model = model
        self.device = next(model.generator.parameters()).device
        self.bfloat16 = has_bfloat16(self.device) if precision == "auto" else precision == "bf16"

    def generate(self, z: torch.Tensor) -> torch.Tensor:
        """Maps z (M, d) to pictures (M, 3, R, R) in [-1, 1]."""
        return self.run(self.model.generator, z)

    def encode(self, image: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """Estimates z (M, d) of damaged pictures; the model must have an encoder."""
        assert self.model.encoder is not None
        return self.run(self.model.encoder, image, known)

    def logits(self, pictures: torch.Tensor) -> torch.Tensor:
        """Maps pictures (M, 3, R, R) to discriminator logits (M,), positive for real.

        Raises:
            UserError: the model has no discriminator.
        """
        if self.model.discriminator is None:
            raise UserError("this search needs a discriminator, and the model has none: use search=standard")
        return self.run(self.model.discriminator, pictures)

    def inpaint(self, target: Target, guesses: torch.Tensor) -> torch.Tensor:
        """Maps guesses (N, k, 3, R, R) for N pictures to completed pictures; without an inpainter, returns the guesses."""
        if self.model.inpainter is None:
            return guesses
        k = guesses.shape[1]
        image, known = (tensor.repeat_interleave(k, 0) for tensor in (target.image, target.known))
        with torch.no_grad():
            completed = self.run(self.model.inpainter, image, known, guesses.flatten(0, 1).clamp(-1, 1))
        return completed.unflatten(0, (-1, k))

    def run(self, network: Callable[..., torch.Tensor], *batches: torch.Tensor) -> torch.Tensor:
        """Runs a network on batches (M, ...) filled up to a power of two, after a checkpoint; returns float32 (M, ...)."""
        checkpoint()
        n = len(batches[0])
        missing = (1 << (n - 1).bit_length()) - n
        if missing:
            batches = tuple(torch.cat([b, b[-1:].detach().expand(missing, *b.shape[1:])]) for b in batches)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            return network(*batches)[:n].float()
