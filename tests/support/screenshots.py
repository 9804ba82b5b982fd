"""Screenshots of a report for the documents: `python -m tests.support.screenshots [REPORT.html]`.

Takes any report that `autosort report` wrote; without one, the made-up one of the tests. Needs Debian's `chromium`.
"""

import sys
import tempfile
from pathlib import Path

from lifecycle.report.page import render
from tests.support.browser import browser
from tests.support.report_document import full_document

_IMAGES = Path(__file__).parents[2] / "docs" / "images"
_LONGEST = 4000


def take(report: Path, folder: Path) -> None:
    """Save the head of the report as a desktop shows it, and as a phone does."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile, browser(Path(profile)) as page:
        page.show(report, width=1280, height=900)
        page.screenshot(folder / "report-desktop.png", width=1280, height=_height(page.evaluate(_TALL), 2200))
        page.show(report, width=360, height=780, scale=2)
        page.screenshot(folder / "report-phone.png", width=360, height=_height(page.evaluate(_TALL), 1560))


_TALL = "document.documentElement.scrollHeight"


def _height(whole: int, wanted: int) -> int:
    return min(whole, wanted, _LONGEST)


def main() -> None:
    """Take them of the report that is named, or of the made-up one."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder) / "report.html"
        if len(sys.argv) < 2:
            report.write_text(render(full_document()), encoding="utf-8")
        take(report, _IMAGES)


if __name__ == "__main__":
    main()
