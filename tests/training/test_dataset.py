"""Datasets: no leak, one name for one content, nothing else under that name."""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import datasets
import pytest
from hypothesis import HealthCheck, given, reject
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from registry.errors import BadInput, NotFound
from registry.records import (
    AudioFeatures,
    CatalogueSnapshot,
    Feedback,
    Membership,
    MembershipSource,
    Playlist,
    Song,
    Verdict,
)
from registry.texts import render_playlist, render_song
from training.dataset import (
    MINIMUM_PAIRS,
    MINIMUM_PLAYLISTS,
    PairDataset,
    Rejection,
    build_dataset,
    relevance,
    unsplit_dataset,
)
from training.splits import LATER_SONGS, Split
from training.weights import PLAYLISTS_PER_SONG

Snapshot = Callable[..., CatalogueSnapshot]

ROOT = Path(__file__).parents[2]
VERSIONS = ["{}", "{} (Live)", "{} - 2011 Remaster", "{} - Radio Edit", "{} [Acoustic]", "{} feat. Guest"]
SONGS = hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def work_of(song_id: str) -> str:
    return song_id.split("/", maxsplit=1)[0]


@dataclass
class Library:
    """What a snapshot is made of; in a failing test it is shown by its size."""

    parts: tuple[list[Song], list[Playlist], list[Membership]]

    def __repr__(self) -> str:
        return f"Library({', '.join(str(len(part)) for part in self.parts)})"


