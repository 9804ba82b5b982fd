"""A retraining tracked with Weights & Biases: what its run holds, and that it is never a reason to fail.

Files of datasets and models are named by their place, not copied: both are immutable, so a model of 2 GB takes no room
twice, and a run that was tracked offline can still send them. Sent is what goes into a run, and nothing of the machine.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from importlib.metadata import version as package_version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lifecycle.progress import Progress
from lifecycle.settings import read_settings
from lifecycle.wandb_session import Identity, finish, sync_command, told, wandb_run
from lifecycle.workspace import Workspace
from registry.versions import ModelVersion
from training.audit import audit
from training.configuration import TrainingConfiguration
from training.dataset import PairDataset

if TYPE_CHECKING:
    from wandb import Artifact, Run

_AXES = {
    "training/*": "training/step",
    "development/*": "training/step",
    "interpolation/*": "interpolation/coefficient",
}
"""What curves are drawn over: not W&B's own step, which may never go back, as a training does after a kill."""

_TRAINING = ("loss", "learning_rate", "grad_norm")


class Tracking:
    """What a retraining tells its run; where there is none, nobody is told.

    The first thing that goes wrong is told in one line, and the rest is still tried.
    """

    def __init__(self, workspace: Workspace, progress: Progress, run: "Run | None" = None) -> None:
        self._workspace = workspace
        self._progress = progress
        self._run = run
        self._failed = False

    def began(self, dataset: PairDataset) -> None:
        """What it trains on; the run is shown as the dataset's user."""
        self._attempt(_define_axes)
        self._attempt(lambda run: _use_dataset(run, dataset, self._workspace.datasets))

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """What was measured at a training step, by the trainer's names or by those of a training's record."""
        if named := _named(figures):
            self._attempt(lambda run: run.log({"training/step": step, **named}))

    def registered(self, version: ModelVersion) -> None:
        """The version that was made: the record of its training, and its model as what the run made."""
        self._attempt(lambda run: _log_record(run, version))
        self._attempt(lambda run: _log_models(run, version, self._workspace))

    def evaluated(self, new: Mapping[str, Any], live: Mapping[str, Any]) -> None:
        """The evaluations of the new version and of the live one on the same test."""
        self._attempt(lambda run: _log_evaluations(run, new, live))

    def finish(self, *, failed: bool) -> None:
        """Send what is left, within the time that W&B is given for it, and end the run."""
        if self._run is None:
            return
        sending = nullcontext() if self._run.offline else self._progress.task("Sending to Weights & Biases", 1)
        with sending:
            self._attempt(lambda run: finish(run, int(failed)))

    def _attempt(self, act: Callable[["Run"], object]) -> None:
        if self._run is None:
            return
        try:
            act(self._run)
        except Exception as error:  # noqa: BLE001 - whatever it is, the training is worth more
            if not self._failed:
                way = f"{sync_command(self._run)} may send what is kept"
                self._progress.say(f"{told(error)}. The retraining goes on; {way}.")
            self._failed = True


@contextmanager
def tracked(
    workspace: Workspace,
    base: ModelVersion,
    dataset: PairDataset,
    configuration: TrainingConfiguration,
    recipe: str,
    progress: Progress,
    *,
    wanted: bool = True,
) -> Iterator[Tracking]:
    """Track a retraining while the context lasts, if W&B is installed and `AUTOSORT_TRACKING` is not `off`.

    Args:
        recipe: digest of all that decides the outcome; a retraining of the same one goes on with the same run.
        wanted: false where nothing is trained.
    """
    if not wanted or read_settings().tracking == "off":
        yield Tracking(workspace, progress)
        return
    identity = Identity(recipe[:16], name=f"{configuration.profile}-{recipe[:8]}", kind="retrain")
    with wandb_run(workspace.settings.home, identity, _facts(base, dataset, configuration, recipe), progress) as run:
        tracking = Tracking(workspace, progress, run)
        failed = True
        try:
            tracking.began(dataset)
            yield tracking
            failed = False
        finally:
            tracking.finish(failed=failed)


