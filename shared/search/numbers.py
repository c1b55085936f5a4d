"""Numbers for entries, so that the order of numbers is that of repos and ids, and a change moves no other number."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

PLACES = 1 << 16
"""More than an index can have entries."""

_GAP = 1 << 20


class Numbers:
    """A number for each repo, in the order of their names, with gaps for those that come later."""

    def __init__(self, repos: Iterable[str]) -> None:
        self._repos = sorted(repos)
        self._numbers = [(count + 1) * _GAP for count in range(len(self._repos))]

    def has_room_for(self, repo: str) -> bool:
        """Take up *repo* if it is new; return False, unchanged, where no number is left between its neighbours."""
        at = bisect_left(self._repos, repo)
        if at < len(self._repos) and self._repos[at] == repo:
            return True
        before = self._numbers[at - 1] if at else 0
        behind = self._numbers[at] if at < len(self._numbers) else before + 2 * _GAP
        if behind - before < 2:  # noqa: PLR2004 - two neighbours
            return False
        self._repos.insert(at, repo)
        self._numbers.insert(at, (before + behind) // 2)
        return True

    def only(self, repos: Collection[str]) -> Self:
        """Return the numbers of those of *repos* that were taken up, without those of any other repo."""
        numbers = type(self)(())
        pairs = zip(self._repos, self._numbers, strict=True)
        numbers._numbers = [number for repo, number in pairs if repo in repos]  # noqa: SLF001 - of the same class
        numbers._repos = [repo for repo in self._repos if repo in repos]  # noqa: SLF001
        return numbers

    def row(self, repo: str, place: int) -> int:
        """Return the number of the entry at *place* of *repo*, which was taken up."""
        return self._numbers[bisect_left(self._repos, repo)] * PLACES + place

    def end(self, repo: str) -> int:
        """Return a number beyond the entries of *repo*, or of where it would stand, and before those of the next."""
        at = bisect_right(self._repos, repo)
        return self._numbers[at - 1] * PLACES + PLACES - 1 if at else -1

    def entry(self, row: int) -> tuple[str, int]:
        """Return the repo and place of the entry with the number *row*."""
        number, place = divmod(row, PLACES)
        return self._repos[bisect_left(self._numbers, number)], place
