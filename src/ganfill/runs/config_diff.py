"""In which settings configurations differ, under names that people read."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

# What makes no difference to a training, or, as kimg, has a column of its own.
IGNORED = ("out", "logger", "callbacks", "device", "terms", "kimg")
TARGET = "_target_"
NONE = "none"  # a part, or a value, that is switched off


def differences(configs: Sequence[Mapping[str, Any] | None]) -> list[dict[str, Any]]:
    """The settings in which configurations differ, for each of them by their short names, in the same order.

    A part's setting is its class: ``loss`` is "Hinge"; where the class says nothing (``Generator``) it is the module,
    so that ``model`` is "dcgan". Settings that follow from a part's class, those that repeat another (``data.seed``
    repeats ``seed``), and those that a configuration has not, are left out. What lies in the run directory, and
    ``IGNORED``, is not looked at.

    Args:
        configs: resolved, of one training each; None for what is not known, which gets no settings.
    """
    flat = [None if config is None else _flat(config) for config in configs]
    known = [settings for settings in flat if settings is not None]
    keys = dict.fromkeys(key for settings in known for key in settings)
    columns = {key: [settings.get(key) for settings in known] for key in keys}
    present = {key: [key in settings for settings in known] for key in keys}
    varying = [key for key in keys if len({_mark(value) for value in columns[key]}) > 1]
    columns |= {key: _class_names(key, columns[key]) for key in varying if _is_part(key)}
    varying = [key for key in varying if _is_part(key) or not _follows(key, varying, columns)]
    merged = _merge(varying, columns, present)
    names = _names(merged)
    order = sorted(merged, key=lambda key: (names[key] == "seed", varying.index(key)))
    told: Iterator[dict[str, Any]] = iter(
        [
            {names[key]: _told(columns[key][index]) for key in order if _is_part(key) or present[key][index]}
            for index in range(len(known))
        ]
    )
    return [{} if settings is None else next(told) for settings in flat]


def without_seed(config: Mapping[str, Any]) -> str:
    """A text that two configurations share if they differ in nothing but the seed."""
    settings = {key: value for key, value in _flat(config).items() if key.rpartition(".")[2] != "seed"}
    return _mark([settings, config.get("kimg")])


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted keys and their values; a data set is known by its name, wherever it lies."""
    out = str(config.get("out"))
    found = {}
    for key, value in leaves(config):
        if key.split(".")[0] in IGNORED or (isinstance(value, str) and f"{value}/".startswith(f"{out}/")):
            continue
        found[key] = PurePath(value).name if key == "data.path" and isinstance(value, str) else value
    return found


def leaves(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The dotted keys of a configuration, or of a part below ``prefix``, and their values; whole numbers are ints."""
    if not isinstance(node, Mapping):
        yield prefix, int(node) if isinstance(node, float) and node.is_integer() else node
        return
    for key, value in node.items():
        yield from leaves(value, f"{prefix}.{key}".strip("."))


def _mark(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _is_part(key: str) -> bool:
    return key.endswith(f".{TARGET}")


def _class_names(key: str, targets: Sequence[Any]) -> list[str]:
    """The classes' names; their modules' where those say more; both where neither is enough."""
    words = [str(target).split(".") for target in targets if target is not None]
    classes, modules = ([word[-1] for word in words], [word[-2] if len(word) > 1 else word[-1] for word in words])
    repeats = any(name.lower() == key.split(".")[-2].lower() for name in classes)
    count = len({".".join(word) for word in words})
    both = [".".join(word[-2:]) for word in words]
    order = (modules, classes) if repeats else (classes, modules)
    chosen = iter(next((names for names in order if len(set(names)) == count), both))
    return [NONE if target is None else next(chosen) for target in targets]


def _follows(key: str, varying: Sequence[str], columns: Mapping[str, list[Any]]) -> bool:
    """Whether a part's class alone decides this setting of its group."""
    group = key.split(".")[0]
    parts = [columns[other] for other in varying if _is_part(other) and other.split(".")[0] == group]
    classes = list(zip(*parts, strict=True))
    pairs = set(zip(classes, map(_mark, columns[key]), strict=True)) if parts else set()
    return bool(parts) and len(pairs) == len(set(classes))


def _merge(
    varying: Sequence[str], columns: Mapping[str, list[Any]], present: Mapping[str, list[bool]]
) -> dict[str, list[str]]:
    """For each setting to be shown, the keys that say the same, itself the first and the shallowest."""
    merged: dict[str, list[str]] = {}
    for key in sorted(varying, key=lambda key: key.count(".")):
        for leader in merged:
            pairs = zip(columns[key], columns[leader], present[key], strict=True)
            if _alike(key, leader) and all(_mark(a) == _mark(b) for a, b, there in pairs if there):
                merged[leader].append(key)
                break
        else:
            merged[key] = [key]
    return merged


def _alike(key: str, other: str) -> bool:
    """Whether two keys can be the same setting: parts of one group, or values of which one's name is in the other's."""
    if _is_part(key) or _is_part(other):
        return _is_part(key) and _is_part(other) and key.split(".")[0] == other.split(".")[0]
    name, its = key.split(".")[-1], other.split(".")[-1]
    return name in its or its in name


def _names(merged: Mapping[str, list[str]]) -> dict[str, str]:
    """A short name for each setting: the group of a part, the key of a value, without what is plain from the rest."""
    names: dict[str, str] = {}
    for key, members in merged.items():
        split = [member.removesuffix(f".{TARGET}").split(".") for member in members]
        words = split[0]
        if _is_part(key):
            short = words[:1] if len(split) > 1 else words
        elif len(words) < 3:
            short = words
        else:
            short = words[-1:] if len(split) > 1 else words[-2:]
        name = ".".join(short)
        names[key] = ".".join(words) if name in names.values() else name
    return names


def _told(value: Any) -> Any:
    """A setting as it is shown: numbers stay numbers."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(str(_told(part)) for part in value)
    return value if isinstance(value, int | float) else str(value)
