"""Folders of published models: the model file and a model card in Hugging Face's format."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ganfill.files import write_atomically
from ganfill.model_io.hub import CARD, MODEL, SCHEME

TASK, TAGS = "image-to-image", ("gan", "inpainting", "image-completion")
SUMMARY = "A generative adversarial network that fills holes in pictures, trained with ganfill."


def write_folder(folder: Path, model: Path, text: str) -> list[str]:
    """Writes ``model.safetensors``, ``README.md`` and, if ``LICENSE-<model>.md`` is beside the model, the licence.

    An existing ``README.md`` of the same model is kept, since the user may have edited it.

    Returns:
        The names of these files; other files in the folder are not included.
    """
    folder.mkdir(parents=True, exist_ok=True)
    same = (folder / MODEL).exists() and (folder / MODEL).read_bytes() == model.read_bytes()
    if not same:
        write_atomically(folder / MODEL, model.read_bytes())
    if not (same and (folder / CARD).exists()):
        write_atomically(folder / CARD, text)
    names = [MODEL, CARD]
    if (licence := _licence(model)) is not None:
        shutil.copyfile(licence, folder / licence.name)
        names.append(licence.name)
    return names


def compose_card(
    repo: str, model: Path, card: Mapping[str, Any], facts: Mapping[str, str], terms: str, licence: str
) -> str:
    """Returns the text of ``README.md``.

    Args:
        repo: ``OWNER/NAME`` on Hugging Face.
        model: the model file; a text beside it (``faces64.md`` for ``faces64.safetensors``) begins the card.
        card: the model's own card.
        facts: names and values of further facts about the model.
        terms: terms of use.
        licence: Hugging Face's identifier of the terms, such as ``mit``; ``other`` for custom terms.

    Returns:
        Markdown after a YAML front matter.
    """
    family = card["generator"]["class"].split(".")[-2]
    front: dict[str, Any] = {
        "library_name": "ganfill",
        "pipeline_tag": TASK,
        "license": licence,
        "tags": [*TAGS, family],
    }
    if licence == "other":
        front["license_name"] = "own-terms"
        front["license_link"] = path.name if (path := _licence(model)) else CARD
    about = model.with_suffix(".md")
    opening = about.read_text("utf-8").strip() if about.exists() else f"# {repo.partition('/')[2]}\n\n{SUMMARY}"
    parts = [
        f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---",
        opening,
        f"## What is in the file\n\n{_table(facts)}",
        *_measured(card),
        f"## How to use it\n\n{_use(repo)}",
        f"## Terms of use\n\n{terms}",
    ]
    return "\n\n".join(parts) + "\n"


def _measured(card: Mapping[str, Any]) -> list[str]:
    """Returns the section of the final measurements of the networks and of the encoder; empty without measurements."""
    measured = {"the networks": card.get("metrics"), "the encoder": card.get("encoder", {}).get("metrics")}
    tables = [
        f"At {metrics['kimg']:g} thousand images of the training of {who}:\n\n"
        + _table({name: f"{value:g}" for name, value in metrics.items() if name != "kimg"})
        for who, metrics in measured.items()
        if metrics
    ]
    return ["\n\n".join(["## What was measured", *tables])] if tables else []


def _use(repo: str) -> str:
    return (
        f"```sh\npip install 'ganfill[hub]'\nganfill complete photo.jpg mask=center model={SCHEME}{repo}\n```\n\n"
        f'```python\nimport ganfill\n\nmodel = ganfill.load("{SCHEME}{repo}")\n```'
    )


def _table(rows: Mapping[str, str]) -> str:
    cells = [(name, value.replace("|", "\\|")) for name, value in rows.items()]
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in cells)])


def _licence(model: Path) -> Path | None:
    path = model.with_name(f"LICENSE-{model.stem}.md")
    return path if path.exists() else None
