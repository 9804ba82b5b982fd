import csv
from pathlib import Path

import pytest

from lifecycle.importing import import_file
from lifecycle.workspace import Workspace
from registry import catalogue
from registry.errors import BadInput


def test_faults_are_listed_by_line_and_the_rest_goes_in(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "library.jsonl"
    path.write_text(
        '{"kind": "song", "song_id": "a", "title": "A"}\n'
        '{"kind": "song", "song_id": "b"}\n'
        "not json\n"
        '{"kind": "playlist", "playlist_id": "p", "name": "P"}\n'
        '{"kind": "membership", "playlist_id": "p", "song_id": "a"}\n'
        '{"kind": "membership", "playlist_id": "p", "song_id": "nobody"}\n'
        '{"kind": "membership", "playlist_id": "nowhere", "song_id": "a"}\n'
    )
    report = import_file(workspace, path)
    assert [(each.line, each.field) for each in report.unusable] == [
        (2, "title"),
        (3, "row"),
        (6, "song_id"),
        (7, "playlist_id"),
    ]
    assert report.added == {"songs": 1, "playlists": 1, "memberships": 1, "feedback": 0}


def test_an_import_that_fails_leaves_nothing(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_bytes(b'{"kind": "song", "song_id": "a", "title": "A"}\n\xff\xfe broken \xff\n')
    with pytest.raises(BadInput, match="UTF-8"):
        import_file(workspace, path)
    with workspace.database.transaction() as connection:
        assert catalogue.counts(connection)["songs"] == 0


def test_the_real_playlists_go_in_whole_and_twice_changes_nothing(workspace: Workspace, shared_data: Path) -> None:
    path = shared_data / "spotify_playlists.csv"
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["track_name"] and row["playlist_name"]]
    report = import_file(workspace, path)
    assert report.added["songs"] == len({row["track_id"] for row in rows})
    assert report.added["playlists"] == len({row["playlist_id"] for row in rows})
    assert report.added["memberships"] == len({(row["track_id"], row["playlist_id"]) for row in rows})

    with workspace.database.transaction() as connection:
        before = catalogue.snapshot(connection)
    again = import_file(workspace, path)
    assert not any(again.added.values())
    assert not any(again.changed.values())
    with workspace.database.transaction() as connection:
        assert catalogue.snapshot(connection) == before
