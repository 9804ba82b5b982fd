"""What is to answer: the artifacts of the versions that serve or may in a moment, and the servers."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from lifecycle.doctor.check import Check, NotLookedAt, bad, good, unused
from lifecycle.doctor.postgres import Located
from registry import migrate, pointer, servers, versions
from registry.artifacts import ArtifactStore
from registry.database import Connection, lone_connection
from registry.pointer import Pointer
from registry.servers import Server
from registry.settings import RegistrySettings

_SHOWN_DIGITS = 12


def check_artifacts(located: Located, settings: RegistrySettings) -> Check:
    """Whether the models are there; whether they are unchanged is verified at every load, which takes longer."""
    store = ArtifactStore(settings.artifacts_folder)
    with _of_this_build(located) as connection:
        present = pointer.read(connection)
        wanted = {name: versions.get(connection, name).spec.artifacts for name in _may_serve(present)}
    missing = {name: [each for each in digests if not store.size(each)] for name, digests in wanted.items()}
    return judge_artifacts(present.live, {name: found for name, found in missing.items() if found}, list(wanted))


def judge_artifacts(live: str | None, missing: Mapping[str, Sequence[str]], looked_at: Sequence[str]) -> Check:
    """Whether what may have to be loaded can be.

    Args:
        missing: of each version that lacks some, the digests.
    """
    if missing:
        lacking = "; ".join(
            f"{name} lacks {', '.join(digest[:_SHOWN_DIGITS] for digest in digests)}"
            for name, digests in missing.items()
        )
        fact = f"Models are missing in the artifacts' folder: {lacking}."
        return bad("artifacts", fact, "Copy them there from a machine that has them, or from a backup.")
    if live is None:
        return unused("artifacts", "No model version is live.", "`autosort sync` serves the base model.")
    return good("artifacts", f"The models of {', '.join(looked_at)} are there.")


def check_servers(located: Located) -> Check:
    """Who answers, with what."""
    with _of_this_build(located) as connection:
        return judge_servers(servers.list_alive(connection), pointer.read(connection).generation)


def judge_servers(alive: Sequence[Server], generation: int) -> Check:
    """Whether the servers that were heard of follow the live pointer."""
    if not alive:
        return unused("servers", f"None was heard of in the last {servers.ALIVE.seconds} s.")
    astray = [each for each in alive if each.problem or each.generation != generation]
    if astray:
        told = "; ".join(f"{each.server}: {each.problem or f'at generation {each.generation}'}" for each in astray)
        return bad(
            "servers",
            f"{len(astray)} of {len(alive)} do not follow generation {generation}: {told}.",
            "`autosort status` in a minute tells whether they do by then; if not, start them again.",
        )
    return good("servers", f"{', '.join(f'{each.server} ({each.version})' for each in alive)}.")


@contextmanager
def _of_this_build(located: Located) -> Iterator[Connection]:
    with lone_connection(located.url) as connection:
        migrations = migrate.pending(connection)
        if migrations:
            raise NotLookedAt("Not looked at, because of the schema.")
        yield connection


def _may_serve(present: Pointer) -> list[str]:
    """The live version, the one to go back to and those to come, each once."""
    names = (present.live, present.previous, present.candidate, present.preparing)
    return list(dict.fromkeys(name for name in names if name is not None))
