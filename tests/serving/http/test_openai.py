"""OpenAI's own client works against the service."""

from collections.abc import Iterator

import numpy as np
import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from registry.settings import RegistrySettings
from tests.support.service import serving

TEXTS = ["a slow song about a harbour at night", "loud guitars", "rain"]


@pytest.fixture(scope="module")
def client(own_registry: RegistrySettings) -> Iterator[OpenAI]:
    with serving(own_registry) as http:
        yield OpenAI(base_url=f"{http.base_url}/v1", api_key="none", max_retries=0)


def test_floats_and_bytes_are_the_same_vectors(client: OpenAI) -> None:
    floats = client.embeddings.create(model="live", input=TEXTS, encoding_format="float")
    coded = client.embeddings.create(model="live", input=TEXTS)  # the client asks for base64 by itself
    vectors = np.array([each.embedding for each in floats.data], np.float32)
    assert vectors.shape == (3, 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    np.testing.assert_array_equal(vectors, np.array([each.embedding for each in coded.data], np.float32))
    assert [each.index for each in floats.data] == [0, 1, 2]
    assert floats.usage.prompt_tokens == floats.usage.total_tokens > 10


def test_a_text_by_itself_is_embedded_as_among_others(client: OpenAI) -> None:
    alone = client.embeddings.create(model="live", input=TEXTS[1]).data[0].embedding
    among = client.embeddings.create(model="live", input=TEXTS).data[1].embedding
    np.testing.assert_allclose(alone, among, atol=1e-3)


def test_a_model_may_be_named_and_any_other_name_is_the_live_one(client: OpenAI) -> None:
    by_name = {name: client.embeddings.create(model=name, input="rain") for name in ("v1", "v2", "text-embedding-3")}
    live = next(each.id for each in client.models.list() if each.id == by_name["text-embedding-3"].model)
    assert (by_name["v1"].model, by_name["v2"].model) == ("v1", "v2")
    assert by_name["v1"].data[0].embedding != by_name["v2"].data[0].embedding
    assert by_name[live].data[0].embedding == by_name["text-embedding-3"].data[0].embedding
    raw = client.embeddings.with_raw_response.create(model="v2", input="rain")
    assert raw.headers["X-Model-Version"] == "v2"


def test_a_version_that_does_not_exist_is_not_found(client: OpenAI) -> None:
    with pytest.raises(NotFoundError):
        client.embeddings.create(model="v99", input="rain")


def test_dimensions_that_the_version_was_not_trained_for_are_refused(client: OpenAI) -> None:
    assert len(client.embeddings.create(model="live", input="rain", dimensions=384).data[0].embedding) == 384
    with pytest.raises(BadRequestError) as refused:
        client.embeddings.create(model="live", input="rain", dimensions=64)
    assert refused.value.response.json()["remedy"] == "It has: 384."


def test_the_models_are_the_versions_that_are_held(client: OpenAI) -> None:
    assert {each.id for each in client.models.list()} <= {"v1", "v2"}
    assert client.models.list().data
