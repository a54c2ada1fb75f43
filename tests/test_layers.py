import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_layers_hold():
    words = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run(['--no-cache'])"]
    finished = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stdout


def test_hydra_stays_at_the_top():
    top = {
        ROOT / f"src/ganfill/{name}.py"
        for name in ("config", "config_source", "hydra_application", "optuna_space", "optuna_sweeper")
    }
    allowed = {*top, *(ROOT / "src/ganfill/commands").iterdir()}
    others = [path for path in (ROOT / "src/ganfill").rglob("*.py") if path not in allowed]
    assert not [path for path in others if "import hydra" in path.read_text() or "from hydra" in path.read_text()]
    assert not [path for path in others if "omegaconf" in path.read_text()]


def test_import_is_light():
    code = (
        "import sys, ganfill; print([m for m in ('torch', 'hydra', 'wandb', 'pytorch_lightning') if m in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
