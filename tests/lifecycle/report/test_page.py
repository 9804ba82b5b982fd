"""The report's page: whole, by itself, safe, and readable on a desk and on a phone."""

import copy
import re
from pathlib import Path
from typing import Any, Literal

import pytest

from lifecycle.report.page import render
from tests.support.browser import CHROMIUM, browser
from tests.support.report_document import base_document, full_document

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's package chromium")


@pytest.mark.parametrize("document", [full_document(), base_document()], ids=["trained", "base"])
def test_it_stands_by_itself_and_is_small(document: dict[str, Any]) -> None:
    page = render(document)
    assert page.startswith("<!doctype html>")
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:|//)|url\(|@import|<script""", page)
    assert len(page.encode()) < 500_000


def test_it_says_the_same_of_the_same() -> None:
    assert render(full_document()) == render(copy.deepcopy(full_document()))


def test_it_tells_the_verdict_every_rule_and_every_regime() -> None:
    document = full_document()
    page = render(document)
    for verdict in document["gate"]["decision"]["verdicts"]:
        assert verdict["rule"].replace("_", " ").lower() in page.lower()
    for name in document["evaluation"]["regimes"]:
        assert name.replace("_", " ").lower() in page.lower()
    for titles in document["evaluation"]["confusions"]:
        assert titles["belongs"].split("&")[0].split("'")[0] in page


def test_names_are_text_and_never_markup() -> None:
    document = full_document()
    document["evaluation"]["confusions"][0]["songs"] = ["<script>alert(1)</script>", '"><img src=x onerror=alert(2)>']
    document["evaluation"]["confusions"][0]["belongs"] = "<b>bold</b>"
    page = render(document)
    assert "<script>" not in page
    assert "<img" not in page
    assert "<b>bold" not in page
    assert "&lt;script&gt;" in page


@needs_chromium
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_stands_out_to_the_side(tmp_path: Path, width: int, scheme: Literal["light", "dark"]) -> None:
    file = tmp_path / "report.html"
    file.write_text(render(full_document()), encoding="utf-8")
    with browser(tmp_path / "profile") as page:
        page.show(file, width=width, scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("document.querySelectorAll('svg').length") >= 3
        assert [each for each in page.requests if not each.startswith("file:")] == []


@needs_chromium
def test_dark_is_dark_and_light_is_light(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(render(full_document()), encoding="utf-8")
    shades = []
    with browser(tmp_path / "profile") as page:
        for scheme in ("light", "dark"):
            page.show(file, width=800, scheme=scheme)
            colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
            shades.append(sum(int(each) for each in re.findall(r"\d+", colour)[:3]))
    light, dark = shades
    assert light > 600
    assert dark < 150
