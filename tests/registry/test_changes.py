"""Whoever waits for changes of the catalogue hears of every one, soon."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import LiteralString

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.changes import ChangeFeed, Mark, Noticed, follow_changes
from registry.database import Database
from registry.settings import RegistrySettings

SONG: LiteralString = "INSERT INTO songs (song_id, title) VALUES ('s', 'S')"
PLAYLIST: LiteralString = "INSERT INTO playlists (playlist_id, name) VALUES ('p', 'P')"
MEMBERSHIP: LiteralString = "INSERT INTO memberships (playlist_id, song_id, source) VALUES ('p', 's', 'curated')"


# Pure -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("marks", "news"),
    [
        pytest.param([(0, ""), (0, ""), (0, "")], [True, False, False], id="the first look is always news"),
        pytest.param([(0, ""), (1, ""), (1, "")], [True, True, False], id="a counter that grew"),
        pytest.param(
            [(0, ""), (1, "a"), (1, "a"), (1, ""), (1, "")],
            [True, True, False, True, False],
            id="seen before its commit, and again after it",
        ),
        pytest.param([(1, "a"), (1, "")], [True, True], id="under way at the first look"),
        pytest.param([(1, ""), (1, "a"), (1, "ab")], [True, False, False], id="begun and nothing written yet"),
        pytest.param(
            [(1, "ab"), (1, "b"), (1, "bc"), (1, "c"), (1, "")],
            [True, True, False, True, True],
            id="each by itself, however long the others take",
        ),
    ],
)
def test_marks_tell_what_may_be_new(marks: list[tuple[int, str]], news: list[bool]) -> None:
    noticed = Noticed()
    assert [noticed.changed(Mark(counter, frozenset(writing))) for counter, writing in marks] == news


class _History:
    """Writing transactions that begin, count up and end at whatever moments, and a reader that takes marks."""

    def __init__(self) -> None:
        self.noticed = Noticed()
        self.counter = self.begun = 0
        self.under_way: dict[int, bool] = {}
        self.unread: set[int] = set()

    def begin(self) -> None:
        self.begun += 1
        self.under_way[self.begun] = False

    def count(self, which: int) -> None:
        if self.under_way:
            self.under_way[sorted(self.under_way)[which % len(self.under_way)]] = True
            self.counter += 1

    def end(self, which: int) -> None:
        if self.under_way:
            ended = sorted(self.under_way)[which % len(self.under_way)]
            if self.under_way.pop(ended):
                self.unread.add(ended)

    def look(self) -> bool:
        changed = self.noticed.changed(Mark(self.counter, frozenset(map(str, self.under_way))))
        if changed:
            self.unread.clear()
        return changed


STEPS = st.one_of(
    st.tuples(st.sampled_from(["begin", "look"])), st.tuples(st.sampled_from(["count", "end"]), st.integers(0, 5))
)


@given(st.lists(STEPS, max_size=60))
def test_after_the_last_commit_everything_has_been_read(steps: list[tuple[str] | tuple[str, int]]) -> None:
    history = _History()
    for name, *which in steps:
        getattr(history, name)(*which)
    while history.under_way:
        history.end(0)
    history.look()
    assert history.unread == set()
    assert not history.look()


@given(st.lists(STEPS, max_size=60))
def test_looking_again_when_nothing_has_happened_is_no_news(steps: list[tuple[str] | tuple[str, int]]) -> None:
    history = _History()
    for name, *which in steps:
        getattr(history, name)(*which)
        if name == "look":
            assert not history.look()


# On a database --------------------------------------------------------------------------------------------------------


@pytest.fixture
def feed(database: Database) -> Iterator[ChangeFeed]:
    with follow_changes(database) as followed:
        yield followed


@pytest.fixture
def deaf_feed(database: Database) -> Iterator[ChangeFeed]:
    """A feed that no notification reaches, as through a pooler in transaction mode."""
    with database.autocommit() as connection:
        yield ChangeFeed(connection)


def _execute(database: Database, *statements: LiteralString) -> None:
    for statement in statements:
        with database.transaction() as connection:
            connection.execute(statement)


CHANGES: list[LiteralString] = [
    SONG,
    "UPDATE songs SET title = 'T'",
    PLAYLIST,
    "UPDATE playlists SET name = 'Q'",
    MEMBERSHIP,
    "DELETE FROM memberships",
    "DELETE FROM playlists",
    "DELETE FROM songs",
    "TRUNCATE songs CASCADE",
]
"""Each is a change; the first is the first ever."""


def test_a_change_by_another_connection_ends_the_waiting_at_once(database: Database, feed: ChangeFeed) -> None:
    def change_soon(statement: LiteralString) -> None:
        time.sleep(0.1)
        _execute(database, statement)

    with ThreadPoolExecutor(1) as pool:
        for statement in CHANGES:
            noticed, begun = _settled(feed), time.monotonic()
            later = pool.submit(change_soon, statement)
            assert noticed.changed(feed.wait(20)), statement
            assert time.monotonic() - begun < 10, statement
            later.result()


def test_a_change_is_noticed_by_the_next_look_where_no_notification_arrives(
    database: Database, deaf_feed: ChangeFeed
) -> None:
    for statement in CHANGES:
        noticed = _settled(deaf_feed)
        _execute(database, statement)
        assert noticed.changed(deaf_feed.wait(0.01)), statement


@pytest.mark.parametrize("name", ["feed", "deaf_feed"])
def test_what_was_seen_before_its_commit_is_announced_again_after_it(
    database: Database, name: str, request: pytest.FixtureRequest
) -> None:
    feed: ChangeFeed = request.getfixturevalue(name)
    noticed = _settled(feed)
    with database.transaction() as connection:
        connection.execute(SONG)
        assert [noticed.changed(feed.wait(0.01)) for _ in range(3)] == [True, False, False]
    assert [noticed.changed(feed.wait(0.01)) for _ in range(2)] == [True, False]


@pytest.mark.parametrize("statement", ["CREATE TABLE takes_hours ()", "UPDATE songs SET title = 'U'"])
def test_a_commit_is_news_though_another_transaction_goes_on(
    database: Database, deaf_feed: ChangeFeed, statement: LiteralString
) -> None:
    noticed = _settled(deaf_feed)
    with database.transaction() as long:
        long.execute(statement)
        with database.transaction() as connection:
            connection.execute(SONG)
            noticed.changed(deaf_feed.wait(0.01))
            assert not noticed.changed(deaf_feed.wait(0.01))
        assert noticed.changed(deaf_feed.wait(0.01))
        assert not noticed.changed(deaf_feed.wait(0.01))


def test_what_is_rolled_back_does_not_hide_what_comes_after_it(database: Database, deaf_feed: ChangeFeed) -> None:
    noticed = _settled(deaf_feed)
    with pytest.raises(RuntimeError), database.transaction() as connection:
        connection.execute(SONG)
        assert noticed.changed(deaf_feed.wait(0.01))
        raise RuntimeError
    _execute(database, SONG)
    assert noticed.changed(deaf_feed.wait(0.01))


def test_reading_and_what_is_not_the_catalogue_is_no_news(database: Database, deaf_feed: ChangeFeed) -> None:
    noticed = _settled(deaf_feed)
    _execute(database, "SELECT * FROM songs", "UPDATE live_pointer SET generation = generation + 1")
    assert not noticed.changed(deaf_feed.wait(0.01))


def test_waiting_ends_when_the_time_is_over(feed: ChangeFeed) -> None:
    begun = time.monotonic()
    feed.wait(0.3)
    assert 0.25 < time.monotonic() - begun < 5


def test_a_connection_that_followed_changes_listens_no_more(settings: RegistrySettings) -> None:
    assert settings.database_url is not None
    database = Database(settings.database_url.get_secret_value(), max_connections=1)
    database.open(lambda _: None)
    with follow_changes(database):
        pass
    with database.transaction() as connection:
        assert connection.execute("SELECT pg_listening_channels()").fetchall() == []
    database.close()


def _settled(feed: ChangeFeed) -> Noticed:
    """Somebody who has noticed everything so far."""
    noticed = Noticed()
    while noticed.changed(feed.wait(0.01)):
        pass
    return noticed
