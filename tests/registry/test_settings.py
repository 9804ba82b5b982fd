"""Settings as the environment gives them."""

from pathlib import Path

import platformdirs
import pytest
from pydantic import ValidationError

from registry.settings import RegistrySettings, default_home


def test_without_an_environment_the_home_is_the_users_own_and_the_database_the_embedded_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AUTOSORT_HOME", raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    settings = RegistrySettings()
    assert settings.home == platformdirs.user_data_path("autosort")
    assert settings.database_url is None


def test_empty_variables_count_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOSORT_HOME", "")
    monkeypatch.setenv("DATABASE_URL", "")
    settings = RegistrySettings()
    assert settings.home == platformdirs.user_data_path("autosort")
    assert settings.database_url is None


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUTOSORT_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", "postgresql://somewhere/songs")
    settings = RegistrySettings()
    assert settings.home == tmp_path
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == "postgresql://somewhere/songs"


def test_everything_lies_in_folders_of_its_own_inside_the_home(tmp_path: Path) -> None:
    settings = RegistrySettings.model_validate({"AUTOSORT_HOME": tmp_path})
    folders = [
        settings.database_folder,
        settings.artifacts_folder,
        settings.datasets_folder,
        settings.runs_folder,
    ]
    assert len(set(folders)) == len(folders)
    assert {folder.parent for folder in folders} == {tmp_path}


def test_the_password_shows_nowhere_but_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:s3cret@somewhere/songs")
    settings = RegistrySettings()
    for shown in (str(settings), repr(settings), settings.model_dump_json(), repr(settings.model_dump())):
        assert "s3cret" not in shown


def test_settings_do_not_change_once_read(tmp_path: Path) -> None:
    settings = RegistrySettings.model_validate({"AUTOSORT_HOME": tmp_path})
    with pytest.raises(ValidationError):
        settings.home = tmp_path / "elsewhere"  # type: ignore[misc]


def test_the_default_home_has_no_spaces_in_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/home/somebody/Application Support")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert default_home() == Path("/home/somebody/.autosort")
    monkeypatch.setenv("XDG_DATA_HOME", "/home/somebody/data")
    assert default_home() == Path("/home/somebody/data/autosort")
