"""The whole cycle on the sample library, from an empty database to a rollback."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lifecycle.base_models import BUNDLED_MODEL
from lifecycle.base_version import ensure_base_version
from lifecycle.gate.decision import Decision
from lifecycle.golden.file import GOLDEN_FILE
from lifecycle.importing import ImportReport, import_file
from lifecycle.matching import match_queries
from lifecycle.moved import Moved
from lifecycle.progress import Progress
from lifecycle.promotion import preview, promote
from lifecycle.retrain import Retrained, retrain
from lifecycle.rollback import roll_back
from lifecycle.sample.golden import write_golden
from lifecycle.sample.library import SampleLibrary, generate_library, write_jsonl
from lifecycle.workspace import Workspace
from registry import catalogue, pointer
from registry.errors import Refused
from training.configuration import profile
from training.splits import Split

# Two passes and two checkpoints show the effect; a retraining of one's own takes the profile's four of each.
_SHORTENED = {"epochs": 2, "checkpoints": 2}
_SHOWN_SONGS = 3


@dataclass(frozen=True)
class Demonstrated:
    """What the demo did; `matches` are the same songs by the base version and by the new one."""

    imported: ImportReport
    retrained: Retrained
    decision: Decision
    promoted: Moved
    matches: tuple[dict[str, Any], dict[str, Any]]
    rolled_back: Moved


def demonstrate(workspace: Workspace, progress: Progress, *, songs: int) -> Demonstrated:
    """Import, retrain, re-embed, promote, match and roll back; a demo that was interrupted goes on where it stopped.

    Args:
        songs: of the sample library.

    Raises:
        Refused: the catalogue holds songs of somebody's own.
    """
    library = generate_library(songs)
    _refuse_foreign_songs(workspace, library)
    progress.say("1. Import the sample library (made up: no such artist exists)")
    imported = _import(workspace, library)
    write_golden(library, workspace.settings.home / GOLDEN_FILE)
    progress.say("2. Register the base model as v1 and make it live")
    base = ensure_base_version(workspace, progress, BUNDLED_MODEL).version
    _start_from(workspace, base, progress)
    progress.say("3. Build pairs, fine-tune, evaluate both versions on held-out songs, register, re-embed")
    retrained = retrain(workspace, profile("bundled", **_SHORTENED), progress)
    new = retrained.version.version
    progress.say(f"4. Ask the gate and promote {new}")
    decision = preview(workspace, new, progress)
    # A demo goes on where the gate says no, as an operator might: what it said is kept and shown.
    reason = "demo" if decision.passed else "demo: to show the move, against the gate"
    promoted = promote(workspace, new, progress, force=not decision.passed, reason=reason)
    progress.say("5. Match a few held-out songs with both versions")
    held_out = _held_out_songs(retrained)
    before, after = (match_queries(workspace, held_out, version=each, top_k=3) for each in (base, new))
    progress.say(f"6. Roll back to {base}")
    rolled_back = roll_back(workspace, progress, base, reason="demo")
    return Demonstrated(imported, retrained, decision, promoted, (before, after), rolled_back)


def _refuse_foreign_songs(workspace: Workspace, library: SampleLibrary) -> None:
    with workspace.database.transaction() as connection:
        total = catalogue.counts(connection)["songs"]
        sample = len(catalogue.songs_by_id(connection, [song.song_id for song in library.songs]))
    if total > sample:
        raise Refused(
            f"The catalogue in {workspace.database.name} holds {total - sample} songs of your own; the demo would mix "
            "made-up ones into them.",
            "Run it in a folder of its own: `AUTOSORT_HOME=/tmp/autosort-demo autosort demo`, without DATABASE_URL.",
        )


def _import(workspace: Workspace, library: SampleLibrary) -> ImportReport:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sample-library.jsonl"
        write_jsonl(library, path)
        return import_file(workspace, path)


def _start_from(workspace: Workspace, base: str, progress: Progress) -> None:
    """A demo that was interrupted after its promotion begins again with the base version live."""
    with workspace.database.transaction() as connection:
        live = pointer.read(connection).live
    if live != base:
        roll_back(workspace, progress, base, reason="demo: start again")


def _held_out_songs(retrained: Retrained) -> list[str]:
    """The first few songs, by id, that the new version was not trained on."""
    pairs = retrained.dataset.select(Split.UNSEEN_SONG)
    return sorted({pair.song_id for pair in pairs})[:_SHOWN_SONGS]
