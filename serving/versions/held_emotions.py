"""Emotion models of the versions that are held, each loaded when somebody first asks for it."""

import threading
from collections.abc import Callable, Iterable

from registry.errors import Refused
from registry.versions import EmotionsSpec, ModelVersion
from serving.inference.emotions import ServedEmotions
from serving.inference.lazily import Lazily


class HeldEmotions:
    """Versions with the same emotion model share it. Threads may share this.

    Args:
        load: loads a model, or raises.
        held: the versions that are held; models of others are let go when the next one is asked for.
    """

    def __init__(
        self, load: Callable[[EmotionsSpec], ServedEmotions], held: Callable[[], Iterable[ModelVersion]]
    ) -> None:
        self._load = load
        self._held = held
        self._lock = threading.Lock()
        self._models: dict[EmotionsSpec, Lazily[ServedEmotions]] = {}

    def of(self, version: ModelVersion) -> Lazily[ServedEmotions]:
        """A version's emotion model, which need not be loaded yet.

        Raises:
            Refused: it has none.
        """
        spec = version.spec.emotions
        if spec is None:
            raise Refused(
                f"{version.version} has no emotion model: it was registered before versions had one.",
                "Ask a version that was made since; the next `autosort retrain` makes one.",
            )
        with self._lock:
            if spec not in self._models:
                needed = {each.spec.emotions for each in self._held()}
                kept = {known: model for known, model in self._models.items() if known in needed}
                self._models = kept | {spec: self._lazily(version.version, spec)}
            return self._models[spec]

    def _lazily(self, name: str, spec: EmotionsSpec) -> Lazily[ServedEmotions]:
        return Lazily(f"The emotion model of {name}", lambda: self._load(spec))
