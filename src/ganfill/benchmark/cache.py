"""Results that took long, kept in files and found again."""

import hashlib
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ganfill.files import write_atomically

UNSAFE = re.compile(r"[^\w.=-]+")  # in a file's name


@dataclass(frozen=True)
class CachedResult:
    """A result.

    Attributes:
        arrays: by name.
        facts: figures and texts beside them, plain values.
        digest: of all that it depends on.
    """

    arrays: dict[str, np.ndarray]
    facts: dict[str, Any]
    digest: str = ""


@dataclass
class ResultCache:
    """A directory of results, each an ``.npz`` and a ``.json`` that vouches for it and is written last.

    Args:
        path: of the directory; made when something is kept.

    Attributes:
        computed: how many results were made.
        found: how many were there.
    """

    path: Path
    computed: int = field(default=0, init=False)
    found: int = field(default=0, init=False)

    def get(self, name: str, depends: dict[str, Any], compute: Callable[[], CachedResult]) -> CachedResult:
        """The result of that name that depends on just this; computed, and kept, unless it is there in full.

        Args:
            name: for people.
            depends: all that the result depends on, plain values.
            compute: makes it.
        """
        digest = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()
        stem = f"{UNSAFE.sub('_', name)[:80]}-{digest[:12]}"
        result = self._read(stem, digest)
        if result is not None:
            self.found += 1
            return result
        made = compute()
        result = CachedResult(made.arrays, made.facts, digest)
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
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            return None  # not there, or not in full: made anew

    def _write(self, stem: str, result: CachedResult, depends: dict[str, Any]) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        content = {"digest": result.digest, "facts": result.facts, "depends": depends}
        # The JSON file comes last: its digest vouches for the arrays.
        write_atomically(
            self.path / f"{stem}.npz", lambda partial: np.savez(partial, allow_pickle=False, **result.arrays)
        )
        write_atomically(self.path / f"{stem}.json", json.dumps(content, indent=1) + "\n")
