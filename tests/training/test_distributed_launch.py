"""Two processes with gloo on the CPU, started by ganfill's script and by torchrun."""

import os
import subprocess
import sys

from ganfill import cli


def words(out, *more):
    settings = ["data=synthetic", "data.n=40", "kimg=0.064", "resolution=32", "latent.dim=16", "model.width=8"]
    settings += ["batch_size=16", "device=cpu", "sample_kimg=0", "precision=32-true", f"out={out}", "trainer=ddp"]
    return ["train", *settings, *more]


def command(launcher, *arguments):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run([*launcher, *arguments], env=environment, capture_output=True, text=True, timeout=250)


def test_an_installed_script_starts_the_processes_itself(tmp_path):
    script = tmp_path / "ganfill"  # as pip makes it
    script.write_text("import sys\nfrom ganfill.cli import main\nif __name__ == '__main__':\n    sys.exit(main())\n")
    done = command([sys.executable, str(script)], *words(tmp_path / "out", "trainer.devices=2"))
    assert done.returncode == 0 and done.stdout == f"{tmp_path / 'out'}\n", done.stderr
    names = {"last.ckpt", "best.ckpt", "metrics.csv", "distances.csv", "config.yaml", "summary.json"}
    assert names <= {path.name for path in (tmp_path / "out").iterdir()}


def test_a_mistake_that_all_processes_find_is_one_line(tmp_path, capfd):
    assert cli.run(words(tmp_path / "out", "trainer.devices=2", "batch_size=15")) == 2
    error = capfd.readouterr().err
    assert error.startswith("ganfill: batch_size=15 cannot be divided equally among 2") and error.count("\n") == 1


def test_torchrun_starts_the_processes(tmp_path):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone", "-m", "ganfill"]
    done = command(torchrun, *words(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'out'}\n"
    assert (tmp_path / "out/summary.json").exists()
