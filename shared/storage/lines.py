"""The lines of the history that can be read: bounded per repo and in all, at the cost of the tokens that write most."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson

from shared.storage import IN_ALL, IN_ALL_BYTES, PER_REPO

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from shared.model.history import Change

_SLACK = 100
"""So many removed numbers may stand in a heap beyond as many again as it has left, before it is built anew."""


class HistoryLines:
    """The lines in their order, bounded as ``Store.history`` says.

    The newest line of each registered repo stays. All others are *spare*: of these there are at most *in_all*, in
    *in_all_bytes* of JSON. *next* is the number that the next line gets.
    """

    def __init__(self, in_all: int = IN_ALL, in_all_bytes: int = IN_ALL_BYTES) -> None:
        self._by_repo: dict[str, list[int]] = {}
        self._lines: dict[int, Change] = {}
        self._spare = _SpareLines(in_all, in_all_bytes)
        self.next = 1

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[Change]:
        return iter(self._lines.values())

    def of(self, repo: str) -> Sequence[Change]:
        """Return the lines of *repo*, newest first."""
        return [self._lines[number] for number in reversed(self._by_repo.get(repo, ()))]

    def numbered(self, changes: Iterable[Change]) -> list[Change]:
        """Return *changes* with the next numbers. They are used up: changes that are not kept then leave a gap."""
        numbered = [replace(change, number=number) for number, change in enumerate(changes, self.next)]
        self.next += len(numbered)
        return numbered

    def keep(self, changes: Iterable[Change]) -> None:
        """Make *changes*, which are numbered, readable; what is beyond the bounds is forgotten."""
        for change in changes:
            self._keep(change)

    def _keep(self, change: Change) -> None:
        own = self._by_repo.setdefault(change.repo, [])
        if own:
            self._spare.add(self._lines[own[-1]])
        # The line before its number, which leads to it: an allocation refused in between leaves no number astray.
        self._lines[change.number] = change
        own.append(change.number)
        self.next = max(self.next, change.number + 1)
        if change.action == "deregister":
            self._spare.add(change)
        if len(own) > PER_REPO:
            self._forget(self._least_missed(own))
        while (number := self._spare.one_too_many()) is not None:
            self._forget(number)

    def _least_missed(self, own: list[int]) -> int:
        """Return the oldest line of the token that wrote most lines of a repo; never its registration or its newest."""
        registered = next((number for number in reversed(own) if self._lines[number].action == "register"), None)
        others = [number for number in own[:-1] if number != registered]
        ((most, _),) = Counter(self._lines[number].by for number in others).most_common(1)
        return next(number for number in others if self._lines[number].by == most)

    def _forget(self, number: int) -> None:
        change = self._lines.pop(number)
        self._spare.remove(change)
        own = self._by_repo[change.repo]
        own.remove(number)
        if not own:
            del self._by_repo[change.repo]


class _SpareLines:
    """The lines that may be forgotten, by the token that wrote them."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._sizes: dict[int, int] = {}
        self._bytes = 0
        self._counts: Counter[str] = Counter()
        # For each token a heap of its numbers. One that was removed stays in it until it comes up, or too many have.
        self._oldest: dict[str, list[int]] = {}

    def add(self, change: Change) -> None:
        """Add *change*, unless it is there: a deregistration comes twice, at once and when a newer line follows."""
        if change.number in self._sizes:
            return
        self._sizes[change.number] = size = len(orjson.dumps(change))
        self._bytes += size
        self._counts[change.by] += 1
        heapq.heappush(self._oldest.setdefault(change.by, []), change.number)

    def remove(self, change: Change) -> None:
        """Take *change* out, if it is there."""
        if change.number not in self._sizes:
            return
        self._bytes -= self._sizes.pop(change.number)
        self._counts[change.by] -= 1
        if not self._counts[change.by]:
            del self._counts[change.by], self._oldest[change.by]
        elif len(self._oldest[change.by]) > 2 * self._counts[change.by] + _SLACK:
            self._oldest[change.by] = sorted(filter(self._sizes.__contains__, self._oldest[change.by]))

    def one_too_many(self) -> int | None:
        """Return the number of the line to be forgotten first while there are too many, else None."""
        if len(self._sizes) <= self._most and self._bytes <= self._most_bytes:
            return None
        ((most, _),) = self._counts.most_common(1)
        oldest = self._oldest[most]
        while oldest[0] not in self._sizes:
            heapq.heappop(oldest)
        return oldest[0]
