"""``ganfill publish``: publishes a model file and its card on Hugging Face."""

import logging
import time
from pathlib import Path

from omegaconf import DictConfig

from ganfill.commands.info import cost, describe
from ganfill.commands.summary import write_summary
from ganfill.errors import UserError
from ganfill.locks import hold_directory
from ganfill.model_io import hub, model_file
from ganfill.model_io.model_card import compose_card, write_folder
from ganfill.models.model import NETWORKS

log = logging.getLogger(__name__)


def run(config: DictConfig) -> str:
    """Writes the folder ``config.out`` and uploads it to ``config.repo``; returns the name to load it by, or the folder.

    Raises:
        UserError: the model, its terms or the name of the repository cannot be used, or the upload failed; the written
            files stay, and the next run continues.
    """
    started, out, repo = time.perf_counter(), Path(str(config.out)), str(config.repo)
    hub.check_repository(repo)
    path = model_file.locate(config.model)
    model = model_file.load(path)
    terms = str(config.terms or model.card.get("terms") or "")
    if not terms:
        raise UserError(
            f"model={config.model} states no terms of use: give terms='...', and license=... for a known license"
        )
    facts = describe(path, model, {name: cost(model, name) for name in NETWORKS if name in model.card})
    facts = {name: value for name, value in facts.items() if name not in ("file", "terms")}
    text = compose_card(repo, path, model.card, facts, terms, str(config.license))
    with hold_directory(out):
        files = write_folder(out, path, text)
        card = out / hub.CARD
        if card.read_text("utf-8") != text:
            log.warning("%s already exists and is kept: delete it to write it again", card)
        address = hub.publish(out, files, repo) if config.upload else None
        figures = {"files": files, "sha256_of_content": model.digest, "address": address}
        write_summary(out, "publish", config, figures, time.perf_counter() - started)
    return f"{hub.SCHEME}{repo}" if address else str(out)
