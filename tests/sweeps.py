"""The words of small sweeps."""

TINY = ["data=synthetic", "data.n=40", "batch_size=16", "resolution=32", "latent.dim=16", "model.width=4", "device=cpu"]
TINY += ["log_kimg=0.032", "precision=32-true", "sample_kimg=0", "completion_kimg=0"]
CELLS = ["hydra.sweep.subdir=loss=${hydra.runtime.choices.loss},seed=${seed}", "out=${hydra:runtime.output_dir}"]


def words(directory, *more):
    """A training in a directory for each of its cells."""
    return ["train", "-m", *TINY, *CELLS, "kimg=0.06", "loss=non_saturating", f"hydra.sweep.dir={directory}", *more]
