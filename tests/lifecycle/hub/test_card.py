"""A published card: valid for the Hub, whole, and without a name of anything users made."""

import re
from typing import Any

import pytest
from huggingface_hub import ModelCard

from lifecycle.hub.card import cell, render_card
from lifecycle.report.labels import METRICS
from tests.support.report_document import full_document
from tests.support.trained_versions import evaluation
from training.configuration import profile

REPO = "ada/playlists"


@pytest.fixture
def document() -> dict[str, Any]:
    """Of v2, beside its base version; golden cases, confusions and silent titles name songs and playlists."""
    made = full_document()
    made["evaluation"] |= {name: evaluation("v2")[name] for name in ("audit", "genres")}
    return made


def card_of(document: dict[str, Any]) -> str:
    return render_card(document, REPO)


def section(card: str, title: str) -> str:
    return re.split(r"^#+ ", card.split(f"# {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def test_the_front_matter_is_the_hubs(document: dict[str, Any]) -> None:
    data: dict[str, Any] = ModelCard(card_of(document)).data.to_dict()  # type: ignore[no-untyped-call]

    assert data["base_model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert (data["library_name"], data["pipeline_tag"]) == ("sentence-transformers", "sentence-similarity")
    assert "autosort" in data["tags"]
    results = {each["dataset"]["config"]: each for each in data["model-index"][0]["results"]}
    regimes = document["evaluation"]["regimes"]
    assert results.keys() == regimes.keys()
    for name, regime in regimes.items():
        values = {each["type"]: each["value"] for each in results[name]["metrics"]}
        assert values == {metric: regime[metric] for metric in METRICS}
        assert results[name]["dataset"]["args"] == {"queries": regime["n"], "playlists": regime["candidates"]}
        assert results[name]["dataset"]["revision"] == document["dataset"]["fingerprint"]


def test_a_base_model_of_the_hub_keeps_its_name(document: dict[str, Any]) -> None:
    document["specification"]["embedder"]["base_model"] = "intfloat/multilingual-e5-large-instruct"
    assert "base_model: intfloat/multilingual-e5-large-instruct\n" in card_of(document)


def test_each_regime_has_its_figures_intervals_and_those_of_the_base(document: dict[str, Any]) -> None:
    found = section(card_of(document), "Unseen songs")
    regime = document["evaluation"]["regimes"]["unseen_song"]
    base = document["base"]["evaluation"]["regimes"]["unseen_song"]
    low, high = regime["intervals"]["top5"]
    assert f"{regime['n']} songs, {regime['candidates']} playlists" in found
    assert f"| Top-5 | {regime['top5']:.3f} | {low:.3f} to {high:.3f} | {base['top5']:.3f} |" in found
    change = document["base"]["comparison"]["regimes"]["unseen_song"]["top5"]
    assert f"Against v1, its base model: Top-5 {change['difference']:+.3f}" in found
    assert f"| the embedding alone | {regime['embedding']['top5']:.3f} |" in found
    assert f"| popularity | {regime['baselines']['popularity']['top5']:.3f} |" in found


def test_a_live_version_that_is_not_the_base_has_a_column_of_its_own(document: dict[str, Any]) -> None:
    document["against"] = {**document["base"], "version": "v5"}
    assert "| metric | v2 | 95 % interval | v1, its base model | v5 |" in card_of(document)


def test_without_other_versions_there_is_no_comparison(document: dict[str, Any]) -> None:
    document["against"], document["base"] = None, {"version": "v1", "evaluation": None, "comparison": None}
    card = card_of(document)
    assert "| metric | v2 | 95 % interval |\n" in card
    assert "Against v1" not in card
    assert "of the base model" not in section(card, "General similarity")


def test_too_few_queries_are_called_insufficient(document: dict[str, Any]) -> None:
    document["evaluation"]["regimes"]["later"]["n"] = 29
    document["evaluation"]["regimes"]["both_unseen"]["n"] = 30
    card = card_of(document)
    assert "Insufficient" in section(card, "Later songs")
    assert "Insufficient" not in section(card, "Both unseen")
    assert "Too few songs to tell anything: Later songs." in section(card, "Limits")
    assert "| jazz | 31 | 0.512 (0.400 to 0.600) | 0.412 (0.300 to 0.500) |" in section(card, "By genre")
    assert "| folk | 3 | insufficient | insufficient |" in section(card, "By genre")


def test_golden_cases_are_counted(document: dict[str, Any]) -> None:
    card = section(card_of(document), "Golden cases")
    passed = [each["passed"] for each in document["golden"]]
    before = [each["passed"] for each in document["golden"] if each["before"]]
    assert f"{sum(passed)} of {len(passed)} songs" in card
    assert f"Of {len(before)} that passed with the version before, {sum(before)} still do." in card

    document["golden"] = []
    assert "Golden cases" not in card_of(document)


def test_what_was_forgotten_and_where_the_weights_lie(document: dict[str, Any]) -> None:
    card = card_of(document)
    assert "0.802; of the base model 0.824 (\N{MINUS SIGN}0.022)" in section(card, "General similarity")
    record = document["training"]["record"]
    assert f"the weights lie at {record['chosen_coefficient']} of the way" in card
    for point in record["interpolation"]:
        assert f"| {point['mean']:.3f} | {point['general_similarity']:.3f} |" in card


def test_the_data_is_counted_and_audited(document: dict[str, Any]) -> None:
    card = section(card_of(document), "Data")
    described = document["dataset"]
    assert described["fingerprint"] in card
    assert f"{described['songs']} songs" in card
    for source, count in described["sources"].items():
        assert f"{count} {source}" in card
    training = described["audit"]["splits"]["train"]
    assert f"| {training['pairs']} | {training['songs']} | {training['playlists']} |" in card
    for name in described["audit"]["overlaps"]:
        assert f"| {name.replace('_', ' ')} | 0 |" in card
    assert f"not trained on: {len(document['training']['record']['silent_titles'])}." in card


def test_a_dataset_on_another_machine_is_told_by_what_the_audit_kept(document: dict[str, Any]) -> None:
    document["dataset"] = {"fingerprint": "f" * 64, "missing": "not here"}
    assert f"Dataset `{'f' * 64}`. It is not published." in card_of(document)


def test_it_holds_every_value_of_the_configuration(document: dict[str, Any]) -> None:
    configuration = profile("bundled", seed=41, coefficients=(0.5, 1.0)).model_dump(mode="json")
    document["training"]["configuration"] = configuration
    card = section(card_of(document), "Recipe")
    for name in configuration:
        assert f"| {name} | " in card
    assert "| seed | 41 |" in card
    assert "| coefficients | 0.5, 1 |" in card


def test_it_names_no_song_and_no_playlist(document: dict[str, Any]) -> None:
    card = card_of(document)
    names = {each["name"] for each in document["training"]["record"]["silent_titles"]}
    for case in document["golden"]:
        names |= {case["song"], *(each["playlist"] for each in (*case["must"], *case["must_not"]))}
    for each in document["evaluation"]["confusions"]:
        names |= {each["belongs"], each["answered"], *each["songs"]}
    assert len(names) > 20
    assert not [name for name in names if name in card]


def test_an_instruction_is_given_as_code_that_can_be_run(document: dict[str, Any]) -> None:
    document["specification"]["embedder"]["playlist_prompt"] = "Instruct: Given a playlist\nQuery: "
    card = card_of(document)
    code = card.split("```python\n")[1].split("```")[0]
    compile(code, "card", "exec")
    assert r"prompt='Instruct: Given a playlist\nQuery: '" in code
    assert f'SentenceTransformer("{REPO}", revision="v2")' in code
    assert "songs none" in card


def test_a_reranker_is_told_of_only_if_there_is_one(document: dict[str, Any]) -> None:
    assert "CrossEncoder" not in card_of(document)

    document["specification"]["reranker"] = {"artifact": "e" * 64, "base_model": "b", "max_length": 256}
    document["training"]["record"]["reranker"] = {"n": 40.0, "mrr_before": 0.5, "mrr_after": 0.625}
    card = card_of(document)
    assert "CrossEncoder(" in card
    assert "MRR of 40 development songs: 0.500 without it, 0.625 with it." in card


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a|b", r"a\|b"),
        ("r&b", "r&b"),
        ("<img src=x>", r"\<img src=x\>"),
        ("[x](y)", r"\[x\](y)"),
        ("one\n\n# two", "one # two"),
        ("`code`", r"\`code\`"),
        ("x" * 100, "x" * 79 + "…"),
    ],
)
def test_a_genre_cannot_be_markup(document: dict[str, Any], value: str, shown: str) -> None:
    assert cell(value) == shown
    document["evaluation"]["genres"] = {value: document["evaluation"]["genres"]["jazz"]}
    assert f"\n| {shown} | 31 |" in card_of(document)


def test_the_same_document_gives_the_same_card(document: dict[str, Any]) -> None:
    assert card_of(document) == card_of(document)
