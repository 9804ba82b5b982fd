"""What is embedded of a song or playlist, and the hash that says whether it still is."""

import itertools
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.records import AudioFeatures, Playlist, Song
from registry.texts import (
    CURRENT_TEMPLATE,
    TEMPLATES,
    content_hash,
    mood_words,
    render_feeling,
    render_playlist,
    render_song,
    sound_words,
)

CALM = AudioFeatures(energy=0.1, acousticness=0.9)
SONG_FACTS = {
    "artist": "Mira Vale",
    "album": "Harbour Lights",
    "genre": "folk",
    "release_date": "1987-06-01",
    "description": "A slow waltz about leaving",
    "audio_features": CALM,
}
PLAYLIST_FACTS = {"description": "For the last train home", "genre": "rock", "subgenre": "slowcore"}

words = st.text("abcdefgh .", min_size=1, max_size=20).filter(lambda text: text.strip(" .") == text)
facts = st.none() | words
songs = st.builds(
    Song,
    song_id=st.just("s-1"),
    title=words,
    artist=facts,
    album=facts,
    genre=facts,
    language=facts,
    description=facts,
    popularity=st.none() | st.integers(0, 100),
)


def _combinations(names: dict[str, object]) -> list[frozenset[str]]:
    return [frozenset(chosen) for size in range(len(names) + 1) for chosen in itertools.combinations(names, size)]


@pytest.mark.parametrize("known", _combinations({**SONG_FACTS}), ids=lambda known: "+".join(sorted(known)) or "none")
def test_a_songs_text_holds_what_is_known_in_order_and_nothing_of_what_is_not(known: frozenset[str]) -> None:
    song = Song.model_validate(
        {"song_id": "s-1", "title": "Paper Lanterns"} | {name: SONG_FACTS[name] for name in known}
    )
    expected = "Paper Lanterns by Mira Vale" if "artist" in known else "Paper Lanterns"
    expected += ". Album: Harbour Lights" if "album" in known else ""
    expected += ". Genre: folk" if "genre" in known else ""
    first = expected + (". A slow waltz about leaving" if "description" in known else "")
    first += ". Mood: calm, acoustic" if "audio_features" in known and "description" not in known else ""
    assert render_song(song, 1) == first + "."
    expected += ". Era: 1980s" if "release_date" in known else ""
    if "description" in known:
        expected += ". A slow waltz about leaving"
    elif "audio_features" in known:
        expected += ". Sound: very calm, purely acoustic"
    assert render_song(song, 2) == expected + "."


@pytest.mark.parametrize(
    "known", _combinations({**PLAYLIST_FACTS}), ids=lambda known: "+".join(sorted(known)) or "none"
)
def test_a_playlists_text_holds_what_is_known_in_order_and_nothing_of_what_is_not(known: frozenset[str]) -> None:
    playlist = Playlist.model_validate(
        {"playlist_id": "p-1", "name": "Night Bus"} | {name: PLAYLIST_FACTS[name] for name in known}
    )
    parts = ["Night Bus", *(text for name, text in PLAYLIST_FACTS.items() if name in known)]
    assert render_playlist(playlist) == ". ".join(parts) + "."


def test_a_fact_that_ends_in_a_full_stop_gets_no_second_one() -> None:
    song = Song(song_id="s-1", title="Paper Lanterns.", description="It is slow.")
    assert render_song(song) == "Paper Lanterns. It is slow."


@pytest.mark.parametrize("name", ["...", ".", ". ."])
def test_a_name_of_full_stops_alone_is_kept_as_it_is(name: str) -> None:
    assert render_song(Song(song_id="s-1", title=name)) == name
    assert render_song(Song(song_id="s-1", title=name, album="Ellipses")) == f"{name} Album: Ellipses."
    assert render_playlist(Playlist(playlist_id="p-1", name=name, genre="rock")) == f"{name} rock."


@given(songs)
def test_a_text_is_one_clean_line_of_sentences(song: Song) -> None:
    text = render_song(song)
    assert text.startswith(song.title.rstrip("."))
    assert text.endswith(".")
    assert not text.endswith("..")
    assert "None" not in text


@given(songs, st.none() | st.integers(0, 100), facts)
def test_what_the_template_leaves_out_changes_no_text(song: Song, popularity: int | None, language: str | None) -> None:
    other = song.model_copy(update={"popularity": popularity, "language": language, "song_id": "s-2"})
    assert render_song(other) == render_song(song)


@given(songs, words)
def test_a_new_description_makes_a_new_text_and_a_new_hash(song: Song, description: str) -> None:
    other = song.model_copy(update={"description": description})
    texts = render_song(song), render_song(other)
    assert (texts[0] == texts[1]) == (song.description == description)
    assert (content_hash(texts[0]) == content_hash(texts[1])) == (texts[0] == texts[1])


@given(st.text(), st.text(), st.integers(1, 99), st.integers(1, 99))
def test_the_hash_changes_with_the_text_and_with_the_template(text: str, other: str, first: int, second: int) -> None:
    same = (text, first) == (other, second)
    assert (content_hash(text, first) == content_hash(other, second)) == same


