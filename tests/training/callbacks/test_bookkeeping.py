from typing import Any

import pytest

from ganfill.training.callbacks.bookkeeping import Progress
from ganfill.training.callbacks.periodic import StepCallback
from ganfill.training.run_directory import read_checkpoint
from ganfill.training.training_module import GanfillModule

TRAINER: Any = None


class Clock(GanfillModule):
    """A training of 100 images a second."""

    MEASURES = ()
    REMEDY = ""

    @property
    def seconds(self):
        return self.images_seen / 100


@pytest.mark.parametrize(("minutes", "ends"), [(None, 90_000), (100, 90_000), (4, 24_000)])
def test_the_bar_ends_at_the_limit_that_comes_first(minutes, ends):
    progress, module = Progress(90, minutes), Clock()
    module.images_seen = 1000  # resumed
    progress.on_train_start(TRAINER, module)
    assert progress.bar is not None
    for before in range(1000, 3000, 100):
        module.images_seen += 100
        progress.after_step(TRAINER, module, before)
        assert progress.bar.total == ends
    assert progress.bar.n == 3000
    progress.on_train_end(TRAINER, module)


def test_the_bar_is_full_when_the_time_is_over():
    progress, module = Progress(90, 0.5), Clock()
    progress.on_train_start(TRAINER, module)
    assert progress.bar is not None
    module.images_seen = 3100  # the last step went beyond the limit
    progress.after_step(TRAINER, module, 0)
    assert progress.bar.total == progress.bar.n == 3100
    progress.on_train_end(TRAINER, module)


class StopsAt(StepCallback):
    """A user's callback that ends the training early."""

    def after_step(self, trainer, module, before):
        if module.images_seen >= 48:
            trainer.should_stop = True


def test_the_training_ends_when_a_callback_asks_for_it(tmp_path, train):
    gan, _ = train(tmp_path, kimg=10, checkpoint_kimg=5, callbacks=[StopsAt()])
    assert gan.images_seen == 48 and read_checkpoint(tmp_path / "last.ckpt")["images_seen"] == 48
