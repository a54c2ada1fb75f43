"""Checks of the content of a model file, before anything of the size that its card claims is allocated."""

import math
from typing import Any

import torch
from torch import nn

from ganfill.errors import UserError

LARGEST = 1 << 16  # resolution, width or dimension
MOST_BLOCKS = 64
# Facts about a model that messages and pages show; a card may lack them.
FACTS: dict[str, tuple[type, ...]] = {
    "kimg": (int, float), "pictures": (int,), "data": (str,), "terms": (str, type(None)), "commit": (str, type(None)),
    "config": (dict,), "versions": (dict,), "metrics": (dict,),
}  # fmt: skip


def check_card(card: dict[str, Any]) -> None:
    """Checks the types and ranges of the fields that ganfill uses.

    Raises:
        KeyError: a field that a model needs is missing.
        UserError: a field is of another type, or out of range.
    """
    _check_whole("resolution", card["resolution"], 4, LARGEST)
    _check_whole("latent.dim", card["latent"]["arguments"]["dim"], 1, LARGEST)
    for name, kinds in FACTS.items():
        if name in card and not isinstance(card[name], kinds):
            raise UserError(f"its card gives {name}={card[name]!r:.80}, which is of the wrong type: export it again")


def check_arguments(name: str, arguments: dict[str, Any]) -> None:
    """Checks the numbers among the arguments of one of ganfill's own networks.

    Raises:
        UserError: a number is out of range.
    """
    for key, value in arguments.items():
        if isinstance(value, int) and not isinstance(value, bool):
            _check_whole(f"{name}.{key}", value, 0, MOST_BLOCKS if key == "blocks" else LARGEST)
        elif isinstance(value, float) and not math.isfinite(value):
            raise UserError(f"its card gives {name}.{key}={value}, which must be finite: export it again")


def check_tensors(tensors: dict[str, torch.Tensor], resolution: int) -> None:
    """Checks what is in the file beside the networks, and that all weights are finite.

    Raises:
        KeyError: a tensor is missing.
        UserError: a tensor has another shape, or holds NaN or infinite values.
    """
    for name, shape in (("mean_picture", (3, resolution, resolution)), ("logit_centre", ())):
        if tuple(tensors[name].shape) != shape:
            raise UserError(f"{name} has the shape {tuple(tensors[name].shape)}, not {shape}: export it again")
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise UserError(
                f"{name} holds NaN or infinite values, so the training had failed: export an earlier checkpoint"
            )


def check_network(name: str, network: nn.Module, weights: dict[str, torch.Tensor], dim: int, resolution: int) -> None:
    """Compares a network on the meta device, which holds shapes only, with its weights and the model's sizes.

    Args:
        name: ``generator``, ``discriminator``, ``encoder`` or another.
        network: on the meta device.
        weights: of the file.
        dim: of the latent prior.
        resolution: R of the model.

    Raises:
        ValueError: a weight is missing, left over or of another shape, or the network is for another model.
    """
    kind = type(network).__name__
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in weights.items()}
    for key in sorted(expected.keys() | found.keys()):
        if expected.get(key) != found.get(key):
            there, wanted = (sizes.get(key, "missing") for sizes in (found, expected))
            raise ValueError(f"{name}.{key} of {kind} is {there}, by the card {wanted}")
    if getattr(network, "latent_dim", dim) != dim:
        raise ValueError(f"{name} is for {network.latent_dim} latent dimensions, by the card {dim}")
    side = getattr(network, "resolution", resolution)
    if name == "upsampler" and not (side > resolution and side % resolution == 0):
        raise ValueError(f"upsampler is for {side} pixels, which is not a multiple of the model's {resolution}")
    picture, mask, z = (1, 3, resolution, resolution), (1, 1, resolution, resolution), (1, dim)
    shapes = {"generator": ([z], picture), "discriminator": ([picture], (1,)), "encoder": ([picture, mask], z)}
    if name in shapes:
        inputs, output = shapes[name]
        with torch.no_grad():
            result = network.eval()(*(torch.empty(shape, device="meta") for shape in inputs))
        if tuple(result.shape) != output:
            raise ValueError(f"{name} gives {tuple(result.shape)}, by the card {output}")


def _check_whole(name: str, value: Any, least: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise UserError(
            f"its card gives {name}={value!r:.80}, which must be a whole number from {least} to {most}: export it again"
        )
