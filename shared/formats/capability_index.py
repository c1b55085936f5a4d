"""The format ``index``: a capability index, by which a repository publishes what it offers.

All of it counts or nothing: whoever writes one writes it for the hub, and is told of every fault with its place.
"""

from __future__ import annotations

from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from shared import characters, schemas
from shared.formats.documents import DocumentFaulty, Parsed, placed, read_data
from shared.formats.protocol import Publisher, Reading, SourceFormat
from shared.model.content import content_of
from shared.problems import Offence, SourceTooLarge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shared.model.content import Content

MAX_CAPABILITIES = 20_000
MAX_FIELDS = 200
"""Of one entry: to name all faults of one with a hundred thousand fields would take minutes."""

_UNSEEN = "must hold something that can be seen"


def read(parsed: Parsed, publisher: Publisher) -> Reading:
    """Return the content of the index in *parsed*.

    Raise DocumentFaulty with all faults, at most 100 of them, or SourceTooLarge for too many capabilities.
    """
    if offences := offences_of(parsed.data, publisher.repo):
        raise DocumentFaulty(placed(parsed.text, parsed.data, offences))
    return Reading(content_of(parsed.data, publisher.repo, publisher.url))


INDEX = SourceFormat(
    name="index",
    accept="application/yaml, application/json;q=0.9, */*;q=0.5",
    signs=frozenset({"capabilities"}),
    parse=read_data,
    read=read,
)


def read_index(body: bytes, repo: str, url: str = "") -> Content:
    """Return what the index in *body* (YAML or JSON, UTF-8) says, published by *repo* ("" when unknown) at *url*.

    Raise DocumentFaulty with all faults, SourceNotAnIndex for a web page, or SourceTooLarge for too many capabilities.
    """
    return INDEX.reading(body, Publisher(repo, url)).own()


def offences_of(index: object, repo: str) -> list[Offence]:
    """Return what breaks the rules in *index*, which *repo* ("" when unknown) published: at most 100 offences.

    Raise SourceTooLarge for too many capabilities.
    """
    if isinstance(index, dict) and len(_listed(index)) > MAX_CAPABILITIES:
        raise SourceTooLarge(f"The index has more than {MAX_CAPABILITIES:,} capabilities.")
    return _check(index, repo)


def _listed(index: dict[str, Any]) -> list[Any]:
    entries = index.get("capabilities")
    return entries if isinstance(entries, list) else []


@cache
def _checkers() -> tuple[Callable[[object], list[Offence]], Callable[[object], list[Offence]]]:
    """Return the checkers of the frame of an index and of one entry.

    Entry by entry the good ones stay fast, however many bad ones stand between them.
    """
    whole = schemas.schema("capability-index")
    frame = {**whole["properties"], "capabilities": {"type": "array"}}
    return (
        schemas.checker_of({**whole, "properties": frame}),
        schemas.checker("capability-index", "capability"),
    )


def _check(index: Any, repo: str) -> list[Offence]:  # noqa: ANN401 - data not yet checked
    check_frame, check_entry = _checkers()
    offences = check_frame(index)
    if not isinstance(index, dict):
        return offences
    if repo and index.get("repo", repo) != repo:
        offences.append(Offence("/repo", f"must be {repo}, the name under which this URL is registered"))
    earlier: set[str] = set()
    for place, entry in enumerate(_listed(index)):
        # ``or``: an entry with too many fields is not checked further.
        broken_rules = (_crowded(entry) or check_entry(entry) + _unseen(entry)) + _repeated(entry, earlier)
        offences += [Offence(f"/capabilities/{place}{pointer}", detail) for pointer, detail in broken_rules]
        if len(offences) >= schemas.MAX_OFFENCES:
            break
    return offences[: schemas.MAX_OFFENCES]


def _crowded(entry: object) -> list[Offence]:
    """Look first at how many fields an entry has: naming all that is wrong with very many would take too long."""
    if isinstance(entry, dict) and len(entry) > MAX_FIELDS:
        return [Offence("", f"has more than {MAX_FIELDS} fields")]
    return []


def _unseen(entry: object) -> list[Offence]:
    """Find names in which nothing can be seen, and other texts and keys of characters that have no shape."""
    fields: dict[str, Any] = entry if isinstance(entry, dict) else {}
    name = fields.get("name")
    nameless = isinstance(name, str) and name and not characters.visible(name)
    broken_rules = [Offence("/name", _UNSEEN)] if nameless else []
    shapeless = (path for path, text in _texts(fields) if characters.shapeless(text))
    return broken_rules + [Offence(schemas.pointer(path), _UNSEEN) for path in islice(shapeless, schemas.MAX_OFFENCES)]


def _texts(fields: dict[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield every text of an entry but its name, keys too, with the steps of its JSON Pointer."""
    for key, value in fields.items():
        yield (key,), key
        if isinstance(value, str) and key != "name":
            yield (key,), value
        elif isinstance(value, list):
            yield from (((key, place), text) for place, text in enumerate(value) if isinstance(text, str))


def _repeated(entry: object, earlier: set[str]) -> list[Offence]:
    entry_id = entry.get("id") if isinstance(entry, dict) else None
    if not isinstance(entry_id, str):
        return []
    if entry_id in earlier:
        return [Offence("/id", "stands twice in this index")]
    earlier.add(entry_id)
    return []
