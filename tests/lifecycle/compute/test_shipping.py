"""Models on their way to Modal: what is away is said, and stops nothing here."""

import pytest

from lifecycle.compute.shipping import ship
from lifecycle.progress import Silent
from lifecycle.promotion import promote
from lifecycle.workspace import Workspace


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def _modal_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOSORT_COMPUTE", "modal")
    monkeypatch.setenv("MODAL_SERVER_URL", "http://127.0.0.1:9")


@pytest.mark.usefixtures("_modal_away")
def test_a_promotion_goes_on_while_modal_is_away(trained: Workspace) -> None:
    heard = Heard()
    assert promote(trained, "v2", heard, force=True, reason="a test").pointer.live == "v2"
    (line,) = (each for each in heard.lines if "Modal" in each)
    assert "the next `autosort sync`" in line


def test_where_work_is_done_here_nothing_is_sent(trained: Workspace) -> None:
    heard = Heard()
    assert ship(trained, heard) == 0
    assert heard.lines == []
