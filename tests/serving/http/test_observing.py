"""Ids of requests, and what is counted of them: over HTTP, from a real server."""

from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from registry.settings import RegistrySettings
from serving.http.app import create_app
from serving.settings import ServingSettings
from tests.support.service import running

ORIGIN = "https://app.example"


@pytest.fixture(scope="module")
def client(own_registry: RegistrySettings) -> Iterator[httpx.Client]:
    settings = ServingSettings(device="cpu", precision="fp32", cors_origins=(ORIGIN,))
    with running(create_app(own_registry, settings)) as client:
        yield client


def counted(client: httpx.Client) -> dict[frozenset[str], float]:
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {frozenset((each.name, *each.labels.values())): each.value for family in families for each in family.samples}


@pytest.mark.parametrize("sane", ["abc", "4f1e-2.B_c", "a" * 128])
def test_a_clients_own_id_comes_back(client: httpx.Client, sane: str) -> None:
    for path in ("/live", "/nowhere"):
        assert client.get(path, headers={"X-Request-Id": sane}).headers.get_list("X-Request-Id") == [sane]


@pytest.mark.parametrize("other", ["", "a" * 129, "a b", "a\tb", "<script>", "a,b", "\u00e9"])
def test_one_that_a_log_should_not_hold_is_replaced(client: httpx.Client, other: str) -> None:
    response = client.get("/live", headers={b"X-Request-Id": other.encode()})
    (made,) = response.headers.get_list("X-Request-Id")
    assert len(made) == 32
    assert made != client.get("/live").headers["X-Request-Id"]


def test_requests_are_counted_by_template_status_and_version(client: httpx.Client) -> None:
    before = counted(client)
    client.post("/embed", json={"inputs": "counted"})
    client.post("/embed", json={"inputs": "counted"}, headers={"X-Model-Version": "v2"})
    client.post("/embed", json={"inputs": ["counted", 1]})
    for number in range(5):
        client.get(f"/nowhere/{number}")
    after = counted(client)
    grown = {names: value - before.get(names, 0) for names, value in after.items()}
    requests = "autosort_requests_total"
    assert grown[frozenset((requests, "POST", "/embed", "v1", "200"))] == 1
    assert grown[frozenset((requests, "POST", "/embed", "v2", "200"))] == 1
    assert grown[frozenset((requests, "POST", "/embed", "v1", "422"))] == 1
    assert grown[frozenset((requests, "(any)", "(unknown)", "v1", "404"))] == 5
    assert grown[frozenset(("autosort_errors_total", "InvalidRequest", "v1"))] == 1
    assert not any("/nowhere/1" in names for names in after)


def test_what_the_model_did_is_told_by_version(client: httpx.Client) -> None:
    before = counted(client)
    for _ in range(2):
        client.post("/embed", json={"inputs": ["told of", "twice"]}, headers={"X-Model-Version": "v2"})
    after = counted(client)
    grown = {names: value - before.get(names, 0) for names, value in after.items()}
    assert grown[frozenset(("autosort_batch_texts_sum", "v2", "embedder"))] == 2
    assert grown[frozenset(("autosort_inference_seconds_count", "v2", "embedder"))] >= 1
    assert grown[frozenset(("autosort_tokenize_seconds_count", "v2", "embedder"))] == 1
    assert grown[frozenset(("autosort_cache_hits_total", "v2"))] == 2
    assert grown[frozenset(("autosort_cache_misses_total", "v2"))] == 2
    assert after[frozenset(("autosort_version_info", "v1", "true"))] == 1
    assert after[frozenset(("autosort_generation",))] == 1
    assert after[frozenset(("autosort_queue_texts",))] == 0
    assert after[frozenset(("autosort_shadow_dropped_total",))] == 0


def test_pages_of_the_origins_that_are_named_may_ask_and_no_others(client: httpx.Client) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key,content-type"}
    allowed = client.options("/embed", headers={"Origin": ORIGIN, **asked})
    assert (allowed.status_code, allowed.headers["Access-Control-Allow-Origin"]) == (200, ORIGIN)
    answer = client.post("/embed", json={"inputs": "a"}, headers={"Origin": ORIGIN})
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "X-Model-Version" in answer.headers["Access-Control-Expose-Headers"]
    for other in ("https://evil.example", "null"):
        assert "Access-Control-Allow-Origin" not in client.options("/embed", headers={"Origin": other, **asked}).headers
