"""What the sample library promises to the demo, the tests and the benchmarks that use it."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest

from lifecycle.sample.library import SampleLibrary, generate_library, write_jsonl
from lifecycle.sample.themes import themes
from registry.errors import BadInput
from registry.records import AudioFeatures, Feedback, Membership, MembershipSource, Playlist, Song, Verdict

KINDS: dict[str, type[Song | Playlist | Membership | Feedback]] = {
    "song": Song,
    "playlist": Playlist,
    "membership": Membership,
    "feedback": Feedback,
}
VERSION = re.compile(r" (?:- |\()(?:\d{4} Remaster|Remastered \d{4}|Live\b|Radio|Single Version)")
MOODS = ["workout", "chill", "emotional", "party", "focus", "nostalgic", "romantic", "energetic", "melancholi"]
FUNCTION_WORDS = re.compile(
    r"an?|and|are|as|at|be|been|before|but|by|for|from|has|have|he|her|his|i|in|into|is|it|its|me|more|my|no|not|of|off|"
    r"on|one|or|our|out|over|she|so|some|that|the|their|them|there|they|this|to|too|up|was|we|what|when|where|which|who|"
    r"with|without|you|your"
)


@pytest.fixture(scope="module")
def library() -> SampleLibrary:
    return generate_library()


@pytest.fixture(scope="module")
def large() -> SampleLibrary:
    return generate_library(songs=5_000)


def playlists_of_songs(library: SampleLibrary) -> dict[str, list[str]]:
    held = defaultdict(list)
    for membership in library.memberships:
        held[membership.song_id].append(membership.playlist_id)
    return held


def sizes(library: SampleLibrary) -> Counter[str]:
    return Counter(membership.playlist_id for membership in library.memberships)


def originals_and_versions(library: SampleLibrary) -> list[tuple[Song, Song]]:
    by_name = {(song.artist, song.title): song for song in library.songs}
    versions = [song for song in library.songs if VERSION.search(song.title)]
    return [(by_name[song.artist, VERSION.split(song.title)[0]], song) for song in versions]


def content_words(text: str) -> frozenset[str]:
    return frozenset(word for word in re.findall(r"[^\W\d_]+", text.lower()) if not FUNCTION_WORDS.fullmatch(word))


def playlist_words(playlist: Playlist) -> frozenset[str]:
    return content_words(f"{playlist.name} {playlist.description}")


def overlap(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)


def mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)


def assert_consistent(library: SampleLibrary) -> None:
    songs, playlists = ({song.song_id for song in library.songs}, {each.playlist_id for each in library.playlists})
    assert len(songs) == len(library.songs)
    assert len(playlists) == len(library.playlists)
    assert {each.song_id for each in library.memberships} | {said.song_id for said in library.feedback} <= songs
    assert {each.playlist_id for each in library.memberships} == playlists
    assert {each.playlist_id for each in library.feedback} <= playlists
    assert len({(each.song_id, each.playlist_id) for each in library.memberships}) == len(library.memberships)
    assert len({(each.owner, each.name) for each in library.playlists}) == len(library.playlists)


def test_same_arguments_same_bytes(tmp_path: Path) -> None:
    write_jsonl(generate_library(songs=90, seed=3), tmp_path / "once.jsonl")
    write_jsonl(generate_library(songs=90, seed=3), tmp_path / "twice.jsonl")
    write_jsonl(generate_library(songs=90, seed=4), tmp_path / "other.jsonl")
    once = (tmp_path / "once.jsonl").read_bytes()
    assert once == (tmp_path / "twice.jsonl").read_bytes()
    assert once != (tmp_path / "other.jsonl").read_bytes()


def test_a_smaller_library_in_between_changes_nothing() -> None:
    first = generate_library(songs=100)
    generate_library(songs=50, seed=1)
    assert generate_library(songs=100) == first


def test_default_size_and_variety(library: SampleLibrary) -> None:
    assert len(library.songs) == 720
    assert len(library.playlists) >= 24
    assert len({song.genre for song in library.songs}) >= 10
    assert len({playlist.genre for playlist in library.playlists}) >= 10
    assert len({song.language for song in library.songs} - {None}) >= 5
    assert_consistent(library)


def test_ids_read_well(library: SampleLibrary) -> None:
    assert all(re.fullmatch(r"song-\d{5}", song.song_id) for song in library.songs)
    assert "kitchen-light-at-2-am" in {playlist.playlist_id for playlist in library.playlists}
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", playlist.playlist_id) for playlist in library.playlists)


@pytest.mark.parametrize("songs", [80, 720])
def test_every_record_revalidates_from_its_line(tmp_path: Path, songs: int) -> None:
    library = generate_library(songs=songs)
    write_jsonl(library, tmp_path / "library.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "library.jsonl").read_text("utf-8").splitlines()]
    read = [KINDS[line.pop("kind")].model_validate(line) for line in lines]
    assert read == list(library.records())
    assert all(None not in line.values() for line in lines)


def test_kinds_come_in_order(library: SampleLibrary) -> None:
    kinds = [type(record).__name__.lower() for record in library.records()]
    assert kinds == sorted(kinds, key=list(KINDS).index)
    assert set(kinds) == set(KINDS)


def test_playlists_are_of_every_type(library: SampleLibrary) -> None:
    texts = [f"{playlist.name} {playlist.description}".lower() for playlist in library.playlists]
    assert [mood for mood in MOODS if not any(mood in text for text in texts)] == []
    assert any(not any(mood in text for mood in MOODS) for text in texts)
    assert any(playlist.subgenre for playlist in library.playlists)
    assert any(playlist.subgenre is None for playlist in library.playlists)


@pytest.mark.parametrize("songs", [40, 80, 720, 1_500])
def test_two_playlists_have_only_two_songs(songs: int) -> None:
    counted = sorted(sizes(generate_library(songs=songs)).values())
    assert counted[:2] == [2, 2]
    assert counted[2] > 2


def test_songs_in_no_playlist_and_in_two(library: SampleLibrary) -> None:
    held = playlists_of_songs(library)
    assert 0.07 <= sum(song.song_id not in held for song in library.songs) / len(library.songs) <= 0.13
    assert sum(len(playlists) == 2 for playlists in held.values()) >= 20


def test_memberships_are_mostly_curated(library: SampleLibrary) -> None:
    sources = Counter(membership.source for membership in library.memberships)
    assert sources[MembershipSource.CURATED] > 0.6 * len(library.memberships)
    assert set(sources) == set(MembershipSource)


def test_near_duplicates(library: SampleLibrary) -> None:
    pairs = originals_and_versions(library)
    assert len(pairs) >= 40
    for original, version in pairs:
        assert version.song_id != original.song_id
        assert abs((version.duration_ms or 0) - (original.duration_ms or 0)) <= 12_000
    assert any(version.duration_ms == original.duration_ms for original, version in pairs)
    assert {version.isrc == original.isrc for original, version in pairs} == {True, False}


def test_instrumentals_have_no_language_and_say_so(library: SampleLibrary) -> None:
    silent = [song for song in library.songs if song.language is None]
    assert len(silent) >= 50
    assert all("no vocals" in song.description.lower() for song in silent if song.description)
    assert all((song.audio_features.instrumentalness or 0.9) > 0.5 for song in silent)


def test_descriptions_read_like_an_analysis(library: SampleLibrary) -> None:
    texts = [song.description for song in library.songs if song.description]
    lengths = sorted(len(text.split()) for text in texts)
    assert lengths[len(lengths) // 50] >= 42
    assert lengths[-len(lengths) // 50] <= 95
    assert {len(re.findall(r"[.](?= |$)", text)) for text in texts} <= {3, 4, 5}
    assert all(not re.search(r"[\[\]{}|]| [Aa] (?!eu)[aei]", text) for text in texts)
    assert all("English" in song.description for song in library.songs if song.language == "en" and song.description)


def test_no_two_originals_share_a_description_and_sentences_vary(library: SampleLibrary) -> None:
    versions = {version.song_id for _, version in originals_and_versions(library)}
    texts = [song.description for song in library.songs if song.description and song.song_id not in versions]
    assert len(set(texts)) == len(texts)
    openings = Counter(" ".join(text.split()[:3]) for text in texts)
    assert openings.most_common(1)[0][1] < 0.08 * len(texts)


def test_some_descriptions_and_features_are_missing(library: SampleLibrary) -> None:
    assert 3 <= sum(song.description is None for song in library.songs) <= 20
    assert any(song.audio_features == AudioFeatures() for song in library.songs)
    partial = [song for song in library.songs if song.audio_features.energy is not None]
    assert any(None in song.audio_features.model_dump().values() for song in partial)


def test_features_are_plausible(library: SampleLibrary) -> None:
    known = [s.audio_features for s in library.songs if None not in s.audio_features.model_dump().values()]
    by_energy = sorted(known, key=lambda features: features.energy or 0.0)
    calm, loud = by_energy[:150], by_energy[-150:]
    assert mean(each.loudness or 0.0 for each in loud) > mean(each.loudness or 0.0 for each in calm) + 6
    assert mean(each.tempo or 0.0 for each in loud) > mean(each.tempo or 0.0 for each in calm) + 15
    assert mean(each.acousticness or 0.0 for each in loud) < mean(each.acousticness or 0.0 for each in calm)


@pytest.mark.parametrize("songs", [40, 80, 720])
def test_feedback(songs: int) -> None:
    library = generate_library(songs=songs)
    held = playlists_of_songs(library)
    verdicts = Counter(said.verdict for said in library.feedback)
    assert set(verdicts) == set(Verdict)
    assert {said.at.year for said in library.feedback} == {2026}
    assert all(one.at <= two.at for one, two in pairwise(library.feedback))
    assert all(said.song_id not in held for said in library.feedback if said.verdict is Verdict.ACCEPT)
    assert all(said.playlist_id not in held[said.song_id] for said in library.feedback if said.verdict == "reject")
    assert all(said.playlist_id in held[said.song_id] for said in library.feedback if said.verdict is Verdict.MOVE)


def test_feedback_is_by_a_few_users(library: SampleLibrary) -> None:
    assert 3 <= len({said.user for said in library.feedback}) <= 4


def test_playlists_use_other_words_than_their_songs(library: SampleLibrary) -> None:
    described = {song.song_id: content_words(song.description) for song in library.songs if song.description}
    playlists = {playlist.playlist_id: playlist_words(playlist) for playlist in library.playlists}
    placed = [each for each in library.memberships if each.song_id in described]
    assert mean(overlap(playlists[each.playlist_id], described[each.song_id]) for each in placed) < 0.03


def test_songs_of_a_playlist_share_words_but_no_giveaway(library: SampleLibrary) -> None:
    described = {song.song_id: content_words(song.description) for song in library.songs if song.description}
    members = defaultdict(list)
    for each in library.memberships:
        members[each.playlist_id].append(described.get(each.song_id, frozenset()))
    everywhere = Counter(word for words in described.values() for word in words)
    for held in members.values():
        counted = Counter(word for words in held for word in words if everywhere[word] < 0.1 * len(described))
        assert len(held) == 2 or 0.1 < counted.most_common(1)[0][1] / len(held) < 0.9


@pytest.mark.parametrize("songs", [40, 41, 63, 80, 250])
def test_small_libraries_hold_the_same_things(songs: int) -> None:
    library = generate_library(songs=songs)
    assert len(library.songs) == songs
    assert len(library.playlists) < 24
    assert originals_and_versions(library)
    assert any(len(playlists) == 2 for playlists in playlists_of_songs(library).values())
    assert_consistent(library)


@pytest.mark.parametrize("songs", [-1, 0, 39])
def test_too_small_a_library_is_refused(songs: int) -> None:
    with pytest.raises(BadInput, match=f"{songs} songs is too small.*at least 40"):
        generate_library(songs=songs)


def test_scales_to_thousands(large: SampleLibrary) -> None:
    assert len(large.songs) == 5_000
    assert 100 <= len(large.playlists) <= 200
    assert_consistent(large)


def test_titles_and_artists_rarely_collide(large: SampleLibrary) -> None:
    assert len({(song.artist, song.title) for song in large.songs}) > 0.98 * len(large.songs)
    assert len({song.title for song in large.songs}) > 0.7 * len(large.songs)
    assert len({song.artist for song in large.songs}) > 500


def test_themes_refer_to_each_other_and_have_names_of_their_own() -> None:
    keys = [theme.key for theme in themes()]
    names = [name for theme in themes() for name in theme.names]
    assert len(set(names)) == len(names)
    assert all(set(theme.neighbours) <= set(keys) - {theme.key} for theme in themes())
