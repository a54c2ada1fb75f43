import json

import numpy as np
import pytest
from PIL import Image

QUICK = ["mask=center", "model=faces64", "search=fast", "device=cpu", "align=center", "outputs=finished"]


@pytest.fixture
def photos(work):
    (work / "in").mkdir()
    for i in range(6):
        pixels = np.random.default_rng(i).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(work / f"in/{i}.png")


def figures(folder, name="summary.json"):
    counts = json.loads((folder / name).read_text("utf-8"))["figures"]
    return counts["completed"], counts["skipped"], len(counts["failed"])


def test_shards_make_together_what_one_process_makes(ganfill, work, photos):
    words = ["images=in", *QUICK]
    assert ganfill(*words, "out=whole", quick=[])[0] == 0
    assert ganfill("-m", *words, "out=out", "shard=2/3,0/3", quick=[])[0] == 0
    assert not (work / "out/results.json").exists()
    assert ganfill(*words, "out=out", "shard=1/3", quick=[])[0] == 0
    for path in (work / "whole").glob("[!s.]*"):
        assert (work / "out" / path.name).read_bytes() == path.read_bytes()
    counts = [figures(work / "out", f"summary-{i}-of-3.json") for i in range(3)]
    assert sum(completed for completed, _, _ in counts) == 6 and {count[1:] for count in counts} == {(0, 0)}
    # Other divisions know what is done, and newer results are the ones that count.
    assert ganfill(*words, "out=out", quick=[])[0] == 0 and figures(work / "out") == (0, 6, 0)
    assert ganfill("-m", *words, "out=out", "shard=0/2,1/2", quick=[])[0] == 0
    assert [figures(work / "out", f"summary-{i}-of-2.json")[0] for i in range(2)] == [0, 0]
    assert ganfill(*words, "out=out", "shard=0/2", "seed=1", quick=[])[0] == 0
    redone = figures(work / "out", "summary-0-of-2.json")[0]
    assert 0 < redone < 6
    assert ganfill(*words, "out=out", "seed=1", quick=[])[0] == 0
    assert figures(work / "out") == (6 - redone, redone, 0)


def test_a_list_of_shards_needs_m(ganfill, work, photos):
    code, said = ganfill("images=in", *QUICK, "shard=0/2,1/2", quick=[])
    assert code == 2 and "shard=0/2,1/2 is not one value: add -m to run ganfill complete for each of them" in said
    code, said = ganfill("images=in", *QUICK, "shard=2/2", quick=[])
    assert code == 2 and "shard=2/2 does not exist: the first is 0/2, the last 1/2" in said
