"""The commands about emotions, as users type them."""

import json
from pathlib import Path

from safetensors.numpy import load_file

from tests.support.command_line import CommandLine
from tests.support.emotion_texts import PHRASES, write_emotion_texts


def test_an_emotion_model_is_trained_by_a_command(autosort: CommandLine, tmp_path: Path) -> None:
    data = write_emotion_texts(tmp_path / "data", repeats=3)
    done = autosort.run("train-emotions", str(data), "--out", str(tmp_path / "made"), "--epochs", "1").document
    assert done["f1"].keys() == done["thresholds"].keys() == PHRASES.keys()
    facts = json.loads((tmp_path / "made" / "emotions.json").read_text())
    assert (facts["macro_f1"], facts["labels"]) == (done["macro_f1"], list(PHRASES))
    assert load_file(tmp_path / "made" / "adapter.safetensors")["classifier.weight"].shape == (3, 384)


def test_nothing_live_predicts_no_emotions(autosort: CommandLine) -> None:
    assert autosort.run("emotions", code=1).document["error"] == "Refused"
