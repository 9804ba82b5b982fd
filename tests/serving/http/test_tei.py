"""What clients of text-embeddings-inference send and expect."""

from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from registry.settings import RegistrySettings
from tests.support.service import serving

TEXT = "Rain on the window"


@pytest.fixture(scope="module")
def client(own_registry: RegistrySettings) -> Iterator[httpx.Client]:
    with serving(own_registry) as http:
        yield http


def test_vectors_that_are_not_normalized_are_as_the_model_pools_them(client: httpx.Client) -> None:
    unit, pooled = (
        np.array(client.post("/embed", json={"inputs": TEXT, "normalize": normalize}).json()[0])
        for normalize in (True, False)
    )
    length = np.linalg.norm(pooled)
    assert abs(length - 1) > 0.01
    np.testing.assert_allclose(pooled / length, unit, atol=1e-5)


def test_a_text_that_is_too_long_is_cut_or_refused(client: httpx.Client) -> None:
    body: dict[str, Any] = {"inputs": [TEXT, "word " * 600]}
    assert client.post("/embed", json=body).status_code == 200
    refused = client.post("/embed", json={**body, "truncate": False})
    assert (refused.status_code, refused.json()["error"]) == (400, "BadInput")
    assert refused.json()["message"] == "Text 1 (counted from 0) has 602 tokens; the model reads 256."
    assert client.post("/embed", json={"inputs": TEXT, "truncate": False}).status_code == 200


def test_tokens_are_those_of_the_models_own_tokenizer(client: httpx.Client, reference: SentenceTransformer) -> None:
    tokens = client.post("/tokenize", json={"inputs": [TEXT, "a"]}).json()
    assert [[each["id"] for each in text] for text in tokens] == reference.tokenizer([TEXT, "a"])["input_ids"]
    assert [each["special"] for each in tokens[0]] == [True, False, False, False, False, True]
    assert tokens[0][0] == {"id": 101, "text": "[CLS]", "special": True, "start": None, "stop": None}
    assert [TEXT[each["start"] : each["stop"]] for each in tokens[0][1:-1]] == ["Rain", "on", "the", "window"]
    bare = client.post("/tokenize", json={"inputs": TEXT, "add_special_tokens": False}).json()
    assert bare == [tokens[0][1:-1]]


def test_it_says_which_model_answers(client: httpx.Client) -> None:
    info = client.get("/info").json()
    assert info["model_id"] == f"autosort/{client.get('/live').json()['model_version']}"
    assert (info["max_input_length"], info["model_dtype"], len(info["model_sha"])) == (256, "float32", 64)
    other = client.get("/info", headers={"X-Model-Version": "v2"}).json()
    assert other["model_id"] == "autosort/v2"
    assert other["model_sha"] != client.get("/info", headers={"X-Model-Version": "v1"}).json()["model_sha"]
