import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGED = ROOT / "src/ganfill/packaged"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """ganfill unpacked from a wheel, away from the checkout; built from a copy, as a build leaves files where it was."""
    place = tmp_path_factory.mktemp("wheel")
    for name in ("src", "conf"):
        shutil.copytree(ROOT / name, place / "copy" / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, place / "copy")
    words = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(place), str(place / "copy")]
    finished = subprocess.run(words, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    with zipfile.ZipFile(next(place.glob("*.whl"))) as archive:
        archive.extractall(place / "site")
    return place / "site"


def test_the_wheel_holds_every_module_configuration_and_packaged_file(wheel):
    wanted = {path.relative_to(ROOT / "src") for path in (ROOT / "src/ganfill").rglob("*.py")}
    wanted |= {Path("ganfill/conf") / path.relative_to(ROOT / "conf") for path in (ROOT / "conf").rglob("*.yaml")}
    wanted |= {
        path.relative_to(ROOT / "src")
        for path in PACKAGED.rglob("*")
        if path.suffix in (".md", ".png", ".safetensors", ".onnx") or path.name.startswith("LICENSE")
    }
    wanted |= {path.relative_to(ROOT / "src") for path in (ROOT / "src/ganfill/report/templates").iterdir()}
    assert not [str(path) for path in wanted if not (wheel / path).is_file()]


def test_the_wheel_completes_a_picture_outside_the_checkout(wheel, tmp_path):
    words = [
        "complete",
        str(PACKAGED / "demo/astronaut.png"),
        "mask=center",
        "out=filled",
        "search.steps=4",
        "search.pool=64",
    ]
    environment = os.environ | {"PYTHONPATH": str(wheel), "PYTHONSAFEPATH": "1"}
    command = [
        sys.executable,
        "-c",
        "import ganfill, sys; from ganfill.cli import run; print(ganfill.__file__); sys.exit(run(sys.argv[1:]))",
    ]
    finished = subprocess.run([*command, *words], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.startswith(str(wheel))
    assert (tmp_path / "filled/astronaut.png").stat().st_size > 1000


def test_the_packaged_model_is_small_and_brings_its_terms():
    assert (PACKAGED / "faces64.safetensors").stat().st_size <= 32e6
    assert "non-commercial" in (PACKAGED / "LICENSE-faces64.md").read_text()
    assert (PACKAGED / "faces64.md").exists()


def test_demo_pictures_are_the_credited_ones_and_few():
    pictures = sorted(path.name for path in (PACKAGED / "demo").iterdir())
    terms = (PACKAGED / "LICENSE-faces64.md").read_text()
    assert all(f"`{name}`" in terms for name in pictures)
    assert len(pictures) <= 13


def test_every_room_is_packaged():
    rooms = {path.parent.relative_to(ROOT / "src") for path in (ROOT / "src/ganfill").rglob("__init__.py")}
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert set(settings["packages"]) == {".".join(room.parts) for room in rooms} | {"ganfill.conf"}


def test_constraints_pin_versions_and_name_no_index():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(line.count("==") == 1 and not line.startswith("-") for line in lines)


def test_makefile_names_missing_variables_with_an_example():
    finished = subprocess.run(["make", "train"], cwd=ROOT, capture_output=True, text=True)
    assert finished.returncode == 2
    assert "make train needs OUT=..., for example: make train OUT=" in finished.stderr


def test_make_alone_lists_every_target():
    finished = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    targets = ["install", "demo", "data", "train", "complete", "evaluate", "sweep", "test", "lint", "clean", "help"]
    assert all(f"make {target} " in finished.stdout for target in targets)
