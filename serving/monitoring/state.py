"""How the service stands at the moment that its metrics are fetched."""

import time
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from serving.inference.scheduler import Scheduler
from serving.inference.served import ServedEncoder
from serving.parallel.comparison_log import ComparisonLog
from serving.versions.slot import VersionSlot
from serving.versions.traffic import Traffic


class ServiceState(Collector):
    """Reads queue, caches, versions and shadow; what a version had is told while that version is held."""

    def __init__(self, scheduler: Scheduler, slot: VersionSlot, traffic: Traffic, comparisons: ComparisonLog) -> None:
        self._scheduler = scheduler
        self._slot = slot
        self._traffic = traffic
        self._comparisons = comparisons

    def collect(self) -> Iterator[Metric]:
        """All that can be read now."""
        texts, tokens = self._scheduler.queue
        yield GaugeMetricFamily("autosort_queue_texts", "Texts that wait for a model.", texts)
        yield GaugeMetricFamily("autosort_queue_tokens", "Their tokens.", tokens)
        yield GaugeMetricFamily("autosort_requests_in_flight", "Requests on their way.", self._traffic.in_flight)
        age = time.monotonic() - self._scheduler.succeeded_at
        yield GaugeMetricFamily("autosort_last_forward_pass_age_seconds", "Since a model last did its work.", age)
        reachable = self._slot.database_reachable
        yield GaugeMetricFamily("autosort_database_reachable", "1 if the last look found it.", int(reachable))
        following = self._slot.problem is None
        yield GaugeMetricFamily("autosort_following", "1 if the live pointer could be followed.", int(following))
        yield from self._versions()
        yield from self._caches()
        yield from self._shadow()

    def _versions(self) -> Iterator[Metric]:
        live = self._slot.answering
        name, generation = (live.version.version, live.generation) if live else (None, 0)
        yield GaugeMetricFamily("autosort_generation", "Of the live pointer, as this server follows it.", generation)
        held = GaugeMetricFamily(
            "autosort_version_info",
            "A version that is held ready; live is whether it answers.",
            labels=("version", "live"),
        )
        for each in self._slot.held:
            held.add_metric((each.version.version, str(each.version.version == name).lower()), 1)
        yield held

    def _caches(self) -> Iterator[Metric]:
        hits = CounterMetricFamily("autosort_cache_hits", "Texts whose vector was known.", labels=("version",))
        misses = CounterMetricFamily("autosort_cache_misses", "Texts that had to be computed.", labels=("version",))
        for each in self._slot.held:
            encoder = each.encoder()
            if isinstance(encoder, ServedEncoder):
                hits.add_metric((each.version.version,), encoder.cache.hits)
                misses.add_metric((each.version.version,), encoder.cache.misses)
        yield from (hits, misses)

    def _shadow(self) -> Iterator[Metric]:
        counted = self._comparisons.counted
        for name, told, number in (
            ("seen", "Requests during a parallel run.", counted.seen),
            ("sampled", "Those chosen to be compared.", counted.sampled),
            ("dropped", "Those chosen and dropped.", counted.dropped),
        ):
            yield CounterMetricFamily(f"autosort_shadow_{name}", told, number)
