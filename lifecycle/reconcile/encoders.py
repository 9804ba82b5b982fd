"""The encoders that reconciling uses: each version's, in the precision that was settled for it."""

from typing import TYPE_CHECKING

from lifecycle.progress import Progress
from lifecycle.workspace import Workspace
from registry.database import Connection
from registry.texts import render_song
from registry.vectors.vector_set import VectorSet
from registry.versions import EmotionsSpec, ModelVersion

if TYPE_CHECKING:
    from serving.inference.emotions import EmotionModel
    from serving.inference.encoder import Encoder

_WORTH_A_TRIAL = 1_000
"""Songs for which it pays to find out whether a faster precision gives the same answers."""


class Encoders:
    """Loads encoders when they are needed, and keeps them: a model is loaded once, however often it is asked for."""

    def __init__(self, workspace: Workspace, progress: Progress) -> None:
        self._workspace = workspace
        self._progress = progress
        self._loaded: dict[tuple[str, str], Encoder] = {}
        self._emotions: dict[EmotionsSpec, EmotionModel] = {}

    def of(self, version: ModelVersion, *, waiting: int = 0) -> "Encoder":
        """A version's encoder, in the precision on record if this device computes in it, else in fp32.

        Args:
            waiting: songs to embed; of many, the first to come measures which precision is recorded.

        Raises:
            ArtifactError: the model is missing, unsafe or changed.
        """
        from serving.inference.precision import chosen_device, offered_precision

        vectors = VectorSet(version)
        precision = self._workspace.database.persist(lambda connection: _precision(connection, vectors))
        if precision is None and waiting >= _WORTH_A_TRIAL:
            precision = self._settle(version, vectors)
        offered = precision is not None and precision == offered_precision(chosen_device(self._workspace.device))
        return self._load(version, precision if precision and offered else "fp32")

    def emotions_of(self, model: EmotionsSpec) -> "EmotionModel":
        """An emotion model.

        Raises:
            ArtifactError: it is missing, unsafe or changed.
        """
        if model not in self._emotions:
            self._emotions[model] = self._workspace.load_emotions(model)
        return self._emotions[model]

    def _settle(self, version: ModelVersion, vectors: VectorSet) -> str:
        from serving.inference.precision import TRIAL_TEXTS, offered_precision, try_precision

        def sample(connection: Connection) -> list[str]:
            pending = vectors.pending_songs(connection, limit=TRIAL_TEXTS)
            return [render_song(each.song, version.spec.text_template) for each in pending]

        exact = self._load(version, "fp32")
        chosen, offered = "fp32", offered_precision(exact.device)
        if offered != "fp32":
            texts = self._workspace.database.persist(sample)
            trial = try_precision(exact, self._load(version, offered), texts)
            chosen = trial.precision if trial.holds else "fp32"
            self._progress.say(
                f"{trial.precision} is {'used' if trial.holds else 'not used'}: {trial.speedup:.2f} times as fast as "
                f"fp32 here, least cosine {trial.cosine:.5f}, {trial.overlap:.0%} of nearest songs the same."
            )
        return self._workspace.database.persist(lambda connection: vectors.settle_precision(connection, chosen))

    def _load(self, version: ModelVersion, precision: str) -> "Encoder":
        embedder = version.spec.embedder
        key = embedder.artifact, precision
        if key not in self._loaded:
            self._loaded[key] = self._workspace.load_encoder(embedder, precision=precision)
        return self._loaded[key]


def _precision(connection: Connection, vectors: VectorSet) -> str | None:
    state = vectors.state(connection)
    return state.precision if state else None
