"""Shards: equal parts of a folder of pictures, for processes that share a folder of results."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ganfill.errors import UserError
from ganfill.locks import LOCK, hold_directory, hold_file


@dataclass(frozen=True)
class Shard:
    """The pictures whose names have a hash of ``index`` modulo ``count``; all pictures by default.

    Raises:
        UserError: the index is not below the count.
    """

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise UserError(
                f"shard={self.index}/{self.count} does not exist: the first is 0/{self.count}, "
                f"the last {max(self.count - 1, 0)}/{self.count}"
            )

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Reads ``3/64``.

        Raises:
            UserError: it is not a shard.
        """
        if match := re.fullmatch(r"(\d+)/([1-9]\d*)", text):
            return cls(int(match[1]), int(match[2]))
        raise UserError(f"shard={text} is not NUMBER/COUNT: write 0/4 for the first of four shards")

    def __contains__(self, name: str) -> bool:
        """True if the results of this name belong to the shard."""
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8]) % self.count == self.index

    def file(self, stem: str, suffix: str) -> str:
        """The name of a file of this shard: ``record-3-of-64.jsonl``; ``record.jsonl`` for all pictures."""
        return f"{stem}{suffix}" if self.count == 1 else f"{stem}-{self.index}-of-{self.count}{suffix}"

    def files(self, stem: str, suffix: str) -> list[str]:
        """The names of the files of all shards of the same count."""
        return [Shard(index, self.count).file(stem, suffix) for index in range(self.count)]


ALL = Shard()


@contextmanager
def hold_shard(out: Path, shard: Shard) -> Iterator[None]:
    """Reserves a shard of a folder of results for this process. Other shards of the same count may be at work there.

    Raises:
        InUse: another process works on the same shard, or on other ones that overlap it.
        UserError: the folder cannot be created.
    """
    whole, allied = shard.count == 1, set(shard.files("shard", ""))
    with ExitStack() as starting, ExitStack() as working:
        (working if whole else starting).enter_context(hold_directory(out, wait=not whole))
        for lock in out.glob(f".shard-*{LOCK}"):
            if (name := lock.name.removeprefix(".").removesuffix(LOCK)) not in allied:
                with hold_file(out / name):
                    pass
        if not whole:
            working.enter_context(hold_file(out / shard.file("shard", "")))
        starting.close()
        yield
