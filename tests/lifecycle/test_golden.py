"""Golden cases: read, asked with the song left out, shown with a reason wherever they fail."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from lifecycle.base_version import ensure_base_version
from lifecycle.golden.answers import rank_playlists
from lifecycle.golden.file import GOLDEN_FILE, read_golden
from lifecycle.golden.report import golden_report, golden_reports
from lifecycle.golden.vectors import Known
from lifecycle.importing import import_file
from lifecycle.progress import Silent
from lifecycle.reconcile.operation import reconcile
from lifecycle.report.document import golden_changes
from lifecycle.retiring import retire
from lifecycle.workspace import Workspace
from registry import catalogue, versions
from registry.errors import BadInput, NotFound
from registry.records import ACOUSTIC_FEATURES, AudioFeatures, Playlist, Song
from registry.vectors import removal
from registry.vectors.records import StoredProfile
from registry.vectors.vector_set import VectorSet
from registry.versions import MatchSpec, Scale
from serving.matching.calibration import uncalibrated

SPEC: MatchSpec = uncalibrated(
    dict.fromkeys(ACOUSTIC_FEATURES, Scale(mean=0.5, spread=0.25)), signals=("text", "centroid", "acoustic")
)


# The file ------------------------------------------------------------------------------------------------------------


def write_golden(home: Path, text: str) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / GOLDEN_FILE).write_text(text, encoding="utf-8")


def test_cases_are_read_in_their_order(tmp_path: Path) -> None:
    assert read_golden(tmp_path) is None
    write_golden(tmp_path, "- {song: Abba - SOS, must: [Pop, '90s']}\n- {song: s2, must_not: [Sleep], within: 3}\n")
    file = read_golden(tmp_path)
    assert file is not None
    one, two = file.cases
    assert (one.song, one.must, one.must_not, one.within) == ("Abba - SOS", ("Pop", "90s"), (), 5)
    assert (two.song, two.must, two.must_not, two.within) == ("s2", (), ("Sleep",), 3)
    write_golden(tmp_path, "- {song: s2, must_not: [Sleep], within: 3}\n")
    again = read_golden(tmp_path)
    assert again is not None
    assert (len(again.digest), again.digest == file.digest) == (64, False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- {song: A, must: [P]}\n- {song: B}\n", ["case 2 ('B')", "asks nothing"]),
        ("- {must: [P]}\n", ["case 1, song", "is missing"]),
        ("- {song: A, must: [P], mustnot: [Q]}\n", ["case 1 ('A'), mustnot", "no known field"]),
        ("- {song: 1979, must: [P]}\n", ["case 1, song", "valid string", "1979", "in quotes"]),
        ("- {song: A, must: [P, Yes]}\n", ["case 1 ('A'), must.1", "True", "in quotes"]),
        ("- {song: A, must: P}\n", ["case 1 ('A'), must", "should be a list"]),
        ("- {song: A, must: [' ']}\n", ["case 1 ('A'), must.0"]),
        ("- {song: A, must: [P], within: 0}\n", ["case 1 ('A'), within", "greater than or equal to 1"]),
        ("- {song: A, must: [P], within: '5'}\n", ["case 1 ('A'), within", "valid integer"]),
        ("- {song: A, must: [P], must_not: [P]}\n", ["case 1 ('A')", "'P' twice"]),
        ("- song: A\n  must: [P]\n  must: [Q]\n", ["case 1", "must is given 2 times"]),
        ('- {song: "A\\0", must: [P]}\n', ["case 1", "NUL"]),
        ("- A\n", ["case 1", "dictionary"]),
        ("song: A\nmust: [P]\n", ["no list of cases"]),
        ("", ["holds no case", "take the file away"]),
        ("[]\n", ["holds no case"]),
        ("- song: A: B\n", ["line 1", "not valid YAML", "colon"]),
        ("- {song: A, must: [P]}\n---\n- {song: B, must: [P]}\n", ["line 2", "not valid YAML"]),
    ],
)
def test_what_cannot_be_used_is_named_by_case_and_field(tmp_path: Path, text: str, said: list[str]) -> None:
    write_golden(tmp_path, text)
    with pytest.raises(BadInput) as raised:
        read_golden(tmp_path)
    for each in (str(tmp_path / GOLDEN_FILE), *said):
        assert each in str(raised.value)
    assert raised.value.remedy


def test_a_file_that_cannot_be_read_is_told_from_none(tmp_path: Path) -> None:
    (tmp_path / GOLDEN_FILE).mkdir()
    with pytest.raises(BadInput, match="cannot be read"):
        read_golden(tmp_path)
    (tmp_path / GOLDEN_FILE).rmdir()
    (tmp_path / GOLDEN_FILE).write_bytes(b"- {song: \xff\xfe, must: [P]}\n")
    with pytest.raises(BadInput, match="not valid YAML"):
        read_golden(tmp_path)


# Ranks over an index made by hand ------------------------------------------------------------------------------------


def made(name: str, text: tuple[float, ...], centroid: tuple[float, ...], songs: int = 4) -> StoredProfile:
    embedding, mean = (np.array(each, np.float32) / np.linalg.norm(each) for each in (text, centroid))
    return StoredProfile(Playlist(playlist_id=name, name=name), embedding, mean, songs, {})


def test_a_song_does_not_find_its_playlist_by_being_in_it() -> None:
    """`home` is like the song by the song alone: its text and its other songs are as far from it as can be."""
    song, others = Song(song_id="s", title="S"), [Song(song_id=f"o{n}", title="O") for n in range(3)]
    vectors = {"s": np.array([1, 0, 0], np.float32)} | {
        each.song_id: np.array([0, 0, 1.0], np.float32) for each in others
    }
    profiles = [
        made("away", text=(0, 1, 0), centroid=(0.2, 1, 0)),
        made("home", text=(0, 1, 0), centroid=(1, 0, 3)),  # the mean of all four
    ]
    known = Known(profiles, vectors, {})
    assert rank_playlists(SPEC, known, [song], {"s": {}}, ["home", "away"]) == {"s": {"home": 1, "away": 2}}
    left_out = {"s": {"home": others}}
    assert rank_playlists(SPEC, known, [song], left_out, ["home", "away"]) == {"s": {"away": 1, "home": 2}}


def test_its_sound_is_left_out_as_well() -> None:
    def sounding(song_id: str, energy: float) -> Song:
        return Song(song_id=song_id, title="S", audio_features=AudioFeatures(energy=energy))

    song, others = sounding("s", 1.0), [sounding(f"o{n}", 0.0) for n in range(3)]
    vectors = {each.song_id: np.array([1, 0, 0], np.float32) for each in (song, *others)}
    profiles = [
        StoredProfile(Playlist(playlist_id=name, name=name), vectors["s"], vectors["s"], 4, {"energy": energy})
        for name, energy in (("away", 0.2), ("home", 0.25))
    ]
    known = Known(profiles, vectors, {})
    assert rank_playlists(SPEC, known, [song], {"s": {}}, ["home"]) == {"s": {"home": 1}}
    assert rank_playlists(SPEC, known, [song], {"s": {"home": others}}, ["home"]) == {"s": {"home": 2}}


def test_where_no_song_remains_the_text_alone_is_left() -> None:
    song, others = Song(song_id="s", title="S"), [Song(song_id=f"o{n}", title="O") for n in range(2)]
    vectors = {"s": np.array([1, 0, 0], np.float32)} | {
        each.song_id: np.array([0, 1.0, 0], np.float32) for each in others
    }
    profiles = [
        made("away", text=(3, 4, 0), centroid=(3, 4, 0)),
        made("home", text=(1, 0, 0), centroid=(1, 2, 0), songs=3),
    ]
    known = Known(profiles, vectors, {})
    assert rank_playlists(SPEC, known, [song], {"s": {"home": []}}, ["home"]) == {"s": {"home": 1}}
    # The two others, at right angles to the song, draw the playlist below.
    assert rank_playlists(SPEC, known, [song], {"s": {"home": others}}, ["home"]) == {"s": {"home": 2}}


def test_equal_scores_rank_in_the_order_of_ids_and_unknown_playlists_are_passed_over() -> None:
    song = Song(song_id="s", title="S")
    known = Known([made(name, (1, 0, 0), (1, 0, 0)) for name in "abc"], {"s": np.array([1, 0, 0], np.float32)}, {})
    assert rank_playlists(SPEC, known, [song], {"s": {}}, ["c", "a", "x"]) == {"s": {"c": 3, "a": 1}}


# Asked of the base model ---------------------------------------------------------------------------------------------

SEA = "A sailor sings of waves, harbours, gulls and the salt of the sea."
METAL = "Furious distorted guitars, pounding double drums and screaming: heavy metal at its loudest."


def write(path: Path, *records: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def song(song_id: str, title: str, description: str, **fields: object) -> dict[str, object]:
    return {"kind": "song", "song_id": song_id, "title": title, "description": description, **fields}


def member(playlist_id: str, song_id: str) -> dict[str, object]:
    return {"kind": "membership", "playlist_id": playlist_id, "song_id": song_id}


@pytest.fixture
def served(workspace: Workspace, tmp_path: Path) -> Workspace:
    """Sea songs, metal songs and a metal song that somebody put among the sea songs; v1 live."""
    records: list[dict[str, object]] = [
        *(song(f"sea{n}", f"Sea {n}", f"{SEA} Verse {n}.", artist="Gull") for n in range(5)),
        *(song(f"metal{n}", f"Metal {n}", f"{METAL} Riff {n}.", artist="Anvil") for n in range(5)),
        song("lost", "Lost", f"{METAL} Riff 9.", artist="Anvil"),
        song("hill", "The Hill", f"{SEA} Verse 8.", artist="Gull"),
        song("hill-too", "The Hill", f"{METAL} Riff 8.", artist="Anvil"),
        {"kind": "playlist", "playlist_id": "sea", "name": "Salt Water"},
        {"kind": "playlist", "playlist_id": "metal", "name": "Loud Things"},
        {"kind": "playlist", "playlist_id": "twin-1", "name": "Twins"},
        {"kind": "playlist", "playlist_id": "twin-2", "name": "Twins"},
        *(member("sea", f"sea{n}") for n in range(5)),
        *(member("metal", f"metal{n}") for n in range(5)),
        member("twin-1", "lost"),
        member("twin-2", "lost"),
    ]
    import_file(workspace, write(tmp_path / "library.jsonl", *records))
    ensure_base_version(workspace, Silent())
    return workspace


def ask(workspace: Workspace, *cases: dict[str, object], version: str = "v1") -> list[dict[str, Any]]:
    write_golden(workspace.settings.home, yaml.safe_dump(list(cases)))
    report = golden_report(workspace, version, Silent())
    assert report is not None
    assert report["passed"] + report["failed"] == len(cases) == len(report["cases"])
    assert report["passed"] == sum(case["passed"] for case in report["cases"])
    assert all(case["passed"] == (case["reason"] is None) for case in report["cases"])
    return list(report["cases"])


def test_without_a_file_there_is_no_report(served: Workspace) -> None:
    assert golden_report(served, "v1", Silent()) is None
    assert golden_reports(served, "v1", Silent()) == {"golden": None, "golden_before": None}


def test_songs_and_playlists_are_found_as_people_call_them(served: Workspace) -> None:
    by_id, by_title, by_both = ask(
        served,
        {"song": "sea1", "must": ["sea"], "must_not": ["metal"], "within": 1},
        {"song": "sea 1", "must": ["salt water"], "within": 1},
        {"song": "GULL - The Hill", "must": ["Salt Water"], "within": 1},
    )
    assert by_id["must"] == [{"playlist": "Salt Water", "rank": 1, "passed": True}]
    assert by_id["passed"]
    assert by_id["must_not"][0]["playlist"] == "Loud Things"
    assert by_id["must_not"][0]["rank"] > 1
    assert by_title["must"] == by_id["must"]
    assert (by_both["song"], by_both["song_id"], by_both["passed"]) == ("Gull - The Hill", "hill", True)
    # Two cases of one song are two cases.
    assert (by_id["song"], by_title["song"]) == ("Gull - Sea 1 (case 1)", "Gull - Sea 1 (case 2)")


def test_a_case_fails_by_rank_and_says_so(served: Workspace) -> None:
    must, must_not, later = ask(
        served,
        {"song": "sea1", "must": ["Loud Things", "Salt Water"], "within": 1},
        {"song": "sea2", "must_not": ["Salt Water"]},
        {"song": "sea3", "must": ["Loud Things"], "within": 4},
    )
    assert [each["passed"] for each in must["must"]] == [False, True]
    rank = must["must"][0]["rank"]
    assert must["reason"] == f"'Loud Things' is at rank {rank} and must be within the first 1."
    assert must_not["reason"] == "'Salt Water' is at rank 1 and must not be within the first 5."
    assert later["passed"]


def test_what_cannot_be_asked_has_failed_with_the_reason(served: Workspace, tmp_path: Path) -> None:
    import_file(served, write(tmp_path / "gone.jsonl", {"kind": "removal", "song_id": "sea4"}))
    gone, part, twice, playlist, ambiguous, half = ask(
        served,
        {"song": "Gull - Sea 4", "must": ["sea"]},
        {"song": "Hill", "must": ["sea"]},
        {"song": "the hill", "must": ["sea"]},
        {"song": "sea1", "must_not": ["Nobody's"]},
        {"song": "sea2", "must": ["Twins"]},
        {"song": "sea3", "must": ["sea", "Nobody's"]},
    )
    assert (gone["song"], gone["song_id"]) == ("Gull - Sea 4", None)
    assert gone["must"] == [{"playlist": "Salt Water", "rank": None, "passed": False}]
    assert "No song of the catalogue is called 'Gull - Sea 4'" in gone["reason"]
    assert GOLDEN_FILE in gone["reason"]
    # A part of a title will do for `autosort match`; here it would make a case of a deleted song one of another song.
    assert part["song_id"] is None
    assert "The Hill' comes close" in part["reason"]
    assert "Several songs" in twice["reason"]
    assert "(hill, hill-too)" in twice["reason"]
    assert "No playlist of the catalogue is called 'Nobody's'" in playlist["reason"]
    assert playlist["must_not"] == [{"playlist": "Nobody's", "rank": None, "passed": False}]
    assert "(twin-1, twin-2)" in ambiguous["reason"]
    assert [(each["rank"], each["passed"]) for each in half["must"]] == [(1, True), (None, False)]
    assert not half["passed"]


def test_playlists_of_one_name_are_told_apart_by_id(served: Workspace) -> None:
    (case,) = ask(served, {"song": "sea1", "must": ["twin-1", "sea"], "must_not": ["twin-2"]})
    assert [each["playlist"] for each in (*case["must"], *case["must_not"])] == [
        "Twins (twin-1)",
        "Salt Water",
        "Twins (twin-2)",
    ]


def test_songs_are_asked_with_all_their_recordings_left_out(served: Workspace, tmp_path: Path) -> None:
    """A loud song and its other recordings, put among sea songs, would find the way there by each other."""
    titles = ("Odd", "Odd - Live", "Odd (2011 Remaster)", "Odd - Radio Edit", "Odd (Acoustic)", "Odd - Mono")
    mixed: list[dict[str, object]] = [{"kind": "playlist", "playlist_id": "mixed", "name": "Mixed"}]
    mixed += [member("mixed", f"sea{n}") for n in range(3)]
    odd = [song(f"odd{n}", title, "Electric guitars.", artist="Anvil") for n, title in enumerate(titles)]
    profiles = []
    for records in (mixed, [*odd, *(member("mixed", f"odd{n}") for n in range(len(titles)))]):
        import_file(served, write(tmp_path / "more.jsonl", *records))
        reconcile(served, "v1", Silent())
        with served.database.transaction() as connection:
            profiles.append(VectorSet(versions.get(connection, "v1")).profiles(connection))

    (case,) = ask(served, {"song": "Odd", "must": ["mixed"], "within": 3})

    with served.database.transaction() as connection:
        version = versions.get(connection, "v1")
        songs = list(catalogue.songs_by_id(connection, ["odd0"]).values())
        vectors = VectorSet(version).song_vectors(connection, ["odd0"])
    # Where it ranks among the playlists as they were before it came, and would rank among them as they are now.
    before, now = (
        rank_playlists(version.spec.matching, Known(each, vectors, {}), songs, {"odd0": {}}, ["mixed"])["odd0"]["mixed"]
        for each in profiles
    )
    assert case["must"] == [{"playlist": "Mixed", "rank": before, "passed": False}]
    assert now <= 3 < before


def test_a_song_that_came_after_the_vectors_is_asked_all_the_same(served: Workspace, tmp_path: Path) -> None:
    fresh = song("fresh", "Fresh", f"{SEA} Verse 77.")
    import_file(
        served, write(tmp_path / "fresh.jsonl", fresh, {"kind": "playlist", "playlist_id": "new", "name": "New"})
    )
    reached, unknown = ask(
        served, {"song": "Fresh", "must": ["sea"], "within": 1}, {"song": "sea1", "must_not": ["New"]}
    )
    assert reached["passed"]
    assert unknown["reason"] == "v1 does not know 'New' yet: run `autosort reembed v1`."
    reconcile(served, "v1", Silent())
    assert "does not know" not in (ask(served, {"song": "sea1", "must_not": ["New"]})[0]["reason"] or "")


def test_a_song_that_was_set_aside_is_not_asked(served: Workspace, tmp_path: Path) -> None:
    import_file(served, write(tmp_path / "odd.jsonl", song("odd", "Odd", f"{SEA} ✂")))
    with served.database.transaction() as connection:
        vectors = VectorSet(versions.get(connection, "v1"))
        (pending,) = vectors.pending_songs(connection, after="", limit=5)
        vectors.quarantine(connection, pending, "too odd")
    odd, other = ask(served, {"song": "Odd", "must": ["sea"]}, {"song": "sea1", "must": ["sea"]})
    assert odd["reason"] == "v1 cannot be asked: set aside: too odd."
    assert (odd["must"][0]["rank"], other["passed"]) == (None, True)


def test_a_version_that_was_given_up_fails_every_case(trained: Workspace) -> None:
    retire(trained, "v2")
    (case,) = ask(trained, {"song": "song-00001", "must_not": ["kitchen-light-at-2-am"]}, version="v2")
    assert case["reason"] == "v2 cannot be asked: it is rejected, its vectors are gone."


def test_a_version_that_does_not_exist_is_named(served: Workspace) -> None:
    write_golden(served.settings.home, "- {song: sea1, must: [sea]}\n")
    with pytest.raises(NotFound, match="v7"):
        golden_report(served, "v7", Silent())


# Over a trained version ----------------------------------------------------------------------------------------------


@pytest.fixture
def golden(trained: Workspace) -> Workspace:
    """The small library with a case for the first song of every playlist that has four or more."""
    with trained.database.transaction() as connection:
        snapshot = catalogue.snapshot(connection)
    members: dict[str, list[str]] = {}
    for each in snapshot.memberships:
        members.setdefault(each.playlist_id, []).append(each.song_id)
    cases = [{"song": held[0], "must": [playlist_id]} for playlist_id, held in members.items() if len(held) > 3]
    write_golden(trained.settings.home, yaml.safe_dump(cases))
    return trained


def test_it_is_asked_of_the_version_and_of_the_live_one(golden: Workspace, tmp_path: Path) -> None:
    import_file(golden, write(tmp_path / "new.jsonl", {"kind": "playlist", "playlist_id": "new", "name": "New"}))
    with (golden.settings.home / GOLDEN_FILE).open("a") as file:
        file.write("- {song: song-00001, must: [New]}\n")
    reports = golden_reports(golden, "v2", Silent())
    after, before = reports["golden"], reports["golden_before"]
    assert before["version"] == "v1"
    assert before.items() > (golden_report(golden, "v1", Silent()) or {}).items()
    assert len({case["song"] for case in after["cases"]}) == len(after["cases"]) > 5
    assert after["passed"] > len(after["cases"]) / 2
    said = [each["cases"][-1]["reason"] for each in (after, before)]
    assert said == [f"{name} does not know 'New' yet: run `autosort reembed {name}`." for name in ("v2", "v1")]
    assert golden_reports(golden, "v1", Silent())["golden_before"] is None  # it is live and replaced nothing

    changes = golden_changes(reports, {"golden": before})
    assert [each["song"] for each in changes] == [case["song"] for case in after["cases"]]
    assert [each["before"] for each in changes] == [case["passed"] for case in before["cases"]]
    assert [each["must"][0]["before"] for each in changes] == [case["must"][0]["rank"] for case in before["cases"]]


def test_a_version_without_vectors_encodes_what_is_needed(golden: Workspace) -> None:
    by_vectors = golden_report(golden, "v2", Silent())
    with golden.database.transaction() as connection:
        version = versions.get(connection, "v2")
    removal.drop(golden.database, VectorSet(version))
    by_encoding = golden_report(golden, "v2", Silent())
    assert by_vectors is not None
    assert by_encoding == by_vectors
