"""Reads text files that somebody else may have written: regular files only, bounded in size, nesting and aliases."""

import json
import stat
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import yaml

LARGEST = 1 << 28  # bytes of a table
LARGEST_YAML = 1 << 18  # the parser reads 100 kB in a second
MOST_NODES = 50_000  # values of a file, with aliases written out
DEEPEST = 50  # levels of nesting; what reads them calls itself for each one
LARGEST_NUMBER = 1e100  # larger ones overflow in sums and charts


def read_text(path: Path, limit: int = LARGEST, errors: str = "strict") -> str:
    """Returns the text of a regular file; ``errors="replace"`` accepts bytes that are not UTF-8.

    Raises:
        OSError: it cannot be opened.
        ValueError: it is a pipe, a device or a directory, has more than ``limit`` bytes, or is not UTF-8.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("no regular file")
    if status.st_size > limit:
        raise ValueError(f"larger than {limit >> 10} kB")
    return path.read_bytes().decode("utf-8", errors)


def read_mapping(path: Path) -> dict[str, Any]:
    """Returns the content of a YAML or JSON file, whose keys are texts.

    Raises:
        OSError: it cannot be opened.
        ValueError: it holds something else, or exceeds one of the limits above.
    """
    try:
        is_json = path.suffix == ".json"
        content = json.loads(read_text(path)) if is_json else parse_yaml(read_text(path, LARGEST_YAML))
        if not isinstance(content, dict):
            raise ValueError("holds no settings")
        _check(content)
    except RecursionError:
        raise ValueError(f"nested more than {DEEPEST} levels") from None
    return content


def parse_yaml(text: str) -> Any:
    """Returns the content of a YAML document.

    Raises:
        ValueError: it is no YAML, or has too many values or levels. A few lines of aliases can stand for billions of values.
    """
    try:
        return yaml.load(text, _BoundedLoader)
    except RecursionError:
        raise ValueError(f"nested more than {DEEPEST} levels") from None
    except (yaml.YAMLError, TypeError, AttributeError) as error:
        raise ValueError(" ".join(str(error).split())) from None


def is_huge(value: float) -> bool:
    """Returns True for a finite number beyond ``LARGEST_NUMBER``, which no measurement reaches."""
    return LARGEST_NUMBER < abs(value) != float("inf")


class _BoundedLoader(yaml.SafeLoader):
    """Refuses documents that are too large with their aliases written out, before it builds anything.

    Dates stay texts, as in OmegaConf.
    """

    yaml_implicit_resolvers: ClassVar = {
        letter: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        nodes, levels = _measure(node, {}) if node else (0, 0)
        if nodes > MOST_NODES:
            raise ValueError(f"more than {MOST_NODES} values, with its aliases written out")
        if levels > DEEPEST:
            raise ValueError(f"nested more than {DEEPEST} levels")
        return node


def _measure(node: yaml.Node, known: dict[yaml.Node, tuple[int, int]]) -> tuple[int, int]:
    """Returns the number of nodes and of levels, aliases written out."""
    if node not in known:
        known[node] = MOST_NODES + 1, 0  # if it contains itself
        children = chain.from_iterable(node.value) if isinstance(node, yaml.MappingNode) else node.value
        sizes = [_measure(child, known) for child in children] if isinstance(node, yaml.CollectionNode) else []
        known[node] = 1 + sum(size for size, _ in sizes), 1 + max((levels for _, levels in sizes), default=0)
    return known[node]


def _check(node: Any, level: int = 1) -> None:
    """Raises ``ValueError`` for keys that are no texts, numbers that no float holds, and too many levels."""
    if level > DEEPEST:
        raise RecursionError
    if isinstance(node, int | float) and is_huge(node):
        raise ValueError("holds a number beyond 1e100")
    if isinstance(node, dict) and not all(isinstance(key, str) for key in node):
        raise ValueError("holds a key that is no text")
    for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _check(value, level + 1)
