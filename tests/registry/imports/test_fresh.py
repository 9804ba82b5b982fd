from registry.imports.fresh import Fresh
from registry.records import AudioFeatures, Membership, Playlist, Song


def song(loudness: float) -> Song:
    return Song(song_id="x", title="Paper Lanterns", audio_features=AudioFeatures(loudness=loudness))


def test_a_record_is_news_once() -> None:
    fresh = Fresh()
    assert [fresh.is_news(song(-5)) for _ in range(3)] == [True, False, False]


def test_the_last_word_is_news_even_if_it_was_said_before() -> None:
    fresh = Fresh()
    # Python's own hash is the same for -1 and -2.
    assert [fresh.is_news(song(loudness)) for loudness in (-1, -2, -1, -1)] == [True, True, True, False]


def test_a_song_and_a_playlist_of_one_id_are_apart() -> None:
    fresh = Fresh()
    records = (song(-5), Playlist(playlist_id="x", name="Rainy Sundays"))
    assert [fresh.is_news(record) for record in records * 2] == [True, True, False, False]


def test_memberships_are_always_news() -> None:
    fresh = Fresh()
    assert all(fresh.is_news(Membership(playlist_id="p", song_id="s")) for _ in range(2))


def test_what_is_remembered_is_bounded() -> None:
    fresh = Fresh(capacity=2)
    songs = [Song(song_id=name, title="Paper Lanterns") for name in "abc"]
    assert all(fresh.is_news(each) for each in songs)
    assert not fresh.is_news(songs[2])
    assert fresh.is_news(songs[0])
