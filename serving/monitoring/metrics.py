"""What the service counts and times, in a registry of its own, for Prometheus to fetch.

A series is made for versions that this server holds, for addresses by their templates and for errors by their names: as
many as there are of those, whatever clients send. Those of a version that is held no more are dropped.
"""

import threading
from collections.abc import Callable, Collection

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from serving.inference.scheduler import BatchDone
from serving.inference.waiting import TokenModel

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SHORT_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)
_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_TOKENS = (16, 64, 256, 1_024, 4_096, 16_384, 65_536)
_LOADING_SECONDS = (0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each one, of which nobody asks when it began

Names = Callable[[TokenModel], tuple[str, str]]
"""The version that a model belongs to, and which part of it the model is."""


class Metrics:
    """The service's counters and histograms; any number of threads.

    Args:
        names: of what was computed; must be quick.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._registry = registry = CollectorRegistry()
        by_part = ("version", "part")
        by_address = ("method", "path", "version")
        self._requests = Counter("autosort_requests", "Requests answered.", (*by_address, "status"), registry=registry)
        self._request_seconds = _histogram(
            "autosort_request_seconds",
            "From a request's first byte to its answer's last.",
            by_address,
            _SECONDS,
            registry,
        )
        self._errors = Counter(
            "autosort_errors", "Requests refused or failed.", ("error", "version"), registry=registry
        )
        self._batch_texts = _histogram("autosort_batch_texts", "Texts of a forward pass.", by_part, _TEXTS, registry)
        self._batch_tokens = _histogram("autosort_batch_tokens", "Tokens of a pass.", by_part, _TOKENS, registry)
        self._queue_seconds = _histogram(
            "autosort_queue_seconds", "How long the first text of a pass waited.", by_part, _SECONDS, registry
        )
        self._inference_seconds = _histogram(
            "autosort_inference_seconds", "A forward pass.", by_part, _SECONDS, registry
        )
        self._failed_texts = Counter("autosort_failed_texts", "Texts a model failed on.", by_part, registry=registry)
        self._tokenize_seconds = _histogram(
            "autosort_tokenize_seconds", "Cutting a request's texts into tokens.", by_part, _SHORT_SECONDS, registry
        )
        self._load_seconds = _histogram(
            "autosort_model_load_seconds",
            "Verifying, loading and trying a model.",
            ("outcome",),
            _LOADING_SECONDS,
            registry,
        )
        ProcessCollector(registry=registry)
        self._by_version: tuple[MetricWrapperBase, ...] = (
            self._requests,
            self._request_seconds,
            self._errors,
            self._batch_texts,
            self._batch_tokens,
            self._queue_seconds,
            self._inference_seconds,
            self._failed_texts,
            self._tokenize_seconds,
        )
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        # Looking a series up by its labels takes longer than counting.
        self._series: dict[tuple[str, str, str, int], tuple[Counter, Histogram]] = {}
        self._gone: set[str] = set()

    def add(self, collector: Collector) -> None:
        """Have what is read at the moment of fetching told as well."""
        self._registry.register(collector)

    def request(self, method: str, path: str, version: str, *, status: int, seconds: float, error: str | None) -> None:
        """A request was answered; by no version, the version is empty."""
        series = self._series.get((method, path, version, status))
        if series is None:
            self._seen.add(version)
            of = (method, path, version)
            series = self._requests.labels(*of, str(status)), self._request_seconds.labels(*of)
            self._series[method, path, version, status] = series
        series[0].inc()
        series[1].observe(seconds)
        if error is not None:
            self._errors.labels(error, version).inc()

    def batch(self, done: BatchDone) -> None:
        """A forward pass has ended."""
        of = self._names(done.model)
        self._seen.add(of[0])
        self._batch_texts.labels(*of).observe(done.texts)
        self._batch_tokens.labels(*of).observe(done.tokens)
        self._queue_seconds.labels(*of).observe(done.waited_seconds)
        self._inference_seconds.labels(*of).observe(done.seconds)
        if done.failed:
            self._failed_texts.labels(*of).inc(done.failed)

    def tokenized(self, model: TokenModel, seconds: float) -> None:
        """Texts were cut into tokens for a model."""
        of = self._names(model)
        self._seen.add(of[0])
        self._tokenize_seconds.labels(*of).observe(seconds)

    def loaded(self, seconds: float, *, failed: bool) -> None:
        """A model was loaded, or could not be."""
        self._load_seconds.labels("failed" if failed else "loaded").observe(seconds)

    def exposition(self, held: Collection[str]) -> bytes:
        """Everything in Prometheus' text format; what a version left that is held no more is told once more."""
        with self._lock:
            self._drop(self._gone - set(held))
            told = generate_latest(self._registry)
            self._gone = self._seen - {"", *held}
        return told

    def _drop(self, versions: Collection[str]) -> None:
        for metric in self._by_version:
            for version in versions:
                metric.remove_by_labels({"version": version})
        self._seen -= set(versions)
        if versions:
            self._series.clear()


def _histogram(
    name: str, told: str, labels: tuple[str, ...], buckets: tuple[float, ...], registry: CollectorRegistry
) -> Histogram:
    return Histogram(name, told, labels, buckets=buckets, registry=registry)
