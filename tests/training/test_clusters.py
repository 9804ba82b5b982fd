"""Recordings of one song come together; different songs stay apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.records import Song
from training.clusters import cluster_songs, must_join, normalised_artist, normalised_title, side_key


def together(*songs: Song) -> bool:
    return len(set(cluster_songs(songs).values())) == 1


def named(
    number: int, title: str, artist: str | None = "Oasis", isrc: str | None = None, duration_ms: int | None = None
) -> Song:
    return Song(song_id=f"s{number}", title=title, artist=artist, isrc=isrc, duration_ms=duration_ms)


def lasting(number: int, seconds: int | None, title: str = "Wonderwall") -> Song:
    return named(number, title, duration_ms=None if seconds is None else seconds * 1000)


@pytest.mark.parametrize(
    "variant",
    [
        "Live Forever - Remastered",
        "Live Forever - 2014 Remaster",
        "Live Forever (Remastered 2014)",
        "Live Forever [Live]",
        "Live Forever - Live at Knebworth, 10 August '96",
        "Live Forever (Live at the Forum (2001))",
        "Live Forever - Radio Edit",
        "Live Forever (Acoustic Version)",
        "Live Forever (Demo)",
        "Live Forever - Mono",
        "Live Forever \u2013 Single Version",
        "Live Forever (feat. Liam)",
        "Live Forever feat. Liam",
        "Live Forever ft. Liam (Live)",
        "Live Forever (with Liam) - Deluxe Edition",
        "LIVE FOREVER",
        "Live Forever!",
        "\uff2cive Forever",
    ],
)
def test_a_version_joins_its_original(variant: str) -> None:
    assert together(named(1, "Live Forever"), named(2, variant))


@pytest.mark.parametrize(
    "artist", ["Oasis", "OASIS", "Oasis feat. Johnny Marr", "Oasis, Johnny Marr", "Oasis & Friends", "Oasis x Blur"]
)
def test_guests_do_not_make_another_song(artist: str) -> None:
    assert together(named(1, "Slide Away"), named(2, "Slide Away", artist))


def test_one_title_by_two_artists_is_two_songs() -> None:
    assert not together(named(1, "Hurt", "Nine Inch Nails"), named(2, "Hurt", "Johnny Cash"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Live Forever", "Forever"),
        ("Radio Ga Ga", "Ga Ga"),
        ("Ignition", "Ignition (Remix)"),
        ("Album", "Album of the Year"),
        ("Take On Me", "On Me"),
        ("Single Ladies (Put a Ring on It)", "Ladies"),
        ("Original Sin", "Sin"),
        ("Another Brick in the Wall (Part 1)", "Another Brick in the Wall (Part 2)"),
        ("Born to Be Alive", "Born to Be"),
        ("Video Killed the Radio Star", "Video Killed the Star"),
        ("Mr. Clean", "Mr."),
        ("Symphony No. 5 - I. Allegro", "Symphony No. 5 - II. Andante"),
        ("1", "2"),
        ("?", "!"),
        ("\u590f\u65e5", "\u51ac\u65e5"),
    ],
)
def test_different_titles_of_one_artist_stay_apart(one: str, other: str) -> None:
    assert not together(named(1, one), named(2, other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("The Nutcracker - Original Version - March", "The Nutcracker - Original Version - Trepak"),
        pytest.param("Hits - Live and Let Die", "Hits - Band on the Run Live"),
        pytest.param("(Live)", "(Demo)"),
        pytest.param("6 ft. Under", "6 ft. Tall"),
        pytest.param("Rise", "Rise (Take Me Higher)"),
        pytest.param("\u0926\u093f\u0932", "\u0926\u0932"),
    ],
)
def test_titles_that_only_look_like_versions_stay_apart(one: str, other: str) -> None:
    assert not together(named(1, one), named(2, other))


@pytest.mark.parametrize(
    ("title", "variant", "artist"),
    [
        pytest.param("Heart It Races", "Heart It Races - Remastered", "!!!", id="an artist of signs alone"),
        pytest.param("The Rapture", "The Rapture - Radio Edit", "&ME", id="an artist that begins with a separator"),
        pytest.param("Levels (Skrillex Remix)", "Levels - Skrillex Remix Radio Edit", "Avicii", id="edit of a remix"),
        pytest.param("Garota de Ipanema", "Garota de Ipanema - Ao Vivo", "Tom Jobim", id="live in Portuguese"),
        pytest.param("Bailando", "Bailando - En Vivo", "Enrique", id="live in Spanish"),
        pytest.param("Volver", "Volver - Remasterizado 2015", "Gardel", id="remaster in Spanish"),
    ],
)
def test_versions_that_are_written_otherwise_join(title: str, variant: str, artist: str) -> None:
    assert together(named(1, title, artist), named(2, variant, artist))


def test_one_isrc_is_one_song_whatever_it_is_called() -> None:
    assert together(named(1, "Wonderwall", isrc="GBAYE9500001"), named(2, "Mur", "Autre", isrc="gbaye9500001"))


def test_an_isrc_with_hyphens_is_the_same() -> None:
    assert together(named(1, "Wonderwall", isrc="GB-AYE-95-00001"), named(2, "Mur", "Autre", isrc="GBAYE9500001"))


def test_an_isrc_joins_what_titles_had_joined() -> None:
    songs = [
        named(1, "Wonderwall"),
        named(2, "Wonderwall - Live", isrc="X1"),
        named(3, "Mur", "Autre", isrc="X1"),
        named(4, "Mur (Demo)", "Autre"),
    ]
    assert together(*songs)


def test_without_an_artist_a_song_stands_alone() -> None:
    assert not together(named(1, "Intro", None), named(2, "Intro", None))
    assert not together(named(1, "Intro", None), named(2, "Intro", "The xx"))


def test_without_an_artist_the_isrc_still_joins() -> None:
    assert together(named(1, "Intro", None, isrc="X1"), named(2, "Intro", "The xx", isrc="X1"))


def test_a_cluster_keeps_its_name_when_a_version_is_added() -> None:
    original, other = named(1, "Wonderwall"), named(2, "Roll With It")
    before = cluster_songs([original, other])
    after = cluster_songs([original, other, named(3, "Wonderwall (Live)"), named(4, "Supersonic")])
    assert before.items() <= after.items()


def test_an_isrc_alone_names_no_cluster() -> None:
    original = named(1, "Wonderwall", isrc="X1")
    assert cluster_songs([original]) == cluster_songs([named(1, "Wonderwall")])
    assert cluster_songs([original, named(2, "Intro", None, isrc="X1")])["s1"] == cluster_songs([original])["s1"]


def test_an_artist_without_letters_is_nobody() -> None:
    assert normalised_artist(None) == ""
    assert normalised_title("!") == "!"


def test_an_isrc_of_signs_alone_joins_nothing() -> None:
    assert not together(named(1, "Wonderwall", isrc="-"), named(2, "Roll With It", isrc="--"))


# Durations ----------------------------------------------------------------------------------------------------------


def test_close_durations_are_one_song_and_far_ones_two() -> None:
    assert together(lasting(1, 200), lasting(2, 290, "Wonderwall - Live"))
    assert not together(lasting(1, 200), lasting(2, 301, "Wonderwall - Live"))


def test_durations_that_lead_from_one_to_the_next_are_one_song() -> None:
    assert together(lasting(1, 200), lasting(2, 290), lasting(3, 430))


def test_the_most_recorded_duration_keeps_the_name() -> None:
    plain = cluster_songs([lasting(1, None)])["s1"]
    clusters = cluster_songs([lasting(1, 30), lasting(2, 200), lasting(3, 210), lasting(4, 900)])
    assert clusters["s2"] == clusters["s3"] == plain
    assert len(set(clusters.values())) == 3


def test_an_unknown_duration_is_taken_for_the_most_recorded_one() -> None:
    clusters = cluster_songs([lasting(1, 30), lasting(2, 200), lasting(3, 210), lasting(4, None), lasting(5, 0)])
    assert clusters["s4"] == clusters["s5"] == clusters["s2"] != clusters["s1"]


def test_all_durations_of_a_song_have_one_side_key() -> None:
    clusters = cluster_songs([lasting(1, 30), lasting(2, 200), lasting(3, 210)])
    assert len({side_key(cluster) for cluster in clusters.values()}) == 1


@pytest.mark.parametrize("title", ["? ?", "\u2605 \u2605", "A B", "  x  y "])
def test_the_side_key_of_a_key_is_itself(title: str) -> None:
    cluster = cluster_songs([named(1, title, "! !")])["s1"]
    assert side_key(cluster) == cluster


def test_a_song_id_with_a_space_is_a_side_key_whole() -> None:
    songs = [Song(song_id="a b", title="x"), Song(song_id="a c", title="x")]
    assert len({side_key(cluster) for cluster in cluster_songs(songs).values()}) == 2


def test_an_isrc_joins_whatever_the_durations() -> None:
    assert together(named(1, "A", isrc="X1", duration_ms=1000), named(2, "A", isrc="X1", duration_ms=900_000))


# Texts --------------------------------------------------------------------------------------------------------------


def test_songs_of_which_the_model_sees_the_same_are_one() -> None:
    songs = [named(1, "Intro", None), named(2, "Intro", None), named(3, "Outro", None)]
    clusters = cluster_songs(songs, lambda song: song.title)
    assert clusters["s1"] == clusters["s2"] != clusters["s3"]


songs = st.builds(
    named,
    st.integers(0, 10_000),
    st.sampled_from(["Harbour", "Harbour (Live)", "Harbour - Remaster", "Tide", "Tide feat. A", "(Live)", "?"]),
    st.sampled_from([None, "A", "B", "a feat. B"]),
    st.sampled_from([None, None, "X1", "x1", "X2"]),
    st.sampled_from([None, 0, 100, 140, 200, 301, 900]),
)
libraries = st.lists(songs, unique_by=lambda song: song.song_id, max_size=20)


def text_of(song: Song) -> str:
    return f"{song.title} {song.artist}"


@given(data=st.data(), library=libraries)
def test_clusters_do_not_depend_on_the_order_of_songs(data: st.DataObject, library: list[Song]) -> None:
    shuffled = data.draw(st.permutations(library))
    assert cluster_songs(shuffled) == cluster_songs(library)
    assert cluster_songs(shuffled, text_of) == cluster_songs(library, text_of)


@given(libraries)
def test_equal_isrcs_share_a_cluster(library: list[Song]) -> None:
    clusters = cluster_songs(library)
    for one in library:
        for other in library:
            if one.isrc and other.isrc and one.isrc.lower() == other.isrc.lower():
                assert clusters[one.song_id] == clusters[other.song_id]


@given(libraries)
def test_equal_texts_share_a_cluster(library: list[Song]) -> None:
    clusters = cluster_songs(library, text_of)
    by_text = {text_of(song): clusters[song.song_id] for song in library}
    assert all(clusters[song.song_id] == by_text[text_of(song)] for song in library)


@given(data=st.data(), library=libraries)
def test_what_an_auditor_finds_in_any_part_of_a_library_is_joined(data: st.DataObject, library: list[Song]) -> None:
    clusters = cluster_songs(library, text_of)
    part = data.draw(st.lists(st.sampled_from(library), unique_by=id)) if library else []
    assert all(clusters[one] == clusters[other] for one, other in must_join(part, text_of))


@given(libraries)
def test_an_auditor_finds_all_that_isrc_text_and_close_durations_join(library: list[Song]) -> None:
    """Two songs that are apart for the auditor share neither; nothing but a chain of pairs makes them one."""
    found = {frozenset(pair) for pair in must_join(library, text_of)}
    groups = {song.song_id: {song.song_id} for song in library}
    for near, far in (tuple(pair) for pair in found if len(pair) == 2):
        merged = groups[near] | groups[far]
        groups.update(dict.fromkeys(merged, merged))
    for one in library:
        for other in library:
            if text_of(one) == text_of(other) or (one.isrc and one.isrc.lower() == (other.isrc or "").lower()):
                assert other.song_id in groups[one.song_id]
