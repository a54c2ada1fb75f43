"""Reports as single HTML files with pictures and styles inside; nothing is loaded from elsewhere.

A page is a template that extends ``base.html``; ``parts.html`` has macros for tables, figures, facts and notes.
"""

import base64
import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ganfill.images.sheets import data_url
from ganfill.report.table_format import Heading, TableCell, format_column, heading, main_columns, number

TEMPLATES = Path(__file__).with_name("templates")
GROUP = "mask"  # column whose values group the rows; best values are marked within a group
LIMITS = ("original", "floor")  # rows with these names are bounds, and never marked as best


@dataclass(frozen=True)
class Table:
    """A sortable table.

    Args:
        caption: of the table.
        columns: keys of the rows, in display order; the first one stays visible when the table scrolls. ``X_low`` and
            ``X_high`` are shown as the interval of ``X``. Rows are grouped by the column ``mask`` if there is one, and
            the best value of a group is bold where a column's name tells which direction is better.
        rows: values by column: numbers or texts; None, NaN or a missing key where nothing was measured.
        settings: columns that are keys of a configuration: their names are shown unchanged, without best values.
        unranked: indices of rows that are never marked as best.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Mapping[str, object]]
    settings: Sequence[str] = ()
    unranked: Collection[int] = ()

    @property
    def headings(self) -> list[Heading]:
        """Headings of the shown columns."""
        return [
            Heading(column, column, "", 0) if column in self.settings else heading(column) for column in self._shown()
        ]

    @property
    def numeric(self) -> list[bool]:
        """Flags of the shown columns that hold any number."""
        return [any(number(row.get(column)) is not None for row in self.rows) for column in self._shown()]

    @property
    def groups(self) -> dict[str, list[list[TableCell]]]:
        """Cells of the rows by group, in order of first appearance; a table without groups has the one group ""."""
        shown = self._shown()
        names = [str(row.get(GROUP, "")) if GROUP in self.columns else "" for row in self.rows]
        ranked = [
            None if index in self.unranked or (shown and row.get(shown[0]) in LIMITS) else name
            for index, (row, name) in enumerate(zip(self.rows, names, strict=True))
        ]
        columns = [format_column(name, self.rows, None if name in self.settings else ranked) for name in shown]
        grouped: dict[str, list[list[TableCell]]] = {}
        for index, name in enumerate(names):
            grouped.setdefault(name, []).append([column[index] for column in columns])
        return grouped

    def _shown(self) -> list[str]:
        return [column for column in main_columns(self.columns) if column != GROUP]


@dataclass(frozen=True)
class Figure:
    """Caption and bytes of a PNG file. Plots are shown inverted on dark pages, pictures are not."""

    caption: str
    png: bytes
    is_plot: bool = False

    @property
    def address(self) -> str:
        """The file as a data URI."""
        return data_url(self.png)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, from the file's header."""
        return int.from_bytes(self.png[16:20], "big"), int.from_bytes(self.png[20:24], "big")


def render(template: str, **content: object) -> str:
    """Fills a page's template. All text is escaped, and the page's own script is the only one that can run.

    Args:
        template: name of a file in ``templates/`` that extends ``base.html``.
        content: variables of the template; ``base.html`` needs ``title``. The others of ``evaluation.html`` are ``tables``,
            ``figures`` (plots and contact sheets), ``facts`` (conditions of the measurement by label) and ``notes``.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["parts"] = partial(re.split, r"(?<=[._])")  # between which a heading may break
    files = ("colours.css", "page.css", "page.js")
    colours, styles, script = ((TEMPLATES / name).read_text("utf-8") for name in files)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = environment.get_template(template).render(
        content, style=Markup(colours + styles), script=Markup(script), script_digest=digest
    )
    return page.encode("utf-8", "replace").decode("utf-8")  # file names may contain bytes that are not valid UTF-8