@st.composite
def libraries(draw: st.DrawFn) -> Library:
    """Up to 60 works, each with up to three recordings that share an artist and title, or an ISRC alone."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    songs = []
    for work in range(draw(st.integers(30, 60))):
        by_isrc = chance.random() < 0.2
        for recording in range(chance.randint(1, 3)):
            title = f"Tune {work} {recording}" if by_isrc else chance.choice(VERSIONS).format(f"Tune {work}")
            songs.append(
                Song(
                    song_id=f"{work}/{recording}",
                    title=title,
                    artist=None if by_isrc and chance.random() < 0.5 else f"Band {work % 7}",
                    isrc=f"ISRC{work}" if by_isrc else None,
                )
            )
    playlists = [Playlist(playlist_id=f"list {number}", name=f"List {number}") for number in range(draw(st.just(20)))]
    memberships = [
        Membership(
            playlist_id=chance.choice(playlists).playlist_id,
            song_id=song.song_id,
            added_at=datetime(2026, 1, 1, chance.randrange(24), tzinfo=UTC) if chance.random() < 0.7 else None,
        )
        for song in songs
        for _ in range(chance.randint(1, 3))
    ]
    return Library((songs, playlists, list({(each.playlist_id, each.song_id): each for each in memberships}.values())))


def _no(playlist: str, song: str) -> Feedback:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Feedback(user="ann", song_id=song, playlist_id=playlist, verdict=Verdict.REJECT, at=at)


def _assigned(snapshot: CatalogueSnapshot) -> CatalogueSnapshot:
    source = {"source": MembershipSource.ASSIGNED}
    return replace(snapshot, memberships=tuple(each.model_copy(update=source) for each in snapshot.memberships))


@SONGS
@given(library=libraries(), salt=st.sampled_from(["", "fold 1"]))
def test_no_work_and_no_held_out_playlist_is_tested_and_trained_on(
    snapshot: Snapshot, library: Library, salt: str
) -> None:
    try:
        dataset = build_dataset(snapshot(*library.parts), salt=salt)
    except BadInput as error:
        if "to train on" not in error.fact:  # too few pairs; never a leak
            raise
        reject()
    works = {split: {work_of(pair.song_id) for pair in dataset.select(split)} for split in Split}
    playlists = {split: {pair.playlist_id for pair in dataset.select(split)} for split in Split}
    for split in (Split.DEVELOPMENT, Split.UNSEEN_SONG, Split.BOTH_UNSEEN, Split.LATER):
        assert not works[Split.TRAIN] & works[split]
    assert not works[Split.DEVELOPMENT] & works[Split.UNSEEN_SONG]
    for split in (Split.DEVELOPMENT_PLAYLIST, Split.UNSEEN_PLAYLIST, Split.BOTH_UNSEEN, Split.ASIDE):
        assert not playlists[Split.TRAIN] & playlists[split]
    assert not works[Split.DEVELOPMENT_PLAYLIST] & (works[Split.UNSEEN_SONG] | works[Split.LATER])
    assert len(dataset.pairs) == len(library.parts[2])
    assert all(0 <= pair.weight <= 1 for pair in dataset.pairs)


def test_pairs_keep_the_weight_of_their_source(themed_snapshot: CatalogueSnapshot) -> None:
    dataset = build_dataset(_assigned(themed_snapshot))
    assert {pair.weight for pair in dataset.pairs} == {0.7}


def test_public_pairs_without_a_description_are_known_and_not_trained_on(themed_snapshot: CatalogueSnapshot) -> None:
    public = [each.model_copy(update={"source": MembershipSource.PUBLIC}) for each in themed_snapshot.memberships]
    silent = [each.model_copy(update={"description": None}) for each in themed_snapshot.playlists]
    mixed = tuple(public[:20]) + themed_snapshot.memberships[20:]
    dataset = build_dataset(replace(themed_snapshot, memberships=mixed, playlists=tuple(silent)))
    assert len(dataset.pairs) == len(mixed)
    assert sum(pair.weight == 0 for pair in dataset.pairs) == 20
    with pytest.raises(BadInput, match=r"gives 0 pairs .*public ones count only with a description"):
        build_dataset(replace(themed_snapshot, memberships=tuple(public), playlists=tuple(silent)))


def test_caps_and_popularity_make_training_pairs_weigh_less(snapshot: Snapshot) -> None:
    songs = [Song(song_id=f"s{number}", title=f"T {number}", artist="A") for number in range(40)]
    playlists = [Playlist(playlist_id=f"p{number}", name=f"P {number}") for number in range(200)]
    memberships = [Membership(playlist_id=p.playlist_id, song_id=s.song_id) for p in playlists for s in songs]
    dataset = build_dataset(snapshot(songs, playlists, memberships))
    trained = Counter(pair.song_id for pair in dataset.select(Split.TRAIN) if pair.weight > 0)
    assert set(trained.values()) == {PLAYLISTS_PER_SONG}
    assert {pair.weight for pair in dataset.select(Split.TRAIN)} == {0, 0.4}
    assert {pair.weight for pair in dataset.pairs if pair.split is not Split.TRAIN} == {1.0}


# Rejections ---------------------------------------------------------------------------------------------------------


def test_a_rejection_is_no_pair_and_its_song_and_playlist_are_there(themed_snapshot: CatalogueSnapshot) -> None:
    lonely = Song(song_id="lonely", title="Nobody's", artist="No one")
    said = (_no("gym", "lonely"), _no("gym", "gym-1"))
    dataset = build_dataset(replace(themed_snapshot, songs=(*themed_snapshot.songs, lonely), feedback=said))
    assert dataset.rejections == (Rejection("gym", "gym-1"), Rejection("gym", "lonely"))
    assert {"lonely", "gym-1"} <= set(dataset.songs) == set(dataset.clusters)
    assert not [pair for pair in dataset.pairs if pair.song_id in {"lonely", "gym-1"}]


def test_a_rejected_recording_of_a_song_that_the_playlist_holds_is_no_hard_negative(
    themed_snapshot: CatalogueSnapshot, themed: PairDataset
) -> None:
    song = themed.songs["gym-1"]
    live = song.model_copy(update={"song_id": "gym-1-live", "title": f"{song.title} (Live)"})
    songs = tuple(sorted((*themed_snapshot.songs, live), key=lambda each: each.song_id))
    dataset = build_dataset(replace(themed_snapshot, songs=songs, feedback=(_no("gym", "gym-1-live"),)))
    assert dataset.rejections == ()
    assert dataset.pairs == themed.pairs


# By time ------------------------------------------------------------------------------------------------------------


def _dated(snapshot: CatalogueSnapshot, share: float = 1.0) -> CatalogueSnapshot:
    """Each membership a day after the one before it; the first ones without a date."""
    undated = len(snapshot.memberships) * (1 - share)
    day = datetime(2025, 1, 1, tzinfo=UTC)
    dated = tuple(
        each.model_copy(update={"added_at": None if number < undated else day + timedelta(days=number * 37 % 101)})
        for number, each in enumerate(snapshot.memberships)
    )
    return replace(snapshot, memberships=dated)


def test_the_newest_songs_are_tested_on_and_not_trained_on(themed_snapshot: CatalogueSnapshot) -> None:
    snapshot = _dated(themed_snapshot)
    dataset = build_dataset(snapshot)
    added = {(each.playlist_id, each.song_id): each.added_at for each in snapshot.memberships}
    later, train = (
        [added[pair.playlist_id, pair.song_id] for pair in dataset.select(split)]
        for split in (Split.LATER, Split.TRAIN)
    )
    assert len(later) == int(LATER_SONGS * (len(later) + len(train)))
    assert min(map(str, later)) > max(map(str, train))


def test_without_dates_nothing_is_split_by_time(themed_snapshot: CatalogueSnapshot, themed: PairDataset) -> None:
    assert not build_dataset(_dated(themed_snapshot, 0.3)).select(Split.LATER)
    assert not themed.select(Split.LATER)


def test_another_salt_is_another_split(themed_snapshot: CatalogueSnapshot, themed: PairDataset) -> None:
    other = build_dataset(themed_snapshot, salt="fold 1")
    assert other.salt == "fold 1"
    assert {pair.song_id for pair in other.select(Split.UNSEEN_SONG)} != {
        pair.song_id for pair in themed.select(Split.UNSEEN_SONG)
    }


def test_a_dataset_holds_what_occurs_in_its_pairs_and_nothing_else(snapshot: Snapshot, themed: PairDataset) -> None:
    songs = [*themed.songs.values(), Song(song_id="lonely", title="Nobody's")]
    playlists = [*themed.playlists.values(), Playlist(playlist_id="empty", name="Empty")]
    memberships = [Membership(playlist_id=pair.playlist_id, song_id=pair.song_id) for pair in themed.pairs]
    dataset = build_dataset(snapshot(songs, playlists, memberships))
    assert set(dataset.songs) == set(dataset.clusters) == {pair.song_id for pair in dataset.pairs}
    assert set(dataset.playlists) == {pair.playlist_id for pair in dataset.pairs}
    assert dataset.fingerprint == themed.fingerprint


def test_texts_are_those_that_serving_embeds(themed: PairDataset) -> None:
    assert themed.song_text("gym-1") == render_song(themed.songs["gym-1"], 1)
    assert themed.playlist_text("gym") == render_playlist(themed.playlists["gym"], 1)


def test_counts_are_by_split(themed: PairDataset) -> None:
    assert sum(themed.counts().values()) == len(themed.pairs)
    assert themed.counts()["train"] == len(themed.select(Split.TRAIN))


def test_songs_that_signals_are_weighed_by_are_a_small_part_of_the_training_split(themed: PairDataset) -> None:
    trained = {pair.song_id for pair in themed.select(Split.TRAIN)}
    assert themed.weighing < trained
    assert {pair.song_id for pair in themed.trained_on()} == {
        pair.song_id for pair in themed.select(Split.TRAIN) if pair.weight > 0
    } - themed.weighing
    by_cluster = {themed.clusters[song] for song in themed.weighing}
    assert not by_cluster & {themed.clusters[song] for song in trained - themed.weighing}


def test_what_is_not_split_is_all_training(themed_snapshot: CatalogueSnapshot) -> None:
    assert unsplit_dataset(themed_snapshot).counts() == {"train": len(themed_snapshot.memberships)}


def test_relevance_is_true_where_a_playlist_holds_a_song_and_passes_over_the_unknown() -> None:
    holding = [("a", "p"), ("b", "q"), ("unknown", "p"), ("a", "unknown")]
    assert relevance(holding, ["a", "b", "c"], ["p", "q"]).tolist() == [[True, False], [False, True], [False, False]]
    assert relevance(holding, [], ["p"]).shape == (0, 1)


# Too little ---------------------------------------------------------------------------------------------------------


def library_of(snapshot: Snapshot, songs: int, playlists: int) -> CatalogueSnapshot:
    made = [Song(song_id=f"s{number}", title=f"T {number}", artist="A") for number in range(songs)]
    lists = [Playlist(playlist_id=f"p{number}", name=f"P {number}") for number in range(playlists)]
    held = [Membership(playlist_id=f"p{number % playlists}", song_id=f"s{number}") for number in range(songs)]
    return snapshot(made, lists, held)


@pytest.mark.parametrize(
    ("songs", "playlists"), [(0, 1), (1, 1), (MINIMUM_PAIRS - 1, 10), (200, MINIMUM_PLAYLISTS - 1)]
)
def test_too_few_pairs_or_playlists_are_refused(snapshot: Snapshot, songs: int, playlists: int) -> None:
    with pytest.raises(BadInput, match=rf"{MINIMUM_PAIRS} of {MINIMUM_PLAYLISTS}.*autosort import"):
        build_dataset(library_of(snapshot, songs, playlists))


def test_enough_is_enough(snapshot: Snapshot) -> None:
    dataset = build_dataset(library_of(snapshot, 80, 8))
    assert dataset.counts()["train"] >= MINIMUM_PAIRS


def test_nothing_to_test_on_is_refused(snapshot: Snapshot, themed: PairDataset) -> None:
    trained = [pair for pair in themed.pairs if pair.split is Split.TRAIN]
    songs = [themed.songs[pair.song_id] for pair in trained]
    held = [Membership(playlist_id=pair.playlist_id, song_id=pair.song_id) for pair in trained]
    with pytest.raises(BadInput, match="some to test on"):
        build_dataset(snapshot(songs, list(themed.playlists.values()), held))


# Fingerprint --------------------------------------------------------------------------------------------------------


@SONGS
@given(data=st.data())
def test_the_order_in_which_things_were_said_is_no_other_dataset(
    themed_snapshot: CatalogueSnapshot, themed: PairDataset, data: st.DataObject
) -> None:
    chance = random.Random(data.draw(st.integers(0, 2**32)))
    memberships = list(themed_snapshot.memberships)
    chance.shuffle(memberships)
    assert build_dataset(replace(themed_snapshot, memberships=tuple(memberships))).fingerprint == themed.fingerprint


def _song(**change: Any) -> Callable[[CatalogueSnapshot], CatalogueSnapshot]:
    def changed(snapshot: CatalogueSnapshot) -> CatalogueSnapshot:
        first, *others = snapshot.songs
        return replace(snapshot, songs=(first.model_copy(update=change), *others))

    return changed


def _playlist(**change: Any) -> Callable[[CatalogueSnapshot], CatalogueSnapshot]:
    def changed(snapshot: CatalogueSnapshot) -> CatalogueSnapshot:
        first, *others = snapshot.playlists
        return replace(snapshot, playlists=(first.model_copy(update=change), *others))

    return changed


def _membership(snapshot: CatalogueSnapshot) -> CatalogueSnapshot:
    first, *others = snapshot.memberships
    source = {"source": MembershipSource.PUBLIC}
    return replace(snapshot, memberships=(first.model_copy(update=source), *others))


def _one_fewer(snapshot: CatalogueSnapshot) -> CatalogueSnapshot:
    return replace(snapshot, memberships=snapshot.memberships[1:])


def _feedback(snapshot: CatalogueSnapshot) -> CatalogueSnapshot:
    member = snapshot.memberships[0]
    return replace(snapshot, feedback=(_no(member.playlist_id, member.song_id),))


def _rejection_of_no_pair(snapshot: CatalogueSnapshot) -> CatalogueSnapshot:
    return replace(snapshot, feedback=(_no("gym", "sleep-1"),))


@pytest.mark.parametrize(
    "change",
    [
        _song(title="Another"),
        _song(artist="Another"),
        _song(artist=None),
        _song(album="Another"),
        _song(isrc="GBAYE9500001"),
        _song(genre="Another"),
        _song(language="fr"),
        _song(description="Another"),
        _song(release_date="1999"),
        _song(duration_ms=1),
        _song(popularity=1),
        _song(audio_features=AudioFeatures(energy=0.5)),
        _song(audio_features=AudioFeatures(valence=0.5)),
        _playlist(name="Another"),
        _playlist(description=None),
        _playlist(genre="Another"),
        _playlist(subgenre="Another"),
        _playlist(owner="Another"),
        _membership,
        _one_fewer,
        _feedback,
        _rejection_of_no_pair,
        _assigned,
        _dated,
    ],
)
def test_whatever_changes_makes_another_dataset(
    change: Callable[[CatalogueSnapshot], CatalogueSnapshot], themed_snapshot: CatalogueSnapshot, themed: PairDataset
) -> None:
    assert build_dataset(change(themed_snapshot)).fingerprint != themed.fingerprint


def test_another_split_cluster_template_weight_rejection_or_salt_is_another_dataset(themed: PairDataset) -> None:
    first, *others = themed.pairs
    split = Split.DEVELOPMENT if first.split is not Split.DEVELOPMENT else Split.TRAIN
    prints = {
        themed.fingerprint,
        replace(themed, pairs=(replace(first, split=split), *others)).fingerprint,
        replace(themed, clusters=themed.clusters | {first.song_id: "song:x:y"}).fingerprint,
        replace(themed, template=1).fingerprint,
        replace(themed, pairs=(replace(first, weight=0.5), *others)).fingerprint,
        replace(themed, pairs=(replace(first, source="manual"), *others)).fingerprint,
        replace(themed, rejections=(Rejection("gym", "sleep-1"),)).fingerprint,
        replace(themed, salt="fold 1").fingerprint,
    }
    assert len(prints) == 8


def test_columns_that_run_into_each_other_are_not_equal(themed: PairDataset) -> None:
    """The fingerprint covers where one value ends and the next begins."""
    one, other = Rejection("ab", "c"), Rejection("a", "bc")
    assert replace(themed, rejections=(one,)).fingerprint != replace(themed, rejections=(other,)).fingerprint


# Folder -------------------------------------------------------------------------------------------------------------


def test_a_saved_dataset_is_read_back_equal(themed: PairDataset, tmp_path: Path) -> None:
    folder = themed.save(tmp_path)
    assert folder == tmp_path / themed.fingerprint
    assert PairDataset.load(tmp_path, themed.fingerprint) == themed


def test_every_field_survives_the_folder(themed_snapshot: CatalogueSnapshot, tmp_path: Path) -> None:
    full = Song(
        song_id="gym-0",
        title="\u96ea\U0001f3b5 \u00e9t\u00e9 \x7f\u2028",
        artist="A",
        album="B",
        isrc="GBAYE9500001",
        genre="C",
        language="D",
        description="line\nline",
        release_date="1999-12",
        duration_ms=2**31 - 1,
        popularity=100,
        audio_features=AudioFeatures(energy=0.1, key=-1, loudness=-60.123456789, tempo=119.999999999, mode=1),
    )
    snapshot = replace(themed_snapshot, songs=tuple(full if s.song_id == "gym-0" else s for s in themed_snapshot.songs))
    dataset = build_dataset(replace(_assigned(snapshot), feedback=(_no("gym", "sleep-1"),)), salt="fold 1")
    dataset.save(tmp_path)
    assert PairDataset.load(tmp_path, dataset.fingerprint) == dataset
    assert dataset.songs["gym-0"] == full
    assert dataset.rejections


def test_saving_twice_writes_once_and_leaves_no_draft(themed: PairDataset, tmp_path: Path) -> None:
    first = themed.save(tmp_path)
    written = first.stat().st_mtime_ns
    assert themed.save(tmp_path) == first
    assert first.stat().st_mtime_ns == written
    assert [path.name for path in tmp_path.iterdir()] == [themed.fingerprint]


def test_a_save_that_fails_leaves_nothing(themed: PairDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(datasets.Dataset, "save_to_disk", full_disk)
    with pytest.raises(OSError, match="No space"):
        themed.save(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_dataset_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"0123456789ab is not in .* Copy it there"):
        PairDataset.load(tmp_path, "0123456789abcdef")


def rewritten(folder: Path, table: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    rows = datasets.load_from_disk(str(folder / table)).to_list()
    rows[0] = change(rows[0])
    for path in (folder / table).iterdir():
        path.unlink()
    datasets.Dataset.from_list(rows).save_to_disk(folder / table)


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("songs", lambda row: row | {"record": row["record"].replace("song of", "tune of")}),
        ("songs", lambda row: row | {"cluster": "song:x:y"}),
        ("playlists", lambda row: row | {"record": row["record"].replace("songs", "tunes")}),
        ("pairs", lambda row: row | {"split": "train" if row["split"] != "train" else "development"}),
        ("pairs", lambda row: row | {"source": "public"}),
        ("pairs", lambda row: row | {"weight": 0.25}),
    ],
)
def test_a_changed_table_is_refused(
    table: str, change: Callable[[dict[str, Any]], dict[str, Any]], themed: PairDataset, tmp_path: Path
) -> None:
    rewritten(themed.save(tmp_path), table, change)
    with pytest.raises(BadInput, match=r"was changed: .* Delete the folder"):
        PairDataset.load(tmp_path, themed.fingerprint)


@pytest.mark.parametrize("change", [{"template": 1}, {"salt": "fold 1"}])
def test_another_template_or_salt_in_the_manifest_is_refused(
    change: dict[str, Any], themed: PairDataset, tmp_path: Path
) -> None:
    manifest = themed.save(tmp_path) / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | change))
    with pytest.raises(BadInput, match="was changed"):
        PairDataset.load(tmp_path, themed.fingerprint)


def test_a_dataset_of_an_older_format_is_refused_by_its_name(themed: PairDataset, tmp_path: Path) -> None:
    manifest = themed.save(tmp_path) / "manifest.json"
    manifest.write_text(json.dumps({"format": 1, "template": 1}))
    with pytest.raises(BadInput, match=r"has format 1, not 3\. .*autosort retrain"):
        PairDataset.load(tmp_path, themed.fingerprint)


_BUILD = """
import sys
from pathlib import Path
from benchmarks.dataset_build import synthetic_snapshot
from training.dataset import build_dataset
print(build_dataset(synthetic_snapshot(4_000)).save(Path(sys.argv[1])))
"""


def test_the_same_catalogue_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    folders = []
    for seed in ("1", "2"):
        command = [sys.executable, "-c", _BUILD, str(tmp_path / seed)]
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": f"Etc/GMT+{seed}"}
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        folders.append(Path(done.stdout.strip()))
    one, other = ({path.relative_to(each): path.read_bytes() for path in each.rglob("*.*")} for each in folders)
    assert folders[0].name == folders[1].name
    assert one == other
    assert {path.parts[0] for path in one} == {"manifest.json", "songs", "playlists", "pairs", "rejections"}


def _without_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def _broken_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text("{")


def _manifest_without_template(folder: Path) -> None:
    (folder / "manifest.json").write_text("{}")


def _broken_record(folder: Path) -> None:
    rewritten(folder, "songs", lambda row: row | {"record": "{}"})


def _unknown_split(folder: Path) -> None:
    rewritten(folder, "pairs", lambda row: row | {"split": "validation"})


def _without_songs(folder: Path) -> None:
    for path in (folder / "songs").iterdir():
        path.unlink()
    (folder / "songs").rmdir()


def _cut_table(folder: Path) -> None:
    table = next((folder / "songs").glob("*.arrow"))
    table.write_bytes(table.read_bytes()[:100])


@pytest.mark.parametrize(
    "damage",
    [
        _without_manifest,
        _broken_manifest,
        _manifest_without_template,
        _broken_record,
        _unknown_split,
        _without_songs,
        _cut_table,
    ],
)
def test_a_damaged_dataset_is_refused_with_what_to_do(
    damage: Callable[[Path], None], themed: PairDataset, tmp_path: Path
) -> None:
    damage(themed.save(tmp_path))
    with pytest.raises(BadInput, match="autosort retrain"):
        PairDataset.load(tmp_path, themed.fingerprint)