def _facts(
    base: ModelVersion, dataset: PairDataset, configuration: TrainingConfiguration, recipe: str
) -> dict[str, Any]:
    """All that is known before the training: the run's configuration."""
    return {
        "recipe": recipe,
        "training": configuration.model_dump(mode="json"),
        "dataset": {"fingerprint": dataset.fingerprint, "pairs": dataset.counts()},
        "base": {"version": base.version, **base.spec.embedder.model_dump(mode="json")},
        "text_template": dataset.template,
        "code_revision": package_version("autosort-lifecycle"),
    }


def _define_axes(run: "Run") -> None:
    for names, axis in _AXES.items():
        run.define_metric(axis, hidden=True)
        run.define_metric(names, step_metric=axis)


def _named(figures: Mapping[str, float]) -> dict[str, float]:
    plain = {name.removeprefix("eval_"): value for name, value in figures.items()}
    development = {f"development/{each}": plain[each] for each in plain if each.startswith("development")}
    return development | {f"training/{each}": plain[each] for each in _TRAINING if each in plain}


def _log_record(run: "Run", version: ModelVersion) -> None:
    training = version.spec.training
    if training is None:
        return
    for point in training.record.get("interpolation", []):
        run.log({f"interpolation/{name}": value for name, value in _numbers(point).items()})
    run.summary.update(
        {
            "version": version.version,
            "artifact": version.spec.embedder.artifact,
            **{f"model/{name}": value for name, value in training.metrics.items()},
            **{f"record/{name}": value for name, value in training.record.items() if _is_plain(value)},
        }
    )


def _log_evaluations(run: "Run", new: Mapping[str, Any], live: Mapping[str, Any]) -> None:
    figures = _by_regime("evaluation/new", new) | _by_regime("evaluation/live", live)
    run.summary.update({"live_version": live["version"], **figures})


def _by_regime(prefix: str, report: Mapping[str, Any]) -> dict[str, float]:
    """The figures of a report, and of each regime in it."""
    figures = {f"{prefix}/{name}": value for name, value in _numbers(report).items()}
    for regime, of_regime in report["regimes"].items():
        figures |= {f"{prefix}/{regime}/{name}": value for name, value in _numbers(of_regime).items()}
    return figures


def _numbers(figures: Mapping[str, Any]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if _is_plain(value) and not isinstance(value, str)}


def _is_plain(value: object) -> bool:
    return isinstance(value, int | float | str) and not isinstance(value, bool)


def _use_dataset(run: "Run", dataset: PairDataset, folder: Path) -> None:
    metadata = {"fingerprint": dataset.fingerprint, "pairs": dataset.counts(), "audit": audit(dataset).as_json()}
    artifact = _artifact(f"dataset-{dataset.fingerprint[:12]}", "dataset", dataset.save(folder), metadata)
    # `use_artifact` does this and then waits for the upload; offline it refuses, although `wandb sync` would do it.
    run._log_artifact(artifact, is_user_created=True, use_after_commit=True)


def _log_models(run: "Run", version: ModelVersion, workspace: Workspace) -> None:
    models = {"model": version.spec.embedder, "reranker": version.spec.reranker}  # emotions: the run did not make them
    for name, spec in models.items():
        if spec is not None:
            metadata = {"version": version.version, "digest": spec.artifact, "base_model": spec.base_model}
            folder = workspace.artifacts.verified(spec.artifact)
            run.log_artifact(_artifact(f"{name}-{version.version}", "model", folder, metadata))


def _artifact(name: str, kind: str, folder: Path, metadata: dict[str, Any]) -> "Artifact":
    from wandb import Artifact

    artifact = Artifact(name, type=kind, metadata=metadata)
    for path in sorted(folder.absolute().rglob("*")):
        if path.is_file():
            within = path.relative_to(folder.absolute()).as_posix()
            artifact.add_file(str(path), name=within, policy="immutable", skip_cache=True)
    return artifact
