"""All checks together: none stops another, none takes too long, none gives a secret away."""

import threading
import time
from pathlib import Path

import pytest

from lifecycle.doctor.check import Check, NotLookedAt, State, good
from lifecycle.doctor.examination import examine, is_good, looks, outcome
from lifecycle.doctor.later import begin, needed
from lifecycle.doctor.secrets import hide
from registry.errors import Refused


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUTOSORT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AUTOSORT_DEVICE", "cpu")
    for name in ("HF_TOKEN", "MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET"):
        monkeypatch.delenv(name, raising=False)


def fail(error: Exception) -> Check:
    raise error


def told(error: Exception) -> Check:
    return outcome("it", begin(lambda: fail(error)), 10)


def test_each_way_to_fail_is_a_line() -> None:
    assert told(NotLookedAt("nothing there")) == Check("it", State.UNUSED, "nothing there")
    assert told(Refused("so it is.", "Do that.")) == Check("it", State.BAD, "so it is.", "Do that.")
    assert told(Refused("so it is.")).remedy
    unknown = told(ZeroDivisionError("by zero\nand a long story"))
    assert (unknown.state, unknown.fact) == (State.BAD, "It could not be looked at: ZeroDivisionError: by zero.")
    assert told(KeyError()).state is State.BAD


def test_what_hangs_is_bad_in_its_time() -> None:
    held, began = threading.Event(), time.monotonic()
    found = outcome("it", begin(lambda: good("it", str(held.wait(60)))), 0.2)
    held.set()
    assert (found.state, time.monotonic() - began < 5) == (State.BAD, True)


def test_what_another_check_needs_is_not_told_twice() -> None:
    with pytest.raises(NotLookedAt, match="because of the database"):
        needed(begin(lambda: fail(Refused("away"))), "database")
    with pytest.raises(NotLookedAt, match="none yet"):
        needed(begin(lambda: fail(NotLookedAt("none yet"))), "database")


def test_a_fresh_machine_is_good_and_stays_as_it_was(tmp_path: Path) -> None:
    checks = examine()
    assert is_good(checks), checks
    assert [each.name for each in checks] == list(looks_by_name())
    assert list(tmp_path.iterdir()) == []


def looks_by_name() -> list[str]:
    nothing = object()
    return list(looks(nothing))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [("AUTOSORT_BUDGET", "ten"), ("AUTOSORT_POLL_SECONDS", "-1"), ("AUTOSORT_EMOTIONS_FOLDER", "/nowhere")],
)
def test_a_setting_that_cannot_be_used_is_named_once(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    bad = [each for each in examine() if each.state is State.BAD]
    assert [each.name for each in bad] == ["settings"]
    assert name in bad[0].fact


@pytest.mark.parametrize(
    ("text", "environment", "shown"),
    [
        ("at postgresql://u:s3cret@h/d", {}, "at postgresql://u:…@h/d"),
        ("password s3cret", {"DATABASE_URL": "postgresql://u:s3cret@h/d"}, "password …"),
        ("password p@ss and p%40ss", {"DATABASE_URL": "postgresql://u:p%40ss@h/d"}, "password … and …"),
        ("key abcd1234", {"WANDB_API_KEY": "abcd1234"}, "key …"),
        ("12345678", {"PGPASSWORD": "12345678"}, "…"),
        ("to https://b/y", {"AUTOSORT_WEBHOOKS": "https://a/x, https://b/y"}, "to …"),
        ("as-secret", {"MODAL_TOKEN_SECRET": "as-secret"}, "…"),
        ("it is false", {"TOKENIZERS_PARALLELISM": "false"}, "it is false"),
        ("nothing at all", {"PGPASSWORD": ""}, "nothing at all"),
    ],
)
def test_secrets_are_hidden(text: str, environment: dict[str, str], shown: str) -> None:
    assert hide(text, environment) == shown
