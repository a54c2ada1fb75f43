"""Two processes with gloo on the CPU, started in every way. This file imports little, because the processes import it."""

import atexit
import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch.multiprocessing.spawn import ProcessRaisedException

from ganfill import cli
from ganfill.errors import UserError
from ganfill.training import distributed

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def jobs():
    """This file under a name that another process can import."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        yield importlib.import_module(Path(__file__).stem)


def fail(device):
    if distributed.rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    torch.distributed.barrier()


def test_the_others_do_not_wait_for_one_that_was_killed(jobs):
    with pytest.raises(UserError, match=r"process 2 of 2 was ended from outside \(.*SIGKILL.*\), perhaps for lack of"):
        distributed.start(2, CPU, jobs.fail)


def mistake(device):
    """A mistake that the first process alone finds; it also ends last."""
    if distributed.rank() == 0:
        atexit.register(time.sleep, 1)
        raise UserError("fd_samples=7 is wrong")
    distributed.broadcast_flag(False)


def test_a_mistake_of_one_process_is_reported_and_a_defect_keeps_its_traceback(jobs):
    with pytest.raises(UserError, match=r"^fd_samples=7 is wrong$"):
        distributed.start(2, CPU, jobs.mistake)
    with pytest.raises(ProcessRaisedException, match=r"TypeError: int\(\)"):
        distributed.start(1, CPU, int)


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
