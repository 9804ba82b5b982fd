"""Commands about emotions: emotions, train-emotions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from lifecycle.cli.output import JsonOption, reporting
from lifecycle.cli.tables import table
from lifecycle.workspace import open_workspace

if TYPE_CHECKING:
    from lifecycle.emotion_rates import Drift, EmotionRates


def emotions(
    version: Annotated[str | None, typer.Argument(help="Such as v2; by default the live one.")] = None,
    days: Annotated[float, typer.Option(min=1 / 24, max=400, help="That are told of, and compared with as many.")] = 7,
    as_json: JsonOption = False,
) -> None:
    """Tell how often each emotion was predicted of late, and whether that drifts."""
    from lifecycle.emotion_rates import emotion_rates

    with reporting(as_json) as output, open_workspace() as workspace:
        rates = emotion_rates(workspace, version, days=days)
        output.show(rates.as_json(), lambda console: _print_rates(console, rates))


def train_emotions(
    folder: Annotated[Path, typer.Argument(help="With train.tsv, dev.tsv and labels.txt, as GoEmotions has them.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write the adapter into.")],
    epochs: Annotated[int | None, typer.Option(min=1, max=100, help="Passes over the texts.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Train an emotion model on the bundled encoder: its adapter, its thresholds, and how well it does."""
    from lifecycle.emotion_models import train_bundled

    with reporting(as_json) as output:
        trained = train_bundled(folder, out, output.progress, epochs=epochs, seed=seed)
        f1 = dict(zip(trained.labels, trained.quality.f1.round(4).tolist(), strict=True))
        thresholds = dict(zip(trained.labels, trained.thresholds, strict=True))
        document = {
            "folder": str(trained.folder),
            "macro_f1": round(trained.quality.macro_f1, 4),
            "f1": f1,
            "thresholds": thresholds,
        }
        rows = [(label, f"{f1[label]:.3f}", thresholds[label]) for label in trained.labels]
        title = f"Macro F1 on dev.tsv: {document['macro_f1']:.3f}"
        output.show(document, lambda console: console.print(table(title, ["label", "F1", "threshold"], rows)))


def _print_rates(console: Console, rates: "EmotionRates") -> None:
    rows = [
        (each.label, *map(_percent, (each.rate, each.rate_before, each.rate_measured)), _number(each.score))
        for each in sorted(rates.labels, key=lambda each: -(each.rate or 0))
    ]
    columns = ["", f"last {rates.days:g} days", "before", "when measured", "mean score"]
    console.print(table(f"Emotions of {rates.texts:,} texts by {rates.version}", columns, rows))
    _print_drift(console, f"the {rates.days:g} days before ({rates.texts_before:,} texts)", rates.from_before)
    _print_drift(console, "the texts that the model was measured on", rates.from_measured)


def _print_drift(console: Console, since: str, drift: "Drift") -> None:
    from lifecycle.drift import CHANGED, CHANGED_MUCH

    if drift.index is None or drift.by_chance is None:
        console.print(f"Drift from {since}: unknown, there are no predictions to compare.", highlight=False)
        return
    said = "large" if drift.index > CHANGED_MUCH else "some" if drift.index > CHANGED else "little"
    if drift.index <= 2 * drift.by_chance:
        said = "no more than chance makes"
    console.print(
        f"Drift from {since}: {drift.index:.3f}, {said} (by chance about {drift.by_chance:.3f}).", highlight=False
    )


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.1f} %"


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}"
