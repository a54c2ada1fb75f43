"""``engine=ray``: on a cluster whose nodes are processes on this machine, and without a cluster."""

import json
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from importlib import import_module

import pytest

from ganfill.completion.result_folder import ResultFolder
from tests.commands.complete_files import figures, picture

ray = pytest.importorskip("ray")
psutil = pytest.importorskip("psutil")
pytestmark = pytest.mark.filterwarnings("ignore")  # of Ray
QUICK = ["images=in", "mask=center", "model=faces64", "search=fast", "align=center", "outputs=finished"]
# For the ports that its agents choose themselves, Ray waits too briefly on a busy machine.
PORTS = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port", "runtime_env_agent_port")


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """Connects each test to its own cluster alone."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    yield
    ray.shutdown()


@pytest.fixture
def photos(work):
    for i in range(200):
        picture(work / f"in/{i}.png", seed=i)


@pytest.fixture
def cluster():
    cluster = import_module("ray.cluster_utils").Cluster(initialize_head=True, head_node_args=node())
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def node(**more):
    """Settings of a node."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in PORTS]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        ports = {name: each.getsockname()[1] for name, each in zip(PORTS, sockets, strict=True)}
    return {"num_cpus": 2, "object_store_memory": 2**27, "include_dashboard": False} | ports | more


def assert_same(folder, expected):
    for path in (*expected.glob("*.png"), expected / "results.json"):
        assert (folder / path.name).read_bytes() == path.read_bytes()


def test_pictures_of_a_lost_node_are_completed_elsewhere(ganfill, work, photos, cluster, monkeypatch):
    (work / "in/bad.png").write_text("no picture")
    assert ganfill(*QUICK, "out=local", quick=[])[0] == 1
    second, finish, there = cluster.add_node(**node()), ResultFolder.finish, []

    def lose_node(folder, job, entry):
        finish(folder, job, entry)
        if second in cluster.worker_nodes:
            there.extend(folder.path.glob("*.png"))
            cluster.remove_node(second, allow_graceful=False)

    monkeypatch.setattr(ResultFolder, "finish", lose_node)
    code, said = ganfill(*QUICK, "out=out", "engine=ray", f"ray.address={cluster.address}", "device=cpu", quick=[])
    assert code == 1 and "1 of 201 not completed" in said and "bad.png cannot be read" in said
    assert "199.png: a weak fit, score" in said
    assert 0 < len(there) < 200
    assert_same(work / "out", work / "local")
    lines = [json.loads(line) for line in (work / "out/.record.jsonl").read_text().splitlines() if line]
    finished = [name for name, entry in lines if "digest" in entry]
    assert len(finished) == len(set(finished)) == 200


def test_a_machine_that_cannot_complete_is_named(ganfill, work, photos, cluster):
    cluster.add_node(**node(num_gpus=1))
    code, said = ganfill(*QUICK, "engine=ray", f"ray.address={cluster.address}", quick=[])
    assert code == 2
    assert f"ganfill: on {socket.gethostname()}: device=cuda, but this machine has no such GPU" in said


def test_without_a_cluster_ray_starts_here_and_ends_with_the_command(ganfill, work, photos):
    command = [sys.executable, "-m", "ganfill", "complete", *QUICK, "out=out", "engine=ray"]
    with subprocess.Popen(command, cwd=work, stderr=subprocess.PIPE, text=True) as process:
        record = work / "out/.record.jsonl"
        while process.poll() is None and not (record.exists() and '"digest"' in record.read_text()):
            time.sleep(0.05)
        started = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        said = process.communicate()[1]
    assert process.returncode == 143 and said.endswith("ended by SIGTERM; the same command again continues\n")
    assert len(started) > 3 and not psutil.wait_procs(started, timeout=30)[1]
    code, _ = ganfill(*QUICK, "out=out", "engine=ray", quick=[])
    assert code == 0 and figures(work / "out")["skipped"] > 0
    assert ganfill(*QUICK, "out=local", quick=[])[0] == 0
    assert_same(work / "out", work / "local")


def test_a_cluster_that_is_not_there_is_named(ganfill, work):
    picture(work / "in/a.png")
    code, said = ganfill(*QUICK, "out=out", "engine=ray", "ray.address=127.0.0.1:1", quick=[])
    assert code == 2 and "ganfill: ray.address=127.0.0.1:1: no connection to a Ray cluster ([Errno " in said
    assert not (work / "out/.record.jsonl").exists()
