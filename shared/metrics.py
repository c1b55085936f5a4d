"""The Prometheus metrics of the hub: states are read at each scrape, events are counted in the tally."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from shared.findings import KINDS
from shared.model.status import STATES
from shared.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from prometheus_client import Metric

    from shared.findings import Finding
    from shared.hub import Hub
    from shared.model.registration import Registration
    from shared.model.source import SourceView
    from shared.model.status import Status
    from shared.tally import Durations

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_PREFIX = "reuse_surface_"
Samples = dict[tuple[str, ...], float]
Key = TypeVar("Key", bound=tuple[str, ...])
"""The values of a family's labels, in their order."""


class Counts(NamedTuple):
    """What all sources and findings together amount to: *ttl* and *success* are empty where no source is enabled."""

    by_state: Samples
    ttl: Samples
    success: Samples
    lag: float
    missing: GaugeMetricFamily
    findings: Samples


def look(
    views: Callable[[], Iterable[SourceView]],
    lag: Callable[[], float],
    findings: Iterable[Finding],
    missing_required: Iterable[str],
) -> Counts:
    """Look through all sources and *findings*, of which there may be thousands: to be called in a thread.

    *views* returns what is known of each source, *lag* for how many seconds the one that waits longest is due.
    """
    followed = [(view.registration, view.status) for view in views()]
    missing = set(missing_required)
    repos = [registration.repo for registration, _ in followed if registration.required]
    required = {(repo,): repo in missing for repo in repos}
    kinds = Counter(kind for finding in findings for kind in finding.kinds)
    return Counts(
        by_state=_by_state(followed),
        ttl=_ttl(followed),
        success=_last_success(followed),
        lag=lag(),
        missing=_gauge("required_source_missing", "1 when a required source serves nothing", required, ("repo",)),
        findings={(kind,): kinds[kind] for kind in KINDS},
    )


def families(hub: Hub, counts: Counts) -> list[Metric]:
    """Return the metrics of *hub*, with *counts*: all as of one moment, so within one turn of the event loop."""
    return [*_HubMetrics(hub, counts).read()]


