"""Random numbers with a purpose: every draw comes from a generator named by what it is for."""

import hashlib

import torch


def derive_seed(seed: int, *purpose: str | int) -> int:
    """Mixes a user's seed with the words of a purpose, such as ``("z", 128_000)``, into 63 bits."""
    words = "\x1f".join(str(word) for word in (seed, *purpose))
    return int.from_bytes(hashlib.blake2b(words.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "big") >> 1


def generator(seed: int, *purpose: str | int) -> torch.Generator:
    """Returns a fresh CPU generator that depends on nothing but ``seed`` and ``purpose``.

    Draws are made on the CPU and moved, so that a GPU and a CPU see the same numbers.
    """
    return torch.Generator().manual_seed(derive_seed(seed, *purpose))
