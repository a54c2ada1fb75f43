"""What a training was, in words: what was trained, how long it took, how good it is, where it ran."""

from collections.abc import Mapping
from typing import Any

from ganfill.report.table_format import digits, duration, heading, number
from ganfill.runs.charts import Scores, mean
from ganfill.runs.ranking import measured, times
from ganfill.runs.reader import RunRecord

PARTS = ("model.generator", "model.discriminator", "loss", "regularizer", "augment", "latent", "schedule")
SETTINGS = {"batch_size": "batch", "seed": "seed", "precision": "precision"}
UNKNOWN = "not recorded"


def lead(cell: RunRecord, summary: Mapping[str, Any], scores: Scores) -> str:
    """What was trained, how long, and how good it is, in a few sentences."""
    config = cell.config or {}
    generator, discriminator, loss = (part(config, key) for key in ("model.generator", "model.discriminator", "loss"))
    told = [f"Generator {generator}" if generator else "A generator"]
    if discriminator and discriminator != generator:
        told[0] += f" against discriminator {discriminator}"
    size = number(_at(config, "resolution"))
    told += [f"{size:g} × {size:g} pixels"] if size else []
    told += [f"loss {loss}"] if loss else []
    told += [f"trained on {data}"] if (data := _data(config)) else []
    return " ".join([", ".join(told) + f": {_length(cell, summary)}.", *_quality(cell, scores)])


def state(cell: RunRecord) -> str | None:
    """What is to be said of a training that has not come to its end; None of one that has."""
    if cell.finished:
        return None
    if cell.state.startswith("failed: "):
        return f"This training has {cell.state}. What is shown here is what it left."
    if cell.state == "not started":
        return "This training has not started: it has measured nothing and saved no checkpoint."
    return f"This training is not finished: it is {cell.state}, running or interrupted. All of this is as of then."


def trained(cell: RunRecord) -> dict[str, str]:
    """The parts and settings that a reader looks for first; the rest is in the configuration."""
    config, facts = cell.config or {}, {}
    for key in PARTS:
        count = number(cell.figures.get(f"parameters_{key.rpartition('.')[2]}"))
        told = part(config, key)
        if told:
            facts[key.rpartition(".")[2]] = told + (f", {count:,.0f} parameters" if count else "")
    if data := _data(config):
        facts["data"] = data
    facts |= {told: str(value) for key, told in SETTINGS.items() if (value := _at(config, key)) is not None}
    if terms := _at(config, "terms"):
        facts["terms"] = str(terms)
    return facts


def cost(cell: RunRecord, summary: Mapping[str, Any]) -> dict[str, str]:
    """What it took: images, time, speed, and on what."""
    taken, whole = times(cell), number(summary.get("seconds"))
    speed, steps = taken["images_per_second"], taken["seconds"]
    processes = number(cell.figures.get("processes")) or 1
    device = cell.figures.get("device")
    facts = {
        "images seen": UNKNOWN if cell.kimg is None else f"{cell.kimg:,.6g} thousand",
        "time of the steps": UNKNOWN if steps is None else duration(steps),
        "speed": UNKNOWN if speed is None else f"{speed:,.4g} images/s (median)",
        "device": UNKNOWN if not device else f"{device}" + (f" × {processes:g}" if processes > 1 else ""),
    }
    if whole is not None:
        facts["last call of the command"] = f"{duration(whole)}, with samples, distances and checkpoints"
    return facts


def environment(summary: Mapping[str, Any]) -> dict[str, str]:
    """Versions and commit, which are known once a call of the command has ended; nothing before."""
    versions = summary.get("versions")
    facts = {str(name): str(version) for name, version in versions.items()} if isinstance(versions, Mapping) else {}
    if summary:
        facts["commit"] = str(summary.get("commit") or "none: not run from a checkout")
    return facts


def part(config: Mapping[str, Any], key: str) -> str | None:
    """The class of a part, such as "Relativistic", or its module where the class says no more than the key ("dcgan").

    "none" is one that is switched off; None, one that the configuration does not mention.
    """
    node = _at(config, key)
    if not isinstance(node, Mapping):
        return None
    words = str(node.get("_target_") or "none").split(".")
    repeats = words[-1].lower() == key.rpartition(".")[2]
    return words[-2] if repeats and len(words) > 1 else words[-1]


def _at(config: Mapping[str, Any], key: str) -> Any:
    node: Any = config
    for word in key.split("."):
        node = node.get(word) if isinstance(node, Mapping) else None
    return node


def _data(config: Mapping[str, Any]) -> str | None:
    """Where the pictures lie; the class of the data set where they come from nowhere."""
    path = _at(config, "data.path")
    return str(path) if path else part(config, "data")


def _length(cell: RunRecord, summary: Mapping[str, Any]) -> str:
    if cell.kimg is None:
        return "no images seen yet"
    seconds = times(cell)["seconds"]
    seconds = number(summary.get("seconds")) if seconds is None and cell.finished else seconds
    return f"{cell.kimg:,.6g} thousand images seen" + ("" if seconds is None else f" in {duration(seconds)}")


def _quality(cell: RunRecord, scores: Scores) -> list[str]:
    row, told = measured(cell), []
    name = next((name.removesuffix("_best") for name in row if name.startswith("fd_") and name.endswith("_best")), None)
    if name:
        best, last, at = row[f"{name}_best"], row[f"{name}_last"], row[f"{name}_best_at"]
        end = "" if last == best else f" (now {digits(last, None)})"
        told.append(f"{heading(name).label} {digits(best, None)} at its best, after {at:,.6g} thousand images{end}.")
    if means := mean(scores.get("psnr_hole", {})):
        told.append(f"The completions it is watched by: PSNR {means[-1][1]:.2f} dB in the hole, the mean of them.")
    return told or ["How good it is was not measured."]
