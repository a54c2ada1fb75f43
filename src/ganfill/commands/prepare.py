"""``ganfill prepare``: makes an image store from folders, zips and data sets of pictures."""

import logging
import time
from collections import Counter
from pathlib import Path

from omegaconf import DictConfig

from ganfill.commands.summary import write_summary
from ganfill.config import as_list
from ganfill.data.prepare import log_contents, prepare
from ganfill.locks import hold_directory

log = logging.getLogger(__name__)

RESOLUTIONS = (32, 64, 128, 256, 512, 1024)  # as in ``models.layers``, which would load torch


def run(config: DictConfig) -> Path:
    """Prepares ``config.source`` into ``config.out``; returns the latter."""
    with hold_directory(Path(str(config.out))):
        return _prepare(config)


def _prepare(config: DictConfig) -> Path:
    started, out = time.perf_counter(), Path(str(config.out))
    if config.resolution not in RESOLUTIONS:
        near = min(RESOLUTIONS, key=lambda size: abs(size - config.resolution))
        log.warning(
            "resolution=%s suits only networks of your own; those of ganfill take powers of two from 32 to 1024, such as "
            "resolution=%s",
            config.resolution,
            near,
        )
    store = prepare(
        [str(source) for source in as_list(config.source)],
        out,
        resolution=config.resolution,
        limit=config.limit,
        crop=config.crop if isinstance(config.crop, str) else as_list(config.crop),
        split=str(config.split),
    )
    log_contents(store)
    skipped, converted = store.index.get("skipped", []), store.index.get("converted", [])
    figures = {
        **{split: len(store.rows(split)) for split in ("train", "test")},
        "skipped": dict(Counter(entry["reason"].split(":")[0].split(" of ")[0] for entry in skipped)),
        "converted": dict(Counter(entry["reason"] for entry in converted)),
        "digest": store.digest,
    }
    if not figures["test"]:
        log.warning("ganfill evaluate needs pictures to test on: to keep some, prepare with split=hash and another out")
    write_summary(out, "prepare", config, figures, time.perf_counter() - started)
    return out
