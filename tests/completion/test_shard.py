import pytest
from filelock import FileLock

from ganfill.completion.shard import ALL, Shard, hold_shard
from ganfill.errors import UserError


def test_every_name_is_in_one_shard_of_about_equal_size():
    names = [f"picture {i}" for i in range(4000)] + ["ä", "\udce9", ""]
    assert all(name in ALL for name in names)
    shards = [Shard(index, 4) for index in range(4)]
    assert all(sum(name in shard for shard in shards) == 1 for name in names)
    assert all(900 < sum(name in shard for name in names) < 1100 for shard in shards)
    assert [name for name in names[:8] if name in shards[1]] == [
        "picture 4",
        "picture 6",
        "picture 7",
    ]  # on every machine


def test_a_shard_is_written_as_number_and_count():
    assert Shard.parse("3/64") == Shard(3, 64) and Shard.parse("0/1") == ALL
    assert ALL.file("summary", ".json") == "summary.json"
    assert Shard(3, 64).file("summary", ".json") == "summary-3-of-64.json"
    assert Shard(1, 2).files("a", "") == ["a-0-of-2", "a-1-of-2"]
    for text in ("3", "64/64", "1/0", "-1/4", "a/b", "0/4,1/4", ""):
        with pytest.raises(UserError, match=rf"^shard={text} "):
            Shard.parse(text)


@pytest.mark.parametrize(
    ("at_work", "starting", "refused"),
    [
        (".shard-0-of-2.lock", Shard(1, 2), False),
        (".shard-0-of-2.lock", Shard(0, 2), True),
        (".shard-0-of-2.lock", Shard(1, 3), True),
        (".shard-0-of-2.lock", ALL, True),
        (".lock", ALL, True),
    ],
)
def test_processes_that_overlap_are_refused(tmp_path, at_work, starting, refused):
    other = FileLock(tmp_path / at_work)
    with other:
        if refused:
            with pytest.raises(UserError, match="in use by"), hold_shard(tmp_path, starting):
                pass
        else:
            with hold_shard(tmp_path, starting):
                assert (tmp_path / ".shard-1-of-2.lock").exists()
    with hold_shard(tmp_path, starting):
        pass
    assert not [path for path in tmp_path.iterdir() if path.name != at_work]
