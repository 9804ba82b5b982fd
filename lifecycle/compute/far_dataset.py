"""A dataset in a version's space: encoded on Modal where heavy work is done there, else here."""

from lifecycle.compute.far_embedding import WORTH_SENDING, FarEmbedding, embedding_on_modal
from lifecycle.compute.metering import Spend
from lifecycle.compute.remote import ModalApp
from lifecycle.dataset_vectors import EncodedDataset, encode_dataset
from lifecycle.progress import Progress
from lifecycle.settings import read_settings
from lifecycle.workspace import Workspace
from registry.errors import ComputeUnavailable
from registry.texts import render_playlist, render_song
from registry.versions import EmbedderSpec
from training.dataset import PairDataset

_PAGE = 256


def encode_where_it_pays(
    workspace: Workspace,
    embedder: EmbedderSpec,
    dataset: PairDataset,
    progress: Progress,
    *,
    label: str,
    template: int | None = None,
    published: bool = False,
    spend: Spend,
) -> EncodedDataset:
    """Every song and playlist of a dataset; in fp32, wherever that is. While Modal is away it is done here.

    Songs that a container cannot embed have vectors of zeros: they count as answered wrongly.

    Args:
        template: that of the version which encodes, if it is not the dataset's.
        published: whether the model is a base model.
    """
    settings = read_settings()
    if settings.compute == "modal" and len(dataset.songs) >= WORTH_SENDING:
        app = ModalApp(settings.modal_app)
        try:
            with embedding_on_modal(
                workspace, app, embedder, progress, settings, published=published, spend=spend
            ) as far:
                return _encode_far(far, embedder, dataset, progress, f"{label} on Modal", template or dataset.template)
        except ComputeUnavailable as error:
            progress.say(f"{error.fact} It is done here instead.")
    return encode_dataset(workspace.load_encoder(embedder), dataset, progress, label=label, template=template)


def _encode_far(
    far: FarEmbedding, embedder: EmbedderSpec, dataset: PairDataset, progress: Progress, label: str, template: int
) -> EncodedDataset:
    songs = [render_song(each, template) for each in dataset.songs.values()]
    vectors = []
    with progress.task(label, len(songs)) as advance:
        pages = [far.submit(songs[start : start + _PAGE]) for start in range(0, len(songs), _PAGE)]
        for page in pages:
            vectors += list(page.result().vectors)
            advance(len(vectors))
    playlists = far.playlists([render_playlist(each, template) for each in dataset.playlists.values()])
    return EncodedDataset(
        dict(zip(dataset.songs, vectors, strict=True)),
        dict(zip(dataset.playlists, playlists, strict=True)),
        embedder.dimensions,
    )
