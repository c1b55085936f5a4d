"""The tokens file: named tokens, each by its SHA-256 and never by itself, read again whenever the file changes.

For example::

    tokens:
    - {name: ci-state-hub, sha256: 9f86…, repos: [state-hub], expires_at: 2027-06-30T00:00:00Z}
    - {name: platform, sha256: 6030…, repos: ['*'], domains: [railiance, 'infra-*']}
    - {name: anna, sha256: 2c26…, admin: true}
"""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.formats.yaml_events import NotPlainYaml, parse
from shared.model.author import Grant
from shared.problems import StartError
from shared.schemas import checker_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from shared.clock import Clock

OPERATOR = "operator"
"""The name behind REUSE_SURFACE_TOKEN; no token of a file may have it."""

MAX_BYTES = 1024 * 1024

STEP_SECONDS = 2.0
"""The longest step of the clock of a file system (FAT); on most it is some milliseconds."""

_log = logging.getLogger("hub.auth")

_PATTERNS = {
    "type": "array",
    "maxItems": 100,
    "items": {"type": "string", "pattern": r"^[a-z0-9._*?!\[\]-]{1,100}$", "description": "A pattern, such as team-*"},
}
_SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "required": ["tokens"],
    "additionalProperties": False,
    "properties": {
        "tokens": {
            "type": "array",
            "maxItems": 1000,
            "items": {
                "type": "object",
                "required": ["name", "sha256"],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"},
                    "sha256": {"type": "string", "pattern": "^[0-9a-fA-F]{64}$", "description": "64 hex digits"},
                    "repos": _PATTERNS,
                    "domains": _PATTERNS,
                    "expires_at": {"type": "string"},
                    "admin": {"type": "boolean"},
                },
            },
        }
    },
}


@dataclass(frozen=True, slots=True)
class Token:
    """A token by its SHA-256: its name, what it may write (None: everything), and until when it is valid."""

    name: str
    digest: bytes
    grant: Grant | None
    expires_at: datetime | None = None


class BadTokens(ValueError):  # noqa: N818 - a verdict, not a failure
    """The text is no tokens file; the message says everything that is wrong with it."""


def read_tokens(content: bytes) -> tuple[Token, ...]:
    """Return the tokens that a file's *content* names, or raise BadTokens: all of them or none."""
    if len(content) > MAX_BYTES:
        raise BadTokens(f"it has more than {MAX_BYTES:,} bytes")
    try:
        document = parse(content.decode("utf-8-sig"))
    except NotPlainYaml as fault:
        raise BadTokens(f"line {fault.line}, column {fault.column}: {fault}") from fault
    except UnicodeError as fault:
        raise BadTokens("it is not UTF-8") from fault
    offences = [f"{offence.pointer or '/'} {offence.detail}" for offence in _check()(document)]
    if not offences:
        offences = list(_contradictions(document["tokens"]))
    if offences:
        raise BadTokens("; ".join(offences[:10]))
    return tuple(_token(row) for row in document["tokens"])


def _check() -> Callable[[object], list[Any]]:
    return checker_of(_SCHEMA)


def _contradictions(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the offences that a schema can't express: names or digests twice, entries that cover nothing, bad times."""
    names, digests = {OPERATOR}, set[str]()
    for number, row in enumerate(rows):
        if row["name"] in names:
            yield f"/tokens/{number}/name is the name of another token"
        if row["sha256"].lower() in digests:
            yield f"/tokens/{number}/sha256 is that of another token"
        if not row.get("repos") and not row.get("admin"):
            yield f"/tokens/{number} covers nothing: give it repos, or admin: true"
        if "expires_at" in row and _moment(row["expires_at"]) is None:
            yield f"/tokens/{number}/expires_at must be a time with its zone, such as 2027-06-30T00:00:00Z"
        names.add(row["name"])
        digests.add(row["sha256"].lower())


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _token(row: dict[str, Any]) -> Token:
    domains = tuple(row["domains"]) if "domains" in row else None
    grant = None if row.get("admin") else Grant(tuple(row.get("repos", ())), domains)
    expires_at = _moment(row["expires_at"]) if "expires_at" in row else None
    return Token(row["name"], bytes.fromhex(row["sha256"]), grant, expires_at)


class _Looks(NamedTuple):
    """Facts of a file by which a change is noticed; one within a step of its file system's clock may change none."""

    device: int
    inode: int
    size: int
    written: int
    changed: int


class TokensFile:
    """The tokens of a file as it is now; while it can't be read, or is invalid, those of its last valid content."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Read *path*, or raise StartError."""
        self._path = path
        self._now = clock.monotonic
        self._fault: str | None = None
        self._looks: _Looks | None = None
        self._since = 0.0
        self._settled = False
        self._digest, self._invalid = b"", ""
        self._tokens: tuple[Token, ...] = ()
        try:
            self._follow(self._look())
        except (OSError, BadTokens) as fault:
            raise StartError(f"REUSE_SURFACE_TOKENS_FILE: {path} can't be used: {_reason(fault)}.") from fault

    def tokens(self) -> tuple[Token, ...]:
        """Return the tokens of the file, after a look whether it has changed; log once where it can't be used."""
        try:
            self._follow(self._look())
            self._fault = None
        except (OSError, BadTokens) as fault:
            self._keep(_reason(fault))
        return self._tokens

    def refused(self) -> bool:
        """Tell whether the file, looked at now, can't be used, so that the tokens read before go on to count."""
        self.tokens()
        return self._fault is not None

    def _follow(self, looks: _Looks) -> None:
        """Read the file where *looks* may be of another content than the last; raise BadTokens where it is invalid.

        It is read with each request until *looks* have been equal for longer than a step of any file system's clock:
        a write within the step of the last reading leaves them equal. Requests without a valid token come here too,
        so the same content is parsed once.
        """
        if looks != self._looks:
            self._looks, self._since, self._settled = looks, self._now(), False
        if not self._settled:
            settled = self._now() - self._since >= STEP_SECONDS
            self._take(self._read())
            self._settled = settled
        if self._invalid:
            raise BadTokens(self._invalid)

    def _take(self, content: bytes) -> None:
        digest = hashlib.sha256(content).digest()
        if digest == self._digest:
            return
        try:
            self._tokens, self._invalid = read_tokens(content), ""
            if self._digest:
                _log.info("read %d tokens from %s", len(self._tokens), self._path)
        except BadTokens as fault:
            self._invalid = str(fault)
        self._digest = digest

    def _keep(self, reason: str) -> None:
        # Logged once, and not with every request.
        if reason != self._fault:
            _log.error("%s can't be used, the tokens read before stay good: %s", self._path, reason)
            self._fault = reason

    def _look(self) -> _Looks:
        stat = os.stat(self._path)  # noqa: PTH116 - as the name says; a link leads to what it names now
        return _Looks(stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)

    def _read(self) -> bytes:
        with self._path.open("rb") as file:
            # One byte more than a file may have, by which one that is too large is noticed.
            return file.read(MAX_BYTES + 1)


def _reason(fault: Exception) -> str:
    return str(fault.strerror) if isinstance(fault, OSError) else str(fault)
