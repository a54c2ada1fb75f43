"""Model files: one ``.safetensors`` with everything that completion needs.

Tensors: ``generator.*`` (the averaged generator), ``discriminator.*``, ``mean_picture`` (3, R, R), ``logit_centre`` and,
if they were trained, ``encoder.*``, ``inpainter.*`` and ``upsampler.*``. The header contains a JSON card (architectures with
their arguments, latent prior, resolution, provenance) and a SHA-256 of the card and all tensors. Loading builds only classes
of ``ganfill.models`` and of packages that the user has allowed (``ganfill.plugins``).
"""

import hashlib
import importlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize
from torch import nn

from ganfill import plugins
from ganfill.errors import UserError, first_line
from ganfill.files import write_atomically
from ganfill.model_io.card_check import check_arguments, check_card, check_network, check_tensors
from ganfill.models.latent import Normal, Uniform
from ganfill.models.model import NETWORKS, Model

FORMAT = "ganfill model 1"
BUILT_IN = "ganfill.models."
PACKAGED = Path(__file__).parents[1] / "packaged"


def save(path: Path, model: Model, half: bool = False) -> str:
    """Writes ``model`` to ``path``, replacing it as a whole.

    Args:
        path: the file.
        model: the model.
        half: store convolution kernels in float16, which halves the file; ``load`` converts them to float32 again.

    Returns:
        The digest of the content, 64 hex digits.

    Raises:
        UserError: the model is a wrapped generator, whose class is not known.
    """
    if "generator" not in model.card:
        raise UserError("a wrapped generator cannot be saved: name its class in a configuration, see docs/extending.md")
    networks = {part: network for part in NETWORKS if (network := getattr(model, part)) is not None}
    tensors = {
        f"{part}.{name}": value for part, network in networks.items() for name, value in network.state_dict().items()
    }
    tensors |= {"mean_picture": model.mean_picture, "logit_centre": torch.tensor(model.logit_centre)}
    tensors = {
        name: value.detach().cpu().contiguous().to(torch.float16 if half and value.ndim > 3 else value.dtype)
        for name, value in tensors.items()
    }
    digest = _digest(model.card, tensors)
    # One entry, because safetensors writes several in varying order.
    header = {"format": FORMAT, "card": model.card, "sha256": digest}
    write_atomically(path, serialize(tensors, {"ganfill": json.dumps(header)}))
    return digest


def load(name: str | Path, device: torch.device | str = "cpu") -> Model:
    """Loads a model file, a packaged model (``faces64``) or a model on Hugging Face (``hf://OWNER/NAME``).

    Raises:
        UserError: there is no such file, or it is truncated, modified or of another format.
    """
    path = locate(name)
    try:
        with safe_open(path, "pt") as file:
            header = _header(path, file.metadata() or {})
            tensors = {key: file.get_tensor(key) for key in sorted(file.keys())}
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is not a model file or is truncated ({error}): export or download it again") from None
    if _digest(header["card"], tensors) != header["sha256"]:
        raise UserError(f"{path} was changed after it was written (its SHA-256 differs): export or download it again")
    try:
        return _build(header["card"], tensors, header["sha256"], torch.device(device))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except KeyError as error:
        raise UserError(f"{path} lacks {error}: export it again") from None
    except torch.OutOfMemoryError as error:
        raise UserError(f"{path}: {device} has too little free memory ({first_line(error)}): give device=cpu") from None
    except (TypeError, ValueError, AttributeError, RuntimeError, ImportError) as error:
        raise UserError(f"{path} does not fit this version of ganfill ({first_line(error)}): export it again") from None


