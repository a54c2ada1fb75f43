"""The same command again: what is done is skipped, and what was interrupted continues."""

import pytest

from ganfill.completion import completer
from ganfill.completion.pipeline import fill
from ganfill.completion.result_folder import ResultFolder
from tests.commands.complete_files import figures, names, picture, results


def test_again_is_skipped_and_what_changed_is_done_again(ganfill, work):
    for i in range(2):
        picture(work / f"in/{i}.png", seed=i)
    words = ["in", "mask=center", "out=out"]
    counts = []

    def run(*more):
        assert ganfill(*words, *more)[0] == 0
        summary = figures(work / "out")
        counts.append((summary["completed"], summary["skipped"]))

    run()
    stamp = (work / "out/0.png").stat().st_mtime_ns
    run()
    assert (work / "out/0.png").stat().st_mtime_ns == stamp
    picture(work / "in/1.png", seed=7)
    run()
    run("seed=1")
    (work / "out/0.png").unlink()
    run("seed=1")
    run("seed=1", "search.steps=3")
    picture(work / "in/2.png", seed=2)
    run("seed=1", "search.steps=3")
    assert counts == [(2, 0), (0, 2), (1, 1), (2, 0), (1, 1), (2, 0), (1, 2)]


def test_what_was_done_before_an_interrupt_is_kept(ganfill, work, monkeypatch):
    for i in range(5):
        picture(work / f"in/{i}.png", seed=i)
    words = ["in", "mask=center", "model=faces64", "align=center"]
    assert ganfill(*words, "out=whole")[0] == 0
    monkeypatch.setattr("ganfill.completion.read_ahead.PICTURES_AT_ONCE", 2)
    write = ResultFolder.write

    def interrupted(folder, job, *arguments):
        if job.name == "3":
            raise KeyboardInterrupt
        return write(folder, job, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(ResultFolder, "write", interrupted)
        assert ganfill(*words, "out=out")[0] == 130
    assert not (work / "out/results.json").exists()
    assert ganfill(*words, "out=out")[0] == 0
    assert figures(work / "out")["completed"] in (2, 3)
    assert names(work / "out") == names(work / "whole")
    for name in names(work / "out"):
        if name != "summary.json":
            assert (work / "out" / name).read_bytes() == (work / "whole" / name).read_bytes()


@pytest.mark.parametrize("words", [(), ("deterministic=true",)])
def test_a_picture_gets_the_same_bits_in_any_group_and_after_an_interrupt(ganfill, work, words):
    for i in range(3):
        picture(work / f"in/{i}.png", seed=i)
    quick = ["search.steps=4", "search.starts=2", "search.pool=16", "search.precision=fp32", "device=cpu", *words]
    assert ganfill("in", "mask=center", "out=many", quick=quick)[0] == 0
    together = (work / "many/1.png").read_bytes(), results(work / "many")["1"]
    assert ganfill("in/1.png", "mask=center", "out=one", quick=quick)[0] == 0
    assert (work / "one/1.png").read_bytes() == together[0]
    assert results(work / "one")["1"]["scores"] == together[1]["scores"]
    (work / "many/1.png").unlink()  # as if it had been killed before
    assert ganfill("in", "mask=center", "out=many", quick=quick)[0] == 0
    assert ((work / "many/1.png").read_bytes(), results(work / "many")["1"]) == together


def test_what_is_written_when_the_next_search_ends_early_is_recorded(ganfill, work, monkeypatch):
    for i in range(4):
        picture(work / f"in/{i}.png", seed=i)
    monkeypatch.setattr("ganfill.completion.read_ahead.PICTURES_AT_ONCE", 2)
    groups = []

    def interrupted(*arguments):
        groups.append(len(arguments[1]))
        if len(groups) == 2:
            raise KeyboardInterrupt
        return fill(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(completer, "fill", interrupted)
        assert ganfill("in", "mask=center", "out=out")[0] == 130
    assert ganfill("in", "mask=center", "out=out")[0] == 0
    assert (figures(work / "out")["completed"], figures(work / "out")["skipped"]) == (2, 2)


def test_a_picture_too_large_for_its_answers_does_not_stop_the_others(ganfill, work, monkeypatch):
    picture(work / "in/a.png", (64, 64))
    picture(work / "in/b.png")
    monkeypatch.setattr(completer, "MOST_VALUES", 3 * completer.PIXELS_AT_ONCE + 3 * 2 * 32 * 32)
    code, said = ganfill("in", "mask=center", "answers=2", "out=out")
    assert code == 1 and "in/a.png: answers=2 take 0.0 GB: ask for fewer" in said
    assert figures(work / "out")["completed"] == 1
