"""A song that a model cannot embed is set aside; a model that embeds nothing is told from it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from lifecycle.progress import Silent
from lifecycle.reconcile.operation import reconcile
from lifecycle.reconcile.poison import embed_halves
from lifecycle.workspace import Workspace
from registry.errors import EncoderBroken
from registry.vectors.vector_set import list_quarantine
from serving.inference.encoder import Encoder
from tests.lifecycle.reconcile.helpers import (
    AddVersion,
    Blown,
    Broken,
    Failing,
    Overflowing,
    add,
    count,
    song,
    stored,
)

Use = Callable[[Encoder], None]


def reasons(workspace: Workspace) -> dict[str, str]:
    with workspace.database.transaction() as connection:
        return {row["song_id"]: row["reason"] for row in list_quarantine(connection)}


@pytest.mark.parametrize(
    ("kind", "reason"), [(Failing, "RuntimeError: a kernel gave up"), (Overflowing, "no finite vector")]
)
def test_a_song_that_cannot_be_embedded_is_set_aside_and_comes_back_once_mended(
    served: Workspace, encoder: Encoder, use: Use, kind: type[Failing], reason: str, tmp_path: Path
) -> None:
    add(served, tmp_path, song(50), song(51, description="poison"), song(52))
    use(kind(encoder, "poison"))
    done = reconcile(served, "v1", Silent())
    assert (done.embedded, done.quarantined) == (2, 1)
    assert done.coverage is not None
    assert done.coverage.complete
    assert done.coverage.quarantined == 1
    assert reasons(served).keys() == {"s51"}
    assert reason in reasons(served)["s51"]
    assert set(stored(served, "s50", "s51", "s52")) == {"s50", "s52"}

    assert not reconcile(served, "v1", Silent()).did_anything

    add(served, tmp_path, song(51, description="wholesome"))
    done = reconcile(served, "v1", Silent())
    assert done.embedded == 1
    assert done.coverage is not None
    assert done.coverage.quarantined == 0
    assert reasons(served) == {}
    assert stored(served, "s51").keys() == {"s51"}


def test_a_song_that_cannot_be_cut_into_tokens_is_set_aside(
    served: Workspace, encoder: Encoder, use: Use, tmp_path: Path
) -> None:
    class Choking(Encoder):
        def tokenize(self, texts: Sequence[str], prompt: str = "") -> list[list[int]]:
            if any("poison" in text for text in texts):
                raise ValueError("no such character")
            return super().tokenize(texts, prompt)

    add(served, tmp_path, song(50), song(51, description="poison"))
    use(Choking(encoder._model, encoder.spec))
    done = reconcile(served, "v1", Silent())
    assert (done.embedded, done.quarantined) == (1, 1)
    assert reasons(served) == {"s51": "ValueError: no such character"}


@pytest.mark.parametrize("kind", [Broken, Blown])
def test_a_model_that_embeds_nothing_is_told_and_no_song_is_set_aside_for_it(
    served: Workspace, encoder: Encoder, add_version: AddVersion, use: Use, kind: type[Broken]
) -> None:
    name = add_version()
    use(kind(encoder))
    with pytest.raises(EncoderBroken) as broken:
        reconcile(served, name, Silent())
    assert broken.value.remedy
    assert count(served, "quarantine") == 0
    assert count(served, "embedding_workers") == 0

    use(encoder)
    assert reconcile(served, name, Silent()).embedded == 12


def test_a_tokenizer_that_fails_at_everything_is_told_and_no_song_is_set_aside_for_it(
    served: Workspace, encoder: Encoder, add_version: AddVersion, use: Use
) -> None:
    class Dumb(Encoder):
        def tokenize(self, texts: Sequence[str], prompt: str = "") -> list[list[int]]:  # noqa: ARG002
            raise RuntimeError("no vocabulary")

    use(Dumb(encoder._model, encoder.spec))
    with pytest.raises(EncoderBroken):
        reconcile(served, add_version(), Silent())
    assert count(served, "quarantine") == 0


@pytest.mark.parametrize("bad", [(), (0,), (6,), (1, 2, 5), (0, 1, 2, 3, 4, 5, 6)])
def test_halving_finds_the_texts_at_fault_and_embeds_all_others(encoder: Encoder, bad: tuple[int, ...]) -> None:
    texts = [f"poison {row}" if row in bad else f"rain {row}" for row in range(7)]
    failing = Failing(encoder, "poison")
    vectors, found = embed_halves(failing, failing.tokenize(texts), RuntimeError("at first"))
    assert found == dict.fromkeys(bad, "RuntimeError: a kernel gave up")
    good = [row for row in range(7) if row not in bad]
    assert vectors.shape == (7, 384)
    if good:
        np.testing.assert_allclose(vectors[good], encoder.songs([texts[row] for row in good]), atol=1e-5)


def test_a_long_reason_is_cut(served: Workspace, encoder: Encoder, use: Use, tmp_path: Path) -> None:
    class Verbose(Failing):
        def forward(self, tokens: Sequence[Sequence[int]]) -> np.ndarray:
            if any(self.word in each for each in tokens):
                raise RuntimeError("x" * 10_000)
            return super().forward(tokens)

    add(served, tmp_path, song(51, description="poison"))
    use(Verbose(encoder, "poison"))
    reconcile(served, "v1", Silent())
    assert len(reasons(served)["s51"]) == 500
