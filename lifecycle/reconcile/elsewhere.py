"""Whether songs are embedded on another machine, and what stands ready there."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from lifecycle.reconcile.work import Work
from lifecycle.settings import read_settings
from registry import remote_work
from registry.database import Connection, actor
from registry.remote_work import RemoteKind, RemoteState
from registry.texts import render_song

if TYPE_CHECKING:
    from lifecycle.compute.far_embedding import FarEmbedding

_TRIAL_TEXTS = 64


@contextmanager
def embedding_elsewhere(work: Work, waiting: int) -> Iterator["FarEmbedding | None"]:
    """The version's model on Modal, where heavy work is done there and there is enough of it; else none.

    Raises:
        ComputeUnavailable: Modal is away; the work is on record and goes on with whatever command runs next.
    """
    from lifecycle.compute.far_embedding import WORTH_SENDING, embedding_on_modal
    from lifecycle.compute.putting_off import put_off_while_away
    from lifecycle.compute.remote import ModalApp

    settings = read_settings()
    if settings.compute != "modal" or waiting < WORTH_SENDING:
        yield None
        return
    name, app = work.version.version, ModalApp(settings.modal_app)
    asked = work.database.persist(
        lambda connection: remote_work.ask(connection, RemoteKind.REEMBEDDING, name, {"version": name}, actor=actor())
    )
    with put_off_while_away(work.workspace, asked), ExitStack() as stack:
        spec = work.version.spec
        far = stack.enter_context(
            embedding_on_modal(
                work.workspace,
                app,
                spec.embedder,
                work.progress,
                settings,
                published=spec.training is None,
                spend=work.spend,
            )
        )
        far.settle(_precision(work, far))
        yield far
    work.database.persist(lambda connection: remote_work.close(connection, asked.work_id, RemoteState.DONE))


def _precision(work: Work, far: "FarEmbedding") -> str:
    """The precision on record; of a version that has none, what a trial there finds, which is recorded."""
    vectors = work.vectors

    def sample(connection: Connection) -> list[str]:
        pending = vectors.pending_songs(connection, limit=_TRIAL_TEXTS)
        return [render_song(each.song, work.version.spec.text_template) for each in pending]

    state = work.database.persist(vectors.state)
    if state is not None and state.precision is not None:
        return state.precision
    found = far.try_precision(work.database.persist(sample))
    return work.database.persist(lambda connection: vectors.settle_precision(connection, found))
