"""What songs make one feel is told beside their vectors, for the versions that match by it and for no others."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from lifecycle.matching import answering_of
from lifecycle.progress import Silent
from lifecycle.reconcile import emotions
from lifecycle.reconcile.operation import reconcile
from lifecycle.retiring import retire
from lifecycle.workspace import Workspace
from registry import catalogue, versions
from registry.database import Connection
from registry.emotion_scores import EmotionScores
from registry.errors import EncoderBroken
from registry.records import Song, SongId
from registry.texts import render_feeling
from registry.vectors.records import Matrix
from registry.versions import EMOTION, EmotionScale, EmotionsSpec, ModelSpec, Scale
from serving.inference.emotions import EmotionModel, Felt
from serving.matching import matcher
from serving.matching.matcher import Answering
from tests.lifecycle.reconcile.conftest import SONGS
from tests.lifecycle.reconcile.helpers import AddVersion, add, count, song

EVERY = [f"s{number}" for number in range(SONGS)]


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emotions, "_PAGE", 5)


def feeling(workspace: Workspace, recipe: str = "feeling") -> str:
    """A version like v1 that matches by emotions too; nothing is embedded for it yet."""
    with workspace.database.transaction() as connection:
        spec = versions.get(connection, "v1").spec
        assert spec.emotions is not None
        scales = tuple(EmotionScale(label=each, mean=-4, spread=1.5) for each in spec.emotions.labels)
        signals = {**spec.matching.signals, EMOTION: Scale(mean=0, spread=0.3)}
        matching = spec.matching.model_copy(update={"signals": signals, "emotions": scales})
        told = spec.model_copy(update={"matching": matching})
        return versions.register(connection, told, recipe=recipe, actor="tester").version


def spec_of(workspace: Workspace, version: str) -> ModelSpec:
    with workspace.database.transaction() as connection:
        return versions.get(connection, version).spec


def kept(workspace: Workspace, version: str, *song_ids: str) -> dict[str, Matrix]:
    scores = EmotionScores.of(spec_of(workspace, version))
    assert scores is not None
    with workspace.database.transaction() as connection:
        return scores.read(connection, song_ids)


def expected(workspace: Workspace, *song_ids: str) -> dict[str, Matrix]:
    model = spec_of(workspace, "v1").emotions
    assert model is not None
    with workspace.database.transaction() as connection:
        songs = catalogue.songs_by_id(connection, [SongId(each) for each in song_ids])
    loaded = workspace.load_emotions(model)
    return {each: loaded.read([render_feeling(songs[SongId(each)], model.text_template)]).scores[0] for each in songs}


class Failing(EmotionModel):
    """The real model, but a word makes it fail, alone or among others."""

    word = "poison"

    def read(self, texts: Sequence[str]) -> Felt:
        if any(self.word in each for each in texts):
            raise RuntimeError("a kernel gave up")
        return super().read(texts)


class Broken(EmotionModel):
    """A model that fails whatever it is given."""

    def read(self, texts: Sequence[str]) -> Felt:  # noqa: ARG002
        raise RuntimeError("out of memory")


def use(monkeypatch: pytest.MonkeyPatch, kind: type[EmotionModel]) -> None:
    def load(workspace: Workspace, spec: EmotionsSpec) -> EmotionModel:
        return kind.load(workspace.artifacts, spec, device="cpu")

    monkeypatch.setattr(Workspace, "load_emotions", load)


def test_versions_that_do_not_match_by_emotions_ask_for_none(served: Workspace, add_version: AddVersion) -> None:
    assert reconcile(served, add_version(), Silent()).felt == 0
    assert count(served, "emotion_scores") == 0


def test_what_is_kept_is_what_the_model_says(served: Workspace) -> None:
    name = feeling(served)
    assert reconcile(served, name, Silent()).felt == SONGS
    found, wanted = kept(served, name, *EVERY), expected(served, *EVERY)
    assert found.keys() == wanted.keys()
    for each, scores in wanted.items():
        np.testing.assert_allclose(found[each], scores, atol=1e-5)
    assert not reconcile(served, name, Silent()).did_anything


def test_only_what_is_new_or_changed_is_told_again(served: Workspace, tmp_path: Path) -> None:
    name = feeling(served)
    reconcile(served, name, Silent())
    before = kept(served, name, *EVERY)
    changed = [song(1, description="I cry myself to sleep, I miss you."), song(2, popularity=50), song(99)]
    add(served, tmp_path, *changed, {"kind": "removal", "song_id": "s5"})
    assert reconcile(served, name, Silent()).felt == 2
    after = kept(served, name, *EVERY, "s99")
    assert after.keys() == {*EVERY, "s99"} - {"s5"}
    assert not np.allclose(after["s1"], before["s1"], atol=0.05)
    np.testing.assert_array_equal(after["s2"], before["s2"])


def test_versions_with_the_same_emotion_model_share_them(served: Workspace) -> None:
    first, second = feeling(served), feeling(served, "again")
    assert reconcile(served, first, Silent()).felt == SONGS
    assert reconcile(served, second, Silent()).felt == 0
    retire(served, first)
    assert kept(served, second, *EVERY).keys() == set(EVERY)
    retire(served, second)
    assert count(served, "emotion_scores") == 0


def test_a_run_that_was_stopped_goes_on_where_it_was(served: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    name, pages = feeling(served), iter([None])

    class Stopped(EmotionModel):
        def read(self, texts: Sequence[str]) -> Felt:
            if next(pages, "none left"):
                raise KeyboardInterrupt
            return super().read(texts)

    use(monkeypatch, Stopped)
    with pytest.raises(KeyboardInterrupt):
        reconcile(served, name, Silent())
    assert count(served, "emotion_scores") == 5
    use(monkeypatch, EmotionModel)
    assert reconcile(served, name, Silent()).felt == SONGS - 5
    assert kept(served, name, *EVERY).keys() == set(EVERY)


def test_a_song_that_the_model_cannot_read_stops_no_other_and_is_not_tried_again(
    served: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = feeling(served)
    add(served, tmp_path, song(3, description="poison"))
    use(monkeypatch, Failing)
    assert reconcile(served, name, Silent()).felt == SONGS
    unknown = {each for each, scores in kept(served, name, *EVERY).items() if np.isnan(scores).all()}
    assert unknown == {"s3"}
    assert not reconcile(served, name, Silent()).did_anything


def test_a_model_that_reads_nothing_is_told_and_no_song_is_passed_over(
    served: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = feeling(served)
    use(monkeypatch, Broken)
    with pytest.raises(EncoderBroken, match="reads nothing at all: RuntimeError: out of memory"):
        reconcile(served, name, Silent())
    assert count(served, "emotion_scores") == 0


def test_songs_on_record_and_the_same_songs_told_match_alike(served: Workspace) -> None:
    name = feeling(served)
    reconcile(served, name, Silent())
    with served.database.transaction() as connection:
        answering = answering_of(served, connection, versions.get(connection, name), 1)
        known = catalogue.songs_by_id(connection, [SongId("s4")])[SongId("s4")]
        told = known.model_copy(update={"song_id": "nobody's"})
        here, elsewhere = (_shares(connection, answering, each) for each in (known, told))
    assert here.keys() == {"p0", "p1", "p2"}
    assert len(set(here.values())) == 3
    assert elsewhere == pytest.approx(here, abs=1e-3)


def _shares(connection: Connection, answering: Answering, song: Song) -> dict[str, float]:
    """What emotions add to each playlist's score."""
    recorded = matcher.look_up(connection, answering, [song])
    (found,) = matcher.match(answering, [song], recorded, top_k=3)
    return {each["playlist_id"]: each["signals"][EMOTION] for each in found["matches"]}