def test_the_hash_is_what_databases_hold_already() -> None:
    # Changing this makes every vector of every version stale.
    assert content_hash("Paper Lanterns.", 1) == sha256(b"1\nPaper Lanterns.").digest()


def test_texts_of_the_first_template_are_those_that_have_served() -> None:
    song = Song.model_validate({"song_id": "s-1", "title": "Paper Lanterns", **SONG_FACTS})
    text = "Paper Lanterns by Mira Vale. Album: Harbour Lights. Genre: folk. A slow waltz about leaving."
    assert render_song(song, 1) == text


def test_the_current_template_is_one_of_the_templates_and_the_one_that_is_meant_by_none() -> None:
    song, playlist = Song(song_id="s-1", title="Paper Lanterns"), Playlist(playlist_id="p-1", name="Night Bus")
    assert CURRENT_TEMPLATE in TEMPLATES
    assert render_song(song) == render_song(song, CURRENT_TEMPLATE)
    assert render_playlist(playlist) == render_playlist(playlist, CURRENT_TEMPLATE)
    assert content_hash("a") == content_hash("a", CURRENT_TEMPLATE)


@pytest.mark.parametrize("template", sorted(TEMPLATES))
def test_every_template_renders_songs_and_playlists(template: int) -> None:
    assert "Paper Lanterns" in render_song(Song(song_id="s-1", title="Paper Lanterns"), template)
    assert "Night Bus" in render_playlist(Playlist(playlist_id="p-1", name="Night Bus"), template)


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({}, []),
        ({"energy": 0.4}, ["calm"]),
        ({"energy": 0.41}, []),
        ({"energy": 0.74}, []),
        ({"energy": 0.75}, ["energetic"]),
        ({"valence": 0.0}, ["sad"]),
        ({"valence": 0.5}, []),
        ({"valence": 1.0}, ["happy"]),
        ({"danceability": 0.2}, ["free-flowing"]),
        ({"danceability": 0.72}, ["danceable"]),
        ({"acousticness": 0.0}, ["electric"]),
        ({"acousticness": 0.6}, ["acoustic"]),
        ({"instrumentalness": 0.0}, []),
        ({"instrumentalness": 0.5}, ["instrumental"]),
        ({"speechiness": 0.0}, []),
        ({"speechiness": 0.2}, ["spoken"]),
        ({"liveness": 0.0}, []),
        ({"liveness": 0.9}, ["live"]),
        ({"tempo": 70.0}, ["slow"]),
        ({"tempo": 110.0}, []),
        ({"tempo": 180.0}, ["fast"]),
        ({"loudness": -60.0, "key": 3, "mode": 1, "time_signature": 4}, []),
        ({"tempo": 180.0, "energy": 0.9, "valence": 0.1}, ["energetic", "sad", "fast"]),
    ],
)
def test_mood_words_say_what_stands_out_and_nothing_of_the_middle(
    features: dict[str, float], expected: list[str]
) -> None:
    assert mood_words(AudioFeatures(**features)) == expected


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({}, []),
        ({"audio_features": {"energy": 0.25}}, ["very calm"]),
        ({"audio_features": {"energy": 0.26}}, ["calm"]),
        ({"audio_features": {"energy": 0.5}}, []),
        ({"audio_features": {"energy": 0.8}}, ["energetic"]),
        ({"audio_features": {"energy": 1.0}}, ["very energetic"]),
        ({"audio_features": {"instrumentalness": 0.0}}, []),
        ({"audio_features": {"instrumentalness": 0.005}}, ["few instrumental parts"]),
        ({"audio_features": {"tempo": 110, "loudness": -60}}, ["very quiet", "mid-tempo"]),
        ({"audio_features": {"mode": 1}}, ["major key"]),
        ({"audio_features": {"mode": 0}}, ["minor key"]),
        ({"duration_ms": 100_000}, ["short"]),
        ({"duration_ms": 200_000}, []),
        ({"duration_ms": 300_000}, ["long"]),
        ({"duration_ms": 0}, []),
    ],
)
def test_sound_words_are_graded(known: dict[str, object], expected: list[str]) -> None:
    assert sound_words(Song.model_validate({"song_id": "s-1", "title": "t", **known})) == expected


@given(
    st.builds(
        AudioFeatures,
        energy=st.none() | st.floats(0, 1),
        valence=st.none() | st.floats(0, 1),
        tempo=st.none() | st.floats(0, 300),
        instrumentalness=st.none() | st.floats(0, 1),
    )
)
def test_each_feature_says_at_most_one_word_and_an_unknown_one_none(features: AudioFeatures) -> None:
    spoken = mood_words(features)
    known = features.model_dump(exclude_none=True)
    assert len(spoken) == len(set(spoken)) <= len(known)
    assert all(spoken)


def test_the_text_whose_emotions_are_told_is_title_and_description_and_no_names() -> None:
    song = Song(song_id="s", title="Why?", artist="Panic", album="Joy", genre="Blues", description="A letter home")
    assert render_feeling(song) == "Why? A letter home."
    features = AudioFeatures(valence=0.1, energy=0.1)
    assert (
        render_feeling(Song(song_id="s", title="Why", audio_features=features)) == "Why. Sound: very calm, very dark."
    )
    assert render_feeling(Song(song_id="s", title="Why")) == "Why."
