"""What one client was answered, and whether a hub is still true to it."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.builders import WRITER, registration
from tests.chaos.sources import served_version

if TYPE_CHECKING:
    import http.client

    from tests.chaos.sources import Sources
    from tests.processes import Server

REFUSED = "Nothing was changed"
LATER = "does not show it yet"
IN_DOUBT = "did not confirm"
COPIES = 8


@dataclass
class Row:
    """What may be stored and shown of one repo: its time to live, None while it is not registered, and its version.

    *owed* is the version that is to be shown as soon as that works again.
    """

    stored: set[int | None] = field(default_factory=lambda: {None})
    shown: set[int] = field(default_factory=lambda: {0})
    owed: int | None = None
    lines: set[str] = field(default_factory=set)
    maybe: set[str] = field(default_factory=set)
    revision: int = 0


class Book:
    """Sends one write after the other, and compares what is read with what was answered.

    After each write only one thing can be stored, but where the answer left that in doubt. *notes* are what was wrong.
    After it has *crashed* the hub may have lost the way from older copies to the present one, and says so.
    """

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.rows: dict[str, Row] = {}
        self.notes: list[str] = []
        self.answers: dict[int, int] = {}
        self.refusals = self.unwritten = 0
        self.crashed = False
        self.serial, self.generated_at = 0, ""
        self.digests: dict[int, bytes] = {}
        self.copies: dict[int, dict[str, Any]] = {}
        self._number = 0

    def expect(self, true: object, what: str) -> None:
        """Note what is not as it should be."""
        if not true:
            self.notes.append(what)

    def put(self, line: http.client.HTTPConnection, repo: str) -> None:
        """Register *repo*, or replace its registration."""
        self._number += 1
        body = registration(repo=repo, url=self.sources.url(repo), cache_ttl_seconds=self._number)
        self._write(line, "PUT", f"/v1/repos/{repo}", self._number, body)

    def delete(self, line: http.client.HTTPConnection, repo: str) -> None:
        """Deregister *repo*."""
        self._number += 1
        if self.rows[repo].stored != {None}:
            self._write(line, "DELETE", f"/v1/repos/{repo}", None)

    def _write(
        self, line: http.client.HTTPConnection, method: str, path: str, new: int | None, body: object = None
    ) -> None:
        row, request_id = self.rows[path.rpartition("/")[2]], f"w{self._number}"
        before = set(row.stored)
        # Until it is answered anything may have happened.
        row.stored, row.maybe = before | {new}, row.maybe | {request_id}
        if new is None:
            row.shown = row.shown | {0}
        status, detail = self._send(line, method, path, body, request_id)
        if status < 400 or LATER in detail:
            row.stored = {new}
            row.lines.add(request_id)
            if new is None:
                self._showing(row, {0}, LATER in detail)
        elif IN_DOUBT not in detail and (REFUSED in detail or status in {404, 409}):
            row.stored = before
            row.maybe.discard(request_id)
        else:
            self.expect(IN_DOUBT in detail, f"{method} {path} was answered {status} {detail}")

    def refresh(self, line: http.client.HTTPConnection, repo: str) -> None:
        """Publish the next version of *repo*, and have it read."""
        self.sources.advance(repo)
        row, new = self.rows[repo], self.sources.versions[repo]
        before = set(row.shown)
        row.shown = before | {new}
        status, detail = self._send(line, "POST", f"/v1/repos/{repo}/refresh", None, "read")
        said = detail.partition("was checked: ")[2].partition(".")[0]
        outcome = json.loads(detail)["outcome"] if status == 200 else said
        if outcome in {"changed", "unchanged"}:
            self._showing(row, {new}, LATER in detail)
        elif outcome == "failed" or (REFUSED in detail and IN_DOUBT not in detail) or status == 404:
            row.shown = before
        else:
            self.expect(IN_DOUBT in detail, f"refresh of {repo} was answered {status} {detail}")

    def _showing(self, row: Row, versions: set[int], later: bool) -> None:
        if later:
            row.shown, row.owed = row.shown | versions, next(iter(versions), None)
        else:
            row.shown, row.owed = versions, None

    def _send(
        self, line: http.client.HTTPConnection, method: str, path: str, body: object, request_id: str
    ) -> tuple[int, str]:
        """Return the status, and the detail of a problem or else the whole body."""
        content = None if body is None else json.dumps(body)
        line.request(method, path, content, WRITER | {"Content-Type": "application/json", "X-Request-ID": request_id})
        response = line.getresponse()
        text = response.read().decode()
        self.answers[response.status] = self.answers.get(response.status, 0) + 1
        self.refusals += response.status >= 500
        detail = json.loads(text)["detail"] if response.status >= 400 else text
        self.unwritten += "volume" in detail and response.status >= 500
        print(method, path, request_id, response.status, detail)  # noqa: T201 - shown with a failure
        return response.status, detail

    def compare(self, server: Server, repos: list[str], *, meanwhile: bool = False) -> None:
        """Read everything, *repos* to the last line of their history; *meanwhile* not all has to be shown yet."""
        if not meanwhile:
            self._await_the_owed(server)
        rows = server.registrations()
        self.expect(rows.keys() <= self.rows.keys(), f"nobody registered {rows.keys() - self.rows.keys()}")
        document = self._document(server)
        for repo, known in self.rows.items():
            row = rows.get(repo)
            found, shown = row["cache_ttl_seconds"] if row else None, served_version(document, repo)
            self.expect(found in known.stored, f"{repo}: {found} is stored, and not {known.stored}")
            self.expect(shown in known.shown, f"{repo}: {shown} is shown, and not {known.shown}")
            known.stored = {found}
            if not meanwhile:
                known.shown, known.owed = {shown}, None
            self._explained(repo, known, row)
        for repo in repos:
            self._history(server, repo)
        self._lead(server, document)

    def _await_the_owed(self, server: Server) -> None:
        end = time.monotonic() + 20
        owed = {repo: row.owed for repo, row in self.rows.items() if row.owed is not None}
        while owed and time.monotonic() < end:
            document = server.ask("GET", "/v1/federated").json()
            owed = {repo: version for repo, version in owed.items() if served_version(document, repo) != version}
        self.expect(not owed, f"what was to be shown later is not: {owed}")

    def _explained(self, repo: str, known: Row, row: dict[str, Any] | None) -> None:
        if row is None:
            return
        source = row["source"]
        self.expect(row["revision"] >= known.revision, f"{repo}: revision {row['revision']} after {known.revision}")
        known.revision = row["revision"]
        failing = source["state"] in {"failed", "stale"}
        self.expect(failing == (source["error"] is not None), f"{repo}: {source['state']} with {source['error']}")
        never = source["state"] == "never"
        self.expect(never == (source["checked_at"] is None), f"{repo}: {source['state']}, {source['checked_at']}")
        self.expect(source["next_check_at"] is not None, f"{repo} is never due: {source}")

    def _history(self, server: Server, repo: str) -> None:
        known, answer = self.rows[repo], server.ask("GET", f"/v1/repos/{repo}/history")
        lines = [line["request_id"] for line in answer.json()["history"]] if answer.status == 200 else []
        self.expect(len(lines) == len(set(lines)), f"{repo}: a line stands twice in {lines}")
        self.expect(known.lines <= set(lines), f"{repo}: {lines} lacks {known.lines}")
        self.expect(set(lines) <= known.lines | known.maybe, f"{repo}: {lines} has more than {known.lines}")
        known.lines, known.maybe = set(lines), set()

    def _document(self, server: Server) -> dict[str, Any]:
        answer = server.ask("GET", "/v1/federated")
        document: dict[str, Any] = answer.json()
        serial, digest = document["serial"], hashlib.sha256(answer.body).digest()
        self.expect(serial >= self.serial, f"the serial went from {self.serial} to {serial}")
        self.expect(document["generated_at"] >= self.generated_at, f"serial {serial} is dated before the last one")
        self.expect(self.digests.setdefault(serial, digest) == digest, f"serial {serial} was something else before")
        self.serial, self.generated_at = serial, document["generated_at"]
        return document

    def _lead(self, server: Server, document: dict[str, Any]) -> None:
        """Follow the feed from every copy to what is served."""
        for serial, copy in [*self.copies.items()]:
            led = follow(server, copy)
            while led is not None and led["serial"] != document["serial"]:
                # What was written in the round before was composed just now.
                document = self._document(server)
                led = follow(server, copy)
            if led is None:
                self.expect(self.crashed, f"the feed knows nothing since {serial}")
                del self.copies[serial]
                continue
            wrong = [name for name in document if led[name] != document[name]]
            self.expect(not wrong, f"from {serial} to {document['serial']} the feed leads to other {wrong}")
        self.crashed = False
        self.copies[document["serial"]] = document
        while len(self.copies) > COPIES:
            del self.copies[next(iter(self.copies))]


def follow(server: Server, copy: dict[str, Any]) -> dict[str, Any] | None:
    """Return what the feed makes of *copy*, or None where it says that the copy is to be dropped."""
    sources = {row["repo"]: row for row in copy["sources"]}
    entries = {(row["source_repo"], row["id"]): row for row in copy["capabilities"]}
    path = f"/v1/federated/changes?since={copy['serial']}"
    answer = server.ask("GET", path)
    if answer.status == 410:
        return None
    page = answer.json()
    assert page["next"] is None
    sources |= {row["repo"]: row for row in page["sources"]["upserted"]}
    entries |= {(row["source_repo"], row["id"]): row for row in page["capabilities"]["upserted"]}
    gone = {(row["repo"], row["id"]) for row in page["capabilities"]["removed"]}
    return {
        **page["head"],
        "sources": [sources[repo] for repo in sorted(sources) if repo not in page["sources"]["removed"]],
        "capabilities": [entries[key] for key in sorted(entries, key=lambda key: key[::-1]) if key not in gone],
    }
