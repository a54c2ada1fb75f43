"""docs/architecture.md lists the layers that import-linter checks."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_table_of_layers_is_the_contract():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = [contract for contract in contracts if contract["type"] == "layers"]
    layers = [{name.strip().removeprefix("ganfill.") for name in layer.split("|")} for layer in contract["layers"]]
    rows = re.findall(r"^\| \d+ \| (.*?) \|", (ROOT / "docs/architecture.md").read_text(), re.M)
    assert [set(re.findall(r"`(\w+)`", row)) for row in rows] == layers
