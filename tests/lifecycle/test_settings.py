"""Settings of heavy work as the environment gives them."""

import pytest

from lifecycle.settings import LifecycleSettings, read_settings
from registry.errors import BadInput


def test_the_prices_are_modals_and_work_is_done_here_for_nothing() -> None:
    settings = read_settings()
    assert (settings.gpu_price, settings.core_price, settings.memory_price) == (0.000306, 0.0000131, 0.00000222)
    assert (settings.compute, settings.local_price, settings.budget) == ("local", 0, 30)


def test_the_environment_decides_and_empty_variables_count_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOSORT_GPU_PRICE", "0.001")
    monkeypatch.setenv("AUTOSORT_BUDGET", "")
    monkeypatch.setenv("AUTOSORT_COMPUTE", "modal")
    settings = read_settings()
    assert (settings.gpu_price, settings.budget, settings.compute) == (0.001, 30, "modal")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (name, value)
        for name in LifecycleSettings.model_fields
        if name not in {"compute", "base_folder", "emotions_folder", "modal_app", "webhooks"}  # texts
        for value in ("-1", "inf", "nan", "ten")
    ]
    + [("compute", "cloud"), ("profile", "e5-huge")],
)
def test_what_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"AUTOSORT_{name}".upper(), value)
    with pytest.raises(BadInput, match=f"AUTOSORT_{name.upper()} is '{value}'"):
        read_settings()


@pytest.mark.parametrize(
    ("compute", "profile", "recipe"),
    [
        ("local", "", "bundled"),
        ("modal", "", "e5-large"),
        ("modal", "bundled", "bundled"),
        ("local", "e5-large", "e5-large"),
    ],
)
def test_the_recipe_is_meant_for_where_the_work_is_done_unless_it_was_set(
    monkeypatch: pytest.MonkeyPatch, compute: str, profile: str, recipe: str
) -> None:
    monkeypatch.setenv("AUTOSORT_COMPUTE", compute)
    monkeypatch.setenv("AUTOSORT_PROFILE", profile)
    assert read_settings().recipe == recipe


def test_webhooks_are_parted_by_commas_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOSORT_WEBHOOKS", "https://a.example/token, https://b.example/token,")
    settings = read_settings()
    told = [each.get_secret_value() for each in settings.webhooks]
    assert told == ["https://a.example/token", "https://b.example/token"]
    assert "token" not in str(settings)
