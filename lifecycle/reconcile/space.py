"""Whether there is room for a version's vectors, found out before the work and not in the middle of it."""

import shutil

from lifecycle.progress import Progress
from lifecycle.workspace import Workspace
from registry.errors import Refused
from registry.vectors.space import estimate_bytes, read_data_folder

_WORTH_SAYING = 10**8
_RESERVE = 1.1
"""Beside the vectors: the log of what is written, which Postgres keeps for a while."""


def require_room(workspace: Workspace, songs: int, dimensions: int, progress: Progress) -> None:
    """Say what so many songs' vectors and their index will take on the database's disk, and see that it is there.

    Only where the database runs on this machine and says where its files are can its disk be looked at.

    Raises:
        Refused: the disk has less room.
    """
    needed = int(estimate_bytes(songs, dimensions) * _RESERVE)
    folder = workspace.database.persist(read_data_folder)
    free = shutil.disk_usage(folder).free if folder else None
    if free is not None and free < needed:
        raise Refused(
            f"Embedding {songs} songs takes about {_gigabytes(needed)} on the database's disk, which has "
            f"{_gigabytes(free)} left.",
            "Free some, for example by `autosort retire VERSION`, then run the same command again.",
        )
    if needed >= _WORTH_SAYING:
        left = f", which has {_gigabytes(free)} left" if free is not None else "; how much it has left is not known"
        progress.say(f"This will take about {_gigabytes(needed)} on the database's disk{left}.")


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB"
