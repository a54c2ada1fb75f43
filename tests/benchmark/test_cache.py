import ast
import json

import numpy as np
import pytest

from ganfill.benchmark import cache as cache_module
from ganfill.benchmark.cache import CachedResult, ResultCache, code_digest


@pytest.fixture
def cache(tmp_path):
    return ResultCache(tmp_path / "cache")


class Made:
    """Counts how often it is called."""

    def __init__(self, value=1):
        self.value, self.calls = value, 0

    def __call__(self):
        self.calls += 1
        return CachedResult({"x": np.full(3, self.value)}, {"seconds": 0.1, "nothing": None})


def test_what_was_made_is_found(cache):
    made = Made()
    first, second = (cache.get("a", {"seed": 0}, made) for _ in range(2))
    assert made.calls == 1 and (cache.computed, cache.found) == (1, 1)
    assert np.array_equal(first.arrays["x"], second.arrays["x"])
    assert first.facts == second.facts and first.digest == second.digest


def test_what_depends_on_something_else_is_made_beside_it(cache):
    digests = {cache.get("a", {"seed": seed}, Made(seed)).digest for seed in (0, 1, 0, 1)}
    assert len(digests) == 2 and (cache.computed, cache.found) == (2, 2)
    assert cache.get("a", {"seed": 1}, Made()).arrays["x"].tolist() == [1, 1, 1]


def test_what_other_code_made_is_made_again(cache, tmp_path, monkeypatch):
    made, package = Made(), tmp_path / "ganfill"
    monkeypatch.setattr(cache_module, "ROOT", package)
    for source, calls in (("a = 1", 1), ("a = 2", 2), ("a = 2", 2), ("a = 1", 2)):
        (package / "search").mkdir(parents=True, exist_ok=True)
        (package / "search" / "latent_search.py").write_text(source)
        code_digest.cache_clear()
        cache.get("a", {"seed": 0}, made)
        assert made.calls == calls
    code_digest.cache_clear()


# No figure depends on these: messages, files, permissions of plugins, and the look of tables.
WITHOUT_INFLUENCE = {
    "cancellation.py", "config_types.py", "errors.py", "files.py", "interrupts.py", "plugins.py", "report",
    "text_files.py", "version.py",
}  # fmt: skip


def test_whatever_the_benchmark_imports_is_in_the_digest():
    root = cache_module.ROOT
    left, seen = [*(root / "benchmark").glob("*.py")], set()
    while left:
        file = left.pop()
        if file not in seen:
            seen.add(file)
            left += imported(file, root)
    parts = {file.relative_to(root).parts[0] for file in seen}
    assert parts >= WITHOUT_INFLUENCE and parts - WITHOUT_INFLUENCE == set(cache_module.CODE)


def imported(file, root):
    """The modules and packages of ganfill that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    paths = [root / name.removeprefix("ganfill.").replace(".", "/") for name in names if name.startswith("ganfill.")]
    files = [file for path in paths for file in (path.with_suffix(".py"), path / "__init__.py")]
    return [file for file in files if file.is_file()]


@pytest.mark.parametrize("suffix", [".npz", ".json"])
@pytest.mark.parametrize("damage", ["cut", "empty", "gone", "other", "deep"])
def test_what_is_damaged_is_made_again(cache, suffix, damage):
    cache.get("a", {}, Made())
    path = next(cache.path.glob(f"*{suffix}"))
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(
            {"cut": whole[: len(whole) // 2], "empty": b"", "other": b"[1]", "deep": b"[" * 100_000}[damage]
        )
    assert cache.get("a", {}, Made(7)).arrays["x"].tolist() == [7, 7, 7]
    assert cache.get("a", {}, Made(8)).arrays["x"].tolist() == [7, 7, 7]


def test_an_interruption_leaves_nothing_that_counts(cache):
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.get("a", {}, interrupted)
    assert cache.get("a", {}, Made()).facts["seconds"] == 0.1


def test_names_make_sound_files_that_tell_what_they_depend_on(cache):
    cache.get("center-standard:steps=3/..\\x" + "y" * 300, {"mask": "center"}, Made())
    names = sorted(path.name for path in cache.path.iterdir())
    assert len(names) == 2 and names[0].startswith("center-standard_steps=3_.._x") and len(names[0]) < 110
    assert json.loads((cache.path / names[0]).read_text())["depends"] == {"mask": "center", "code": code_digest()}
