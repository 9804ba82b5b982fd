"""Loading a version's encoder for serving, in the precision that suits this machine."""

from functools import partial

from registry import catalogue
from registry.artifacts import ArtifactStore
from registry.database import Database
from registry.texts import render_song
from registry.versions import EmbedderSpec
from serving.inference.encoder import Encoder
from serving.inference.precision import chosen_device, settle_precision
from serving.settings import ServingSettings

_TRIAL_TEXTS = 16
"""Enough to tell which precision holds, few enough for a large model on a CPU."""

_ANY_TEXT = "A quiet song about a harbour at night."


def load_encoder(
    database: Database, artifacts: ArtifactStore, settings: ServingSettings, spec: EmbedderSpec
) -> Encoder:
    """The encoder; where the precision is to be found out, songs of the catalogue are what it is tried on.

    Raises:
        ArtifactError: the model is missing, unsafe or changed.
        DatabaseUnavailable: the songs cannot be read.
    """
    with database.transaction() as connection:
        songs = catalogue.recent_songs(connection, limit=_TRIAL_TEXTS)
    texts = [render_song(song) for song in songs] or [_ANY_TEXT]
    load = partial(Encoder.open, artifacts.verified(spec.artifact), spec, device=settings.device)
    device = chosen_device(settings.device)
    return settle_precision(lambda precision: load(precision=precision), device, settings.precision, texts)
