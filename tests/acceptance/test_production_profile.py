"""The production profile, from import to match, with a model of e5's own architecture and tokenizer, shrunken."""

from pathlib import Path

from safetensors.numpy import load_file

from benchmarks.e5_shape import SHRUNKEN
from registry.settings import RegistrySettings
from tests.support.command_line import PROMOTE_V2, CommandLine
from tests.support.trainings import RETRAIN

INSTRUCTION = "Instruct: Given a playlist, retrieve songs that belong in it\nQuery: "


def test_the_production_profile_trains_registers_and_serves(
    autosort: CommandLine, settings: RegistrySettings, small_library: Path, shrunken_e5: Path
) -> None:
    autosort.environment["AUTOSORT_BASE_FOLDER"] = str(shrunken_e5)
    autosort.run("import", str(small_library))
    done = autosort.run(*RETRAIN, "--profile", "e5-large", "--set", "signals=[acoustic,text,nearest,emotion]").document
    assert (done["version"], done["stage"]) == ("v2", "ready")
    base, tuned = autosort.run("status").document["versions"]
    assert base["base_model"] == tuned["base_model"] == "intfloat/multilingual-e5-large-instruct"
    assert tuned["dimensions"] == SHRUNKEN["hidden_size"]

    before, after = (
        load_file(settings.artifacts_folder / each["artifact"] / "model.safetensors") for each in (base, tuned)
    )
    (words,) = (name for name in after if "word_embeddings" in name)
    (query,) = (name for name in after if "layer.0.attention.self.query.weight" in name)
    assert (before[words] == after[words]).all(), "the word embeddings are frozen"
    assert (before[query] != after[query]).any()

    document = autosort.run("report", "v2", "--out", str(settings.home / "report.html")).document
    assert document["specification"]["embedder"]["playlist_prompt"] == INSTRUCTION
    assert document["specification"]["embedder"]["song_prompt"] == ""
    assert document["training"]["configuration"]["scale"] == 50
    assert set(document["specification"]["matching"]["signals"]) == {"text", "nearest", "acoustic", "emotion"}
    assert autosort.run(*PROMOTE_V2).document["live"] == "v2"
    matched = autosort.run("match", "song-00001").document
    assert matched["model_version"] == "v2"
    (result,) = matched["results"]
    shares = [set(each["signals"]) for each in result["matches"]]
    assert all(each <= {"text", "nearest", "acoustic", "emotion", "by_text"} for each in shares)
    assert any("emotion" in each for each in shares)
