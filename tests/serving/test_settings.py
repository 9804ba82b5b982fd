"""Settings of the service, as the environment has them."""

import pytest

from registry.errors import BadInput
from serving.settings import ALL_TIERS, read_settings


@pytest.mark.parametrize(
    ("told", "tiers"),
    [(None, ALL_TIERS), ("", ALL_TIERS), ("vectors", ("vectors",)), (" audio , metadata,", ("audio", "metadata"))],
)
def test_tiers_are_those_that_are_told_or_all(
    monkeypatch: pytest.MonkeyPatch, told: str | None, tiers: tuple[str, ...]
) -> None:
    if told is None:
        monkeypatch.delenv("AUTOSORT_TIERS", raising=False)
    else:
        monkeypatch.setenv("AUTOSORT_TIERS", told)
    assert read_settings().tiers == tiers


def test_a_tier_that_there_is_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOSORT_TIERS", "vectors,magic")
    with pytest.raises(BadInput, match=r"AUTOSORT_TIERS.*magic"):
        read_settings()
