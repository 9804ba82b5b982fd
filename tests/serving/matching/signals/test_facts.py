"""Artists, albums, genres, languages and years."""

from collections.abc import Callable

import numpy as np
import pytest

from registry.records import Song
from registry.vectors.records import StoredProfile
from serving.matching.signals.asked import AskedSongs
from serving.matching.signals.facts import FACTS, EraSignal, FactSignal, artists_of, year_of

Holding = Callable[..., StoredProfile]
Made = FactSignal | EraSignal


def songs(*artists: str | None, **fields: str) -> list[Song]:
    return [
        Song.model_validate({"song_id": f"s{number}", "title": "T", "artist": artist, **fields})
        for number, artist in enumerate(artists)
    ]


def score(signal: Made, **fields: str) -> list[float]:
    song = Song.model_validate({"song_id": "asked", "title": "T", **fields})
    return list(map(float, signal.scores(AskedSongs([song], np.zeros((1, 3), np.float32)))[0]))


@pytest.mark.parametrize(
    ("artist", "names"),
    [
        ("Ada", ["ada"]),
        ("Ada, Bo & Cy", ["ada", "bo", "cy"]),
        ("Ada feat. Bo", ["ada", "bo"]),
        ("ADA; ada", ["ada"]),
        ("Vega x Bo", ["vega", "bo"]),
        ("Xavier", ["xavier"]),
        ("& ,", []),
        (None, []),
    ],
)
def test_artists_are_told_apart(artist: str | None, names: list[str]) -> None:
    assert artists_of(Song(song_id="s", title="T", artist=artist)) == names


def test_the_playlist_with_the_artist_comes_before_those_without(holding: Holding) -> None:
    one, other = holding("one", songs("Ada", "Ada", "Bo")), holding("other", songs("Cy", "Di", "Ed"))
    signal = FactSignal.build([one, other], "artist")
    found = score(signal, artist="ADA feat. Zo")
    assert found[0] > 0 > found[1]
    assert score(signal, artist="Bo")[0] < found[0]


def test_it_is_the_log_of_smoothed_rates(holding: Holding) -> None:
    signal = FactSignal.build(
        [holding("p", songs("Ada", "Ada", "Bo", "Cy")), holding("q", songs("Di", "Di"))], "artist"
    )
    rate = (2 + 1) / (6 + 4 + 1)
    assert score(signal, artist="Ada") == pytest.approx([np.log((2 + 3 * rate) / 7 / rate), np.log(3 / 5)])


def test_what_nobody_has_speaks_for_nobody(holding: Holding) -> None:
    signal = FactSignal.build([holding("p", songs("Ada", "Bo")), holding("q", songs("Cy", "Di"))], "artist")
    found = score(signal, artist="Unheard")
    assert found[0] == found[1] < 0


def test_unknown_facts_are_missing_on_either_side(holding: Holding) -> None:
    signal = FactSignal.build([holding("p", songs("Ada")), holding("q", songs(None, None))], "artist")
    assert np.isnan(score(signal)).all()
    known, unknown = score(signal, artist="Ada")
    assert known > 0
    assert np.isnan(unknown)


@pytest.mark.parametrize("kind", ["album", "genre", "language"])
def test_other_facts_are_compared_as_wholes_in_any_case(holding: Holding, kind: str) -> None:
    signal = FactSignal.build(
        [holding("p", songs("A", "B", **{kind: "Deep House"})), holding("q", songs("C", "D", **{kind: "house"}))], kind
    )
    found = score(signal, **{kind: "deep house"})
    assert found[0] > 0 > found[1]


def test_the_most_telling_value_is_told_as_the_song_has_it(holding: Holding) -> None:
    signal = FactSignal.build(
        [holding("p", songs("Ada, Bo", "Bo", "Bo")), holding("q", songs("Bo", "Bo", "Bo"))], "artist"
    )
    song = Song(song_id="x", title="T", artist="BO & Ada")
    assert signal.most_telling(song, 0) == ("Ada", 1)
    assert signal.most_telling(song, 1) == ("BO", 3)
    assert signal.most_telling(Song(song_id="x", title="T", artist="Zo"), 0) == ("", 0)


def test_the_years_of_a_playlist_draw_songs_of_these_years(holding: Holding) -> None:
    old = holding("old", songs("A", "B", "C", release_date="1984-05"))
    new = holding("new", songs("A", "B", "C", release_date="2021"))
    signal = EraSignal.build([old, new, holding("undated", songs("A"))])
    eighties, between = score(signal, release_date="1986"), score(signal, release_date="2003")
    assert eighties[0] > 0 > eighties[1]
    assert between[0] == pytest.approx(between[1], abs=1e-5)
    assert np.isnan(eighties[2])
    assert np.isnan(score(signal)).all()


@pytest.mark.parametrize(("date", "year"), [("0001", 1900), ("1987-11-02", 1987), ("9999", 2100), (None, None)])
def test_years_beyond_the_table_count_as_its_ends(date: str | None, year: int | None) -> None:
    assert year_of(Song(song_id="s", title="T", release_date=date)) == year


def test_one_playlist_alone_scores_as_it_does_among_others(holding: Holding) -> None:
    profiles = [
        holding("p", songs("Ada", "Bo", release_date="1990", genre="jazz")),
        holding("q", songs("Cy", "Ada", "Di", release_date="2010", genre="folk")),
    ]
    made: list[Made] = [*(FactSignal.build(profiles, kind) for kind in FACTS), EraSignal.build(profiles)]
    for signal in made:
        whole = score(signal, artist="Ada", release_date="2009", genre="folk")
        for row in range(2):
            np.testing.assert_array_equal(
                score(signal.only(row), artist="Ada", release_date="2009", genre="folk"), whole[row]
            )
