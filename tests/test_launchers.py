import subprocess
import sys
import time
from pathlib import Path

import pytest

from ganfill import launchers
from ganfill.errors import UserError


def test_launchers_become_hydras(monkeypatch):
    monkeypatch.setattr(launchers.shutil, "which", lambda name: "/usr/bin/srun")
    given = ["-m", "launcher=submitit", "seed=0,1", "launcher.timeout_min=480"]
    assert launchers.split(given) == (
        ["-m", "seed=0,1"],
        ["hydra/launcher=submitit_slurm", "hydra.launcher.timeout_min=480"],
    )
    monkeypatch.setattr("ganfill.errors.find_spec", lambda package: None)
    with pytest.raises(UserError, match=r"launcher=joblib needs joblib: pip install 'ganfill\[sweep\]'"):
        launchers.split(["launcher=joblib"])
    with pytest.raises(UserError, match=r"pip install 'ganfill\[sweep\]'"):
        launchers.split(["launcher=submitit"])
    with pytest.raises(UserError, match=r"launcher=ray needs ray: pip install 'ganfill\[ray\]'"):
        launchers.split(["launcher=ray"])


def test_joblib_takes_a_process_a_gpu_or_a_core(monkeypatch):
    monkeypatch.setattr(launchers, "cores", lambda: 8)
    cases = [
        (0, 3, "auto", 3),
        (0, 9, "auto", 8),
        (2, 9, "auto", 2),
        (2, 9, "cuda", 2),
        (2, 9, "cuda:1", 8),
        (2, 9, "cpu", 8),
    ]
    for gpus, cells, device, n_jobs in cases:
        monkeypatch.setattr(launchers.torch.cuda, "device_count", lambda gpus=gpus: gpus)
        assert f"hydra.launcher.n_jobs={n_jobs}" in launchers.fitted(["hydra/launcher=joblib"], cells, device)
    asked = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=5"]
    assert launchers.fitted(asked, 9, "auto") == [*asked, "hydra.launcher.batch_size=1"]
    assert launchers.fitted(["hydra/launcher=submitit_slurm"], 9, "auto") == ["hydra/launcher=submitit_slurm"]


def test_cores_are_counted_on_every_system(monkeypatch):
    monkeypatch.setattr(launchers.os, "sched_getaffinity", lambda process: {4, 5}, raising=False)
    assert launchers.cores() == 2
    monkeypatch.delattr(launchers.os, "sched_getaffinity")  # as on macOS
    monkeypatch.setattr(launchers.os, "cpu_count", lambda: 6)
    assert launchers.cores() == 6


@pytest.mark.parametrize("any_gpu", ["auto", "cuda"])
def test_each_process_has_a_gpu_of_its_own(tmp_path, monkeypatch, any_gpu):
    monkeypatch.setattr(launchers.torch.cuda, "device_count", lambda: 2)
    take = launchers.device_of_a_worker
    with take(any_gpu, tmp_path, 3) as first:
        with take(any_gpu, tmp_path, 4) as second, take(any_gpu, tmp_path, 7) as third:
            assert (first, second, third) == ("cuda:0", "cuda:1", "cuda:1")
        with take(any_gpu, tmp_path, 4) as again, take("cuda:0", tmp_path, 0) as asked:
            assert (again, asked) == ("cuda:1", "cuda:0")


def test_processes_end_with_their_parent(tmp_path):
    child = (
        "import os, sys, time; from ganfill.launchers import end_with_parent; end_with_parent();"
        "print(os.getpid(), flush=True); time.sleep(60)"
    )
    code = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {child!r}], stdout=subprocess.PIPE);"
    code += "print(p.stdout.readline().decode(), flush=True)"
    pid = int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    until = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
        assert time.monotonic() < until
        time.sleep(0.05)
