"""Reports as one HTML file each: pictures and styles are inside, and nothing is ever loaded from elsewhere.

A page is a template that extends ``base.html``; ``parts.html`` has its tables, figures, facts and notes.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ganfill.report import table_format as worded

TEMPLATES = Path(__file__).with_name("templates")
GROUP = "mask"  # rows of one kind of hole compete with one another, and with no others
LIMITS = ("original", "floor")  # rows that start so tell what cannot be beaten, and compete with none


@dataclass(frozen=True)
class Table:
    """A table to be read and sorted.

    Args:
        caption: stands above it.
        columns: keys of the rows, in the order to be shown; the first one stays in sight. ``X_low`` and ``X_high``
            are shown as the interval of ``X``. Rows are grouped by the column ``mask`` if there is one, and the best
            value of a group is bold where a column's name says which way is better; a row that begins with
            "original" or "floor" is a limit and no rival.
        rows: values by column: numbers, texts, or None, NaN or nothing at all for what was not measured.
        settings: which columns are keys of a configuration: shown as they are, and no contest.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Mapping[str, object]]
    settings: Sequence[str] = ()

    @property
    def headings(self) -> list[worded.Heading]:
        """What stands above the shown columns."""
        return [
            worded.Heading(column, column, "", 0) if column in self.settings else worded.heading(column)
            for column in self._shown()
        ]

    @property
    def numeric(self) -> list[bool]:
        """For each shown column, whether it holds any number."""
        return [any(worded.number(row.get(column)) is not None for row in self.rows) for column in self._shown()]

    @property
    def groups(self) -> dict[str, list[list[worded.TableCell]]]:
        """The rows' cells by group, in the order in which groups first come; "" is the one group of a plain table."""
        shown = self._shown()
        names = [str(row.get(GROUP, "")) if GROUP in self.columns else "" for row in self.rows]
        limits = [bool(shown) and row.get(shown[0]) in LIMITS for row in self.rows]
        rivals = [None if limit else name for name, limit in zip(names, limits, strict=True)]
        alone = [None] * len(rivals)
        columns = [worded.cells(name, self.rows, alone if name in self.settings else rivals) for name in shown]
        grouped: dict[str, list[list[worded.TableCell]]] = {}
        for index, name in enumerate(names):
            grouped.setdefault(name, []).append([column[index] for column in columns])
        return grouped

    def _shown(self) -> list[str]:
        return [column for column in worded.shown(self.columns) if column != GROUP]


@dataclass(frozen=True)
class Figure:
    """A picture to be looked at: its caption, and the bytes of a PNG file."""

    caption: str
    png: bytes

    @property
    def address(self) -> str:
        """The picture itself, as a data URI."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, from the file's header."""
        return int.from_bytes(self.png[16:20], "big"), int.from_bytes(self.png[20:24], "big")


def evaluation_page(
    title: str, tables: Sequence[Table], figures: Sequence[Figure], facts: Mapping[str, str], notes: Sequence[str]
) -> str:
    """The report of an evaluation, as one HTML file.

    Args:
        title: of the page.
        tables: what was measured.
        figures: plots and contact sheets.
        facts: what was measured with: model, data, seed, machine, command, ...
        notes: what a reader has to know, above all what was skipped and why.
    """
    return render("evaluation.html", title=title, tables=tables, figures=figures, facts=facts, notes=notes)


def render(template: str, **content: object) -> str:
    """Fills a page's template; every text in it is escaped, and no script runs but the page's own.

    Args:
        template: the name of a file in ``templates/`` that extends ``base.html``.
        content: its variables; ``base.html`` needs ``title``.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    files = ("colours.css", "look.css", "page.js")
    colours, look, script = ((TEMPLATES / name).read_text("utf-8") for name in files)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = environment.get_template(template).render(
        content, style=Markup(colours + look), script=Markup(script), script_digest=digest
    )
    return page.encode("utf-8", "replace").decode("utf-8")  # a file's name may hold bytes that are no text
