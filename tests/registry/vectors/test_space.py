"""What vectors take on the disk, and where that disk is."""

from pathlib import Path

from registry.database import Database
from registry.vectors.space import estimate_bytes, read_data_folder


def test_the_folder_of_a_database_on_this_machine_is_found(database: Database) -> None:
    with database.transaction() as connection:
        folder = read_data_folder(connection)
    assert folder is not None
    assert (Path(folder) / "PG_VERSION").is_file()


def test_a_database_that_does_not_tell_harms_nothing(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("CREATE ROLE nobody_special")
        connection.execute("SET LOCAL ROLE nobody_special")
        assert read_data_folder(connection) is None
        assert connection.execute("SELECT current_user AS it").fetchone() == {"it": "nobody_special"}
        connection.execute("RESET ROLE")
        connection.execute("DROP ROLE nobody_special")


def test_what_is_needed_grows_with_songs_and_dimensions() -> None:
    assert estimate_bytes(0, 384) == 0
    assert estimate_bytes(2_000, 384) == 2 * estimate_bytes(1_000, 384)
    # Two copies of the vector, 2 bytes a dimension: in the table and in the index.
    assert estimate_bytes(1_000, 1_024) - estimate_bytes(1_000, 384) == 1_000 * 2 * 2 * 640
