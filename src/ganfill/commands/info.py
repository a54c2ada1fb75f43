"""``ganfill info``: what a model file holds."""

import time
from pathlib import Path

from omegaconf import DictConfig

from ganfill import modelfile
from ganfill.commands.summary import write_summary
from ganfill.modelfile import NETWORKS, Model


def run(config: DictConfig) -> str:
    """The text to print about ``config.file``; the whole card goes to ``config.out``/summary.json if that is given."""
    started = time.perf_counter()
    path = modelfile.locate(config.file)
    model = modelfile.load(path)
    told = describe(path, model)
    if config.out:
        out = Path(config.out)
        out.mkdir(parents=True, exist_ok=True)
        figures = {"bytes": path.stat().st_size, "sha256_of_content": model.digest, "card": model.card}
        told["summary"] = str(write_summary(out, "info", config, figures, time.perf_counter() - started))
    width = max(map(len, told))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in told.items())


def describe(path: Path, model: Model) -> dict[str, str]:
    """Names and values, as people read them."""
    card = model.card
    told = {"file": f"{path} ({path.stat().st_size / 1e6:.1f} MB)"}
    for name in [part for part in NETWORKS if part in card]:
        count = sum(parameter.numel() for parameter in getattr(model, name).parameters())
        told[name] = f"{_call(card[name])}, {count:,} parameters"
    told["latent"] = _call(card["latent"])
    told["resolution"] = f"{model.resolution} x {model.resolution}"
    told["trained"] = f"{card['kimg']:g} thousand images seen, on {card['pictures']:,} pictures"
    if "encoder" in card:
        told["encoder"] += f", trained on {card['encoder']['kimg']:g} thousand pictures"
    told["data"] = f"image store {card['data'][:16]}"
    config = card.get("config", {})
    if "loss" in config:
        told["loss"] = f"{_call({'class': config['loss']['_target_'], 'arguments': {}})}, seed {config['seed']}"
    if "versions" in card:
        told["made with"] = ", ".join(f"{name} {version}" for name, version in card["versions"].items())
    if card.get("commit"):
        told["commit"] = card["commit"]
    told["terms"] = card.get("terms") or "not stated"
    told["sha256"] = f"{model.digest} (of the content)"
    return told


def _call(part: dict) -> str:
    arguments = ", ".join(f"{name}={value}" for name, value in part["arguments"].items())
    return f"{part['class'].removeprefix('ganfill.models.').removeprefix('ganfill.adversarial.')}({arguments})"
