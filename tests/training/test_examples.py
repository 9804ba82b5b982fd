"""What the model is shown, in every epoch, and what it is never shown."""

from collections import Counter
from dataclasses import replace

import pytest

from training.configuration import TrainingConfiguration
from training.dataset import PairDataset
from training.examples import ExampleSource, ExampleTexts, Prompts, known_holders
from training.splits import Split

PLAIN = TrainingConfiguration(profile="test", epochs=3, batch_size=8, learning_rate=1e-4)


def configured(**changes: object) -> TrainingConfiguration:
    return TrainingConfiguration.model_validate(PLAIN.model_dump() | changes)


def with_weight(dataset: PairDataset, weight: float) -> PairDataset:
    pairs = tuple(replace(pair, weight=weight) if pair.playlist_id == "gym" else pair for pair in dataset.pairs)
    return replace(dataset, pairs=pairs)


def test_a_plain_epoch_is_every_training_pair_and_nothing_else(themed: PairDataset) -> None:
    shown = ExampleSource(themed, PLAIN).epoch(0)
    train = themed.trained_on()
    assert Counter((each.playlist_id, each.song_id) for each in shown) == Counter(
        (pair.playlist_id, pair.song_id) for pair in train
    )
    assert all(each.sibling_id is None and each.negatives == () for each in shown)


def test_a_pair_takes_part_in_as_many_epochs_as_its_weight_says(themed: PairDataset) -> None:
    source = ExampleSource(with_weight(themed, 0.5), PLAIN)
    epochs = [Counter(each.playlist_id for each in source.epoch(number)) for number in range(200)]
    gym = len([pair for pair in themed.trained_on() if pair.playlist_id == "gym"])
    assert sum(epoch["gym"] for epoch in epochs) / (200 * gym) == pytest.approx(0.5, abs=0.06)
    assert all(epoch["rain"] == epochs[0]["rain"] for epoch in epochs)


def test_songs_that_signals_are_weighed_by_are_never_shown(themed: PairDataset) -> None:
    source = ExampleSource(themed, configured(siblings=0.5))
    shown = {name for number in range(5) for each in source.epoch(number) for name in (each.song_id, each.sibling_id)}
    assert themed.weighing
    assert not themed.weighing & shown


def test_a_pair_of_weight_zero_is_never_shown_but_still_known(themed: PairDataset) -> None:
    capped = with_weight(themed, 0.0)
    source = ExampleSource(capped, configured(siblings=1.0))
    assert not any("gym" in (each.playlist_id, each.sibling_id) for number in range(5) for each in source.epoch(number))
    song = next(pair.song_id for pair in capped.pairs if pair.playlist_id == "gym")
    assert "gym" in known_holders(capped)[song]


def test_a_sibling_is_another_song_of_the_same_playlist_and_not_a_near_duplicate(themed: PairDataset) -> None:
    source = ExampleSource(themed, configured(siblings=1.0))
    held = {(pair.playlist_id, pair.song_id) for pair in themed.select(Split.TRAIN)}
    shown = source.epoch(0)
    assert shown
    for each in shown:
        assert each.sibling_id is not None
        assert (each.playlist_id, each.sibling_id) in held
        assert themed.clusters[each.sibling_id] != themed.clusters[each.song_id]


def test_the_share_of_siblings_is_as_configured(themed: PairDataset) -> None:
    source = ExampleSource(themed, configured(siblings=0.3))
    shown = [each for number in range(40) for each in source.epoch(number)]
    assert sum(each.sibling_id is not None for each in shown) / len(shown) == pytest.approx(0.3, abs=0.04)


def test_a_playlist_whose_title_says_nothing_is_never_an_anchor(themed: PairDataset) -> None:
    source = ExampleSource(themed, PLAIN, silent=frozenset({"gym"}))
    shown = source.epoch(0)
    assert {each.playlist_id for each in shown} == set(themed.playlists)
    assert all((each.sibling_id is not None) == (each.playlist_id == "gym") for each in shown)


def test_hard_negatives_come_from_the_given_ones_first_and_are_never_known_positives(themed: PairDataset) -> None:
    gym = next(pair.song_id for pair in themed.select(Split.TRAIN) if pair.playlist_id == "gym")
    rain = next(pair.song_id for pair in themed.select(Split.TRAIN) if pair.playlist_id == "rain")
    source = ExampleSource(themed, configured(hard_negatives=1), negatives={"gym": [gym, rain]})
    holders = known_holders(themed)
    shown = source.epoch(0)
    assert {each.negatives for each in shown if each.playlist_id == "gym"} == {(rain,)}
    assert all(len(each.negatives) == 1 and each.playlist_id not in holders[each.negatives[0]] for each in shown)


def test_explicit_rejections_are_shown_although_nothing_is_mined(themed: PairDataset) -> None:
    rain = next(pair.song_id for pair in themed.select(Split.TRAIN) if pair.playlist_id == "rain")
    shown = ExampleSource(themed, PLAIN, negatives={"gym": [rain]}).epoch(0)
    assert {each.negatives for each in shown if each.playlist_id == "gym"} == {(rain,)}


def test_one_seed_shows_the_same_and_another_something_else(themed: PairDataset) -> None:
    some = configured(siblings=0.5)
    assert ExampleSource(themed, some).epoch(1) == ExampleSource(themed, some).epoch(1)
    assert ExampleSource(themed, some).epoch(1) != ExampleSource(themed, some).epoch(2)
    assert ExampleSource(themed, some).epoch(1) != ExampleSource(themed, configured(siblings=0.5, seed=1)).epoch(1)


# Texts --------------------------------------------------------------------------------------------------------------


def test_each_text_carries_the_prompt_of_what_it_is(themed: PairDataset) -> None:
    source = ExampleSource(themed, configured(siblings=0.5, hard_negatives=1))
    shown = source.epoch(0)
    columns = ExampleTexts(themed, Prompts("find: ", "song: "), PLAIN).columns(shown)
    assert list(columns) == ["anchor", "positive", "negative_1"]
    for example, anchor, positive, negative in zip(shown, *columns.values(), strict=True):
        if example.sibling_id is None:
            assert anchor == "find: " + themed.playlist_text(example.playlist_id)
        else:
            assert anchor == "song: " + themed.song_text(example.sibling_id)
        assert positive == "song: " + themed.song_text(example.song_id)
        assert negative == "song: " + themed.song_text(example.negatives[0])


def test_fields_are_left_out_as_often_as_configured_and_the_title_never(themed: PairDataset) -> None:
    texts = ExampleTexts(themed, Prompts(), configured(field_dropout=0.5))
    shown = ExampleSource(themed, PLAIN).epoch(0)
    positives = [text for _ in range(20) for text in texts.columns(shown)["positive"]]
    titles = [themed.songs[each.song_id].title for _ in range(20) for each in shown]
    assert all(text.startswith(title) for text, title in zip(positives, titles, strict=True))
    assert sum("by Band" in text for text in positives) / len(positives) == pytest.approx(0.5, abs=0.05)
    assert sum("A song of" in text for text in positives) / len(positives) == pytest.approx(0.5, abs=0.05)
