"""Recordings of one song come together; different songs stay apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.records import Song
from training.clusters import cluster_songs, normalised_artist, normalised_title


def together(*songs: Song) -> bool:
    return len(set(cluster_songs(songs).values())) == 1


def named(number: int, title: str, artist: str | None = "Oasis", isrc: str | None = None) -> Song:
    return Song(song_id=f"s{number}", title=title, artist=artist, isrc=isrc)


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


songs = st.builds(
    named,
    st.integers(0, 10_000),
    st.sampled_from(["Harbour", "Harbour (Live)", "Harbour - Remaster", "Tide", "Tide feat. A", "(Live)", "?"]),
    st.sampled_from([None, "A", "B", "a feat. B"]),
    st.sampled_from([None, None, "X1", "x1", "X2"]),
)


@given(data=st.data(), library=st.lists(songs, unique_by=lambda song: song.song_id, max_size=20))
def test_clusters_do_not_depend_on_the_order_of_songs(data: st.DataObject, library: list[Song]) -> None:
    shuffled = data.draw(st.permutations(library))
    assert cluster_songs(shuffled) == cluster_songs(library)


@given(st.lists(songs, unique_by=lambda song: song.song_id, max_size=20))
def test_equal_isrcs_share_a_cluster(library: list[Song]) -> None:
    clusters = cluster_songs(library)
    for one in library:
        for other in library:
            if one.isrc and other.isrc and one.isrc.lower() == other.isrc.lower():
                assert clusters[one.song_id] == clusters[other.song_id]
