"""Changes between serials as names of sources and ids: a delta in memory, and one line of JSON on disk.

A line says what one serial changed or, joined of older ones, what several in a row did. The feed gives the present
state of each name, so a reader that was at a serial among those several gets more names than changed, and nothing
wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.model.capability import Entry
    from shared.model.compose import Composition

FORMAT = 1
_MOST = 2**53


@dataclass(slots=True)
class Delta:
    """Names that came or changed (True) or went (False): of sources, and of capabilities by their repo."""

    sources: dict[str, bool] = field(default_factory=dict)
    capabilities: dict[str, dict[str, bool]] = field(default_factory=dict)

    @classmethod
    def between(cls, before: Composition, after: Composition) -> Self:
        """Return the names that differ between *before* and *after*, by source and by capability."""
        old, new = _by_repo(before), _by_repo(after)
        repos = sorted(old.keys() | new.keys())
        delta = cls(sources={repo: repo in new for repo in repos if old.get(repo, _NONE)[0] != new.get(repo, _NONE)[0]})
        for repo in repos:
            if ids := _changed(old.get(repo, _NONE)[1], new.get(repo, _NONE)[1]):
                delta.capabilities[repo] = ids
        return delta

    def add(self, later: Delta) -> None:
        """Add *later*; of each name its last change counts."""
        self.sources |= later.sources
        for repo, ids in later.capabilities.items():
            self.capabilities.setdefault(repo, {}).update(ids)


_NONE: tuple[dict[str, Any] | None, tuple[Entry, ...]] = (None, ())


def _by_repo(composition: Composition) -> dict[str, tuple[dict[str, Any] | None, tuple[Entry, ...]]]:
    rows = zip(composition.sources, composition.shares, strict=True)
    return {row["repo"]: (row, share) for row, share in rows}


def _changed(old: tuple[Entry, ...], new: tuple[Entry, ...]) -> dict[str, bool]:
    # A source that did not change brings the very tuple of before (``compose``), so most entries are not looked at.
    if old is new:
        return {}
    before, after = ({entry.id: entry for entry in share} for share in (old, new))
    names = sorted(before.keys() | after.keys())
    return {name: name in after for name in names if before.get(name) != after.get(name)}


class ChangeLine(NamedTuple):
    """What the serials from *first* to *serial* changed, as it lies on disk: one line of JSON.

    *substance* is the digest of what *serial* says. *apart* is set where joining with the next line saved no bytes.
    """

    serial: int
    substance: str
    text: bytes
    first: int
    apart: bool = False

    @classmethod
    def of(cls, serial: int, substance: str, delta: Delta) -> Self:
        """Return the line of one serial, which changed *delta*."""
        record = {"format": FORMAT, "serial": serial, "substance": substance, "delta": delta}
        return cls(serial, substance, orjson.dumps(record) + b"\n", serial)

    @classmethod
    def joined(cls, lines: Sequence[ChangeLine]) -> Self:
        """Return one line for *lines*, whose serials are consecutive: each name once, by its last change.

        Its text is never longer than theirs. Versions that know no joined lines take it for that of its last serial
        alone: their window is shorter.
        """
        first, last = lines[0].first, lines[-1]
        record = {"format": FORMAT, "first": first, "serial": last.serial, "substance": last.substance}
        return cls(last.serial, last.substance, orjson.dumps(record | {"delta": union(lines)}) + b"\n", first)

    @classmethod
    def read(cls, text: bytes) -> Self:
        """Return the line in *text*, or raise ValueError, KeyError or TypeError when it is none."""
        record = orjson.loads(text)
        if record["format"] != FORMAT or not text.endswith(b"\n") or not _names(record["delta"]):
            raise ValueError(text)
        serial = record["serial"]
        first = record.get("first", serial)
        if type(first) is not int or type(serial) is not int or not 0 < first <= serial < _MOST:
            raise ValueError(text)
        return cls(serial, str(record["substance"]), text, first)

    @property
    def delta(self) -> Delta:
        """The names; reading them costs as much as the text is long."""
        return Delta(**orjson.loads(self.text)["delta"])

    @property
    def joins(self) -> bool:
        """Whether it says what several serials changed."""
        return self.first < self.serial


def _names(delta: Any) -> bool:  # noqa: ANN401 - JSON that is checked here
    """Tell whether *delta* has the shape of a Delta, so that joining it with others can't fail."""
    if not isinstance(delta, dict) or delta.keys() != {"sources", "capabilities"}:
        return False
    capabilities = delta["capabilities"]
    parts = [delta["sources"], *(capabilities.values() if isinstance(capabilities, dict) else [None])]
    return all(isinstance(part, dict) for part in parts)


def union(lines: Iterable[ChangeLine]) -> Delta:
    """Return the delta of all *lines*, the oldest first, together."""
    delta = Delta()
    for line in lines:
        delta.add(line.delta)
    return delta
