"""Takes over the weights of official StyleGAN2 networks, NVIDIA's or of the same code, as a model.

Files: the pickles of the StyleGAN2-ADA and StyleGAN3 repositories for PyTorch, and state dicts of the same networks, in a
file of ``torch.save`` or safetensors. All of config F is covered, up to 1024 pixels: mapping network, noise constants, the
generator's output skips and the residual discriminator, without labels.
"""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from ganfill.errors import UserError
from ganfill.model_io import restricted_pickle
from ganfill.models.latent import Normal
from ganfill.models.model import Model
from ganfill.models.stylegan2 import Discriminator, Generator, stage_widths

# Keys that end the names of the tensors and numbers of a network, in the file.
CONSTANT, LOGIT = "synthesis.b4.const", "b4.out.weight"
FILTER = torch.outer(*[torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8] * 2)
GROUP = 4  # pictures of a group of the minibatch standard deviation, for files that do not say
SUPPORTED = "only StyleGAN2 networks with output skips, a residual discriminator and no labels can be imported"


def load(path: Path, terms: str | None = None) -> Model:
    """Returns the averaged generator and the discriminator of a file as a model.

    The mean picture is the one of the mean w, because a file has no training pictures. The model has no discriminator if
    the file has none.

    Args:
        path: the file.
        terms: terms of use of the weights, for the model's card.

    Raises:
        UserError: the file is none of these, asks for code to be run, or contains other networks.
    """
    values = dict(_flatten(_read(path)))
    starts = sorted(key.removesuffix(CONSTANT) for key in values if key.endswith(CONSTANT))
    if not starts:
        raise UserError(f"{path} contains no StyleGAN2 generator (no tensor {CONSTANT}): {SUPPORTED}")
    # The average comes first, of a snapshot with the raw generator ``G`` and the averaged one, ``G_ema``.
    start = min(starts, key=lambda name: "ema" not in name.lower())
    logits = [key.removesuffix(LOGIT) for key in values if key.endswith(LOGIT)]
    try:
        generator, arguments = _generator(_below(values, start, "mapping.", "synthesis."))
        discriminator, settings = _discriminator(_below(values, logits[0])) if logits else (None, {})
    except UserError as error:
        raise UserError(f"{path}: {error}; {SUPPORTED}") from None
    latent = Normal(generator.latent_dim)
    card: dict[str, Any] = {"generator": _part(generator, arguments), "latent": _part(latent, {"dim": latent.dim})}
    if discriminator is not None:
        card["discriminator"] = _part(discriminator, settings)
    with path.open("rb") as file:
        card["imported"] = {"file": path.name, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    card |= {"resolution": generator.resolution, "terms": terms}
    with torch.no_grad():
        mean = generator.forward_from(generator.w_avg.expand(1, generator.layers, -1), 1)[0].clamp(-1, 1)
    return Model(generator, discriminator, latent, generator.resolution, 0.0, mean, card)


def _read(path: Path) -> Any:
    if not path.is_file():
        raise UserError(f"{path} does not exist: give a StyleGAN2 pickle or the state dict of its networks")
    if path.suffix != ".safetensors":
        return restricted_pickle.read(path)
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is truncated or not a safetensors file ({error}): download it again") from None


def _flatten(node: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yields tensors with the names of a state dict, and the numbers that are attributes of modules beside them."""
    if isinstance(node, Mapping):
        state = node.get("state")
        if "class_name" in node and isinstance(state, Mapping):
            node = {key: value for key, value in state.items() if not str(key).startswith("_")}
            for kind in ("_parameters", "_buffers", "_modules"):
                node |= state.get(kind) or {}
        for key, value in node.items():
            yield from _flatten(value, f"{name}.{key}" if name else str(key))
    elif isinstance(node, torch.Tensor | int | float):
        yield name, node


def _below(values: dict[str, Any], start: str, *kinds: str) -> dict[str, Any]:
    """Returns the values whose names begin with ``start`` and then with one of ``kinds``, without ``start``."""
    found = {key.removeprefix(start): value for key, value in values.items() if key.startswith(start)}
    return {key: value for key, value in found.items() if key.startswith(kinds or "")}


def _generator(values: dict[str, Any]) -> tuple[Generator, dict[str, Any]]:
    """Returns the generator with the tensors of a file, and its arguments."""
    stages = _stages(values, "synthesis.b{}.conv1.weight", 4)
    layers = sum(key.startswith("mapping.fc") and key.endswith(".weight") for key in values)
    arguments: dict[str, Any] = {"resolution": 2 << len(stages), "latent_dim": _shape(values, "mapping.fc0.weight")[1]}
    arguments |= {**_widths(stages), "w_dim": _shape(values, "mapping.w_avg")[0], "mapping_layers": layers}
    arguments |= {"noise": True, "limit": values.get("synthesis.b4.conv1.conv_clamp")}
    generator = Generator(**arguments)
    _fill(generator, values, generator_names(layers, len(stages)))
    return generator, arguments


def _discriminator(values: dict[str, Any]) -> tuple[Discriminator, dict[str, Any]]:
    """Returns the discriminator with the tensors of a file, and its arguments."""
    stages = [_shape(values, "b4.fc.weight")[0], *_stages(values, "b{}.conv0.weight", 8)]
    side = 2 << len(stages)
    has_deviation = _shape(values, "b4.conv.weight")[1] > stages[0]
    arguments: dict[str, Any] = {"resolution": side, **_widths(stages), "limit": values.get("b4.conv.conv_clamp")}
    arguments["group"] = values.get("b4.mbstd.group_size", GROUP) if has_deviation else 0
    discriminator = Discriminator(**arguments)
    _fill(discriminator, values, discriminator_names(len(stages)))
    return discriminator, arguments


def generator_names(mapping_layers: int, stages: int) -> dict[str, str]:
    """Returns the official name of each tensor of our generator by our name."""
    names = {"constant": CONSTANT, "w_avg": "mapping.w_avg"}
    names |= _pairs({f"mapping.{i}": f"mapping.fc{i}" for i in range(mapping_layers)}, "weight", "bias")
    for i in range(stages):
        ours, theirs = f"blocks.{i}", f"synthesis.b{4 << i}"
        convolutions = ["conv0", "conv1"] if i else ["conv1"]
        parts = {f"{ours}.convolutions.{k}": f"{theirs}.{name}" for k, name in enumerate(convolutions)}
        names |= _pairs(parts, "noise_strength")
        names |= {f"{part}.noise": f"{name}.noise_const" for part, name in parts.items()}
        parts[f"{ours}.to_rgb"] = f"{theirs}.torgb"
        names |= _pairs(parts, "weight", "bias", "affine.weight", "affine.bias")
    return names


def discriminator_names(stages: int) -> dict[str, str]:
    """Returns the official name of each tensor of our discriminator by our name."""
    side, names = 2 << stages, dict[str, str]()
    parts = {"from_rgb": f"b{side}.fromrgb", "convolution": "b4.conv", "dense": "b4.fc", "to_logit": "b4.out"}
    for i in range(stages - 1):
        parts |= {f"blocks.{i}.convolutions.{k}": f"b{side >> i}.conv{k}" for k in (0, 1)}
        names[f"blocks.{i}.skip.weight"] = f"b{side >> i}.skip.weight"
    return names | _pairs(parts, "weight", "bias")


def _shape(values: dict[str, Any], name: str) -> tuple[int, ...]:
    if not isinstance(values.get(name), torch.Tensor):
        raise UserError(f"it lacks {name}")
    return tuple(values[name].shape)


def _stages(values: dict[str, Any], weight: str, first: int) -> list[int]:
    """Returns the channels at ``first``, twice ``first``, ... pixels; ``weight`` has a gap for the side in its name."""
    stages = [_shape(values, weight.format(first))[0]]
    while (name := weight.format(first << len(stages))) in values:
        stages.append(_shape(values, name)[0])
    return stages


def _widths(stages: list[int]) -> dict[str, int]:
    """Returns the arguments ``width`` and ``base`` that give these channels from 4x4 on."""
    side, width, base = 2 << len(stages), stages[0], stages[-1] * (2 << len(stages))
    try:
        fits = stage_widths(side, width, base) == stages
    except ValueError as error:
        raise UserError(str(error)) from None
    if not fits:
        raise UserError(f"its stages have {', '.join(map(str, stages))} channels, not those of StyleGAN2")
    return {"width": width, "base": base}


def _pairs(parts: Mapping[str, str], *names: str) -> dict[str, str]:
    return {f"{ours}.{name}": f"{theirs}.{name}" for ours, theirs in parts.items() for name in names}


def _fill(network: nn.Module, values: dict[str, Any], names: dict[str, str]) -> None:
    """Loads the tensors of a file; ``names`` maps our names to those of the file. Every tensor must have its place."""
    tensors = {key: value for key, value in values.items() if isinstance(value, torch.Tensor)}
    filters = {key: value for key, value in tensors.items() if key.endswith("resample_filter")}
    for key, value in filters.items():
        if value.shape != FILTER.shape or not torch.allclose(value.float(), FILTER, atol=1e-6):
            raise UserError(f"its {key} is not [1, 3, 3, 1]")
    if unknown := sorted(set(tensors).difference(filters, names.values())):
        raise UserError(f"it has {unknown[0]}, which is not known")
    for ours, own in network.state_dict().items():
        shape = _shape(values, names[ours])
        # Our constant has a batch dimension, and our dense layer at 4x4 is a convolution.
        place = own[0] if ours == "constant" else own.flatten(1) if ours == "dense.weight" else own
        if shape != tuple(place.shape):
            raise UserError(f"its {names[ours]} has the shape {shape}, expected {tuple(place.shape)}")
        place.copy_(tensors[names[ours]])
    network.eval().requires_grad_(False)


def _part(instance: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"class": f"{type(instance).__module__}.{type(instance).__name__}", "arguments": arguments}
