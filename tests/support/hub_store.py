"""What a Hub keeps: accounts, and repositories of commits and tags."""

import json
import secrets
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from typing import Any


@dataclass(frozen=True)
class Account:
    """Whose a token is, and whether it may write."""

    name: str
    writes: bool = True

    def owns(self, repository: str) -> bool:
        return repository.startswith(f"{self.name}/")

    def may_write_to(self, repository: str) -> bool:
        return self.writes and self.owns(repository)


@dataclass(frozen=True)
class StoredFile:
    """A file of a commit: in git, or as a large file that is known by its SHA-256."""

    content: bytes
    large: bool

    @property
    def oid(self) -> str:
        if self.large:
            return sha256(self.content).hexdigest()
        return sha1(f"blob {len(self.content)}\0".encode() + self.content).hexdigest()  # noqa: S324 - as git does


@dataclass(frozen=True)
class Commit:
    """A state of a repository."""

    oid: str
    message: str
    parent: str | None
    files: dict[str, StoredFile]


@dataclass
class StoredRepository:
    """A repository: its commits by id, the newest one of `main`, and the tags."""

    private: bool
    commits: dict[str, Commit] = field(default_factory=dict)
    head: str = ""
    tags: dict[str, str] = field(default_factory=dict)

    def add(self, message: str, files: dict[str, StoredFile]) -> Commit:
        """Commit files on top of `main`."""
        commit = Commit(secrets.token_hex(20), message, self.head or None, files)
        self.commits[commit.oid], self.head = commit, commit.oid
        return commit

    def at(self, revision: str) -> Commit:
        """The commit that a branch, a tag or an id names."""
        oid = {"main": self.head, **self.tags}.get(revision, revision)
        if oid not in self.commits:
            raise Refusal(404, "Invalid rev id", code="RevisionNotFound")
        return self.commits[oid]


class Refusal(Exception):
    """An answer that is not what was asked for."""

    def __init__(self, status: int, message: str, *, code: str = "", body: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
        self.answer = Answer(status, json.dumps(body or {"error": message}).encode(), headers)


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
