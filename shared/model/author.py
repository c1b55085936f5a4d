"""Who makes a change, and what that one may change."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from shared.problems import Forbidden

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.model.registration import RegistrationFields


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token may write: repos whose names match a pattern, in domains that match one (None: in all)."""

    repos: tuple[str, ...] = ()
    domains: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes a change, and in which request. One without a *grant* is an admin, who may change everything."""

    name: str
    request_id: str | None = None
    grant: Grant | None = None

    def must_own(self, what: RegistrationFields, registered_by: str | None = None) -> None:
        """Raise Forbidden unless *what* belongs to this author.

        A repo belongs to the token that registered it and to those with a pattern for its name; in no case to a token
        that is limited to other domains.
        """
        if self.grant is None:
            return
        if registered_by != self.name and not _matches(what.repo, self.grant.repos):
            raise self._forbidden(f"the repo {what.repo}")
        if self.grant.domains is not None and not _matches(what.domain, self.grant.domains):
            raise self._forbidden(f"repos of the domain {what.domain}")

    def must_be_admin(self) -> None:
        """Raise Forbidden unless this author may change everything."""
        if self.grant is not None:
            raise self._forbidden("this: an admin's token is needed")

    def _forbidden(self, what: str) -> Forbidden:
        return Forbidden(f"The token {self.name} is valid, but does not cover {what}.")


def _matches(name: str, patterns: Iterable[str]) -> bool:
    # Not fnmatch, which ignores case on some systems: a token would cover more there.
    return any(fnmatchcase(name, pattern) for pattern in patterns)
