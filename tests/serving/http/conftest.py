"""Servers of their own for tests that change what a server goes by."""

from collections.abc import Callable

import pytest

from registry.settings import RegistrySettings


@pytest.fixture(scope="module")
def own_registry(trained_template: RegistrySettings, clone: Callable[[str], str]) -> RegistrySettings:
    """The trained home over a database of the module's own, with v1 live: what a server uses cannot be cloned."""
    assert trained_template.database_url is not None
    name = trained_template.database_url.get_secret_value().split("?", maxsplit=1)[0].rsplit("/", 1)[1]
    return RegistrySettings.model_validate({"AUTOSORT_HOME": trained_template.home, "DATABASE_URL": clone(name)})
