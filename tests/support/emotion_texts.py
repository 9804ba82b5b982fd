"""Made-up texts labelled with emotions, in files of GoEmotions' form."""

from pathlib import Path

PHRASES = {
    "gratitude": "thank you so much for {}",
    "anger": "I am furious about {}",
    "fear": "{} frightens me to death",
}
_THINGS = ("the harbour", "this song", "the long winter", "your letter", "the bus at six", "that window", "the choir")


def write_emotion_texts(folder: Path, repeats: int = 12) -> Path:
    """Texts in which a phrase tells the label: 21 times so many to train on, 42 to measure on."""
    folder.mkdir(exist_ok=True)
    (folder / "labels.txt").write_text("\n".join(PHRASES))
    for name, times in (("train", repeats), ("dev", 2)):
        rows = [
            f"{phrase.format(thing)} {'again ' * number}\t{label}\t{name}{label}{thing}{number}"
            for number in range(times)
            for thing in _THINGS
            for label, phrase in enumerate(PHRASES.values())
        ]
        (folder / f"{name}.tsv").write_text("\n".join(rows))
    return folder
