import subprocess

from ganfill.commands import summary


def test_a_git_that_hangs_costs_no_more_than_its_time(monkeypatch):
    def hang(command, timeout, **options):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    assert summary.commit() is None
