"""Which emotions servers have predicted, counted by all of them together."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from registry import emotions
from registry.database import Database
from registry.emotions import Cell, Predicted
from registry.versions import EmotionsSpec, ModelVersion

AddVersion = Callable[..., ModelVersion]

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


def test_what_several_servers_predicted_is_added_up(database: Database, add_version: AddVersion) -> None:
    for _ in range(2):
        add_version()
    counts = {Cell("v1", "joy"): Predicted(5, 2, 1.5), Cell("v1", "grief"): Predicted(5, 0, 0.25)}
    for told in (counts, counts, {}, {Cell("v2", "joy"): Predicted(1, 1, 0.9)}):
        with database.transaction() as connection:
            emotions.add(connection, told)
    with database.transaction() as connection:
        found = emotions.read(connection, "v1", since=NOW - HOUR)
    assert found == {"grief": Predicted(10, 0, 0.5), "joy": Predicted(10, 4, 3.0)}


def test_periods_do_not_overlap_and_a_year_is_kept(database: Database, add_version: AddVersion) -> None:
    add_version()
    with database.transaction() as connection:
        for hours, texts in ((0, 1), (24, 2), (200 * 24, 4), (401 * 24, 8)):
            connection.execute(
                "INSERT INTO predicted_emotions VALUES (date_trunc('hour', %s::timestamptz), 'v1', 'joy', %s, 0, 0)",
                [NOW - hours * HOUR, texts],
            )
        since = NOW - 24 * HOUR
        late, before, all_of_it = (
            emotions.read(connection, "v1", since=start, until=end)["joy"].texts
            for start, end in ((since, None), (since - 1000 * 24 * HOUR, since), (since - 1000 * 24 * HOUR, None))
        )
        assert (late, before, all_of_it) == (3, 12, 15)
        emotions.delete_old(connection)
        assert emotions.read(connection, "v1", since=since - 1000 * 24 * HOUR)["joy"].texts == 7


def test_each_label_has_a_threshold() -> None:
    about = {"artifact": "a" * 64, "base_model": "m", "base_revision": "1", "max_length": 64, "labels": ["fear", "joy"]}
    assert EmotionsSpec.model_validate({**about, "thresholds": [0.5, 0.2]}).rates == ()
    for wrong in ({"thresholds": [0.5]}, {"thresholds": [0.5, 0.2], "rates": [0.1]}):
        with pytest.raises(ValidationError, match="a threshold for each label"):
            EmotionsSpec.model_validate({**about, **wrong})
