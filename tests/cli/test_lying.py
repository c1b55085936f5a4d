"""Every command before a hub that lies: cuts, framing, types, sizes, characters, and redirects to another origin."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import http.server
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

import cli
from tests.builders import TOKEN
from tests.cli.conftest import answering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

COMMANDS = {
    name: argv.split(" ")
    for name, argv in {
        "status": "hub status",
        "list": "hub list",
        "list of a domain": "hub list --domain d",
        "show": "hub show a",
        "register": "hub register a --url https://git.example.org/a --domain d",
        "dry run": "hub register a --url https://git.example.org/a --domain d --dry-run",
        "update": "hub update a --domain e",
        "deregister": "hub deregister a",
        "refresh": "hub refresh a",
        "refresh all": "hub refresh --all",
        "accept": "hub accept a",
        "search": "hub search word",
        "findings": "hub findings",
        "findings of a repo": "hub findings a",
        "history": "hub history a",
        "validate": "hub validate index.yaml",
        "federated": "hub federated",
        "federated to a file": "hub federated --out good",
        "federated as YAML": "hub federated --format yaml --out good",
        "sync": "hub sync --out good --force",
        "sync, local kept": "hub sync --out good --force --keep-local",
        "apply": "hub apply manifest.json --prune",
        "apply by hand": "hub apply index.yaml --prune",
        "backup": "backup --out good",
        "completion": "completion words -- hub show ",
        "completion of tags": "completion words -- hub search --tag ",
    }.items()
}
ERROR = {"type": "https://hub.example/problems/source-status", "detail": "HTTP 404.", "remedy": "Publish it."}
SOURCE = {
    "state": "failed", "error": ERROR, "checked_at": "2026-11-23T10:00:00Z", "state_since": "2026-11-23T10:00:00Z",
    "capability_count": 2, "served_count": 1, "served_elsewhere": [{"repo": "b", "count": 1}],
}  # fmt: skip
ROW = {"repo": "a", "url": "https://git.example.org/a", "domain": "d", "enabled": True, "revision": 1, "source": SOURCE}
FAULT = {"line": 1, "column": 2, "pointer": "/x", "detail": "is wrong", "hint": "Mend it."}
OUTCOME = {"repo": "a", "outcome": "held", "source": SOURCE}
# All that the commands read, in one object: each of them finds its own fields in it.
TRUTH: dict[str, Any] = {
    **ROW, **OUTCOME, "version": 1, "ready": True, "checks": {"storage": "ok"}, "serial": 1, "complete": False,
    "generated_at": "2026-11-23T10:00:00Z", "missing_required": ["a"], "total": 1, "next": None,
    "repos": [ROW], "sources": [{**ROW, "state": "failed", "index": "i.yaml"}], "capabilities": [{"id": "x"}],
    "conflicts": [{"id": "x", "repo": "b"}], "results": [OUTCOME], "counts": {"held": 1}, "valid": False,
    "errors": [FAULT], "manifest": None, "refused": [{"pointer": "/sources/1", "repo": "c"}],
    "findings": [{**FAULT, "severity": "error", "repo": "a", "kind": "failed", "since": None, "action": "Mend it."}],
    "history": [{"at": "2026-11-23T10:00:00Z", "by": "op", "action": "created", "revision": 1, "after": {"repo": "a"}}],
    "refusal": {"detail": "No."}, "fetch": {"error": ERROR}, "capability_count": 2,
    "facets": {"tag": [{"value": "x", "count": 1}]},
}  # fmt: skip
EVIL = "\x1b]0;title\x07\x1b[2J\u202e\u2066\u200b\ufeff\x9b31m\r\nreuse-surface: all is well\x00\ud800"


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


VALUES: list[Any] = [True, EVIL, [[10**400]]]


def said(body: bytes, head: str = "HTTP/1.1 200 OK", kind: str = "application/json", **headers: str) -> bytes:
    lines = [head, f"Content-Type: {kind}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


WHOLE = json.dumps(TRUTH).encode()
LENGTH = {"Content_Length": str(len(WHOLE))}
PACKED = gzip.compress(WHOLE)
CUT = (WHOLE[:-1], WHOLE[: len(WHOLE) // 2], b"")
# What no hub sends: each is refused by every command, whatever it asked for.
BYTES: dict[str, bytes] = {
    "nothing": b"",
    "half a status line": b"HTTP/1.1 2",
    "half a header": b"HTTP/1.1 200 OK\r\nContent-Ty",
    "another protocol": b"SSH-2.0-OpenSSH\r\n",
    "HTTP/9": b"HTTP/9.9 200 OK\r\n\r\n",
    "a status of letters": b"HTTP/1.1 abc OK\r\n\r\n",
    "a status of one digit": b"HTTP/1.1 7 OK\r\n\r\n",
    "a long header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n",
    "1xx without an end": b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
    "101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    "206": said(WHOLE, "HTTP/1.1 206 Partial Content", **LENGTH),
    "304": said(b"", "HTTP/1.1 304 Not Modified"),
    "600": said(WHOLE, "HTTP/1.1 600 Odd", "text/plain", **LENGTH),
    "a redirect of controls": said(b"", "HTTP/1.1 302 Found", Location="\x1b[2J\x9b", Content_Length="0"),
    "a length of letters": said(b"", Content_Length="many"),
    "a negative length": said(b"{", Content_Length="-5"),
    "too great a length": said(WHOLE, Content_Length=str(10**30)),
    "a length of one too many": said(WHOLE, Content_Length=str(len(WHOLE) + 1)),
    "a chunk of letters": said(b"zz\r\n{}\r\n", Transfer_Encoding="chunked"),
    "chunks without an end": said(b"%x\r\n%b\r\n" % (len(WHOLE), WHOLE), Transfer_Encoding="chunked"),
    "a negative chunk": said(b"-1\r\n{}\r\n0\r\n\r\n", Transfer_Encoding="chunked"),
    "gzip cut": said(PACKED[:-1], Content_Encoding="gzip", Content_Length=str(len(PACKED) - 1)),
    "gzip of another sum": said(PACKED[:-8] + bytes(8), Content_Encoding="gzip", Content_Length=str(len(PACKED))),
    "brotli": said(b"\x0b\x02\x80{}\x03", Content_Encoding="br", Content_Length="6"),
    "another type": said(b"<html>", kind="text/html\x1b[2J", Content_Length="6"),
    "an error as a page": said(b"<html>", "HTTP/1.1 500 No", "text/html", Content_Length="6"),
    "an error cut": said(b'{"detail": "x', "HTTP/1.1 422 No", "application/problem+json", Connection="close"),
    "not UTF-8": said(b'{"repos": "\xff\xfe"}', Content_Length="15"),
    "NaN": said(b'{"repos": [NaN], "capability_count": NaN}', Content_Length="41"),
    "infinity": said(b'{"repos": [1e999], "serial": -1e999, "x": 1}', Content_Length="44"),
    "very deep": said(b'{"repos":' * 50_000, Content_Length="450000"),
    "a number of 100,000 digits": said(b'{"serial": ' + b"9" * 100_000 + b"}", Content_Length="100012"),
    **{f"cut {number}": said(body, Connection="close") for number, body in enumerate(CUT)},
}


class Lying:
    """A hub that answers every request with *raw* (bytes, or a function of the request), and then hangs up."""

    def __init__(self, url: str, seen: list[tuple[str, str | None]]) -> None:
        self.url = url
        self.seen = seen
        self.raw: bytes | Callable[[str], bytes] = b""


@pytest.fixture(scope="module")
def lying() -> Iterator[Lying]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            hub.seen.append((f"{self.command} {self.path}", self.headers.get("Authorization")))
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with contextlib.suppress(OSError):
                self.wfile.write(hub.raw(self.path) if callable(hub.raw) else hub.raw)
            self.close_connection = True

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - http.server's names

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    with answering(Handler) as url:
        hub = Lying(url, [])
        yield hub


class Dropped(cli.Api):
    """Closes its connection after each request, as the end of the program does."""

    def _once(self, *args: Any, **how: Any) -> Any:
        try:
            return super()._once(*args, **how)
        finally:
            self._drop()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lying: Lying) -> Path:
    """A folder with what the commands read, and a good file that none of them may spoil."""
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REUSE_SURFACE_URL", lying.url)
    monkeypatch.setenv("REUSE_SURFACE_TOKEN", TOKEN)
    monkeypatch.setattr(cli, "Api", Dropped)
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    (tmp_path / "index.yaml").write_text("version: 1\ncapabilities: []\n")
    (tmp_path / "manifest.json").write_text(json.dumps({"version": 1, "sources": [{"repo": "a", "url": "https://x/"}]}))
    (tmp_path / "good").write_text("sources: what was good\n")
    lying.seen.clear()
    return tmp_path


def ran(capfdbinary: Any, argv: list[str]) -> tuple[int, str, str]:
    code = cli.main(argv)
    out, err = capfdbinary.readouterr()
    return code, out.decode(), err.decode()


def harmless(text: str) -> bool:
    """Tell whether nothing in *text* moves a cursor, hides or reorders."""
    return all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize("argv", COMMANDS.values(), ids=COMMANDS)
def test_what_no_hub_sends_is_refused_in_words_and_spoils_no_file(
    place: Path, lying: Lying, capfdbinary: Any, argv: list[str]
) -> None:
    for name, lying.raw in BYTES.items():
        code, out, err = ran(capfdbinary, argv)

        expected = 0 if argv[0] == "completion" else 3
        assert (code, out) == (expected, ""), (name, out, err)
        assert err.count("\n") == (expected == 3), (name, err)
        assert harmless(err), (name, err)
        assert sorted(one.name for one in place.iterdir()) == ["good", "index.yaml", "manifest.json"], name
        assert (place / "good").read_text() == "sources: what was good\n", name


def lies(truth: Any, odd: Any) -> Iterator[Any]:
    """Yield *truth* once for each place in it, with *odd* standing there."""
    yield odd
    if isinstance(truth, dict):
        for name, value in truth.items():
            yield from ({**truth, name: one} for one in lies(value, odd))
    elif isinstance(truth, list):
        for one in lies(truth[0], odd):
            yield [one]


def answer_of(body: bytes) -> cli.Answer:
    headers = http.client.HTTPMessage()
    headers["Content-Type"] = "application/json"
    return cli.Answer(200, headers, body, framed=True, via="")


@pytest.mark.parametrize("argv", COMMANDS.values(), ids=COMMANDS)
def test_any_value_in_any_field_ends_in_words(
    place: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: Any, argv: list[str]
) -> None:
    """Thousands of answers; what carries them is tried above, so that here none is carried."""
    bodies = [json.dumps(lie).encode() for odd in VALUES for lie in lies(TRUTH, odd)]
    codes = set()
    for number, body in enumerate(bodies):
        answer = answer_of(body)
        monkeypatch.setattr(cli.Api, "_once", lambda *_args, answer=answer, **_how: answer)
        as_json = number % 2 == 1
        code, out, err = ran(capfdbinary, ["--json", *argv] if as_json else argv)
        codes.add(code)

        assert code in {0, 1, 3, 5}, (body[:500], err)
        assert harmless(out), (body[:500], out)
        assert harmless(err), (body[:500], err)
        if as_json and "federated" not in argv:
            json.loads(out, parse_constant=pytest.fail)
    assert codes & {0, 1, 3}
    assert {one.name for one in place.iterdir()} <= {"good", "good.etag", "index.yaml", "manifest.json"}


def test_a_token_goes_to_no_other_origin(place: Path, lying: Lying, capfdbinary: Any) -> None:  # noqa: ARG001 - its hub
    """Whatever a redirect says, one request is all there is."""
    places = ("http://127.0.0.1:9/", "https://elsewhere.example/", "//elsewhere.example/", "/v1/repos/b", "")
    with answering(http.server.BaseHTTPRequestHandler) as other:
        for status in (301, 302, 303, 307, 308):
            for location in (*places, other):
                lying.seen.clear()
                lying.raw = said(b"", f"HTTP/1.1 {status} Elsewhere", Location=location, Content_Length="0")
                code, _, err = ran(capfdbinary, ["hub", "deregister", "a"])

                assert (code, len(lying.seen)) == (3, 1)
                assert "redirects are not followed" in err


def test_a_list_without_an_end_is_left(
    place: Path,  # noqa: ARG001 - its hub
    lying: Lying,
    capfdbinary: Any,
) -> None:
    def page(path: str) -> bytes:
        body = json.dumps({"repos": [ROW], "next": f"{len(lying.seen)}{path}"[:40]}).encode()
        return said(body, Content_Length=str(len(body)))

    lying.raw = page
    code, out, err = ran(capfdbinary, ["hub", "list"])

    assert (code, out, len(lying.seen)) == (3, "", 2000)
    assert "its list of repos has no end" in err
