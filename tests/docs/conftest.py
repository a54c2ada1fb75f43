"""The code blocks of the documentation."""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Block:
    """A code block of a page."""

    page: Path
    line: int
    language: str
    code: str
    mark: str

    def __str__(self):
        return f"{self.page.name}:{self.line}"

    @property
    def reason(self):
        """The reason why the block is not run; empty if it is."""
        return self.mark.removeprefix("not run: ") if self.mark.startswith("not run: ") else ""


def blocks(page):
    text = page.read_text()
    form = r"(?:^<!-- ((?:(?!-->).)*) -->\n)?^( *)```(\w*)\n(.*?)^ *```$"
    for match in re.finditer(form, text, re.M | re.S):
        mark, _, language, code = match.groups()
        yield Block(page, text[: match.start()].count("\n") + 1, language, textwrap.dedent(code), mark or "")


@pytest.fixture(scope="session", name="blocks")
def _blocks():
    """The function that yields the blocks of a page."""
    return blocks
