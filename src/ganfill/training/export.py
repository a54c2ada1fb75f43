"""From the checkpoint of a training to a model."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from ganfill.errors import UserError
from ganfill.model_io.model_file import build_part
from ganfill.models.latent import Normal, Uniform
from ganfill.models.model import Model
from ganfill.training.run_directory import last_metrics, read_checkpoint

# Where a training ran and what it wrote there says nothing about the model.
PLACES = (
    *("out", "device", "logger", "sample_kimg", "checkpoint_kimg", "log_kimg", "gan"),
    *("features", "fd_kimg", "fd_samples", "completion_kimg"),
)


def from_run(run: Path, checkpoint: str) -> Model:
    """The model of a run directory's ``last`` or ``best`` checkpoint, with the metrics of that moment in its card.

    Raises:
        UserError: there is none, or it cannot be exported, see ``to_model``.
    """
    model = to_model(read_checkpoint(run / f"{checkpoint}.ckpt"))
    model.card["metrics"] = last_metrics(run / "metrics.csv", model.card["kimg"])
    return model


def to_model(checkpoint: dict[str, Any]) -> Model:
    """Makes a model of the averaged generator, the discriminator and the provenance in a checkpoint.

    Raises:
        UserError: the checkpoint does not hold the networks that its configuration names.
    """
    provenance = checkpoint["ganfill"]
    config, state = provenance["config"], checkpoint["state_dict"]
    if "generator" not in config["model"]:
        raise UserError("this is the training of an encoder, whose model file is model.safetensors beside it")
    kept = {key: value for key, value in config.items() if key not in PLACES}
    card = {
        **{name: part(config["model"][name]) for name in ("generator", "discriminator")},
        "latent": part(config["latent"]),
        "resolution": config["resolution"],
        "kimg": checkpoint["images_seen"] / 1000,
        "pictures": provenance["pictures"],
        "data": provenance["data_digest"],
        "terms": config["terms"],
        "precision": provenance["precision"],
        "commit": provenance["commit"],
        "versions": provenance["versions"],
        "config": kept
        | {"data": {key: value for key, value in config["data"].items() if key not in ("path", "store")}},
    }
    try:
        return Model(
            generator=_load(build_part(card["generator"], nn.Module), state, "generator_ema."),
            discriminator=_load(build_part(card["discriminator"], nn.Module), state, "discriminator."),
            latent=build_part(card["latent"], (Normal, Uniform)),
            resolution=config["resolution"],
            logit_centre=float(state["logit_centre"]),
            mean_picture=state["mean_picture"],
            card=card,
        )
    except UserError as error:
        raise UserError(f"the checkpoint cannot become a model: {error}") from None
    except (KeyError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"the checkpoint does not hold what its configuration names ({reason}): train anew") from None


def part(node: dict[str, Any]) -> dict[str, Any]:
    """A part of a model card, class and arguments, from the node of a configuration that builds it."""
    return {"class": node["_target_"], "arguments": {k: v for k, v in node.items() if not k.startswith("_")}}


def _load(network: nn.Module, state: dict[str, torch.Tensor], prefix: str) -> nn.Module:
    network.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    return network.eval().requires_grad_(False)
