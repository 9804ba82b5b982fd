"""Taking secrets out of what is shown, whatever error they came with: the last of several safeguards."""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

HIDDEN = "…"

_SECRET_NAME = re.compile("TOKEN|SECRET|PASSW|API_?KEY|DATABASE_URL|WEBHOOK|CREDENTIAL", re.IGNORECASE)
_USER_INFO = re.compile(r"(\w://[^:/@\s]*):[^@/\s]+@")
_SHORTEST = 4  # what is shorter stands in words by chance
_FLAGS = frozenset({"true", "false", "none"})  # such as of TOKENIZERS_PARALLELISM


def hide(text: str, environment: Mapping[str, str]) -> str:
    """The text without passwords of URLs and without the values of variables that are named as secrets are."""
    for secret in sorted(set(_secrets(environment)), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return _USER_INFO.sub(rf"\1:{HIDDEN}@", text)


def _secrets(environment: Mapping[str, str]) -> Iterator[str]:
    for name, value in environment.items():
        if _SECRET_NAME.search(name):
            yield from (each for each in _parts(value) if len(each) >= _SHORTEST and each.lower() not in _FLAGS)


def _parts(value: str) -> Iterator[str]:
    """A secret, each of several that are parted by commas, and the password in it if it is a URL."""
    yield from (value.strip(), *(part.strip() for part in value.split(",")))
    password = value.partition("://")[2].rpartition("@")[0].partition(":")[2]
    yield from (password, unquote(password))
