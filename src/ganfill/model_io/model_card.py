"""The folder of a model that can be published: its file, and a model card as Hugging Face reads them."""

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
    """Writes ``model.safetensors`` and ``README.md``; and the licence, where a ``LICENSE-<model>.md`` is beside the model.

    A ``README.md`` that is there beside the same model already is kept: somebody may have worked on it.

    Returns:
        The names of the files that make up the folder; others that are in it are not among them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    same = (folder / MODEL).exists() and (folder / MODEL).read_bytes() == model.read_bytes()
    if not same:
        _replace(folder / MODEL, model.read_bytes())
    if not (same and (folder / CARD).exists()):
        _replace(folder / CARD, text.encode())
    names = [MODEL, CARD]
    if (licence := _licence(model)) is not None:
        shutil.copyfile(licence, folder / licence.name)
        names.append(licence.name)
    return names


def compose_card(
    repo: str, model: Path, card: Mapping[str, Any], facts: Mapping[str, str], terms: str, licence: str
) -> str:
    """The text of ``README.md``.

    Args:
        repo: ``OWNER/NAME``, where it will be.
        model: the file; if there is a text beside it, ``faces64.md`` for ``faces64.safetensors``, the card begins with it.
        card: the model's own card.
        facts: what else is told about the model, names and values.
        terms: under which it may be used.
        licence: what Hugging Face files the terms under, such as ``mit``; ``other`` for terms of one's own.

    Returns:
        YAML between two lines of dashes, and Markdown.
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
        front["license_link"] = found.name if (found := _licence(model)) else CARD
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
    """What was measured at the end of the training of the networks, and of the encoder; nothing if nothing was."""
    found = {"the networks": card.get("metrics"), "the encoder": card.get("encoder", {}).get("metrics")}
    tables = [
        f"At {metrics['kimg']:g} thousand images of the training of {who}:\n\n"
        + _table({name: f"{value:g}" for name, value in metrics.items() if name != "kimg"})
        for who, metrics in found.items()
        if metrics
    ]
    return ["\n\n".join(["## What was measured", *tables])] if tables else []


def _use(repo: str) -> str:
    return (
        f"```sh\npip install 'ganfill[hub]'\nganfill complete photo.jpg mask=center model={SCHEME}{repo}\n```\n\n"
        f'```python\nimport ganfill\n\nmodel = ganfill.load("{SCHEME}{repo}")\n```'
    )


def _table(rows: Mapping[str, str]) -> str:
    cells = [f"| {name} | {value} |" for name, value in ((n, v.replace("|", "\\|")) for n, v in rows.items())]
    return "\n".join(["| | |", "|---|---|", *cells])


def _licence(model: Path) -> Path | None:
    path = model.with_name(f"LICENSE-{model.stem}.md")
    return path if path.exists() else None


def _replace(path: Path, content: bytes) -> None:
    write_atomically(path, content)
