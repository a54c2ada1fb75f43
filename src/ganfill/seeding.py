"""Independent streams of random numbers, each named by its purpose."""

import hashlib

import torch


def derive_seed(seed: int, *purpose: str | int) -> int:
    """Hashes a user's seed and a purpose, such as ``("z", 128_000)``, to 63 bits."""
    words = "\x1f".join(str(word) for word in (seed, *purpose))
    return int.from_bytes(hashlib.blake2b(words.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "big") >> 1


def generator(seed: int, *purpose: str | int) -> torch.Generator:
    """Returns a fresh CPU generator that depends on ``seed`` and ``purpose`` alone.

    Numbers are drawn on the CPU and moved, so that a GPU and a CPU see the same ones.
    """
    return torch.Generator().manual_seed(derive_seed(seed, *purpose))
