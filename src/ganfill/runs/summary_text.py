"""A training in words: what was trained, how long it took, how good it is, where it ran."""

from collections.abc import Mapping
from typing import Any

from ganfill.metrics.feature_names import describe
from ganfill.report.table_format import digits, duration, heading, number
from ganfill.runs.charts import Scores, mean_over_pictures
from ganfill.runs.config_diff import part_name
from ganfill.runs.ranking import measured, times
from ganfill.runs.reader import RunRecord

PARTS = ("model.generator", "model.discriminator", "loss", "regularizer", "augment", "latent", "schedule")
SETTINGS = {"batch_size": "batch", "seed": "seed", "precision": "precision", "terms": "terms"}
UNKNOWN = "not recorded"


def lead(run: RunRecord, summary: Mapping[str, Any], scores: Scores) -> str:
    """Summarizes what was trained, how long, and how good it is, in a few sentences."""
    config = run.config or {}
    generator, discriminator, loss = (_part(config, key) for key in ("model.generator", "model.discriminator", "loss"))
    parts = [f"Generator {generator}" if generator else "A generator"]
    if discriminator and discriminator != generator:
        parts[0] += f" against discriminator {discriminator}"
    size = number(_at(config, "resolution"))
    parts += [f"{size:g} × {size:g} pixels"] if size else []
    parts += [f"loss {loss}"] if loss else []
    parts += [f"trained on {data}"] if (data := _data(config)) else []
    return " ".join([f"{', '.join(parts)}: {_length(run, summary)}.", *_quality(run, scores)])


def state(run: RunRecord) -> str | None:
    """Describes the state of an unfinished training; None for a finished one."""
    if run.finished:
        return None
    if run.state.startswith("failed: "):
        return f"This training has {run.state}. The page shows what it measured before."
    if run.state == "not started":
        return "This training has not started: there are no measurements and no checkpoint."
    return f"This training is not finished: it is {run.state}, running or interrupted. The page shows that state."


def trained(run: RunRecord) -> dict[str, str]:
    """Returns the most important parts and settings by label."""
    config, facts = run.config or {}, {}
    for key in PARTS:
        name = key.rpartition(".")[2]
        count = number(run.figures.get(f"parameters_{name}"))
        if part := _part(config, key):
            facts[name] = part + (f", {count:,.0f} parameters" if count else "")
    if data := _data(config):
        facts["data"] = data
    values = {label: _at(config, key) for key, label in SETTINGS.items()}
    return facts | {label: str(value) for label, value in values.items() if value is not None}


def cost(run: RunRecord, summary: Mapping[str, Any]) -> dict[str, str]:
    """Returns images, time, speed and device by label."""
    taken, whole = times(run), number(summary.get("seconds"))
    speed, steps = taken["images_per_second"], taken["seconds"]
    processes = number(run.figures.get("processes")) or 1
    device = run.figures.get("device")
    facts = {
        "images seen": UNKNOWN if run.kimg is None else f"{run.kimg:,.6g} thousand",
        "time of the steps": UNKNOWN if steps is None else duration(steps),
        "speed": UNKNOWN if speed is None else f"{speed:,.4g} images/s (median)",
        "device": UNKNOWN if not device else f"{device}" + (f" × {processes:g}" if processes > 1 else ""),
    }
    if whole is not None:
        facts["last call of the command"] = f"{duration(whole)}, with samples, distances and checkpoints"
    return facts


def environment(summary: Mapping[str, Any]) -> dict[str, str]:
    """Returns versions and commit by label; empty until a call of the command has ended."""
    versions = summary.get("versions")
    facts = {str(name): str(version) for name, version in versions.items()} if isinstance(versions, Mapping) else {}
    if summary:
        facts["commit"] = str(summary.get("commit") or "none: not run from a checkout")
    return facts


def _part(config: Mapping[str, Any], key: str) -> str | None:
    """Returns the name of a part, "none" if it is switched off, None if the configuration lacks it."""
    node = _at(config, key)
    return part_name(key, node.get("_target_")) if isinstance(node, Mapping) else None


def _at(config: Mapping[str, Any], key: str) -> Any:
    node: Any = config
    for word in key.split("."):
        node = node.get(word) if isinstance(node, Mapping) else None
    return node


def _data(config: Mapping[str, Any]) -> str | None:
    """Returns the path of the data set, or its class if it has no path."""
    path = _at(config, "data.path")
    return str(path) if path else _part(config, "data")


def _length(run: RunRecord, summary: Mapping[str, Any]) -> str:
    if run.kimg is None:
        return "no images seen yet"
    seconds = times(run)["seconds"]
    seconds = number(summary.get("seconds")) if seconds is None and run.finished else seconds
    return f"{run.kimg:,.6g} thousand images seen" + ("" if seconds is None else f" in {duration(seconds)}")


def _quality(run: RunRecord, scores: Scores) -> list[str]:
    row, sentences = measured(run), []
    name = next((name.removesuffix("_best") for name in row if name.startswith("fd_") and name.endswith("_best")), None)
    if name:
        best, last, at = row[f"{name}_best"], row[f"{name}_last"], row[f"{name}_best_at"]
        end = "" if last == best else f", {digits(last, None)} at the end"
        sentences.append(
            f"Best {heading(name).label} {digits(best, None)} after {at:,.6g} thousand images{end} ({describe(name)})."
        )
    if means := mean_over_pictures(scores.get("psnr_hole", {})):
        sentences.append(f"Mean PSNR of the completions made during the training: {means[-1][1]:.2f} dB in the hole.")
    return sentences or ["Quality was not measured."]
