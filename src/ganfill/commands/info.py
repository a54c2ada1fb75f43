"""``ganfill info``: shows the content of a model file."""

import copy
import time
from pathlib import Path

import torch
from omegaconf import DictConfig
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ganfill.commands.summary import write_summary
from ganfill.errors import UserError, printable
from ganfill.locks import hold_file
from ganfill.model_io import model_file
from ganfill.models.model import NETWORKS, OPTIONAL, Model


def run(config: DictConfig) -> str:
    """Returns the text about ``config.file``; writes the whole card to summary.json in ``config.out`` if that is given.

    Raises:
        UserError: it is not a model file, or its card lacks what ganfill writes into it.
    """
    started = time.perf_counter()
    path = model_file.locate(config.file, "file")
    model = model_file.load(path)
    costs = {name: cost(model, name) for name in NETWORKS if name in model.card}
    try:
        lines = describe(path, model, costs)
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # what no completion needs is not checked before
        raise UserError(f"{path}: its card is not as ganfill writes it ({error!r:.80}): export it again") from None
    if config.out:
        out = Path(config.out)
        figures = {"bytes": path.stat().st_size, "sha256_of_content": model.digest, "card": model.card, "costs": costs}
        with hold_file(out / "summary.json"):
            lines["summary"] = str(write_summary(out, "info", config, figures, time.perf_counter() - started))
    width = max(map(len, lines))
    return "\n".join(f"{name:<{width}}  {printable(value, lines=False)}" for name, value in lines.items())


def cost(model: Model, name: str) -> dict[str, int]:
    """Returns the ``parameters`` of a network, and ``macs``: multiply-adds of its forward pass for each picture.

    Convolutions and matrix products are counted, but not operations done once for a batch, such as those on weights.
    """
    network: nn.Module = getattr(model, name)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    size = getattr(network, "resolution", model.resolution)  # an upsampler has its own
    shapes = {
        "generator": [(model.latent.dim,)],
        "discriminator": [(3, size, size)],
        "encoder": [(3, size, size), (1, size, size)],
        "inpainter": [(3, size, size), (1, size, size), (3, size, size)],
    }
    shapes["upsampler"] = shapes["inpainter"]
    network = copy.deepcopy(network).to("meta")  # computes shapes only
    flops = []
    for n in (1, 2):
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network(*(torch.empty(n, *shape, device="meta") for shape in shapes[name]))
        flops.append(counter.get_total_flops())
    return {"parameters": parameters, "macs": (flops[1] - flops[0]) // 2}


def describe(path: Path, model: Model, costs: dict[str, dict[str, int]]) -> dict[str, str]:
    """Returns names and values for people to read; ``costs`` are those of each network, see ``cost``."""
    card = model.card
    lines = {"file": f"{path} ({path.stat().st_size / 1e6:.1f} MB)"}
    for name, figures in costs.items():
        macs = figures["macs"] / 1e6
        lines[name] = f"{_call(card[name])}, {figures['parameters']:,} parameters, {macs:,.1f} million multiply-adds"
    lines["latent"] = _call(card["latent"])
    lines["resolution"] = f"{model.resolution} x {model.resolution}"
    if "imported" in card:
        lines["imported"] = f"{card['imported']['file']}, SHA-256 {card['imported']['sha256']}"
    else:
        lines["trained"] = f"{card['kimg']:g} thousand images seen, on {card['pictures']:,} pictures"
        lines["data"] = f"image store {card['data'][:16]}"
    if "init" in card:
        lines["trained"] += f", started from {card['init']}"
    for name in OPTIONAL:
        if name in card:
            lines[name] += f", trained on {card[name]['kimg']:g} thousand pictures"
    config = card.get("config", {})
    if "loss" in config:
        lines["loss"] = f"{_call({'class': config['loss']['_target_'], 'arguments': {}})}, seed {config['seed']}"
    if "versions" in card:
        lines["made with"] = ", ".join(f"{name} {version}" for name, version in card["versions"].items())
    if card.get("commit"):
        lines["commit"] = card["commit"]
    lines["terms"] = card.get("terms") or "not stated"
    lines["sha256"] = f"{model.digest} (of the content)"
    return lines


def _call(part: dict) -> str:
    arguments = ", ".join(f"{name}={value}" for name, value in part["arguments"].items())
    return f"{part['class'].removeprefix('ganfill.models.').removeprefix('ganfill.adversarial.')}({arguments})"
