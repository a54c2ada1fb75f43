"""Conversion of checkpoints to models."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from ganfill.errors import UserError, first_line
from ganfill.model_io.model_file import build_part
from ganfill.models.latent import Normal, Uniform
from ganfill.models.model import Model
from ganfill.runs.reader import read_mapping
from ganfill.training.run_directory import RECORD_KEYS, last_metrics, read_checkpoint

OMITTED = (*RECORD_KEYS, "log_kimg", "gan", "init")  # keys of a configuration that its model card leaves out


def from_run(run: Path, checkpoint: str) -> Model:
    """Returns the model of the ``last`` or ``best`` checkpoint of a run directory, with its metrics in the card.

    Raises:
        UserError: there is no such checkpoint, or see ``to_model``.
    """
    if run.is_file():
        raise UserError(f"run={run} is a file: give the directory, run={run.parent}, and checkpoint=last or best")
    path = run / f"{checkpoint}.ckpt"
    if checkpoint == "best" and not path.exists() and (run / "last.ckpt").exists():
        raise UserError(f"{path} does not exist, since no distances were measured (fd_kimg): use checkpoint=last")
    model = to_model(read_checkpoint(path))
    model.card["metrics"] = last_metrics(run / "metrics.csv", model.card["kimg"])
    settings = read_mapping(run / "config.yaml", []) or {}
    model.card["terms"] = settings.get("terms", model.card["terms"])  # they may be given after the last step
    return model


def to_model(checkpoint: dict[str, Any]) -> Model:
    """Returns the averaged generator, the discriminator and the provenance of a checkpoint as a model.

    Raises:
        UserError: the checkpoint lacks the networks of its configuration.
    """
    try:
        provenance = checkpoint["ganfill"]
        config, state = provenance["config"], checkpoint["state_dict"]
        if "generator" not in config["model"]:
            raise UserError("this run trained no GAN; its model file is model.safetensors in the same directory")
        kept = {key: value for key, value in config.items() if key not in OMITTED}
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
        if config.get("init"):
            card["init"] = Path(config["init"]).name
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
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        reason = first_line(error)
        raise UserError(f"the checkpoint does not hold what its configuration names ({reason}): train anew") from None


def part(node: dict[str, Any]) -> dict[str, Any]:
    """Returns a part of a model card, class and arguments, from its node of a configuration."""
    return {"class": node["_target_"], "arguments": {k: v for k, v in node.items() if not k.startswith("_")}}


def _load(network: nn.Module, state: dict[str, torch.Tensor], prefix: str) -> nn.Module:
    network.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    return network.eval().requires_grad_(False)
