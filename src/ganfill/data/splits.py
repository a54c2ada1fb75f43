"""Training and test splits: rules on file names, so that a test picture is never trained on."""

import hashlib
import json
import logging
from collections.abc import Callable, Collection, Sequence
from pathlib import Path, PurePosixPath

from ganfill.data.archives import split_suffix
from ganfill.data.sources import Source
from ganfill.errors import UserError
from ganfill.images.formats import suffixes

log = logging.getLogger(__name__)

Rule = Callable[[str], str | None]

FFHQ_TRAIN = 60000
HASHED_TEST = 0.1
NAMES = ("auto", "ffhq", "hash", "test")


def identify(split: str) -> str:
    """Returns the identity of a split for ``index.json``: its name, or the SHA-256 of its file.

    Raises:
        UserError: there is no such split.
    """
    return split if split in NAMES else f"sha256:{hashlib.sha256(_read(split)).hexdigest()}"


def choose_rules(split: str, sources: Sequence[Source]) -> list[Rule]:
    """Returns a rule for each source: path inside the source -> ``train``, ``test``, or None if the rule rejects the file.

    Args:
        split: ``ffhq`` (ids below 60000 train), ``hash`` (about a tenth test), ``test`` (all test), ``auto`` (``ffhq`` for
            a source whose pictures are all named by five digits, otherwise ``hash``), or a JSON file
            ``{name of source: {"test_files": [names]}}``.
        sources: sources to split.

    Raises:
        UserError: there is no such split, or the file does not name a source.
    """
    if split == "auto":
        return [by_ffhq_id if _looks_like_ffhq(source.files) else by_hash for source in sources]
    rules: dict[str, Rule] = {"ffhq": by_ffhq_id, "hash": by_hash, "test": lambda name: "test"}
    if split in rules:
        return [rules[split]] * len(sources)
    return [_from_file(split, source) for source in sources]


def by_ffhq_id(name: str) -> str | None:
    """FFHQ's official split: the first 60,000 pictures are for training."""
    stem = _stem(name)
    if not (stem.isascii() and stem.isdigit()):
        return None
    return "train" if int(stem) < FFHQ_TRAIN else "test"


def by_hash(name: str) -> str:
    """Puts about a tenth into ``test`` by a hash of the path without suffix; adding pictures moves no others."""
    digest = hashlib.blake2b(split_suffix(name)[0].encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return "test" if int.from_bytes(digest, "big") < HASHED_TEST * 2**64 else "train"


def _stem(name: str) -> str:
    return split_suffix(name)[0].rpartition("/")[2]


def _looks_like_ffhq(names: Collection[str]) -> bool:
    stems = [_stem(name) for name in names if split_suffix(name)[1].lower() in suffixes()]
    return bool(stems) and all(len(stem) == 5 and stem.isascii() and stem.isdigit() for stem in stems)


def _read(split: str) -> bytes:
    try:
        if not Path(split).is_file():  # a pipe might be read without end
            raise FileNotFoundError
        return Path(split).read_bytes()
    except OSError:
        raise UserError(f"split={split} is not known: use {', '.join(NAMES)} or an existing JSON file") from None


def _from_file(path: str, source: Source) -> Rule:
    try:
        content = json.loads(_read(path))
        entry = content.get(source.name, content.get(source.label))
        if entry is None:
            raise UserError(f"split={path} does not name {source.name}, only {', '.join(content)}: add it")
        if not isinstance(entry["test_files"], list):
            raise TypeError
        tests = {str(name) for name in entry["test_files"]}
    except UserError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        form = '{"folder or zip": {"test_files": ["name", ...]}}'
        raise UserError(f"split={path} does not have the form {form}: correct it") from None
    present = set(source.files) | {PurePosixPath(name).name for name in source.files}
    if missing := tests - present:
        log.warning(
            "%s names %d test files that are not in %s, such as %s", path, len(missing), source.name, min(missing)
        )
    return lambda name: "test" if name in tests or PurePosixPath(name).name in tests else "train"
