"""A federated index without a hub: a manifest and what its sources publish in, one document out."""

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
from shared.offline.cache import Cache, Stored
from shared.offline.parts import parts_of
from shared.problems import SourceProblem, SourceTooLarge, StartError
from shared.settings import Settings
from shared.version import VERSION

if TYPE_CHECKING:
    from shared.model.compose import Composition
    from shared.model.status import State

_FAILURES = (SourceProblem, DocumentFaulty)


@dataclass(frozen=True, slots=True)
class Gathered:
    """What one source of the manifest brought, and what is to be said about that."""

    repo: str
    state: str
    checked_at: str | None
    detail: str
    parts: list[Part]


def compose_offline(
    manifest: str, cache_dir: str, *, offline: bool, form: str, clock: Clock | None = None
) -> dict[str, Any]:
    """Compose what the sources of the file *manifest* publish; return the report, with the ``document`` as text.

    With *offline* nothing is fetched: what an earlier run kept in *cache_dir* is composed. *form* is yaml or json.
    Raise StartError for a manifest that can't be read or breaks the rules.
    """
    path = Path(manifest)
    try:
        sources = read_manifest(path.read_bytes())["sources"]
    except OSError as fault:
        raise StartError(f"{manifest} can't be read: {fault.strerror}.") from fault
    except _FAILURES as fault:
        raise StartError(f"{manifest} is not a federation manifest. {fault}") from fault
    run = Run(path.parent, Cache(Path(cache_dir)), clock or Clock(), fetching=not offline)
    gathered = asyncio.run(run.gather(sources))
    composition = compose(_chosen(gathered))
    return {
        "complete": composition.complete,
        "missing_required": composition.missing_required,
        "capabilities": len(composition.entries),
        "conflicts": len(composition.conflicts),
        "sources": [{"repo": one.repo, "state": one.state, "checked_at": one.checked_at, "detail": one.detail}
                    for one in gathered],
        "document": _document(composition, run.clock.stamp(), form).decode(),
    }  # fmt: skip


def _chosen(gathered: list[Gathered]) -> list[Part]:
    """Return one part of each repo: of one that the manifest names its own, whatever a federated index says of it.

    Of a repo that the manifest does not name it is the part of the first federated index that has it.
    """
    repos = {one.repo for one in gathered}
    chosen: dict[str, Part] = {}
    for one in gathered:
        for part in one.parts:
            if part.repo == one.repo or part.repo not in repos:
                chosen.setdefault(part.repo, part)
    return [*chosen.values()]


def _document(composition: Composition, now: str, form: str) -> bytes:
    """Return the document as the hub serves it, but without a serial: nobody counts the versions."""
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
    parts += yaml_out.listing("conflicts", (b"- " + orjson.dumps(one) + b"\n" for one in composition.conflicts))
    return b"".join(parts)


class Run:
    """One run over the sources of a manifest that lies in *folder*."""

    def __init__(self, folder: Path, cache: Cache, clock: Clock, *, fetching: bool) -> None:
        settings = Settings.from_environment()
        self._folder = folder
        self._cache = cache
        self._fetching = fetching
        self.clock = clock
        agent = f"reuse-surface/{VERSION}"
        self._fetcher = Fetcher(Guard(settings.allow_networks, settings.allow_ports), agent, clock=clock)

    async def gather(self, sources: list[dict[str, Any]]) -> list[Gathered]:
        """Return what each source brings, in the order of the manifest; one that fails does not stop the others."""
        try:
            return await asyncio.gather(*(self._one(source, number) for number, source in enumerate(sources)))
        finally:
            await self._fetcher.close()

    async def _one(self, source: dict[str, Any], number: int) -> Gathered:
        # The order of the manifest stands for the order of registration, which decides who is served in a conflict.
        facts: dict[str, Any] = {"url": source.get("index"), **source}
        facts |= dict.fromkeys(("registered_at", "updated_at"), f"{number:06}")
        facts.pop("index", None)
        published = facts.pop("format", INDEX.name)
        registration = Registration(**facts, registered_by="manifest", revision=1)
        if not registration.enabled:
            return Gathered(registration.repo, "disabled", None, "", [Part(registration, "disabled", None, None)])
        if "index" in source:
            return self._local(registration, source["index"], published)
        return await self._published(registration, published)

    def _local(self, registration: Registration, index: str, published: str) -> Gathered:
        """Read an index of this machine: the path starts here or, where there is nothing, at the manifest."""
        path = Path(index) if Path(index).exists() else self._folder / index
        now = self.clock.stamp()
        try:
            if path.stat().st_size > MAX_BYTES:
                raise SourceTooLarge(f"{index} has more than {MAX_BYTES:,} bytes.")
            parts = parts_of(path.read_bytes(), registration, "fresh", now, published)
            return Gathered(registration.repo, "fresh", now, "", parts)
        except OSError as fault:
            return _failed(registration, f"{index} can't be read: {fault.strerror}.")
        except _FAILURES as fault:
            return _failed(registration, str(fault))

    async def _published(self, registration: Registration, published: str) -> Gathered:
        stored = self._kept(registration, published)
        fresh = stored is not None and 0 <= self.clock.age(stored.checked_at) < registration.cache_ttl_seconds
        trouble = ""
        if self._fetching and not fresh:
            try:
                stored, fresh = await self._fetched(registration, stored, published), True
            except _FAILURES as fault:
                trouble = str(fault)
        if stored is None:
            return _failed(registration, trouble or "Nothing of it was kept: run once without --offline.")
        state: State = "fresh" if fresh else "stale"
        parts = parts_of(stored.body.encode(), registration, state, stored.changed_at, published)
        return Gathered(registration.repo, state, stored.checked_at, trouble, parts)

    def _kept(self, registration: Registration, published: str) -> Stored | None:
        """Return what is kept of a source, or None where nothing is, or not what the manifest says of it by now."""
        stored = self._cache.load(registration.repo, registration.url)
        try:
            if stored:
                parts_of(stored.body.encode(), registration, "fresh", stored.changed_at, published)
        except _FAILURES:
            return None
        return stored

    async def _fetched(self, registration: Registration, earlier: Stored | None, published: str) -> Stored:
        validators = earlier.validators if earlier else Validators()
        fetched = await self._fetcher.fetch(registration.url, validators, accept=FORMATS[published].accept)
        now = self.clock.stamp()
        body = earlier.body if fetched.body is None and earlier else (fetched.body or b"").decode("utf-8", "replace")
        if not earlier or body != earlier.body:
            # Nothing is kept that does not pass.
            parts_of(body.encode(), registration, "fresh", now, published)
        changed_at = earlier.changed_at if earlier and body == earlier.body else now
        return self._cache.keep(registration.repo, Stored(registration.url, fetched.validators, now, changed_at, body))


def _failed(registration: Registration, detail: str) -> Gathered:
    return Gathered(registration.repo, "failed", None, detail, [Part(registration, "failed", None, None)])
