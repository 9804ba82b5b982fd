"""The auditor finds every way in which a test can leak into training, and believes no label."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from registry.errors import BadInput
from registry.records import CatalogueSnapshot, Membership, Playlist, Song
from training import dataset as dataset_module
from training.audit import Audit, audit, require_clean
from training.dataset import LabelledPair, PairDataset, Rejection, build_dataset
from training.splits import Split, playlist_split

Snapshot = Callable[..., CatalogueSnapshot]

FIXTURES = hypothesis_settings(
    max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
KEPT_BACK = [split for split in Split if split is not Split.TRAIN]


@pytest.fixture(scope="module")
def library(snapshot: Snapshot) -> PairDataset:
    """Forty playlists of sixty songs: there are pairs of every split."""
    songs = [
        Song(song_id=f"s{number:03}", title=f"T {number}", artist=f"A {number % 9}", isrc=f"XX{number}")
        for number in range(400)
    ]
    playlists = [Playlist(playlist_id=f"p{number}", name=f"P {number}") for number in range(40)]
    memberships = [
        Membership(
            playlist_id=playlist.playlist_id,
            song_id=songs[(number * 7 + place * 11) % 400].song_id,
            added_at=datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=(number * 7 + place * 11) % 400),
        )
        for number, playlist in enumerate(playlists)
        for place in range(60)
    ]
    return build_dataset(snapshot(songs, playlists, memberships))


def broken(found: Audit) -> set[str]:
    return {name for name, count in found.overlaps.items() if count}


def trained_on(dataset: PairDataset, split: Split, count: int = 1) -> PairDataset:
    """The dataset with some of a split's pairs relabelled as training."""
    chosen = set(dataset.select(split)[:count])
    pairs = tuple(replace(pair, split=Split.TRAIN) if pair in chosen else pair for pair in dataset.pairs)
    return replace(dataset, pairs=pairs)


def test_a_dataset_as_built_is_clean(library: PairDataset) -> None:
    found = audit(library)
    assert found.clean
    assert found.as_json()["clean"] is True
    assert {split.value for split in Split} == set(found.splits)
    require_clean(found)


@pytest.mark.parametrize("split", KEPT_BACK)
def test_one_pair_that_is_relabelled_as_training_is_found(split: Split, library: PairDataset) -> None:
    found = audit(trained_on(library, split))
    assert not found.clean
    with pytest.raises(BadInput, match=r"^The dataset leaks: .*1 .*retrain"):
        require_clean(found)


@pytest.mark.parametrize(
    ("split", "name"),
    [
        (Split.UNSEEN_SONG, "test_songs_trained_on"),
        (Split.DEVELOPMENT, "development_songs_trained_on"),
        (Split.LATER, "later_songs_trained_on"),
        (Split.UNSEEN_PLAYLIST, "unseen_playlists_trained_on"),
        (Split.BOTH_UNSEEN, "unseen_playlists_trained_on"),
        (Split.DEVELOPMENT_PLAYLIST, "development_playlists_trained_on"),
    ],
)
def test_the_overlap_is_named(split: Split, name: str, library: PairDataset) -> None:
    first = library.select(split)[0]
    leak = LabelledPair(first.playlist_id, first.song_id, "curated", Split.TRAIN)
    assert name in broken(audit(replace(library, pairs=(*library.pairs, leak))))


@pytest.mark.parametrize("split", [each for each in KEPT_BACK if each is not Split.LATER])
def test_a_whole_split_that_is_relabelled_is_found(split: Split, library: PairDataset) -> None:
    """Nothing of it is left to compare training with; the hash knows all the same."""
    found = audit(trained_on(library, split, len(library.pairs)))
    assert found.overlaps["pairs_in_another_split"] > 0
    assert not found.clean