def exposition(metrics: Iterable[Metric], folder: Path | None) -> bytes:
    """Return *metrics*, those of the volume of *folder* and of the process in the text format of Prometheus 0.0.4.

    To be called in a thread: there may be a line for each source, and a volume may be slow to answer.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families([*metrics, *_volume(folder)]))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Families(Collector):
    """Hands families that were read before to the library, which asks a collector for them."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """Return the families."""
        return self._metrics


class _HubMetrics:
    """Reads the hub for one scrape; *counts* has the figures that take a walk over all sources."""

    def __init__(self, hub: Hub, counts: Counts) -> None:
        self._hub = hub
        self._counts = counts

    def read(self) -> Iterator[Metric]:
        """Yield every family, with or without samples, so that a query never meets a name that is not there."""
        yield _gauge("build_info", "The version that runs; always 1", {(VERSION,): 1}, ("version",))
        unusable = self._hub.auth.file_refused()
        about = "1 while the tokens file can't be used and the tokens read before count"
        yield _gauge("tokens_file_refused", about, {} if unusable is None else {(): unusable})
        yield from self._requests()
        yield from self._sources()
        yield from self._federation()
        yield from self._storage()

    def _requests(self) -> Iterator[Metric]:
        tally, names = self._hub.tally, ("method", "route", "status")
        requests = {(method, route, str(status)): count for (method, route, status), count in tally.requests.items()}
        yield _counter("http_requests", "Requests by method, route and status", requests, names)
        answers = {(route,): durations for route, durations in tally.answers.items()}
        yield _histogram("http_request_seconds", "From the request to the end of its answer", answers, ("route",))

    def _sources(self) -> Iterator[Metric]:
        tally, counts = self._hub.tally, self._counts
        yield _gauge("sources", "Registered sources by state", counts.by_state, ("state",))
        yield _gauge("source_shortest_ttl_seconds", "The shortest time to live of an enabled source", counts.ttl)
        about = "When a check last found a source in order; 0 for never"
        yield _gauge("last_successful_check_timestamp_seconds", about, counts.success)
        yield _gauge("refresher_lag_seconds", "How long the source that waits longest is due", {(): counts.lag})
        checks = {(outcome,): count for outcome, count in tally.checks.items()}
        yield _counter("checks", "Checks of sources by outcome", checks, ("outcome",))
        about = "How long a check talked to its source, without waiting for its turn"
        yield _histogram("fetch_seconds", about, {(): tally.fetches})

    def _federation(self) -> Iterator[Metric]:
        document = self._hub.federation.document
        yield _gauge("federation_serial", "The serial of the federated index", {(): document.serial})
        yield _gauge("federation_complete", "1 when no required source is missing", {(): document.complete})
        yield self._counts.missing
        yield _gauge("findings", "What a person should see, by kind", self._counts.findings, ("kind",))
        count = sum(map(len, self._hub.federation.edition.composition.shares))
        yield _gauge("capabilities", "Capabilities in the federated index", {(): count})
        uses = {(limit,): use.ratio for limit, use in self._hub.findings.capacity.uses().items()}
        yield _gauge("limit_used_ratio", "The part of a limit that is in use; 1 when it is reached", uses, ("limit",))
        compositions = {(): self._hub.tally.compositions}
        yield _histogram("compose_seconds", "How long composing and encoding took", compositions)

    def _storage(self) -> Iterator[Metric]:
        tally = self._hub.tally
        names = ("what", "result")
        yield _counter("store_writes", "Durable writes by what was written and result", tally.writes, names)
        yield _histogram("store_write_seconds", "How long a batch of registrations took", {(): tally.write_seconds})
        backup = tally.moments.get("backup", tally.moments["start"])
        about = "When a backup was last taken; until then the start"
        yield _gauge("last_backup_timestamp_seconds", about, {(): backup})


def _volume(folder: Path | None) -> Iterator[Metric]:
    """Yield the free bytes of the volume of *folder*, if there is one, and its size; no samples where it fails."""
    free, size = dict[tuple[str, ...], float](), dict[tuple[str, ...], float]()
    if folder is None:
        return
    with contextlib.suppress(OSError):
        space = os.statvfs(folder)
        free, size = {(): space.f_bavail * space.f_frsize}, {(): space.f_blocks * space.f_frsize}
    yield _gauge("volume_free_bytes", "Free space of the data volume", free)
    yield _gauge("volume_size_bytes", "Size of the data volume", size)


def _by_state(followed: Iterable[tuple[Registration, Status]]) -> Samples:
    counts = Counter(status.state for _, status in followed)
    return {(state,): counts[state] for state in STATES}


def _ttl(followed: Iterable[tuple[Registration, Status]]) -> Samples:
    enabled = [registration.cache_ttl_seconds for registration, _ in followed if registration.enabled]
    return {(): min(enabled)} if enabled else {}


def _last_success(followed: Iterable[tuple[Registration, Status]]) -> Samples:
    enabled = [status.succeeded_at for registration, status in followed if registration.enabled]
    times = [datetime.fromisoformat(stamp).timestamp() for stamp in enabled if stamp]
    return {(): max(times, default=0)} if enabled else {}


def _gauge(
    name: str, about: str, values: Mapping[Key, float], labels: tuple[str, ...] = ()
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(_PREFIX + name, about, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _counter(
    name: str, about: str, values: Mapping[Key, float], labels: tuple[str, ...]
) -> CounterMetricFamily:
    family = CounterMetricFamily(_PREFIX + name, about, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _histogram(
    name: str, about: str, values: Mapping[Key, Durations], labels: tuple[str, ...] = ()
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(_PREFIX + name, about, labels=labels)
    for key, durations in values.items():
        family.add_metric(key, durations.cumulative(), durations.total)
    return family
