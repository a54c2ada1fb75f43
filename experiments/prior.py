"""Runs a recipe from training to evaluation: train, export, train-encoder, evaluate.

    python experiments/prior.py recipe=cpu rival=student.safetensors [store=data/faces64 out=runs/cpu
        features=NAME=FILE.py:CLASS:WEIGHTS n=500 samples=3000 seeds=0,1,2 encoder_kimg=200 train="kimg=100 device=cuda"
        terms="..."]

``train`` holds further arguments of ``ganfill train``, ``terms`` the terms of use of the model; ``rival`` is a model to
compare with. The same command continues an interrupted run. Output: the run directory ``out`` with
``prior.safetensors``; ``encoder/model.safetensors``, the model with its encoder; ``generator/MODEL/seedK/``,
evaluations of the generator with different z and training pictures for each seed; ``completions/MODEL/``, the same
faces completed by the same search. ``MODEL`` is the name of the recipe or of the rival's file. ``python
experiments/keep.py runs/cpu cpu`` collects the tables.
"""

import sys
from pathlib import Path

from ganfill import cli

SETTINGS = {
    "recipe": "cpu",
    "store": "data/faces64",
    "out": "",
    "rival": "",
    "features": "",
    "pictures": "ffhq64,celeba64",
    "n": "500",
    "samples": "3000",
    "seeds": "0,1,2",
    "mask": "center,random,half",
    "encoder_kimg": "200",
    "terms": "",
    "train": "",
}


def run(words: list[str]) -> None:
    """Runs a command of ganfill; exits if it fails."""
    print("ganfill", *words, flush=True)
    if code := cli.run(words):
        sys.exit(code)


def main() -> None:
    """Runs all parts."""
    given = dict(word.split("=", 1) for word in sys.argv[1:])
    if unknown := given.keys() - SETTINGS.keys():
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(SETTINGS)}")
    settings = SETTINGS | given
    out = Path(settings["out"] or f"runs/{settings['recipe']}")
    store, prior, encoder = f"data.path={settings['store']}", out / "prior.safetensors", out / "encoder"
    terms = [f"terms={settings['terms']}"] if settings["terms"] else []
    run(["train", f"experiment={settings['recipe']}", store, f"out={out}", *terms, *settings["train"].split()])
    run(["export", f"run={out}", f"out={prior}", "half=true"])
    run(["train-encoder", store, f"model={prior}", f"out={encoder}", "half=true", f"kimg={settings['encoder_kimg']}"])
    features = [f"features={settings['features']}"] if settings["features"] else []
    models = {settings["recipe"]: str(encoder / "model.safetensors")}
    if settings["rival"]:
        models[Path(settings["rival"]).stem] = settings["rival"]
    for name, model in models.items():
        common = ["evaluate", store, f"model={model}", *features]
        for seed in settings["seeds"].split(","):
            generator = ["generator=true", f"samples={settings['samples']}", f"seed={seed}"]
            run([*common, *generator, f"out={out}/generator/{name}/seed{seed}"])
        faces = [f"pictures={settings['pictures']}", f"n={settings['n']}", f"mask={settings['mask']}"]
        run([*common, *faces, "search=standard,fast", f"out={out}/completions/{name}"])


if __name__ == "__main__":
    main()
