import base64
import hashlib
import io
import math
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from ganfill.report.html import TEMPLATES, Figure, Table, render

VOID = {"meta", "link", "img"}
HOSTILE = "<script>alert('1')</script>\"' & </table>"


def _png(width=6, height=4):
    file = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(file, "png")
    return file.getvalue()


ROWS = [
    {"search": "fast", "mask": "center", "psnr": 17.25, "psnr_low": 16.75, "psnr_high": 17.75, "seconds": 0.02},
    {"search": "thorough", "mask": "center", "psnr": 18.5, "psnr_low": 18.0, "psnr_high": 19.0, "seconds": 2.5},
    {"search": "original", "mask": "center", "psnr": 99.0, "seconds": math.nan},
    {"search": "fast", "mask": "half", "psnr": 14.0, "psnr_low": 13.5, "psnr_high": 14.5, "seconds": 0.03},
    {"search": "nearest", "mask": "half"},
]
COLUMNS = ["search", "mask", "psnr", "psnr_low", "psnr_high", "seconds"]


class Reader(HTMLParser):
    """Reads a page, and complains about tags that are not closed in order."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.rows, self.text = [], [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert len({name for name, _ in attrs}) == len(attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += f" {data.strip()}" if data.strip() else ""


def _page(**changes):
    content = {
        "title": "faces64, five searches",
        "tables": [Table("All of it", COLUMNS, ROWS)],
        "figures": [Figure("Quality against time", _png())],
        "facts": {"model": "faces64", "seed": "0", "command": "ganfill evaluate n=5"},
        "notes": ["LPIPS was skipped: no weights are at hand."],
    }
    return render("evaluation.html", **content | changes)


def test_a_page_is_well_formed_and_says_everything():
    page = _page()
    text = " ".join(Reader(page).text)
    assert page.startswith("<!doctype html>")
    for said in (
        "faces64, five searches",
        "All of it",
        "Quality against time",
        "model",
        "ganfill evaluate n=5",
        "LPIPS was",
    ):
        assert said in text


def test_every_row_is_in_the_table_under_its_kind_of_hole():
    rows = [[" ".join(cell.split()) for cell in row] for row in Reader(_page()).rows]
    assert rows == [
        ["search", "PSNR dB ↑", "time"],
        ["center"],
        ["fast", "17.25 16.75 to 17.75", "20 ms"],
        ["thorough", "18.50 18.00 to 19.00", "2.5 s"],
        ["original", "99.00", "–"],
        ["half"],
        ["fast", "14.00 13.50 to 14.50", "30 ms"],
        ["nearest", "–", "–"],
    ]


def test_rows_of_a_kind_stand_together_though_they_come_apart():
    rows = [{"search": name, "mask": mask} for name in ("a", "b") for mask in ("center", "half")]
    found = [row[0].strip() for row in Reader(_page(tables=[Table("", ["search", "mask"], rows)])).rows]
    assert found == ["search", "center", "a", "b", "half", "a", "b"]


def test_the_best_of_a_kind_is_bold_and_a_limit_is_no_rival():
    best = [attrs for tag, attrs in Reader(_page()).tags if "best" in (attrs.get("class") or "").split()]
    assert [float(attrs["data-order"]) for attrs in best] == [18.5]


def test_a_table_without_kinds_of_holes_is_one_group():
    table = Table("Generator", ["figure", "value"], [{"figure": "fd_face", "value": 41.2}, {"figure": "lpips"}])
    rows = Reader(_page(tables=[table])).rows
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["figure", "value"],
        ["fd_face", "41.2"],
        ["lpips", "–"],
    ]


def test_settings_keep_their_names_and_are_no_contest():
    rows = [{"precision": value, "psnr": value} for value in (1, 2)]
    page = _page(tables=[Table("", ["precision", "psnr"], rows, settings=["precision"])])
    assert Reader(page).rows[0] == [" precision", " PSNR dB ↑"]
    best = [
        attrs["class"] for tag, attrs in Reader(page).tags if tag in ("th", "td") and "best" in attrs.get("class", "")
    ]
    assert best == ["number best"]


def test_nothing_is_loaded_from_elsewhere():
    page = _page(notes=["see https://example.org/paper"])
    for tag, attrs in Reader(page).tags:
        for name in ("src", "href", "action", "data", "srcset", "poster"):
            assert (attrs.get(name) or "data:").startswith("data:"), (tag, attrs)
    assert not re.search(r"url\(|@import|@font-face|fetch\(|XMLHttpRequest", page)
    assert "default-src 'none'; img-src data:" in page


def test_the_page_allows_its_own_script_and_no_other():
    page = _page()
    script = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert script == [(TEMPLATES / "page.js").read_text("utf-8")]
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page and "unsafe-eval" not in page


def test_hostile_words_are_only_words():
    rows = [{"search": HOSTILE, "mask": HOSTILE, HOSTILE: HOSTILE}]
    page = _page(
        title=HOSTILE,
        tables=[Table(HOSTILE, ["search", "mask", HOSTILE], rows)],
        figures=[Figure(HOSTILE, _png())],
        facts={HOSTILE: HOSTILE},
        notes=[HOSTILE],
    )
    reader = Reader(page)
    assert [tag for tag, _ in reader.tags].count("script") == 1
    assert HOSTILE in reader.text
    assert {name for _, attrs in reader.tags for name in attrs if name.startswith("on")} == set()
    assert next(attrs["alt"] for tag, attrs in reader.tags if tag == "img") == HOSTILE


def test_pictures_are_inside_with_their_sizes():
    (attrs,) = [attrs for tag, attrs in Reader(_page()).tags if tag == "img" and "src" in attrs]
    kind, _, data = attrs["src"].partition(",")
    assert kind == "data:image/png;base64" and base64.b64decode(data) == _png()
    assert (attrs["width"], attrs["height"]) == ("6", "4")


def test_light_and_dark_and_phones_are_provided_for():
    page = _page()
    assert "prefers-color-scheme: dark" in page and "width=device-width" in page and "overflow-x: auto" in page


@pytest.mark.parametrize("missing", [{"tables": []}, {"figures": []}, {"facts": {}}, {"notes": []}])
def test_what_there_is_none_of_leaves_no_empty_section(missing):
    full, less = Reader(_page()), Reader(_page(**missing))
    count = [sum(tag == "section" for tag, _ in reader.tags) for reader in (full, less)]
    assert count == [4, 3]


def test_an_empty_table_and_odd_bytes_of_file_names_do_no_harm():
    page = _page(tables=[Table("None", COLUMNS, []), Table("", [], [])], facts={"data": "bad\udcff name"})
    assert "bad? name" in page.encode("utf-8").decode()
    Reader(page)
