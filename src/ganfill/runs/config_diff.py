"""Settings in which the configurations of trainings differ, under short names."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

IGNORED = ("out", "logger", "callbacks", "device", "terms", "kimg")  # they do not change a training; kimg has a column
TARGET = "._target_"
NONE = "none"


def differences(configs: Sequence[Mapping[str, Any] | None]) -> list[dict[str, Any]]:
    """Returns the settings in which configurations differ, for each configuration.

    A part (a group with a ``_target_``) is named by its class or module, see ``part_name``. A setting that depends on
    the class of its part alone is left out, and so is one that repeats another, such as ``data.seed`` beside ``seed``.

    Args:
        configs: resolved, of one training each; None for an unknown one, which has no settings.
    """
    flat = [flatten(config or {}) for config in configs]
    known = [settings for settings, config in zip(flat, configs, strict=True) if config is not None]
    keys = dict.fromkeys(key for settings in known for key in settings)
    columns = {key: [settings.get(key) for settings in known] for key in keys}
    varying = {key: values for key, values in columns.items() if len({*map(_text, values)}) > 1}
    varying |= {key: _part_names(key, values) for key, values in varying.items() if key.endswith(TARGET)}
    varying = {key: values for key, values in varying.items() if not _follows(key, varying)}
    names: dict[str, str] = {}
    for key in sorted(varying, key=lambda key: key.count(".")):
        original = next((other for other in names if _repeats(key, other, varying)), None)
        if original is None:
            names[key] = key.removesuffix(TARGET)
        else:  # one name for both: the group of parts, the last word of other keys
            names[original] = key.split(".")[0] if key.endswith(TARGET) else original.split(".")[-1]
    order = sorted(names, key=lambda key: (key == "seed", list(varying).index(key)))
    rows = iter(
        {names[key]: _shown(varying[key][index]) for key in order if key in settings or key.endswith(TARGET)}
        for index, settings in enumerate(known)
    )
    return [{} if config is None else next(rows) for config in configs]


def without_seed(config: Mapping[str, Any]) -> str:
    """Returns a text that is equal for configurations that differ in the seed alone."""
    settings = {key: value for key, value in flatten(config).items() if key.rpartition(".")[2] != "seed"}
    return _text([settings, config.get("kimg")])


def flatten(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns values by dotted key, without ``IGNORED`` keys and paths in the run directory.

    A data set is represented by the name of its directory, wherever that is.
    """
    out = str(config.get("out"))
    settings = {}
    for key, value in leaves(config):
        if key.split(".")[0] in IGNORED or (isinstance(value, str) and f"{value}/".startswith(f"{out}/")):
            continue
        settings[key] = PurePath(value).name if key == "data.path" and isinstance(value, str) else value
    return settings


def leaves(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields dotted keys and values of a configuration; floats with integer values become ints."""
    if not isinstance(node, Mapping):
        yield prefix, int(node) if isinstance(node, float) and node.is_integer() else node
        return
    for key, value in node.items():
        yield from leaves(value, f"{prefix}.{key}".strip("."))


def part_name(key: str, target: str | None) -> str:
    """Returns the class of a part, such as "Hinge" for ``loss``, or its module where the class repeats the key's last word.

    The module is "dcgan" for ``model.generator`` and ``ganfill.models.dcgan.Generator``. A part without target is "none".
    """
    words = str(target or NONE).split(".")
    repeats = words[-1].lower() == key.rpartition(".")[2]
    return words[-2] if repeats and len(words) > 1 else words[-1]


def _part_names(key: str, targets: Sequence[Any]) -> list[Any]:
    """Returns names of parts; whole targets where names would be ambiguous."""
    names = [part_name(key.removesuffix(TARGET), target) for target in targets]
    if len({*names}) == len({*map(str, targets)}):
        return names
    return [str(target or NONE) for target in targets]


def _follows(key: str, columns: Mapping[str, Sequence[Any]]) -> bool:
    """Returns whether the classes of the parts in its group determine a setting."""
    if key.endswith(TARGET):
        return False
    group = key.split(".")[0]
    parts = [columns[other] for other in columns if other.endswith(TARGET) and other.split(".")[0] == group]
    classes = list(zip(*parts, strict=True))
    return bool(parts) and len({*zip(classes, map(_text, columns[key]), strict=True)}) == len({*classes})


def _repeats(key: str, other: str, columns: Mapping[str, Sequence[Any]]) -> bool:
    """Returns whether a key has the values of another with the same last word, or, for parts, of the same group."""
    part, other_part = key.endswith(TARGET), other.endswith(TARGET)
    position = 0 if part else -1
    same_name = part == other_part and key.split(".")[position] == other.split(".")[position]
    return same_name and list(map(_text, columns[key])) == list(map(_text, columns[other]))


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _shown(value: Any) -> Any:
    """Formats a value for people; numbers stay numbers."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(str(_shown(item)) for item in value)
    return value if isinstance(value, int | float) else str(value)