def locate(name: str | Path, key: str = "model") -> Path:
    """Returns the path of a model file, of a packaged model, or of a model on Hugging Face (see ``ganfill.model_io.hub``).

    Args:
        name: as ``load`` takes it.
        key: that holds the name, for error messages.

    Raises:
        UserError: there is no such model.
    """
    if str(name).startswith("hf://"):
        from ganfill.model_io import hub  # needs huggingface_hub, which is optional

        return hub.fetch_model(str(name))
    path = Path(name)
    if path.suffix == ".ckpt" or (path / "last.ckpt").is_file():
        raise UserError(_explain_run(path, key))
    if path.is_file():
        return path
    if str(name) in packaged():
        return PACKAGED / f"{name}.safetensors"
    known = ", ".join(packaged()) or "none"
    what = "a folder" if path.is_dir() else "no such file"
    raise UserError(
        f"{key}={name}: {what}, and no packaged model of that name (packaged: {known}); ganfill export makes a model file "
        "of a training"
    )


def packaged() -> list[str]:
    """Returns the names of the packaged models, in order."""
    return sorted(file.stem for file in PACKAGED.glob("*.safetensors"))


def _explain_run(path: Path, key: str) -> str:
    """Returns the message about a run directory, or a checkpoint in it, in place of a model file."""
    is_file = path.suffix == ".ckpt"
    run, what = (path.parent, "a checkpoint") if is_file else (path, "a run directory")
    file = run / "model.safetensors"
    best = " checkpoint=best" if path.name == "best.ckpt" else ""
    remedy = f"give {key}={file}" if file.is_file() else f"make one with ganfill export run={run}{best} out={file}"
    return f"{key}={path} is {what}, not a model file: {remedy}"


def _header(path: Path, metadata: dict[str, str]) -> dict[str, Any]:
    try:
        header = json.loads(metadata["ganfill"])
        if header["format"] == FORMAT and isinstance(header["card"], dict) and header["sha256"]:
            return header
    except (KeyError, ValueError, TypeError, RecursionError):
        pass
    raise UserError(
        f"{path} is a safetensors file, but not a model file of this version of ganfill ({FORMAT}): "
        "make one with ganfill export run=DIR out=FILE"
    )


def _build(card: dict[str, Any], tensors: dict[str, torch.Tensor], digest: str, device: torch.device) -> Model:
    check_card(card)
    check_tensors(tensors, card["resolution"], [name for name in NETWORKS if name in card])
    networks: dict[str, Any] = {"discriminator": None}
    for part in [name for name in NETWORKS if name in card]:
        prefix = f"{part}."
        weights = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        if card[part]["class"].startswith(BUILT_IN):
            check_arguments(part, card[part])
            with torch.device("meta"):
                shapes = build_part(card[part], nn.Module)
            check_network(part, shapes, weights, card["latent"]["arguments"]["dim"], card["resolution"])
        network = build_part(card[part], nn.Module)
        network.load_state_dict(weights)
        networks[part] = network.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)
    return Model(
        **networks,
        latent=build_part(card["latent"], (Normal, Uniform)),
        resolution=card["resolution"],
        logit_centre=float(tensors["logit_centre"]),
        mean_picture=tensors["mean_picture"].to(device),
        card=card,
        digest=digest,
    )


def build_part(part: dict[str, Any], kinds: type | tuple[type, ...]) -> Any:
    """Builds an object of the class that ``part`` names, with its arguments.

    Imports only ``ganfill.models`` and packages that the user has allowed.

    Raises:
        UserError: the class is elsewhere, or its package cannot be imported.
        ValueError: the class is not one of ``kinds``.
    """
    module, _, name = part["class"].rpartition(".")
    built_in = module.startswith(BUILT_IN)
    if not (built_in or plugins.is_allowed(part["class"])):
        remedy = plugins.remedy(part["class"])
        raise UserError(f"it names {part['class']}, which is not a class of ganfill.models: {remedy}")
    try:
        kind = getattr(importlib.import_module(module), name, None)
    except ImportError as error:
        if built_in:
            raise
        raise UserError(f"it needs {module} ({error}): install it, or put its folder on PYTHONPATH") from None
    if not (isinstance(kind, type) and issubclass(kind, kinds)):
        raise ValueError(f"it names {part['class']}, which is not of the right kind")
    return kind(**part["arguments"])


def _digest(card: dict[str, Any], tensors: dict[str, torch.Tensor]) -> str:
    digest = hashlib.sha256(json.dumps(card, sort_keys=True).encode())
    for name, value in sorted(tensors.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
