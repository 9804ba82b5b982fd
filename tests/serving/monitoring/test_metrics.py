"""What is counted, under which names, and for how long."""

from dataclasses import dataclass
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from serving.inference.scheduler import BatchDone
from serving.inference.waiting import Matrix
from serving.monitoring.metrics import Metrics


@dataclass(eq=False)
class Model:
    """A model of a version, which is never asked."""

    version: str
    batch_tokens: int = 1_024

    def forward(self, _tokens: Any) -> Matrix:
        raise NotImplementedError


def made() -> Metrics:
    return Metrics(lambda model: (model.version, "embedder"))  # type: ignore[attr-defined]


class Samples(dict[frozenset[str], float]):
    """Each sample's value by its name and its labels' values, in any order."""

    def of(self, *names: str) -> float:
        return self[frozenset(names)]

    def tell_of(self, name: str) -> bool:
        return any(name in names for names in self)


def samples(metrics: Metrics, *held: str) -> Samples:
    families = text_string_to_metric_families(metrics.exposition(held).decode())
    return Samples(
        {frozenset((each.name, *each.labels.values())): each.value for family in families for each in family.samples}
    )


def answer(metrics: Metrics, version: str = "v1", status: int = 200, error: str | None = None) -> None:
    metrics.request("POST", "/embed", version, status=status, seconds=0.02, error=error)


def test_requests_are_counted_by_address_status_and_version() -> None:
    metrics = made()
    answer(metrics)
    answer(metrics)
    answer(metrics, "v2", 429, "Overloaded")
    told = samples(metrics, "v1", "v2")
    assert told.of("autosort_requests_total", "POST", "/embed", "v1", "200") == 2
    assert told.of("autosort_requests_total", "POST", "/embed", "v2", "429") == 1
    assert told.of("autosort_errors_total", "Overloaded", "v2") == 1
    assert told.of("autosort_request_seconds_bucket", "POST", "/embed", "v1", "0.025") == 2
    assert told.of("autosort_request_seconds_bucket", "POST", "/embed", "v1", "0.01") == 0


def test_forward_passes_are_told_by_the_models_version() -> None:
    metrics, model = made(), Model("v2")
    metrics.batch(BatchDone(model, texts=8, tokens=300, waited_seconds=0.004, seconds=0.03, failed=1))
    metrics.tokenized(model, 0.0003)
    told = samples(metrics, "v2")
    of = ("v2", "embedder")
    assert told.of("autosort_batch_texts_sum", *of) == 8
    assert told.of("autosort_batch_tokens_sum", *of) == 300
    assert told.of("autosort_queue_seconds_sum", *of) == 0.004
    assert told.of("autosort_inference_seconds_sum", *of) == 0.03
    assert told.of("autosort_failed_texts_total", *of) == 1
    assert told.of("autosort_tokenize_seconds_count", *of) == 1


def test_what_a_version_left_is_told_once_more_and_then_dropped() -> None:
    metrics = made()
    answer(metrics, "v1")
    metrics.batch(BatchDone(Model("v1"), 1, 5, 0.0, 0.01))
    answer(metrics, "v2")
    answer(metrics, "")
    assert samples(metrics, "v2").tell_of("v1")
    later = samples(metrics, "v2")
    assert not later.tell_of("v1")
    assert later.of("autosort_requests_total", "POST", "/embed", "", "200") == 1
    assert later.of("autosort_requests_total", "POST", "/embed", "v2", "200") == 1
    answer(metrics, "v1")
    assert samples(metrics, "v1", "v2").of("autosort_requests_total", "POST", "/embed", "v1", "200") == 1
    assert samples(metrics, "v1", "v2").of("autosort_requests_total", "POST", "/embed", "v1", "200") == 1


def test_loading_is_timed_by_how_it_ended() -> None:
    metrics = made()
    metrics.loaded(0.8, failed=False)
    metrics.loaded(0.1, failed=True)
    told = samples(metrics)
    assert told.of("autosort_model_load_seconds_count", "loaded") == 1
    assert told.of("autosort_model_load_seconds_count", "failed") == 1
