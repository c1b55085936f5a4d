"""A federation manifest: which repositories are federated. Bytes in, the checked document or every fault out."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from shared import schemas
from shared.fetch import urls
from shared.formats.documents import DocumentFaulty, Fault, placed, read_data
from shared.problems import Offence

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_NAME = 100


class SiftedManifest(NamedTuple):
    """What a manifest says and which of its entries break no rule.

    *manifest* is the whole document, None where it has *faults* (at most 100). *sources* are the entries that are in
    order, *refused* the others, each as ``{"pointer", "repo"}`` with None for a name that is not a text of at most 100
    characters; also entries that stand behind the hundredth fault, which nobody looked at. Both are empty where the
    document around the entries breaks a rule.
    """

    manifest: dict[str, Any] | None
    faults: list[Fault]
    sources: list[dict[str, Any]]
    refused: list[dict[str, Any]]


def read_manifest(body: bytes) -> dict[str, Any]:
    """Return the manifest in *body* (YAML or JSON), or raise DocumentFaulty with all faults, or SourceNotAnIndex."""
    sifted = sift_manifest(body)
    if sifted.manifest is None:
        raise DocumentFaulty(sifted.faults)
    return sifted.manifest


def sift_manifest(body: bytes) -> SiftedManifest:
    """Return the manifest in *body* with its entries sorted into good and bad; raise as read_manifest for no YAML."""
    text, manifest = read_data(body)
    frame = _checkers()[0](manifest)
    sources = manifest.get("sources") if isinstance(manifest, dict) else None
    entries = sources if isinstance(sources, list) else []
    offences, good = _check(entries, schemas.MAX_OFFENCES - len(frame))
    if not frame and not offences:
        return SiftedManifest(manifest, [], entries, [])
    faults = placed(text, manifest, [*frame, *offences][: schemas.MAX_OFFENCES])
    if frame:
        return SiftedManifest(None, faults, [], [])
    refused = [{"pointer": f"/sources/{place}", "repo": _name_of(entry)}
               for place, entry in enumerate(entries) if place not in good]  # fmt: skip
    return SiftedManifest(None, faults, [entries[place] for place in sorted(good)], refused)


def _name_of(entry: object) -> str | None:
    name = entry.get("repo") if isinstance(entry, dict) else None
    return name if isinstance(name, str) and len(name) <= LONGEST_NAME else None


@cache
def _checkers() -> tuple[Callable[[object], list[Offence]], Callable[[object], list[Offence]]]:
    """Return the checkers of the frame and of one source: the good ones stay fast, however many bad ones there are."""
    whole = schemas.schema("federation")
    frame = {**whole["properties"], "sources": {**whole["properties"]["sources"], "items": True}}
    return schemas.checker_of({**whole, "properties": frame}), schemas.checker("federation", "source")


def _check(sources: list[Any], most: int) -> tuple[list[Offence], set[int]]:
    """Return the offences of the entries and the places of those that have none; end after *most* offences."""
    offences: list[Offence] = []
    good: set[int] = set()
    check_source, earlier = _checkers()[1], set[tuple[str, str]]()
    for place, source in enumerate(sources):
        # What stands behind the last fault was not checked, so it is not among the good ones either.
        if len(offences) >= most:
            break
        broken_rules = check_source(source) + _checked_further(source, earlier)
        offences += [Offence(f"/sources/{place}{pointer}", detail) for pointer, detail in broken_rules]
        if not broken_rules:
            good.add(place)
    return offences, good


def _checked_further(source: object, earlier: set[tuple[str, str]]) -> list[Offence]:
    """Find what a schema can't: URLs that a hub would refuse, names and URLs that stand twice."""
    facts = source if isinstance(source, dict) else {}
    repo, url, broken_rules = facts.get("repo"), facts.get("url"), []
    keys = [("repo", repo)] if isinstance(repo, str) else []
    if isinstance(url, str) and url:
        try:
            keys.append(("url", urls.normal(url)))
        except urls.UrlRefused as fault:
            broken_rules.append(Offence("/url", str(fault)))
    twice = [name for name, value in keys if (name, value) in earlier]
    broken_rules += [Offence(f"/{name}", "stands twice in this manifest") for name in twice]
    earlier.update(keys)
    return broken_rules
