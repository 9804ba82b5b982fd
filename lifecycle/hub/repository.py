"""A repository of the Hugging Face Hub, and the one place where its client's errors become the toolkit's own."""

import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from httpx2 import HTTPError
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token, hf_hub_url
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
)

from registry.errors import AutosortError, BadInput, HubError, HubUnavailable

Content = Path | bytes
"""What a file holds: the file itself, or its bytes."""

_BRANCH = "main"
_AGAIN = "Run the same command again: what was uploaded is not uploaded twice."
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _CONFLICT, _PARENT_MOVED, _TOO_MANY, _THEIRS = 401, 403, 404, 409, 412, 429, 500
_SHOWN = 300


@dataclass(frozen=True)
class Contents:
    """What a repository holds.

    Attributes:
        url: its page.
        head: the newest commit of the branch `main`.
        files: paths at that commit.
        tags: of each tag, the commit it names.
    """

    url: str
    head: str
    private: bool
    files: frozenset[str]
    tags: Mapping[str, str]


class Repository:
    """A repository of models, as the owner of a token sees it.

    Args:
        name: "owner/name".
        endpoint: address of the Hub; by default `HF_ENDPOINT`, or huggingface.co.
        token: by default `HF_TOKEN`, or that of an earlier login.

    Raises:
        BadInput: there can be no repository of that name.
        HubError: there is no token.
    """

    def __init__(self, name: str, *, endpoint: str | None = None, token: str | None = None) -> None:
        _check_name(name)
        self.name = name
        self._api = HfApi(endpoint=endpoint, token=token or get_token(), library_name="autosort")
        if not self._api.token:
            raise HubError(
                "There is no token for the Hugging Face Hub.",
                f"Set HF_TOKEN to one that may write to {name}, or run `hf auth login`. Tokens are made at "
                f"{self.endpoint}/settings/tokens.",
            )

    @property
    def endpoint(self) -> str:
        """Address of the Hub."""
        return self._api.endpoint

    def sign_in(self) -> str:
        """Whose token it is.

        Raises:
            HubError, HubUnavailable: as everything here does.
        """
        with self._translated():
            return str(self._api.whoami()["name"])

    def open(self, *, private: bool) -> Contents:
        """Make the repository if it is not there and tell what it holds; one that is there keeps its privacy."""
        with self._translated():
            try:
                found = self._api.model_info(self.name, revision=_BRANCH)
            except RepositoryNotFoundError:
                self._api.create_repo(self.name, private=private, exist_ok=True)
                found = self._api.model_info(self.name, revision=_BRANCH)
            tags = self._api.list_repo_refs(self.name).tags
        return Contents(
            url=f"{self.endpoint}/{self.name}",
            head=str(found.sha),
            private=bool(found.private),
            files=frozenset(each.rfilename for each in found.siblings or ()),
            tags={each.name: each.target_commit for each in tags},
        )

    def read(self, path: str, commit: str) -> bytes | None:
        """A file of a commit; None if it holds no such file."""
        with self._translated(), tempfile.TemporaryDirectory() as cache:
            try:
                return Path(self._api.hf_hub_download(self.name, path, revision=commit, cache_dir=cache)).read_bytes()
            except RemoteEntryNotFoundError:
                return None

    def commit(self, added: Mapping[str, Content], removed: Collection[str], *, message: str, parent: str) -> str:
        """Upload and remove files in one commit on `main`; files that are there already, byte for byte, are left.

        Args:
            parent: the commit that all of it was decided on; if another was made since, nothing is changed.

        Returns:
            The commit; `parent` if there was nothing to change.
        """
        with self._translated():
            operations: list[CommitOperationAdd | CommitOperationDelete] = [
                *(CommitOperationDelete(path) for path in sorted(removed)),
                *(CommitOperationAdd(path, content) for path, content in sorted(added.items())),
            ]
            done = self._api.create_commit(
                self.name, operations, commit_message=message, revision=_BRANCH, parent_commit=parent
            )
        return done.oid

    def tag(self, name: str, commit: str) -> None:
        """Name a commit; a tag that is there stays where it is."""
        with self._translated():
            self._api.create_tag(self.name, tag=name, revision=commit, exist_ok=True)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (HTTPError, OSError, RuntimeError, ValueError) as error:
            # Not chained: the client's messages may hold addresses of uploads, which are as good as a password.
            raise self._error(error) from None

    def _error(self, error: Exception) -> AutosortError:
        cause = error.__cause__ if isinstance(error, RuntimeError) else None  # an upload's, wrapped by its thread
        if isinstance(cause, Exception):
            return self._error(cause)
        if isinstance(error, HfHubHTTPError):
            return self._refusal(error.response.status_code, error.server_message or "")
        if isinstance(error, OfflineModeIsEnabled):
            return HubUnavailable("HF_HUB_OFFLINE keeps the Hugging Face Hub out of reach.", "Unset it.")
        if isinstance(error, HTTPError | ConnectionError | TimeoutError | LocalEntryNotFoundError):
            return HubUnavailable(
                f"The Hugging Face Hub at {self.endpoint} cannot be reached ({type(error).__name__}).",
                f"Check the network and HF_ENDPOINT. {_AGAIN}",
            )
        said = self._shown(str(error)) if type(error) is ValueError else type(error).__name__
        return HubError(f"Publishing to {self.name} failed: {said}.", _AGAIN)

    def _refusal(self, status: int, said: str) -> AutosortError:
        if status == _UNAUTHORIZED:
            return HubError(
                f"The Hugging Face Hub at {self.endpoint} does not accept the token ({status}).",
                f"Make one that may write to {self.name} at {self.endpoint}/settings/tokens, and set HF_TOKEN to it or "
                "run `hf auth login`.",
            )
        if status == _FORBIDDEN:
            return HubError(
                f"The token may not write to {self.name} ({status}).",
                "Use one with write access, of somebody who may write there; or name a repository of your own.",
            )
        if status == _NOT_FOUND:
            return HubError(
                f"{self.name} is not there, or the token may not see it ({status}).",
                "Check the name and what the token may do.",
            )
        if status in (_CONFLICT, _PARENT_MOVED):
            return HubError(f"{self.name} was changed by somebody else meanwhile ({status}).", _AGAIN)
        if status == _TOO_MANY or status >= _THEIRS:
            return HubUnavailable(
                f"The Hugging Face Hub at {self.endpoint} is busy or out of order ({status}).",
                f"Wait a while. {_AGAIN}",
            )
        return HubError(
            f"The Hugging Face Hub refused ({status}): {self._shown(said) or 'it does not say why'}.",
            "Mend that, then run the same command again.",
        )

    def _shown(self, said: str) -> str:
        """What somebody else's message says, on one line, without the token."""
        secret = self._api.token if isinstance(self._api.token, str) else ""
        return " ".join((said.replace(secret, "***") if secret else said).split())[:_SHOWN].rstrip(".")


def _check_name(name: str) -> None:
    try:
        hf_hub_url(name, "any")  # knows the Hub's rules
    except HFValidationError:
        usable = False
    else:
        usable = name.count("/") == 1
    if not usable:
        raise BadInput(
            f"{name[:100]!r} is no name of a repository on the Hugging Face Hub.",
            "Give OWNER/NAME, such as ada/playlists: letters, digits, '-', '_' and '.', at most 96 of them.",
        )
