"""A federation manifest: which repositories are federated. Bytes in, the checked document or every fault out."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from shared import schemas
from shared.fetch import urls
from shared.index import IndexFaulty, placed, read_data
from shared.problems import Offence

if TYPE_CHECKING:
    from collections.abc import Callable


def read_manifest(body: bytes) -> dict[str, Any]:
    """Return the manifest in *body* (YAML or JSON), or raise IndexFaulty with all faults, or SourceNotAnIndex."""
    text, manifest = read_data(body)
    if offences := _check(manifest):
        raise IndexFaulty(placed(text, manifest, offences))
    checked: dict[str, Any] = manifest
    return checked


@cache
def _checkers() -> tuple[Callable[[object], list[Offence]], Callable[[object], list[Offence]]]:
    """Return the checkers of the frame and of one source: the good ones stay fast, however many bad ones there are."""
    whole = schemas.schema("federation")
    frame = {**whole["properties"], "sources": {**whole["properties"]["sources"], "items": True}}
    return schemas.checker_of({**whole, "properties": frame}), schemas.checker("federation", "source")


def _check(manifest: object) -> list[Offence]:
    check_frame, check_source = _checkers()
    offences = check_frame(manifest)
    sources = manifest.get("sources") if isinstance(manifest, dict) else None
    seen: set[tuple[str, str]] = set()
    for place, source in enumerate(sources if isinstance(sources, list) else ()):
        found = check_source(source) + _checked_further(source, seen)
        offences += [Offence(f"/sources/{place}{pointer}", detail) for pointer, detail in found]
        if len(offences) >= schemas.MAX_OFFENCES:
            break
    return offences[: schemas.MAX_OFFENCES]


def _checked_further(source: object, seen: set[tuple[str, str]]) -> list[Offence]:
    """Find what a schema can't: URLs that a hub would refuse, names and URLs that stand twice."""
    facts = source if isinstance(source, dict) else {}
    repo, url, found = facts.get("repo"), facts.get("url"), []
    keys = [("repo", repo)] if isinstance(repo, str) else []
    if isinstance(url, str) and url:
        try:
            keys.append(("url", urls.normal(url)))
        except urls.UrlRefused as fault:
            found.append(Offence("/url", str(fault)))
    found += [Offence(f"/{name}", "stands twice in this manifest") for name, value in keys if (name, value) in seen]
    seen.update(keys)
    return found
