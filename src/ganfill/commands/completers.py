"""Completers for the masks of a configuration of ``ganfill complete``, in any process."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from ganfill.completion.completer import Completer
from ganfill.completion.result_folder import OUTPUTS, ResultFolder
from ganfill.completion.shard import Shard
from ganfill.config import as_list, build, suggest, to_plain
from ganfill.devices import choose_device
from ganfill.errors import UserError
from ganfill.images.alignment import Alignment, center, find_alignment
from ganfill.images.expansion import Expansion
from ganfill.images.holes import NOTHING, HoleSource
from ganfill.model_io import model_file
from ganfill.models.model import Model
from ganfill.search.result import SearchOptions

FRAMES = 40
AUTO = "auto"  # as model: all packaged ones


def build_completers(config: DictConfig) -> dict[str, Completer]:
    """Returns a completer for each mask, by the label of the mask; creates their folders.

    Raises:
        UserError: nothing is to be completed, a value is mistaken, a mask or the model does not exist, or a folder cannot
            be created.
    """
    if config.mask is None and config.expand is None:
        raise UserError("complete needs mask=... or expand=...; see ganfill complete --help")
    outputs, expansion = _outputs(config), None if config.expand is None else Expansion.parse(config.expand)
    alignment = _alignment(config, expansion)
    device, names = choose_device(config.device), model_file.packaged() if config.model == AUTO else [str(config.model)]
    models = {name: model_file.load(name, device) for name in names}
    resolution = min(model.resolution for model in models.values())
    masks = words(config.mask)
    found = [HoleSource(mask, resolution, config.seed, config.invert) for mask in masks]
    sources = {source.label: source for source in found}
    if len(sources) < len(masks):
        raise UserError(f"mask={','.join(masks)}: two masks share a name, and so would their results; rename one")
    out, search = Path(str(config.out)), build(config.search)
    blend = build(config.blend) if config.blend else None
    options = SearchOptions(config.answers, config.seed, config.deterministic, FRAMES if config.gif else 0)
    return {
        label: Completer(
            models=models,
            source=source,
            folder=ResultFolder(
                out / label if len(sources) > 1 else out,
                _settings(config, models, label, outputs),
                source.is_drawn,
                outputs,
                config.answers,
                Shard.parse(str(config.shard)),
            ),
            search=search,
            blend=blend,
            alignment=alignment,
            expansion=expansion,
            grown=config.mask_grow,
            softened=config.mask_soften,
            options=options,
        )
        for label, source in sources.items()
    }


def words(value: Any) -> list[str]:
    """Returns the texts of a key that takes one or several; ``nothing`` for a mask that is not given."""
    return [NOTHING] if value is None else [str(word) for word in as_list(value)]


def _alignment(config: DictConfig, expansion: Expansion | None) -> Alignment:
    box, landmarks = (None if config[key] is None else str(config[key]) for key in ("box", "landmarks"))
    if expansion is not None and landmarks is not None:
        raise UserError(f"expand={config.expand} does not use landmarks={landmarks}: leave it out")
    alignment = find_alignment(str(config.align), box, landmarks)
    # No face is known to reach into the new part.
    return center if expansion is not None and config.align == "face" else alignment


def _outputs(config: DictConfig) -> list[str]:
    """Returns the kinds of files to write, in the order of ``OUTPUTS``."""
    chosen = ",".join(words(config.outputs)).split(",")
    for word in chosen:
        if word not in OUTPUTS:
            raise UserError(f"outputs={word} is not known: {suggest(word, list(OUTPUTS))}")
    return [kind for kind in OUTPUTS if kind in chosen]


def _settings(config: DictConfig, models: dict[str, Model], label: str, outputs: list[str]) -> dict[str, Any]:
    """Returns all settings that results depend on, besides the picture."""
    plain = to_plain(config)
    names = ("search", "blend", "answers", "seed", "deterministic", "gif", "invert", "align", "box", "landmarks")
    names += ("expand", "mask_grow", "mask_soften")
    digests = [model.digest for model in models.values()]
    settings = {"model": digests if len(models) > 1 else digests[0], "mask": label} | {
        name: plain[name] for name in names
    }
    # Results of versions that knew no other outputs stay valid.
    return settings if outputs == list(OUTPUTS) else settings | {"outputs": outputs}
