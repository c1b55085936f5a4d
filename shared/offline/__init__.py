"""Composing a federated index without a hub, from the sources that a manifest lists."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from shared import yaml_out
from shared.clock import Clock
from shared.fetch import MAX_BYTES, Fetcher, Validators
from shared.fetch.guard import Guard
from shared.formats import FORMATS, INDEX
from shared.formats.documents import DocumentFaulty
from shared.formats.manifest import read_manifest
from shared.model.compose import Part, compose
from shared.model.registration import Registration
from shared.offline.cache import Cache, CachedDocument
from shared.offline.parts import parts_of
from shared.problems import SourceProblem, SourceTooLarge, StartError
from shared.settings import Settings
from shared.version import VERSION

if TYPE_CHECKING:
    from shared.model.compose import Composition
    from shared.model.status import State

_FAILURES = (SourceProblem, DocumentFaulty)


@dataclass(frozen=True, slots=True)
class SourceOutcome:
    """The result of one source of the manifest: its state, and the parts that it adds to the federated index.

    *checked_at* is None for one that was never read; *detail* is empty, or says why its last reading failed.
    """

    repo: str
    state: str
    checked_at: str | None
    detail: str
    parts: list[Part]


def compose_offline(
    manifest: str, cache_dir: str, *, offline: bool, form: str, clock: Clock | None = None
) -> dict[str, Any]:
    """Compose the sources of the file *manifest*; return a report with the ``document`` as text.

    The report is ``{"complete", "missing_required", "capabilities", "conflicts", "sources": [{"repo", "state",
    "checked_at", "detail"}], "document"}``. With *offline* nothing is fetched: copies of earlier runs in *cache_dir*
    are composed. *form* is ``yaml`` or ``json``. Raise StartError for a manifest that can't be read or is invalid, or
    a cache that can't be used.
    """
    path = Path(manifest)
    try:
        sources = read_manifest(path.read_bytes())["sources"]
    except OSError as fault:
        raise StartError(f"{manifest} can't be read: {fault.strerror}.") from fault
    except _FAILURES as fault:
        raise StartError(f"{manifest} is not a federation manifest. {fault}") from fault
    run = Run(path.parent, Cache(Path(cache_dir)), clock or Clock(), fetching=not offline)
    outcomes = asyncio.run(run.gather(sources))
    composition = compose(_chosen(outcomes))
    return {
        "complete": composition.complete,
        "missing_required": composition.missing_required,
        "capabilities": len(composition.entries),
        "conflicts": len(composition.conflicts),
        "sources": [{name: getattr(outcome, name) for name in ("repo", "state", "checked_at", "detail")}
                    for outcome in outcomes],
        "document": _document(composition, run.clock.stamp(), form).decode(),
    }  # fmt: skip


def _chosen(outcomes: list[SourceOutcome]) -> list[Part]:
    """Return one part for each repo: its own where the manifest lists it, else that of the first federated index."""
    repos = {outcome.repo for outcome in outcomes}
    chosen: dict[str, Part] = {}
    for outcome in outcomes:
        for part in outcome.parts:
            if part.repo == outcome.repo or part.repo not in repos:
                chosen.setdefault(part.repo, part)
    return [*chosen.values()]


def _document(composition: Composition, now: str, form: str) -> bytes:
    """Return the document as a hub serves it, but without a serial, since no hub counts its editions."""
    head = {"version": 1, "generated_at": now, "complete": composition.complete}
    head["missing_required"] = composition.missing_required
    if form == "json":
        rest = {"sources": composition.sources, "conflicts": composition.conflicts}
        entries = [orjson.Fragment(entry.json) for entry in composition.entries]
        return orjson.dumps(head | rest | {"capabilities": entries}) + b"\n"
    parts = [yaml_out.field(name, value) for name, value in head.items()]
    parts += yaml_out.listing("sources", map(yaml_out.list_item, composition.sources))
    parts += yaml_out.listing("capabilities", (entry.yaml for entry in composition.entries))
    # Conflicts nest; JSON is YAML too, on one line.
    parts += yaml_out.listing("conflicts", (b"- " + orjson.dumps(item) + b"\n" for item in composition.conflicts))
    return b"".join(parts)


class Run:
    """One run over the sources of a manifest, whose relative paths may start at *folder*, its own."""

    def __init__(self, folder: Path, cache: Cache, clock: Clock, *, fetching: bool) -> None:
        settings = Settings.from_environment()
        self._folder = folder
        self._cache = cache
        self._fetching = fetching
        self.clock = clock
        agent = f"reuse-surface/{VERSION}"
        self._fetcher = Fetcher(Guard(settings.allow_networks, settings.allow_ports), agent, clock=clock)

    async def gather(self, sources: list[dict[str, Any]]) -> list[SourceOutcome]:
        """Return the outcome of each source, in the order of the manifest; all are read at the same time."""
        try:
            return await asyncio.gather(*(self._outcome(source, number) for number, source in enumerate(sources)))
        finally:
            await self._fetcher.close()

    async def _outcome(self, source: dict[str, Any], number: int) -> SourceOutcome:
        # The order of the manifest stands for the order of registration, which decides who is served in a conflict.
        facts: dict[str, Any] = {"url": source.get("index"), **source}
        facts |= dict.fromkeys(("registered_at", "updated_at"), f"{number:06}")
        facts.pop("index", None)
        format_name = facts.pop("format", INDEX.name)
        registration = Registration(**facts, registered_by="manifest", revision=1)
        if not registration.enabled:
            return SourceOutcome(registration.repo, "disabled", None, "", [Part(registration, "disabled", None, None)])
        if "index" in source:
            return self._read_file(registration, source["index"], format_name)
        return await self._read_url(registration, format_name)

    def _read_file(self, registration: Registration, index: str, format_name: str) -> SourceOutcome:
        """Read the file *index*, a path from the working directory or, where no such file is, from the manifest's."""
        path = Path(index) if Path(index).exists() else self._folder / index
        now = self.clock.stamp()
        try:
            if path.stat().st_size > MAX_BYTES:
                raise SourceTooLarge(f"{index} has more than {MAX_BYTES:,} bytes.")
            parts = parts_of(path.read_bytes(), registration, "fresh", now, format_name)
            return SourceOutcome(registration.repo, "fresh", now, "", parts)
        except OSError as fault:
            return _failed(registration, f"{index} can't be read: {fault.strerror}.")
        except _FAILURES as fault:
            return _failed(registration, str(fault))

    async def _read_url(self, registration: Registration, format_name: str) -> SourceOutcome:
        document = self._cached(registration, format_name)
        fresh = document is not None and 0 <= self.clock.age(document.checked_at) < registration.cache_ttl_seconds
        failure = ""
        if self._fetching and not fresh:
            try:
                document, fresh = await self._fetch(registration, document, format_name), True
            except _FAILURES as fault:
                failure = str(fault)
        if document is None:
            return _failed(registration, failure or "Nothing of it was kept: run once without --offline.")
        state: State = "fresh" if fresh else "stale"
        parts = parts_of(document.body.encode(), registration, state, document.changed_at, format_name)
        return SourceOutcome(registration.repo, state, document.checked_at, failure, parts)

    def _cached(self, registration: Registration, format_name: str) -> CachedDocument | None:
        """Return the cached document of a source; None where there is none, or none of the format *format_name*."""
        document = self._cache.load(registration.repo, registration.url)
        try:
            if document:
                parts_of(document.body.encode(), registration, "fresh", document.changed_at, format_name)
        except _FAILURES:
            return None
        return document

    async def _fetch(
        self, registration: Registration, earlier: CachedDocument | None, format_name: str
    ) -> CachedDocument:
        validators = earlier.validators if earlier else Validators()
        fetched = await self._fetcher.fetch(registration.url, validators, accept=FORMATS[format_name].accept)
        now = self.clock.stamp()
        body = earlier.body if fetched.body is None and earlier else (fetched.body or b"").decode("utf-8", "replace")
        if not earlier or body != earlier.body:
            # Parsed before it is cached, so that a broken document never replaces a good copy.
            parts_of(body.encode(), registration, "fresh", now, format_name)
        changed_at = earlier.changed_at if earlier and body == earlier.body else now
        document = CachedDocument(registration.url, fetched.validators, now, changed_at, body)
        return self._cache.keep(registration.repo, document)


def _failed(registration: Registration, detail: str) -> SourceOutcome:
    return SourceOutcome(registration.repo, "failed", None, detail, [Part(registration, "failed", None, None)])
