"""On-disk cache of evaluation results, keyed by a hash of their inputs and of the code that made them."""

import hashlib
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ganfill.files import write_atomically

UNSAFE = re.compile(r"[^\w.=-]+")  # in file names
ROOT = Path(__file__).parents[1]
# Packages and modules of ganfill that a result depends on.
CODE = ("benchmark", "data", "devices.py", "images", "metrics", "model_io", "models", "search", "seeding.py")


@dataclass(frozen=True)
class CachedResult:
    """A result of an evaluation.

    Attributes:
        arrays: by name.
        facts: plain values by name.
        digest: hash of the inputs and of the code.
    """

    arrays: dict[str, np.ndarray]
    facts: dict[str, Any]
    digest: str = ""


@dataclass
class ResultCache:
    """A directory of results, each an ``.npz`` file and a ``.json`` file that is written last.

    Args:
        path: of the directory, which is created on first use.

    Attributes:
        computed: number of results computed.
        found: number of results read.
    """

    path: Path
    computed: int = field(default=0, init=False)
    found: int = field(default=0, init=False)

    def get(self, name: str, depends: dict[str, Any], compute: Callable[[], CachedResult]) -> CachedResult:
        """Reads a result, or computes and stores it if it is missing or damaged.

        Args:
            name: readable part of the file names.
            depends: all inputs of the result, plain values. The code of ganfill is added.
            compute: returns the result.
        """
        depends = depends | {"code": code_digest()}
        digest = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()
        stem = f"{UNSAFE.sub('_', name)[:80]}-{digest[:12]}"
        result = self._read(stem, digest)
        if result is not None:
            self.found += 1
            return result
        result = compute()
        result = CachedResult(result.arrays, result.facts, digest)
        self._write(stem, result, depends)
        self.computed += 1
        return result

    def _read(self, stem: str, digest: str) -> CachedResult | None:
        try:
            content = json.loads((self.path / f"{stem}.json").read_text("utf-8"))
            if content["digest"] != digest:
                return None
            with (self.path / f"{stem}.npz").open("rb") as file, np.load(file) as arrays:
                return CachedResult(dict(arrays), content["facts"], digest)
        except (OSError, ValueError, KeyError, TypeError, EOFError, RecursionError, zipfile.BadZipFile):
            return None

    def _write(self, stem: str, result: CachedResult, depends: dict[str, Any]) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        content = {"digest": result.digest, "facts": result.facts, "depends": depends}
        arrays = self.path / f"{stem}.npz"
        write_atomically(arrays, lambda partial: np.savez(partial, allow_pickle=False, **result.arrays))
        write_atomically(self.path / f"{stem}.json", json.dumps(content, indent=1) + "\n")


@cache
def code_digest() -> str:
    """Returns a hash of the source files that results depend on, so that those of other code are not taken for theirs."""
    sources = hashlib.sha256()
    for file in sorted(file for file in ROOT.rglob("*.py") if file.relative_to(ROOT).parts[0] in CODE):
        sources.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes())
    return sources.hexdigest()
