"""The documentation cites tables that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
OF_A_RUN = {"completions", "distances", "generator", "leaderboard", "leaderboard_speed", "metrics", "paired", "table"}


def test_every_table_that_the_documentation_cites_exists():
    pages = [ROOT / "README.md", ROOT / "experiments/README.md", *(ROOT / "docs").glob("*.md")]
    cited = {name for page in pages for name in re.findall(r"\b([a-z0-9_]+)\.csv\b", page.read_text(encoding="utf-8"))}
    tables = {path.stem for path in (ROOT / "experiments/results").glob("*.csv")}
    assert len(cited & tables) > 20
    assert cited - tables - OF_A_RUN == set()
