"""Runs the networks of a model in a chosen precision, in batches whose size does not affect the results.

A convolution rounds differently for different batch sizes. On a CPU, every item has the same bits in all batches whose
size is a power of two, at least two and at least a quarter of the number of threads, if that number is a power of two as
well. So it was with 1, 2, 4, 8 and 16 threads; with 3, 5, 6 and 12, most sizes gave bits of their own. So batches are
filled up, and a search leaves surplus threads idle. They are filled up on a GPU as well, because ``deterministic=true`` is
tested there with such sizes alone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch

from ganfill.cancellation import check_cancelled
from ganfill.devices import has_bfloat16
from ganfill.errors import UserError
from ganfill.models.inpainter import complete_averaged
from ganfill.models.model import Model
from ganfill.search.target import Target


def power_of_two(n: int) -> int:
    """Returns the largest power of two that is at most n, and at least 1."""
    return 1 << (max(n, 1).bit_length() - 1)


@contextmanager
def power_of_two_threads() -> Iterator[None]:
    """Makes PyTorch use a power of two as the number of CPU threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(power_of_two(threads))
    try:
        yield
    finally:
        torch.set_num_threads(threads)


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
        """Completes guesses (N, k, 3, R, R) for N pictures; without an inpainter, returns the guesses."""
        if self.model.inpainter is None:
            return guesses
        k = guesses.shape[1]
        image, known = (tensor.repeat_interleave(k, 0) for tensor in (target.image, target.known))
        with torch.no_grad():
            inpainter = partial(self.run, self.model.inpainter)
            completed = complete_averaged(inpainter, image, known, guesses.flatten(0, 1).clamp(-1, 1))
        return completed.unflatten(0, (-1, k))

    def run(self, network: Callable[..., torch.Tensor], *batches: torch.Tensor) -> torch.Tensor:
        """Runs a network on batches (M, ...) filled up to a power of two; returns float32 (M, ...)."""
        check_cancelled()
        n = len(batches[0])
        smallest = max(2, torch.get_num_threads() // 2) if self.device.type == "cpu" else 1
        missing = max(1 << (n - 1).bit_length(), smallest) - n
        if missing:
            batches = tuple(torch.cat([b, b[-1:].detach().expand(missing, *b.shape[1:])]) for b in batches)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            return network(*batches)[:n].float()