@FIXTURES
@given(data=st.data())
def test_any_shuffle_of_labels_is_found(data: st.DataObject, library: PairDataset) -> None:
    row = data.draw(st.integers(0, len(library.pairs) - 1))
    pair = library.pairs[row]
    wrong = data.draw(st.sampled_from([each for each in Split if each is not pair.split]))
    pairs = (*library.pairs[:row], replace(pair, split=wrong), *library.pairs[row + 1 :])
    harmless = {pair.split, wrong} in ({Split.DEVELOPMENT_PLAYLIST, Split.ASIDE}, {Split.TRAIN, Split.LATER})
    assert harmless or not audit(replace(library, pairs=pairs)).clean


def test_a_dataset_of_another_salt_is_not_clean_under_this_one(library: PairDataset) -> None:
    assert not audit(replace(library, salt="another")).clean


def test_a_near_duplicate_under_another_cluster_is_found(library: PairDataset) -> None:
    song = library.songs["s001"].model_copy(update={"song_id": "s001-live", "title": "T 1 (Live)", "isrc": None})
    trained = next(each for each in library.playlists if playlist_split(each) is Split.TRAIN)
    torn = replace(
        library,
        songs=library.songs | {"s001-live": song},
        clusters=library.clusters | {"s001-live": "song:another:name"},
        pairs=(*library.pairs, LabelledPair(trained, "s001-live", "curated", Split.TRAIN)),
    )
    assert "near_duplicates_apart" in broken(audit(torn))


def test_a_trained_song_that_reads_like_a_tested_one_is_found(library: PairDataset) -> None:
    tested, trained = (library.select(split)[0].song_id for split in (Split.UNSEEN_SONG, Split.TRAIN))
    same = library.songs[tested].model_copy(update={"song_id": trained})
    assert "texts_trained_and_tested" in broken(audit(replace(library, songs=library.songs | {trained: same})))


def test_a_rejection_that_is_a_pair_is_found(library: PairDataset) -> None:
    pair = library.pairs[0]
    rejected = replace(library, rejections=(Rejection(pair.playlist_id, pair.song_id),))
    assert broken(audit(rejected)) == {"rejections_that_are_positives"}
    other = next(each.song_id for each in library.pairs if each.playlist_id != pair.playlist_id)
    elsewhere = next(
        p for p in library.playlists if (p, other) not in {(x.playlist_id, x.song_id) for x in library.pairs}
    )
    assert audit(replace(library, rejections=(Rejection(elsewhere, other),))).clean


def test_a_build_that_leaks_fails(
    themed_snapshot: CatalogueSnapshot, themed: PairDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were the rule of the splits ever broken, no dataset would come of it."""
    monkeypatch.setattr(dataset_module, "combined", lambda _playlist, song, *, later: Split.TRAIN if later else song)
    monkeypatch.setattr(dataset_module, "later_clusters", lambda _dated, **_: frozenset(themed.clusters.values()))
    with pytest.raises(BadInput, match=r"The dataset leaks|to train on"):
        build_dataset(themed_snapshot)


def test_untrained_pairs_are_counted_by_their_reason(library: PairDataset) -> None:
    train = [row for row, pair in enumerate(library.pairs) if pair.split is Split.TRAIN]
    pairs = list(library.pairs)
    for row in train[:3]:
        pairs[row] = replace(pairs[row], source="public", weight=0.0)
    for row in train[3:5]:
        pairs[row] = replace(pairs[row], weight=0.0)
    assert audit(replace(library, pairs=tuple(pairs))).untrained == {"capped": 2, "weak_source": 3}


def test_unseen_playlists_that_read_like_trained_ones_are_counted(library: PairDataset) -> None:
    unseen, trained = (library.select(split)[0].playlist_id for split in (Split.UNSEEN_PLAYLIST, Split.TRAIN))
    same = library.playlists[trained].model_copy(update={"playlist_id": unseen})
    found = audit(replace(library, playlists=library.playlists | {unseen: same}))
    assert found.same_texts == 1
    assert found.clean


def test_splits_are_counted(library: PairDataset) -> None:
    counts = audit(library).splits
    assert {split: count["pairs"] for split, count in counts.items()} == library.counts()
    assert counts["train"]["playlists"] == len({pair.playlist_id for pair in library.select(Split.TRAIN)})
