#!/usr/bin/env python3
"""reuse-surface: the client of a federation hub, in one file that needs nothing but Python 3.9 or newer.

usage: reuse-surface COMMAND [options]      reuse-surface COMMAND --help tells a command's options

Environment:
  REUSE_SURFACE_URL      the hub (https://reuse.coulomb.social); --base-url outranks it
  REUSE_SURFACE_TOKEN    the token that writes need; it is never taken from the command line
  HTTPS_PROXY, HTTP_PROXY, NO_PROXY, SSL_CERT_FILE, NO_COLOR    as everywhere

Options of every command, before or after its name:
  --base-url URL         the hub
  --json                 print exactly one JSON document on stdout, also for a failure
  --timeout SECONDS      how long one answer may take (30; checking sources: 600)
  --insecure-http        send the token over plain http to another machine

What takes entries away asks first where stdin and stderr are a terminal, unless --yes or --json is given.
reuse-surface help [COMMAND] and --version tell what they say.

Exit codes:
  0  done
  1  the hub refused, or what was asked for is not so (an incomplete federation, an invalid index)
  2  the command line is wrong, or a file that it names can't be read
  3  the hub can't be reached, or what answers is not a hub or only a part of its answer
  4  not authorised
  5  not found
  6  conflict
"""

# Python compiles the whole file before its first line runs. So that 3.6 to 3.8 come as far as the sentence below, the
# file keeps to the syntax of 3.6: no :=, no future import of annotations, which stand in quotes instead.
import sys

if sys.version_info < (3, 9):  # noqa: UP036 - it is for those who have an older one
    sys.exit("reuse-surface needs Python 3.9 or newer; this is " + sys.version.split()[0])

import argparse
import io
import json
import os
import re
import time
from contextlib import suppress

TYPE_CHECKING = False  # typing's own would cost two milliseconds of every start
if TYPE_CHECKING:
    import http.client
    import socket
    from argparse import Namespace
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any, NoReturn, TypedDict, Union
    from urllib.parse import SplitResult

    Json = dict[str, Any]
    Option = tuple[str, Json]
    Block = Union[str, list[Sequence[object]]]
    Request = tuple[str, str, Union[bytes, None], dict[str, str]]  # method, path, body, headers
    Manifest = tuple[list[Json], list[tuple[str, str]]]

    # What a hub answers, as far as it is read here. One that lies may leave out any field, or send another type.
    class Source(TypedDict, total=False):
        """What is known of a source."""

        state: str
        checked_at: str
        capability_count: int
        served_count: "int | None"  # None of a hub that does not tell it yet
        held_digest: str

    class Registration(TypedDict, total=False):
        """A row of /v1/repos, with the outcome of a check where there was one."""

        repo: str
        domain: str
        enabled: bool
        revision: int
        source: Source
        outcome: str

    class Finding(TypedDict, total=False):
        """A row of /v1/findings."""

        repo: str
        faults: list[Json]


VERSION = "0.1.0"
REPOSITORY = "https://gitea.coulomb.social/coulomb/reuse-surface"
DEFAULT_URL = "https://reuse.coulomb.social"

# --- Errors -----------------------------------------------------------------------------------------------------------

DONE, REFUSED, USAGE, UNREACHABLE, UNAUTHORISED, NOT_FOUND, CONFLICT = range(7)
INTERRUPTED, PIPE_CLOSED = 130, 141


class Failure(Exception):  # noqa: N818 - a refusal, told to the user
    """What was asked for can't be done: the message says why and what to do next, *code* is the exit code.

    *problem* is what the hub answered (RFC 9457), where it did.
    """

    def __init__(self, message: str, code: int = REFUSED, problem: "Json | None" = None) -> None:
        super().__init__(message)
        self.code = code
        self.problem = problem or {}


def no_hub(what: str) -> Failure:
    """Return the failure of whatever answers and is not a hub."""
    return Failure(f"What answers is not a hub: {what}. Check --base-url or REUSE_SURFACE_URL.", UNREACHABLE)


# --- HTTP -------------------------------------------------------------------------------------------------------------

MOST = 256 * 2**20  # a hub serves up to 64 MiB of JSON, which is more as YAML
MOST_PAGES, MOST_MEMBERS = 2000, 10
SECONDS, SECONDS_OF_CHECKS = 30.0, 600.0
ATTEMPTS, LONGEST_PAUSE = 3, 30.0
CODES = {401: UNAUTHORISED, 403: UNAUTHORISED, 404: NOT_FOUND, 409: CONFLICT, 412: CONFLICT}
HINTS = {
    "unauthorized": "Set REUSE_SURFACE_TOKEN to a token of this hub; its operator hands them out.",
    "read-only": "Its operator sets REUSE_SURFACE_TOKEN or REUSE_SURFACE_TOKENS_FILE to let someone write.",
    "repo-disabled": "To enable it: reuse-surface hub update REPO --enabled true",
    "not-found": "This hub does not offer that: is the URL right, and the hub as new as this client?",
}
PROXY_NEEDS_LOGIN = "The proxy asks for a name and a password: write its URL as http://NAME:PASSWORD@HOST:PORT"


class Answer:
    """What a hub answered, its body read to the end and unpacked; *kind* is its media type.

    *framed* says that a length, chunks or gzip marked the end of the body; else only the end of the connection did,
    which looks the same after a cut (RFC 9112 §8). *via* names the proxy that it came through, if there was one.
    """

    def __init__(self, status: int, headers: "http.client.HTTPMessage", body: bytes, *, framed: bool, via: str) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.framed = framed
        self.via = via
        self.kind = self.header("content-type").partition(";")[0]

    def header(self, name: str) -> str:
        """Return a header, empty where it was not sent."""
        return str(self.headers.get(name, ""))

    def json(self) -> "Json":
        """Return the body, which is a JSON object in every answer of a hub but the documents; raise Failure."""
        if self.kind not in {"application/json", "application/problem+json"}:
            kind = self.kind or "no content type"
            raise no_hub(f"the answer{self.via} is {self.status} with {kind}, not JSON of a hub")
        try:
            document = read_json(self.body)
        except ValueError as fault:
            raise no_hub(f"the JSON in its answer{self.via} is broken or cut off") from fault
        if not isinstance(document, dict):
            raise no_hub(f"the JSON in its answer{self.via} is not an object")
        return document


class Api:
    """A hub over HTTP/1.1: bounded in time and size, one connection for all requests, no redirect is followed.

    Every failure is a Failure. What can't do harm twice is tried again, at most three times in all.
    """

    def __init__(self, url: str, token: str, screen: "Screen", *, insecure: bool, seconds: "float | None") -> None:
        self.url = url.strip().rstrip("/")
        self.screen = screen
        self.seconds = seconds
        self._token = token.strip()
        self._insecure = insecure
        self._connection: http.client.HTTPConnection | None = None
        self._proxy: Proxy | None = None

    def read(self, path: str, **query: object) -> "Any":  # noqa: ANN401 - as write
        """Return the JSON that a GET of *path* answers; parameters that are None are left out."""
        return self.write("GET", with_query(path, query))

    def rows(self, path: str, name: str, **query: object) -> "list[Any]":
        """Return the objects of the whole list *name*, page by page."""
        rows: list[Any] = []
        query = {"limit": 1000, **query, "cursor": None}
        for _ in range(MOST_PAGES):
            page = self.read(path, **query)
            if not isinstance(page.get(name), list):
                raise no_hub(f"its answer holds no list of {name}")
            rows += list_of(page, name)
            after = str(page.get("next") or "").encode(errors="replace").decode()
            if after in {"", query["cursor"]}:
                return rows
            query["cursor"] = after
            self.screen.progress(f"{len(rows)} of {page.get('total', '?')}")
        raise no_hub(f"its list of {name} has no end")

    def write(self, method: str, path: str, body: object = None, **how: "Any") -> "Any":  # noqa: ANN401 - see below
        """Send a request as ``ask`` does and return the JSON object of a good answer; the caller declares its shape."""
        return self.expect(self.ask(method, path, body, **how))

    def expect(self, answer: "Answer") -> "Json":
        """Return the JSON of a good answer, else raise the Failure that it is."""
        if 300 <= answer.status < 400:
            raise no_hub(f"it redirects to {answer.header('location')}, and redirects are not followed")
        if answer.status == 407 and answer.via:
            raise Failure(f"{PROXY_NEEDS_LOGIN}. The answer{answer.via} was 407.", UNREACHABLE)
        if answer.status >= 400:
            raise self._refusal(answer)
        if answer.status not in {200, 201, 202, 204}:
            raise no_hub(f"it answered {answer.status}, which no hub does")
        return {} if answer.status == 204 else answer.json()

    def _refusal(self, answer: "Answer") -> "Failure":
        """Return what a problem of the hub (RFC 9457) says, with every fault in it and what to do about it."""
        problem = answer.json()
        slug = str(problem.get("type", "")).rpartition("/")[2]
        repo = str(problem.get("instance", "")).partition("/v1/repos/")[2].partition("/")[0]
        lines = [str(problem.get("detail") or problem.get("title") or f"The hub answered {answer.status}.")]
        lines += [f"  {fault.get('pointer') or '/'} {fault.get('detail')}" for fault in list_of(problem, "errors")]
        if slug in HINTS:
            lines.append(HINTS[slug].replace(" REPO ", f" {repo} "))
        if slug == "repo-not-found":
            others = self.ask("GET", "/v1/repos?limit=1000")
            if others.status == 200:
                lines.append(did_you_mean(repo, [str(row.get("repo")) for row in list_of(others.json(), "repos")]))
        return Failure("\n".join(lines), CODES.get(answer.status, REFUSED), problem)

    def ask(  # noqa: PLR0913 - a request has that many sides
        self, method: str, path: str, body: object = None, *,
        headers: "dict[str, str] | None" = None, public: bool = False, seconds: float = SECONDS,
    ) -> "Answer":  # fmt: skip
        """Send one request and return the answer, whatever its status; *body* is JSON unless it is bytes.

        All but GET carry the token, unless they are *public*. Raise Failure where there is no whole answer.
        """
        fields = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": f"reuse-surface/{VERSION}"}
        if body is not None and not isinstance(body, bytes):
            fields["Content-Type"], body = "application/json", json.dumps(body).encode()
        if method != "GET" and not public:
            fields["Authorization"] = f"Bearer {self.sendable_token()}"
        fields.update(headers or {})
        attempt = 0
        while True:
            attempt += 1
            answer = self._once((method, path, body, fields), self.seconds or seconds, last=attempt == ATTEMPTS)
            pause = 0.3 * attempt
            if answer:
                after = answer.header("retry-after")
                pause = float(after) if re.fullmatch("[0-9]{1,6}", after) else LONGEST_PAUSE + 1
                if answer.status not in {429, 503} or pause > LONGEST_PAUSE or attempt == ATTEMPTS:
                    return answer
                self.screen.say(f"The hub asks to wait {pause:.0f} s.")
            self._drop()
            time.sleep(pause)

    def sendable_token(self) -> str:
        """Return the token, or raise Failure where it is none, or would be sent in clear."""
        if not re.fullmatch("[!-~]+", self._token):
            hint = "holds characters that no token has" if self._token else "is not set; this needs a token"
            raise Failure(f"REUSE_SURFACE_TOKEN {hint}.", UNAUTHORISED)
        place = self._place()
        if place.scheme == "http" and not _is_loopback(place.hostname) and not self._insecure:
            raise Failure(
                f"The token is not sent to {place.hostname} over plain http, where others could read it. Use https, "
                "or --insecure-http if the network is yours.",
                UNAUTHORISED,
            )
        return self._token

    def _place(self) -> "SplitResult":
        """Return the parts of the hub's URL, or raise Failure where it is none."""
        from urllib.parse import urlsplit

        try:
            parts = urlsplit(self.url)
            good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError:
            good = False
        if not good or not re.fullmatch(r"[!-~]+", self.url) or set(self.url) & set("@?#\\"):
            shown = re.sub("//[^/@]*@", "//...@", self.url)  # never a password
            raise Failure(f"{shown!r} is not the URL of a hub, such as {DEFAULT_URL}.", USAGE)
        return parts

    def _once(self, request: "Request", seconds: float, *, last: bool) -> "Answer | None":
        """Send a request; return None for a failure after which it may be sent again, unless it is the *last* time."""
        from http.client import HTTPException

        reused = self._connection is not None
        try:
            return self._exchange(request, seconds)
        except Failure:
            self._drop()
            raise
        except (OSError, HTTPException, ValueError) as fault:  # ValueError: a chunk whose length is negative
            self._drop()
            # Refused: nothing was sent. Reset on a connection that had been idle: the hub had closed it.
            closed = isinstance(fault, ConnectionError) and reused and request[0] != "POST"
            if (closed or isinstance(fault, ConnectionRefusedError)) and not last:
                return None
            raise self._unreachable(request, fault, seconds) from fault

    def _exchange(self, request: "Request", seconds: float) -> "Answer":
        """Send a request and return the answer; raise what http.client and sockets raise, or Failure."""
        from http.client import HTTPResponse

        method, path, body, headers = request
        place, started = self._place(), time.monotonic()
        if self._connection is None:
            self._connection = self._connect(place)
        connection = self._connection
        connection.timeout = seconds
        if connection.sock is not None:
            connection.sock.settimeout(seconds)

        def tick() -> None:
            self.screen.progress(f"waiting for the hub, {time.monotonic() - started:.0f} s")

        connection.response_class = lambda sock, **how: HTTPResponse(Timed(sock, started + seconds, tick), **how)  # type: ignore[arg-type, assignment]
        connection.request(method, self._prefix + place.path + path, body, {**headers, **self._login})
        response = connection.getresponse()
        content, framed = whole(response)
        via = self._proxy.via if self._proxy else ""
        return Answer(response.status, response.headers, content, framed=framed, via=via)

    def _connect(self, place: "SplitResult") -> "http.client.HTTPConnection":
        """Return a connection to the hub or its proxy, and note what stands before each path and what logs in there."""
        from http.client import HTTPConnection, HTTPSConnection

        kind = HTTPSConnection if place.scheme == "https" else HTTPConnection
        self._proxy = proxy = proxy_for(place)
        self._prefix, self._login = "", {}
        if proxy is None:
            return kind(place.hostname or "", place.port)
        connection = kind(proxy.host, proxy.port)
        if place.scheme == "https":
            connection.set_tunnel(place.hostname or "", place.port or 443, proxy.login)
        else:
            self._prefix, self._login = f"http://{place.netloc}", proxy.login
        return connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _unreachable(self, request: "Request", fault: "Exception", seconds: float) -> "Failure":
        """Return the failure that *fault* is: of the hub, of the proxy, or of the way through the proxy."""
        from socket import gaierror
        from ssl import SSLError

        method, path, _, headers = request
        reason, via = why(fault, seconds), self._proxy.via if self._proxy else ""
        unopened = isinstance(fault, (ConnectionRefusedError, gaierror))
        message = f"The hub at {self.url} can't be reached{via}: {reason}."
        if self._proxy and "407" in reason:
            message = f"{PROXY_NEEDS_LOGIN}{via}: {reason}."
        elif self._proxy and unopened:  # the only address looked for was the proxy's
            message = f"The proxy {self._proxy.label} can't be reached: {reason}."
        unsent = unopened or isinstance(fault, (SSLError, UnicodeError)) or "407" in str(fault)
        if not unsent and method != "GET" and "Authorization" in headers and "dry_run" not in path:
            message += " Whether it did what was asked is not known: look before you repeat it."
        return Failure(message, UNREACHABLE)


def why(fault: "Exception", seconds: float) -> str:
    """Say in plain words why there was no answer."""
    import socket
    import ssl
    from http.client import HTTPException, RemoteDisconnected

    if isinstance(fault, (socket.timeout, TimeoutError)):
        return f"there was no whole answer within {seconds:g} s"
    if isinstance(fault, (socket.gaierror, UnicodeError)):
        return "its name has no address"
    if isinstance(fault, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({fault.verify_message}); SSL_CERT_FILE may name another authority"
    if isinstance(fault, RemoteDisconnected):
        return "the connection was closed without an answer"
    if isinstance(fault, (HTTPException, ValueError)):
        return f"the answer was cut off, or is not HTTP ({type(fault).__name__})"
    return str(getattr(fault, "strerror", None) or fault).lower()


class Timed(io.RawIOBase):
    """A socket as a file of which every read gets only what is left of the time for the whole answer.

    A socket's own time-out starts anew with each byte, so that a drip could last for ever. *tick* is called about once
    a second while nothing comes. All reads together get twice MOST bytes, whatever an answer says of its length: a
    chunk of the length -1 would be read for as long as something comes.
    """

    def __init__(self, sock: "socket.socket", until: float, tick: "Callable[[], None]") -> None:
        self._sock, self._until, self._tick, self._room = sock, until, tick, 2 * MOST
        self._held = sock.makefile("rb", 0)  # keeps the socket open, though its connection may let go of it

    def makefile(self, *_args: object) -> "io.BufferedReader":
        """Return the file to read; http.client asks for it as it asks a socket."""
        return io.BufferedReader(self, 2**16)

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: "Any") -> int:  # noqa: ANN401 - any buffer
        """Receive into *buffer*, or raise TimeoutError when the time is over."""
        import socket

        left = self._until - time.monotonic()
        while left > 0:
            self._sock.settimeout(min(left, 1.0))
            try:
                size = self._sock.recv_into(buffer)
            except socket.timeout:
                self._tick()
            else:
                self._room -= size
                if self._room < 0:
                    raise no_hub(f"it answers with more than {MOST // 2**20} MiB")
                return size
            left = self._until - time.monotonic()
        raise TimeoutError

    def close(self) -> None:
        """Let go of the socket."""
        self._held.close()
        super().close()


def whole(response: "http.client.HTTPResponse") -> "tuple[bytes, bool]":
    """Return the body of an answer, unpacked, and whether a length, chunks or gzip marked its end.

    Raise IncompleteRead where it ends before that, Failure where either form is too large or it is packed otherwise.
    """
    from http.client import IncompleteRead

    framed = bool(response.chunked) or response.length is not None
    body = response.read(MOST + 1)
    if response.length and len(body) <= MOST:
        raise IncompleteRead(body, response.length)
    coding = response.getheader("content-encoding", "").strip().lower() or "identity"
    if coding not in {"identity", "gzip", "x-gzip"}:
        raise no_hub(f"its answer is packed as {coding}, which was not asked for")
    if coding != "identity" and len(body) <= MOST:
        body, framed = unpacked(body), True
    if len(body) > MOST:
        raise no_hub(f"it answers with more than {MOST // 2**20} MiB")
    return body, framed


def unpacked(body: bytes) -> bytes:
    """Undo gzip: every member to its end and checksum (RFC 1952 §2.2); zeros may stand behind the last one.

    Raise IncompleteRead where the last one does not come to its end. More than MOST bytes come back cut off there.
    """
    import zlib
    from http.client import IncompleteRead

    content = b""
    for _ in range(MOST_MEMBERS):
        coder = zlib.decompressobj(31)
        try:
            content += coder.decompress(body, MOST + 1 - len(content))
        except zlib.error as fault:
            raise no_hub("its compression is broken") from fault
        body = coder.unused_data.lstrip(b"\0")
        if len(content) > MOST or (coder.eof and not body):
            return content
        if not coder.eof:
            raise IncompleteRead(b"")
    raise no_hub(f"its gzip has more than {MOST_MEMBERS} members")


class Proxy:
    """The proxy that a variable of the environment names; *label* and *via* name it in messages, without password.

    *login* is the header that carries its name and password, none where its URL holds none.
    """

    def __init__(self, name: str, url: str) -> None:
        """Read *url*, or raise Failure for a proxy that this client can't speak to."""
        from base64 import b64encode
        from urllib.parse import unquote, urlsplit

        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            self.host, self.port = parts.hostname or "", parts.port or 80
        except ValueError:
            self.host = ""
        if not re.fullmatch("[!-~]+", self.host):
            raise Failure(f"{name} is not the URL of a proxy, such as http://proxy.example:3128.", UNREACHABLE)
        if parts.scheme != "http":
            socks = parts.scheme.startswith("socks")
            kind = "a SOCKS proxy" if socks else f"a proxy that is spoken to in {parts.scheme}"
            raise Failure(
                f"{name} names {kind} ({parts.scheme}://{self.host}:{self.port}); this client speaks to http proxies "
                "only. NO_PROXY=HOST goes past it, HTTPS_PROXY or HTTP_PROXY outrank ALL_PROXY.",
                UNREACHABLE,
            )
        self.label = f"http://{self.host}:{self.port} ({name})"
        self.via = f" through the proxy {self.label}"
        pair = unquote(f"{parts.username}:{parts.password or ''}").encode("utf-8", "replace")
        self.login = {"Proxy-Authorization": f"Basic {b64encode(pair).decode()}"} if parts.username else {}


def proxy_for(place: "SplitResult") -> "Proxy | None":
    """Return the proxy that the environment names for the hub at *place*; raise Failure for one of another kind.

    None stands before loopback: the token may go there in clear. A lower-case variable outranks its upper-case one,
    and the scheme's outranks ALL_PROXY; one that is set and empty means none. HTTP_PROXY does not count where a web
    server runs this, which makes it of a header that anyone sends.
    """
    host, port = place.hostname or "", place.port or (443 if place.scheme == "https" else 80)
    names = [f"{place.scheme}_proxy", f"{place.scheme}_proxy".upper(), "all_proxy", "ALL_PROXY"]
    if "REQUEST_METHOD" in os.environ and "HTTP_PROXY" in names:
        names.remove("HTTP_PROXY")
    name = next((name for name in names if name in os.environ), "")
    url = os.environ.get(name, "").strip()
    return Proxy(name, url) if url and not _is_loopback(host) and not _goes_past(host, port) else None


def _goes_past(host: str, port: int) -> bool:
    """Tell whether no_proxy names *host*: itself, a domain above it, a network, each with a port or without; or *."""
    for entry in re.split(r"[,\s]+", os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""):
        parts = re.fullmatch(r"(\[.*\]|[^:]*)(?::([0-9]+))?", entry)  # else it is an IPv6 address without a port
        name, its_port = parts.groups() if parts else (entry, None)
        if its_port and its_port != str(port):
            continue
        name = re.sub(r"^\*?\.", "", name.strip("[]").lower())
        if name in {"*", host} or (name and host.endswith(f".{name}")):
            return True
        with suppress(ValueError):  # a name is no network
            from ipaddress import ip_address, ip_network

            if ip_address(host) in ip_network(name, strict=False):
                return True
    return False


def _is_loopback(host: "str | None") -> bool:
    return re.fullmatch(r"localhost|::1|127(\.[0-9]{1,3}){3}", host or "") is not None


# What follows makes paths of requests, and reads answers: whatever a hub sent where an object, a list or a number
# belongs, nothing raises.


def with_query(path: str, query: "dict[str, object]") -> str:
    """Return *path* with the parameters of *query*; None is left out, booleans are written as the hub reads them."""
    from urllib.parse import urlencode

    texts = {name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items()}
    return f"{path}?{urlencode({name: text for name, text in texts.items() if text is not None})}".rstrip("?")


def path_of(repo: str, *more: str) -> str:
    """Return the path of a repo, or of something below it."""
    from urllib.parse import quote

    return "/".join(["/v1/repos", quote(repo, safe=""), *more])


def read_json(text: "bytes | str", *, unique: bool = False) -> "Any":  # noqa: ANN401 - JSON of any shape
    """Return what JSON says; raise ValueError for NaN, what is nested too deep, and what a float can't hold (1e999).

    With *unique* also for an object that has a key twice, of which readers take either.
    """

    def finite(number: str) -> float:
        value = float(number)
        if value - value != 0:
            raise ValueError(number)
        return value

    def once(pairs: "list[tuple[str, Any]]") -> "Json":
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            raise ValueError(f"it has the key {next(name for name in names if names.count(name) > 1)} twice")
        return dict(pairs)

    try:
        pairs = once if unique else None
        return json.loads(text, parse_constant=finite, parse_float=finite, object_pairs_hook=pairs)
    except RecursionError as fault:
        raise ValueError("it is nested too deep") from fault


def number(value: object) -> int:
    """Return a whole number that a hub wrote, 0 where it wrote none."""
    return int(str(value)) if re.fullmatch("[0-9]{1,18}", str(value)) else 0


def dict_of(document: "Mapping[str, object]", name: str) -> "Any":  # noqa: ANN401 - an object of any shape
    """Return the object *name* of an answer, empty where something else is there."""
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def list_of(document: "Mapping[str, object]", name: str, kind: type = dict) -> "list[Any]":
    """Return the objects in the list *name* of an answer, or what else of one *kind*, whatever else is there."""
    rows = document.get(name)
    return [row for row in rows if isinstance(row, kind)] if isinstance(rows, list) else []


# --- Output -----------------------------------------------------------------------------------------------------------

# Nothing of these reaches a terminal: controls, and what reorders or hides text. A line ends where we end it.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)
STATES = {
    "fresh": ("\u25cf", "+", "32"),
    "stale": ("\u25d0", "~", "33"),
    "held": ("\u25d4", "=", "33"),
    "failed": ("\u2717", "x", "31"),
    "never": ("\u25cb", "o", "2"),
    "disabled": ("-", "-", "2"),
}
TROUBLED = ("stale", "held", "failed")


class State(str):
    """The state of a source, shown with its mark."""

    __slots__ = ()


class Result:
    """What a command found: *data* for programs, *blocks* for people (lines, and tables: lists of rows), exit code.

    A *document* is printed as it is, for both. With *aside* the blocks go to stderr: stdout holds what was written.
    """

    def __init__(
        self, data: object, *blocks: "Block", code: int = DONE, document: "bytes | None" = None, aside: bool = False
    ) -> None:
        self.data = data
        self.blocks = blocks
        self.code = code
        self.document = document
        self.aside = aside


class Screen:
    """Prints: data on stdout, all else on stderr; colour and progress only where a person looks."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.as_log = False
        terminal = sys.stdout.isatty()
        self._colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._width: int | None = None
        self._unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
        self._watched = sys.stderr.isatty()
        self._open = False
        if terminal:
            from shutil import get_terminal_size

            self._width = get_terminal_size().columns

    def show(self, result: "Result") -> None:
        """Print a result."""
        self._clear()
        if result.document is not None:
            write_stdout(result.document.rstrip(b"\n") + b"\n")
            return
        if self.as_json:
            lines = [json.dumps(result.data, indent=2).replace("\x7f", "\\u007f")]
        else:
            lines = [line for block in result.blocks for line in self._lines(block)]
        if result.aside:
            self.say(*lines)
        elif lines:
            write_stdout(("\n".join(lines) + "\n").encode(sys.stdout.encoding or "utf-8", "replace"))

    def fail(self, fault: "Failure") -> None:
        """Print a failure, for programs on stdout too."""
        if self.as_json:
            self.show(Result({"error": {**fault.problem, "detail": str(fault), "exit_code": fault.code}}))
        self.say(*f"reuse-surface: {fault}".split("\n"))

    def say(self, *lines: str) -> None:
        """Print lines on stderr; where that is a log in JSON, one object that has them all."""
        with suppress(OSError):  # where nobody listens, nothing can be said
            self._clear()
            for line in [log_line("\n".join(lines))] if self.as_log else map(clean, lines):
                sys.stderr.write(f"{line}\n")
            sys.stderr.flush()

    def progress(self, text: str) -> None:
        """Show how far something is, in place of what was shown before."""
        if self._watched:
            with suppress(OSError):
                sys.stderr.write(f"\r\x1b[K{clean(text)}")
                sys.stderr.flush()
            self._open = True

    def _clear(self) -> None:
        if self._open:
            sys.stderr.write("\r\x1b[K")
            self._open = False

    def _lines(self, block: "Block") -> "Iterator[str]":
        """Yield a text in its lines, or a table: columns two blanks apart, the last one wrapped to the terminal."""
        if isinstance(block, str):
            yield from map(clean, block.split("\n"))
            return
        texts = [[self._text(cell) for cell in row] for row in block]
        widths = [max(map(cells, column)) for column in zip(*texts)]
        left = sum(widths[:-1]) + 2 * len(widths[:-1])
        for row, line in zip(block, texts):
            first, *below = self._wrapped(line[-1], left)
            padded = [text + " " * (width - cells(text)) for text, width in zip(line[:-1], widths)] + [first]
            yield "  ".join(map(self._painted, row, padded)).rstrip()
            yield from below

    def _text(self, cell: object) -> str:
        if isinstance(cell, State) and cell in STATES:
            return f"{STATES[cell][0 if self._unicode else 1]} {cell}"
        return clean(cell)

    def _painted(self, cell: object, text: str) -> str:
        if isinstance(cell, State) and cell in STATES and self._colour:
            return f"\x1b[{STATES[cell][2]}m{text}\x1b[0m"
        return text

    def _wrapped(self, text: str, left: int) -> "list[str]":
        """Return *text* in lines that fit a terminal right of column *left*, or below the row where little is left."""
        if not text or not self._width or left + cells(text) <= self._width:
            return [text]
        beside = self._width - left >= 40
        indent = left if beside else 4
        lines = [""] if beside else ["", ""]
        for word in text.split(" "):
            longer = f"{lines[-1]} {word}" if lines[-1] else word
            if lines[-1] and indent + cells(longer) > self._width:
                lines.append(word)
            else:
                lines[-1] = longer
        return [lines[0], *(" " * indent + line for line in lines[1:])]


class StdoutError(Exception):
    """Standard output can't be written to."""


def write_stdout(content: bytes) -> None:
    """Write to standard output; raise StdoutError, or BrokenPipeError where its reader has gone."""
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as fault:
        raise StdoutError(f"Standard output can't be written: {fault.strerror}.") from fault


def clean(value: object) -> str:
    """Return *value* as text of one line that does nothing to a terminal."""
    return "" if value is None else _UNSEEN.sub("", str(value).replace("\n", " "))


def cells(text: str) -> int:
    """Return how many cells *text* takes on a terminal."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1 for character in text)


def table(rows: "Iterable[Any]", **columns: "Any") -> "list[Sequence[object]]":  # noqa: ANN401 - see below
    """Return *rows* as a table; each column has a head, and is a field or a function of the row."""
    texts = [[how(row) if callable(how) else row.get(how) for how in columns.values()] for row in rows]
    return [[*columns], *texts]


def now() -> float:
    """Return the seconds since 1970; a clock beyond the year 9999, which no date can tell, shows its last second."""
    return min(time.time(), 253402300799)


def utc(form: str) -> str:
    """Return the present in UTC in the form of strftime."""
    return time.strftime(form, time.gmtime(now()))


def age(stamp: object) -> str:
    """Return how long ago, or in how long, a time of the hub is."""
    from datetime import datetime, timezone

    try:
        then = datetime.fromisoformat(str(stamp)[:19]).replace(tzinfo=timezone.utc)
    except ValueError:
        return "never" if stamp is None else clean(stamp)
    seconds = round(now() - then.timestamp())
    size, unit = next((pair for pair in ((86400, "d"), (3600, "h"), (60, "min")) if abs(seconds) >= pair[0]), (1, "s"))
    if abs(seconds) < 2:
        return "just now"
    return f"{seconds // size} {unit} ago" if seconds > 0 else f"in {-seconds // size} {unit}"


def counted(count: object, noun: str = "capability") -> str:
    """Return a number with its noun: ``1 capability``, ``1,203 capabilities``."""
    return f"{number(count):,} {noun if count == 1 else re.sub('y$', 'ie', noun) + 's'}"


def few(names: "list[str]") -> str:
    """Return the first five names, and how many more there are."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")


def scalar(value: object) -> str:
    """Return *value* as JSON that every reader of YAML takes, too."""
    text = json.dumps(value, ensure_ascii=False)
    unsafe = "[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]"
    return re.sub(unsafe, lambda character: f"\\u{ord(character[0]):04x}", text)


def did_you_mean(name: str, names: "Iterable[str]") -> str:
    """Return the sentence that leads from a *name* that is not registered to those that are."""
    from difflib import get_close_matches

    near = get_close_matches(name, [*names])
    return f"Did you mean {' or '.join(near)}?" if near else "reuse-surface hub list names those that are there."


def faults(path: str, answer: "Json") -> "Iterator[str]":
    """Yield a line ``file:line:column: message`` for each fault of a document."""
    for fault in list_of(answer, "errors"):
        hint = f" ({fault['hint']})" if fault.get("hint") else ""
        yield f"{place_of(fault, path)}{fault.get('pointer') or '/'} {fault.get('detail')}{hint}"


def place_of(fault: "Mapping[str, object]", path: str = "") -> str:
    """Return ``path:line:column: ``, as much of it as is known."""
    place = f"{fault['line']}:{fault.get('column')}: " if "line" in fault else ""
    return f"{path}:{place}" if path else place


# --- Files ------------------------------------------------------------------------------------------------------------


def read_file(path: str) -> bytes:
    """Return what is in a file, ``-`` being standard input; raise Failure where it can't be read."""
    try:
        if path == "-":
            return sys.stdin.buffer.read()
        with open(path, "rb") as file:
            return file.read()
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or str(fault)
        raise Failure(f"{path} can't be read: {reason}.", USAGE) from fault


def write_whole(path: str, content: bytes) -> bool:
    """Write *content* to *path*; tell whether that is a file, about which something may be noted beside it.

    A file is replaced as a whole or left as it was; a symbolic link stays, and the file that it leads to is replaced.
    A device, a pipe and standard output are written to. Raise Failure where *path* can't be written.
    """
    if is_stdout(path):
        write_stdout(content)
        return False
    exists = os.path.exists(path)
    is_file = not exists or os.path.isfile(path)
    try:
        if is_file:
            _replace(os.path.realpath(path), content)
        else:
            # Not created, not cut to nothing, and not waited for where a socket or a folder has the name.
            with open(os.open(path, os.O_WRONLY), "wb") as file:
                file.write(content)
    except (OSError, ValueError) as fault:
        raise _unwritable(path, fault, kept=exists and is_file) from fault
    return is_file


def _replace(target: str, content: bytes) -> None:
    """Replace the regular file *target* by a draft that lies beside it and is on the disk; remove the draft if not."""
    draft = os.path.join(os.path.dirname(target), f".{os.urandom(8).hex()}.draft")
    try:
        with open(draft, "xb") as file:
            if os.path.exists(target):
                os.chmod(draft, os.stat(target).st_mode & 0o777)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, target)
    finally:
        with suppress(OSError):
            os.unlink(draft)


def _unwritable(path: str, fault: Exception, *, kept: bool) -> Failure:
    """Return the failure of a file that can't be written, with what to do where that can be said."""
    import errno

    draft = "A draft is made beside the file: its folder has to be writable."
    advice = {
        errno.ENOENT: f"Make its folder first: mkdir -p {os.path.dirname(path) or '.'}",
        errno.EBUSY: f"It is a mount of its own, which can't be replaced: mount its folder, or use --out - > {path}",
        errno.EISDIR: "Name a file in it.",
        errno.EACCES: draft,
        errno.EROFS: draft,
    }
    reason = getattr(fault, "strerror", None) or str(fault)
    rest = ["It was left as it is." if kept else "", advice.get(getattr(fault, "errno", None) or 0, "")]
    return Failure(" ".join(filter(None, [f"{path} can't be written: {reason}.", *rest])))


def make_folder(folder: str, make: "Callable[[str], None]") -> None:
    """Make a folder where there is none; raise Failure."""
    if not os.path.isdir(folder):
        try:
            make(folder)
        except (OSError, ValueError) as fault:
            raise _unwritable(folder.rstrip("/"), fault, kept=False) from fault


def to_stdout(args: "Namespace") -> bool:
    """Tell whether --out is standard output; raise Failure where --json needs that for itself."""
    yes = bool(args.out) and is_stdout(args.out)
    if yes and args.json:
        raise Failure(f"--json prints its own document on stdout, where --out {args.out} writes: leave one out.", USAGE)
    return yes


def is_stdout(path: str) -> bool:
    """Tell whether *path* is standard output: ``-``, /dev/stdout, or whatever else leads to the same place."""
    if path == "-":
        return True
    try:
        place = os.stat(path)
        return os.path.samestat(place, os.fstat(1)) and not os.path.samestat(place, os.stat(os.devnull))
    except (OSError, ValueError):
        return False


def sha256(content: bytes) -> str:
    """Return the SHA-256 in hexadecimal."""
    import hashlib

    return hashlib.sha256(content).hexdigest()


# --- Commands ---------------------------------------------------------------------------------------------------------

COMMANDS: "dict[str, tuple[Callable[[Api, Namespace], Result], tuple[Option, ...]]]" = {}
LOCAL = {"token new", "federation compose", "serve", "restore", "version"}
A_NAME = "a-z, 0-9, . _ and -, beginning with a letter or digit"


class Parser(argparse.ArgumentParser):
    """argparse's, but a wrong command line is a Failure like every other."""

    def error(self, message: str) -> "NoReturn":
        """Raise Failure."""
        raise Failure(f"{message}\n{self.format_usage().rstrip()}", USAGE) from None


def parser_of(name: str) -> "Parser":
    """Return the parser of one command; those of the others are not made."""
    run, options = COMMANDS[name]
    parser = Parser(
        prog=f"reuse-surface {name}", description=run.__doc__, allow_abbrev=False,
        # argparse asks for the width of the terminal with every option that is added, unless it is given.
        formatter_class=lambda prog: argparse.HelpFormatter(prog, width=100),
    )  # fmt: skip
    for option, how in (*options, *GLOBALS):
        # A local command takes what it does not use, wherever a script puts it, but does not offer it.
        hidden = name in LOCAL and (option, how) in GLOBALS and option != "--json"
        parser.add_argument(option, **{**how, "help": argparse.SUPPRESS} if hidden else how)
    return parser


def arguments_of(name: str, rest: "list[str]") -> "Namespace":
    """Return the arguments of a command, a repo's name being an option or a word; raise Failure."""
    if any("\0" in word for word in rest):
        raise Failure("No argument may hold a NUL.", USAGE)
    # argparse would take a -- out of what was typed, too.
    cut = rest.index("--") if name == "completion" and "--" in rest else len(rest)
    args = parser_of(name).parse_intermixed_args(rest[:cut])
    if rest[cut:]:
        args.typed = rest[cut + 1 :]
    repo, word = getattr(args, "repo", None), getattr(args, "name_of_repo", None)
    if None not in {repo, word} and repo != word:
        raise Failure(f"Two repos are named, {word} and {repo}: leave one out.", USAGE)
    args.repo = repo if word is None else word
    if REPO[0] in COMMANDS[name][1] and not args.repo:
        raise Failure(f"Which repo? Name it, as in: reuse-surface {name} REPO", USAGE)
    if "/" in (args.repo or ""):  # below /v1/repos it would be another path
        raise Failure(f"{args.repo} is no name of a repo; it is {A_NAME}.", USAGE)
    return args


def options_in(args: "Namespace", *names: str) -> "Json":
    """Return the options among *names* that were given."""
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}


def command(name: str, *options: "Option") -> "Callable[[Callable[[Api, Namespace], Result]], None]":
    """Put a function into the table of commands, in the order of the help; its docstring is its help."""

    def add(run: "Callable[[Api, Namespace], Result]") -> None:
        COMMANDS[name] = run, options

    return add


def arg(typed: str, about: str, **how: "Any") -> "Option":  # noqa: ANN401 - as argparse takes it
    """Declare what is typed: ``--force``, ``--limit N``, or a word such as ``file FILE``, by its name and its value."""
    name, _, value = typed.partition(" ")
    if value:
        how.update(metavar=value, type=TYPES.get(value, str))
    elif "choices" not in how:
        how["action"] = "store_true"
    return name, {**how, "help": about}


def reader(pattern: str, convert: "Callable[[str], object]", what: str) -> "Callable[[str], object]":
    """Return what reads the value of an option, whose whole text matches *pattern*; *what* it takes is said if not."""

    def read(text: str) -> object:
        if not re.fullmatch(pattern, text):
            raise argparse.ArgumentTypeError(f"it takes {what}, not {text!r}")
        return convert(text)

    return read


truth = reader("true|false", lambda text: text == "true", "true or false")
whole_number = reader("-?[0-9]{1,18}", int, "a whole number")
digest = reader("sha256:[0-9a-f]{64}", str, "the held_digest of hub show (sha256: and 64 hexadecimal digits)")


def seconds(text: str) -> float:
    """Read a positive number of seconds."""
    with suppress(ValueError):
        if 0 < float(text) < 86400:
            return float(text)
    raise argparse.ArgumentTypeError(f"it takes a number of seconds above 0 and below 86400, not {text!r}")


TYPES = {"N": whole_number, "PORT": whole_number, "true|false": truth, "DIGEST": digest, "SECONDS": seconds}
GLOBALS = (
    arg("--base-url URL", "the hub (REUSE_SURFACE_URL, else " + DEFAULT_URL + ")"),
    arg("--json", "print one JSON document on stdout"),
    arg("--timeout SECONDS", "how long one answer may take"),
    arg("--insecure-http", "send the token over plain http to another machine"),
)
REPO = (
    arg("name_of_repo REPO", "the name of the repo", nargs="?"),
    arg("--repo REPO", "the same, as an option"),
)
THIS_REPO = arg("--repo REPO", "only this repo")
THIS_REPO_BY_WORD = (arg("name_of_repo REPO", "only this repo", nargs="?"), REPO[1])
THIS_DOMAIN = arg("--domain DOMAIN", "only those of this domain")
YES = arg("--yes", "do not ask first, on a terminal")
REVISION = arg("--revision N", "only if it is still at this revision")

# --- Look: what is there, and how it is -------------------------------------------------------------------------------


@command("hub status", arg("--expect-ready", "wait until the hub is ready (at most --timeout), and fail if it is not"))
def show_status(hub: "Api", args: "Namespace") -> "Result":
    """Tell on one screen how the hub and its federation are; exit 1 while the federation is incomplete."""
    ready = readiness(hub, wait=args.expect_ready)
    data = {"url": hub.url, "version": hub.read("/health").get("version"), **ready}
    index = hub.read("/v1/federated")
    data.update({name: index.get(name) for name in ("serial", "generated_at", "complete", "missing_required")})
    data.update({name: len(list_of(index, name)) for name in ("capabilities", "conflicts")})
    sources = list_of(index, "sources")
    counts = {state: sum(row.get("state") == state for row in sources) for state in STATES}
    counts["disabled"] = number(hub.read("/v1/repos", enabled=False, limit=1).get("total"))
    client = client_news(hub)
    data.update(sources=counts, client=client)
    code = DONE if data["complete"] is True and (ready["ready"] or not args.expect_ready) else REFUSED
    return Result(data, *status_blocks(data, sources), *client["notes"], code=code)


def status_blocks(data: "Json", sources: "list[Json]") -> "Iterator[Block]":
    """Yield the screen of ``hub status``."""
    yield f"reuse-surface hub {data['version']} at {data['url']}"
    failing = [f"{name}: {state}" for name, state in dict_of(data, "checks").items() if str(state) not in {"ok", "off"}]
    missing = data["missing_required"] if isinstance(data["missing_required"], list) else []
    conflicts = f", {data['conflicts']:,} of them claimed by several repos" if data["conflicts"] else ""
    yield [
        ("ready", "yes" if data["ready"] else f"no ({', '.join(failing) or 'it does not say why'})"),
        ("complete", "yes" if data["complete"] is True else f"no: nothing to serve from {few([*map(str, missing)])}"),
        ("serial", f"{data['serial']}, changed {age(data['generated_at'] or None)}"),
        ("capabilities", f"{data['capabilities']:,}{conflicts}"),
        ("sources", f"{sum(data['sources'].values()):,}"),
    ]
    names = {state: [str(row.get("repo")) for row in sources if row.get("state") == state] for state in TROUBLED}
    counts = [(State(state), count) for state, count in data["sources"].items() if count]
    yield [(state, f"{count:,}", few(names.get(state, []))) for state, count in counts]


def readiness(hub: "Api", *, wait: bool) -> "Json":
    """Return what /ready says; with *wait* ask until the hub is ready or the time is over."""
    until = time.monotonic() + (hub.seconds or SECONDS) * wait
    while True:
        answer = {}
        try:
            answer = hub.ask("GET", "/ready").json()
        except Failure as fault:
            if fault.code != UNREACHABLE or time.monotonic() >= until:
                raise
        ready = {"ready": answer.get("ready") is True, "checks": answer.get("checks")}
        if ready["ready"] or time.monotonic() >= until:
            return ready
        time.sleep(0.5)


def client_news(hub: "Api") -> "Json":
    """Return what the hub serves as its client, compared with this file."""
    answer = hub.ask("GET", "/cli.py.sha256", headers={"Accept": "text/plain"})
    served, notes = answer.header("reuse-surface-client-version"), []
    try:
        same = answer.body.startswith(sha256(read_file(globals()["__file__"])).encode())
    except (KeyError, Failure):  # read from a pipe, or removed since
        same = True
    if answer.status == 200 and not same:
        if [int(part) for part in re.findall("[0-9]{1,9}", served)] > [*map(int, VERSION.split("."))]:
            notes = [f"The hub serves a newer client, {served} (this is {VERSION}): see {REPOSITORY}#install"]
        elif served == VERSION:
            notes = [f"This client differs from the one that the hub serves under the same version, {VERSION}."]
    return {"version": VERSION, "served": served or None, "notes": notes}


@command(
    "hub list",
    THIS_DOMAIN,
    arg("--enabled true|false", "only those that are enabled, or are not"),
    arg("--state", "only those whose source is in this state", choices=[*STATES]),
)
def list_repos(hub: "Api", args: "Namespace") -> "Result":
    """List the registered repositories and how fresh each is."""
    must_know(hub, domain=args.domain)
    filters = options_in(args, "domain", "enabled", "state")
    rows = hub.rows("/v1/repos", "repos", **filters)
    shown = table(
        rows,
        REPO="repo",
        STATE=lambda row: State(dict_of(row, "source").get("state")),
        DOMAIN="domain",
        SERVED=lambda row: _served_of(dict_of(row, "source")),
        CHECKED=lambda row: age(dict_of(row, "source").get("checked_at")),
        TROUBLE=lambda row: trouble_of(dict_of(row, "source")),
    )
    none = "No registered repository matches these filters." if filters else "No repository is registered."
    return Result({"repos": rows, "total": len(rows)}, shown if rows else none)


def _served_of(source: "Source") -> str:
    count, served = number(source.get("capability_count")), source.get("served_count")
    # An older hub tells how many entries there are, and not how many of them are served.
    return f"{count:,}" if served == count else f"{'at most' if served is None else f'{number(served):,} of'} {count:,}"


def trouble_of(source: "Mapping[str, object]") -> str:
    """Return why the last check of a source brought nothing, empty where it did."""
    return str(dict_of(source, "error").get("detail") or "")


def must_know(hub: "Api", repo: "str | None" = None, domain: "str | None" = None) -> None:
    """Raise Failure where a repo or a domain that was named is not registered: an empty answer would hide a typo."""
    if repo is not None:
        hub.read(path_of(repo))
    if domain is not None:
        domains = {str(row.get("domain")) for row in hub.rows("/v1/repos", "repos")}
        if domain not in domains:
            message = f"No repository is registered in the domain {domain}. {did_you_mean(domain, domains)}"
            raise Failure(message, NOT_FOUND)


@command("hub show", *REPO)
def show_repo(hub: "Api", args: "Namespace") -> "Result":
    """Show one registration and all that is known about its source."""
    row = hub.read(path_of(args.repo))
    return Result(row, [*facts_of(row)])


def facts_of(row: "Mapping[str, object]") -> "Iterator[tuple[str, object]]":
    """Yield the names and values of a registration and its source, for people."""
    source = dict_of(row, "source")
    for name, value in [*row.items(), *source.items()]:
        if name == "state":
            yield name, State(value)
        elif name == "duration_ms" and value is not None:
            yield name, f"{number(value):,} (talking to the source in the last check, without waiting in the hub)"
        elif name.endswith("_at") or name == "state_since":
            yield name, f"{'due ' * (name == 'next_check_at')}{age(value)} ({value})" if value else "never"
        elif name == "error":
            yield name, trouble_of(source) or "none"
        elif name == "served_elsewhere":
            yield "served", served_text(source, "")
        elif name != "source":
            yield name, scalar(value) if isinstance(value, bool) else value


def served_text(source: "Mapping[str, object]", all_of_them: str = " served") -> str:
    """Return in words how many entries of a source are served, and who serves the ids of the others."""
    count, served = source.get("capability_count"), source.get("served_count")
    if served is None or served == count:
        return counted(count) + (all_of_them if served == count else "")
    lost = [(other.get("count"), other.get("repo")) for other in list_of(source, "served_elsewhere")[:5]]
    claims = ", ".join(f"{'all' if ids == count else f'{number(ids):,}'} claimed by {repo}" for ids, repo in lost)
    if count == 1:
        return "1 capability, not served" + (f": its id is claimed by {lost[0][1]}" if lost else "")
    return f"{counted(count)}, {number(served):,} of them served" + (f": {claims}" if claims else "")


@command("hub history", *REPO, arg("--limit N", "at most so many changes"))
def history(hub: "Api", args: "Namespace") -> "Result":
    """Tell who changed a registration, newest first, also of a repo that was deregistered."""
    answer = hub.read(path_of(args.repo, "history"), limit=args.limit)
    rows = list_of(answer, "history")
    if not rows:
        must_know(hub, args.repo)

    def fields(row: "Json") -> str:
        return ", ".join(f"{name}={scalar(value)}" for name, value in dict_of(row, "after").items())

    when = {"WHEN": lambda row: age(row.get("at"))}
    return Result(answer, table(rows, **when, BY="by", ACTION="action", REVISION="revision", FIELDS=fields))


@command(
    "hub search",
    arg("words WORD", "what to look for in ids, names, summaries and tags", nargs="*"),
    THIS_DOMAIN,
    THIS_REPO,
    arg("--status STATUS", "only those of this status"),
    arg("--tag TAG", "only those with this tag"),
    arg("--owner OWNER", "only those of this owner"),
    arg("--limit N", "at most so many (20)", default=20),
)
def search(hub: "Api", args: "Namespace") -> "Result":
    """Find capabilities, the best match first."""
    filters = options_in(args, "domain", "repo", "status", "tag", "owner", "limit")
    must_know(hub, args.repo)
    answer = hub.read("/v1/capabilities", q=" ".join(args.words) or None, **filters)
    rows = list_of(answer, "capabilities")
    if rows:
        shown = table(rows, ID="id", REPO="source_repo", VECTOR="vector", NAME="name")
        return Result(answer, shown, f"{len(rows):,} of {number(answer.get('total')):,}")
    unmatched = {name: filters[name] for name in list_of(answer, "unmatched", str) if name in filters}
    # Asked only here: an entry may state a domain of its own, in which no repo is registered.
    must_know(hub, domain=unmatched.get("domain"))
    none = "No capability is served."
    if unmatched:
        none = f"No served capability has {', none '.join(f'the {name} {unmatched[name]}' for name in unmatched)}."
    elif args.words or len(filters) > 1:
        none = f"No capability matches{'; fewer or shorter words may find some' if args.words else ''}."
    return Result(answer, none)


@command("hub findings", *THIS_REPO_BY_WORD, THIS_DOMAIN)
def findings(hub: "Api", args: "Namespace") -> "Result":
    """List all that is wrong in the federation, since when, and what to do about it."""
    must_know(hub, args.repo, args.domain)
    rows: list[Finding] = hub.rows("/v1/findings", "findings", repo=args.repo, domain=args.domain)
    shown = table(
        rows,
        SEVERITY="severity",
        REPO="repo",
        KIND=lambda row: ", ".join([str(row.get("kind")), *list_of(row, "also", str)]),
        SINCE=lambda row: age(row.get("since")),
        FINDING=_finding,
    )
    several = [row for row in rows if len(list_of(row, "faults")) > 1]
    places = [line for row in several for line in faults(str(row.get("repo")), {"errors": row["faults"]})]
    return Result({"findings": rows, "total": len(rows)}, shown if rows else _no_finding(hub, args), *places)


def _finding(row: "Mapping[str, object]") -> str:
    """Return where something is wrong, what, and what to do: with commands, where the hub names requests."""
    action = str(row.get("action") or "")
    action = re.sub(r"POST /v1/repos/(\S+)/(refresh|accept)", r"reuse-surface hub \2 \1", action)
    action = re.sub(r'PATCH /v1/repos/(\S+) with \{"(\w+)": (\w+)\}', r"reuse-surface hub update \1 --\2 \3", action)
    action = action.replace("POST /v1/validate", "reuse-surface hub validate FILE")
    return f"{place_of(row)}{row.get('detail')} {action}"


def _no_finding(hub: "Api", args: "Namespace") -> str:
    """Return what is known of the sources asked about, in which the hub finds nothing wrong."""
    if args.repo:
        row: Registration = hub.read(path_of(args.repo))
        source: Source = dict_of(row, "source")
        if args.domain not in {None, row.get("domain")}:
            return f"No finding: {args.repo} is not in the domain {args.domain}."
        checked = f"last checked {age(source['checked_at'])}" if source.get("checked_at") else "never checked"
        return f"No finding: {args.repo} is {source.get('state')}, {checked}."
    answers = (hub.read("/v1/repos", enabled=value, domain=args.domain, limit=1) for value in (True, False))
    on, off = (number(answer.get("total")) for answer in answers)
    disabled = f"{counted(off, 'source')} {'is' if off == 1 else 'are'} disabled and not checked"
    if not on:
        return f"No finding: {disabled if off else 'no repository is registered'}."
    return f"No finding as of the last check of {counted(on, 'enabled source')}" + (f"; {disabled}." if off else ".")


# --- Write: registrations, and what is checked and let in -------------------------------------------------------------

# The fields of a registration but its name: what each is where it was never given, what is typed, and its help.
REGISTRATION: "dict[str, tuple[object, str, str]]" = {
    "url": (None, "--url URL",
            "the published raw URL of its capability index; what an old one brought is served until a new one is read"),
    "domain": (None, "--domain DOMAIN", "its domain, e.g. helix_forge"),
    "enabled": (True, "--enabled true|false",
                "false: not fetched and not served; its registration and its history stay"),
    "required": (False, "--required true|false",
                 "true: while nothing of it is served, the federated index is incomplete"),
    "cache_ttl_seconds": (3600, "--cache-ttl-seconds N", "how long a check stays good (3600 at first)"),
    "description": ("", "--description TEXT", "what the repo holds, in a sentence for people"),
}  # fmt: skip
DEFAULTS = {name: value for name, (value, _, _) in REGISTRATION.items() if value is not None}


@command(
    "hub register",
    *REPO,
    *(arg(typed, about, required=value is None) for value, typed, about in REGISTRATION.values()),
    arg("--dry-run", "have the index fetched and read, tell what it would bring, and store nothing"),
)
def register(hub: "Api", args: "Namespace") -> "Result":
    """Register the index at a URL, have it fetched, and tell what came of that; exit 1 if it could not be read."""
    fields = options_in(args, "repo", *REGISTRATION)
    if args.dry_run:
        return trial(args.url, hub.write("POST", "/v1/repos?dry_run=true", fields))
    try:
        row: Registration = hub.write("POST", "/v1/repos", fields)
        message = f"Registered {row.get('repo')} (revision {row.get('revision')})."
    except Failure as fault:
        if not str(fault.problem.get("type")).endswith("/repo-exists"):
            raise
        row = same_registration(hub, args.repo, fields, fault)
        message = f"{args.repo} is registered with these values already (revision {row.get('revision')})."
    if row.get("enabled") is False:
        return Result(row, message, "It is disabled, so nothing was fetched.")
    return check_now(hub, args.repo, row, message)


def same_registration(hub: "Api", repo: str, fields: "Json", fault: "Failure") -> "Registration":
    """Return the registration that has the name of *repo*, or raise *fault* with what differs, and how to change it."""
    from shlex import quote

    row: Registration = hub.read(path_of(repo))
    differing = [name for name, value in {**DEFAULTS, **fields}.items() if row.get(name) != value]
    if not differing:
        return row
    # What was not typed is a default here, and nothing that anyone wants to change by it.
    values = {name: fields[name] for name in differing if name in fields}
    texts = {name: value if isinstance(value, str) else scalar(value) for name, value in values.items()}
    line = " ".join(f"--{name.replace('_', '-')} {quote(text)}" for name, text in texts.items())
    way = f"To change it: reuse-surface hub update {repo} {line or '...'}"
    raise Failure(f"{fault}\nIt differs in {', '.join(differing)}. {way}", fault.code, fault.problem) from fault


def trial(url: str, answer: "Json") -> "Result":
    """Tell what registering would have come to."""
    refusal, conflicts = dict_of(answer, "refusal"), list_of(answer, "conflicts")
    # The fetch tells the first fault of an index, which stands among its faults with its place.
    lines = [*faults(url, answer)] or [trouble_of(dict_of(answer, "fetch"))]
    trouble = [*filter(None, [str(refusal.get("detail") or ""), *lines])]
    claims = [f"{conflict.get('id')} is published by {conflict.get('repo')} already" for conflict in conflicts]
    by = [str(conflict.get("repo")) for conflict in conflicts]
    winners = [{"repo": repo, "count": by.count(repo)} for repo in sorted({*by}, key=by.count, reverse=True)]
    would = "The index holds" if refusal else "It would bring"
    message = f"Nothing was stored. {would} {served_text({**answer, 'served_elsewhere': winners}, '')}."
    return Result(answer, *trouble, *claims, message, code=REFUSED if trouble else DONE)


def check_now(hub: "Api", repo: str, row: "Registration", done: str) -> "Result":
    """Have a repo checked and tell what came of it; a Failure begins with what was *done* before, which stays."""
    try:
        outcome = hub.write("POST", path_of(repo, "refresh"), seconds=SECONDS_OF_CHECKS)
    except Failure as fault:
        raise Failure(f"{done} Its check then failed: {fault}", fault.code, fault.problem) from fault
    return report({**row, **outcome}, [outcome], done)


def report(data: "Json", outcomes: "list[Registration]", *before: str) -> "Result":
    """Return *data*, the lines *before*, and one for each outcome with what to do about it; exit 1 for a bad one."""
    lines = [*before]
    for outcome in outcomes:
        source, repo = dict_of(outcome, "source"), outcome.get("repo")
        lines.append(f"{repo}: {outcome.get('outcome')}, {served_text(source)}")
        if trouble_of(source):
            lines.append(f"  {trouble_of(source)}")
        if outcome.get("outcome") == "held":
            lines.append(f"  To see what would vanish: reuse-surface hub findings --repo {repo}")
            lines.append(f"  To let it in: reuse-surface hub accept --repo {repo}")
    return Result(data, *lines, code=REFUSED if any(map(is_bad, outcomes)) else DONE)


def is_bad(outcome: "Registration") -> bool:
    """Tell whether a check came to something that somebody has to look at."""
    return str(outcome.get("outcome")) not in {"changed", "unchanged"}


@command("hub update", *REPO, *(arg(typed, about) for _, typed, about in REGISTRATION.values()), REVISION, YES)
def update(hub: "Api", args: "Namespace") -> "Result":
    """Change fields of a registration; the others stay. Have a new URL fetched, and tell what came of that."""
    changes = options_in(args, *REGISTRATION)
    if not changes:
        raise Failure("Nothing to change: give at least one field, such as --enabled true.", USAGE)
    headers = condition(hub, args, "Disable" if args.enabled is False else "")
    row: Registration = hub.write("PATCH", path_of(args.repo), changes, headers=headers)
    message = f"{row.get('repo')} is at revision {row.get('revision')}."
    if args.url is None or row.get("enabled") is False:
        return Result(row, message, [*facts_of(row)])
    return check_now(hub, args.repo, row, message)


@command("hub deregister", *REPO, REVISION, YES)
def deregister(hub: "Api", args: "Namespace") -> "Result":
    """Remove a registration; its name and URL are free at once, its history stays."""
    hub.write("DELETE", path_of(args.repo), headers=condition(hub, args, "Deregister"))
    return Result({"repo": args.repo, "deregistered": True}, f"Deregistered {args.repo}.")


def condition(hub: "Api", args: "Namespace", loss: str) -> "dict[str, str]":
    """Return the header that lets a change happen only to what was seen, none where nothing was looked at.

    That is the registration at --revision, or what a person was asked about on a terminal: before a *loss*, by which
    entries leave the federated index. Raise Failure without a yes.
    """
    asking = bool(loss) and may_ask(args)
    if args.revision is None and not asking:
        return {}
    row, headers = present(hub, args.repo)
    if args.revision not in {None, row.get("revision")}:
        raise Failure(f"{args.repo} is at revision {row.get('revision')} now. Nothing was changed.", CODES[412])
    if asking:
        source: Source = dict_of(row, "source")
        count = number(source.get("served_count", source.get("capability_count")))
        leave = f"{counted(count)} of it {'leaves' if count == 1 else 'leave'} the federated index"
        confirm(f"{loss} {args.repo}? {leave if count else 'Nothing of it is served'}.")
    return headers


def present(hub: "Api", repo: str) -> "tuple[Any, dict[str, str]]":
    """Return the registration of a repo, and the header that lets a change happen only to that."""
    answer = hub.ask("GET", path_of(repo))
    return hub.expect(answer), {"If-Match": answer.header("etag")}


def may_ask(args: "Namespace") -> bool:
    """Tell whether a person sits there to be asked, and wants to be."""
    return not (args.yes or args.json) and sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str) -> None:
    """Ask, and raise Failure for anything but yes."""
    sys.stderr.write(f"{clean(question)} [y/N] ")
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:  # Ctrl-D leaves the cursor behind the question
        sys.stderr.write("\n")
    if line.strip().lower() not in {"y", "yes"}:
        raise Failure("Nothing was changed.")


@command(
    "hub refresh",
    *THIS_REPO_BY_WORD,
    arg("--all", "check every source that is due"),
    arg("--force", "with --all: those that are not due, too"),
)
def refresh(hub: "Api", args: "Namespace") -> "Result":
    """Have one source or all of them checked now; exit 1 if one could not be read or was held."""
    if bool(args.repo) == args.all or (args.force and not args.all):
        raise Failure("Give either --repo REPO or --all, with --force or without.", USAGE)
    path = path_of(args.repo, "refresh") if args.repo else "/v1/federated/compose"
    answer = hub.write("POST", with_query(path, {"force": args.force or None}), seconds=SECONDS_OF_CHECKS)
    if args.repo:
        return report(answer, [answer])
    outcomes = list_of(answer, "results")
    counts = ", ".join(f"{number(count):,} {name}" for name, count in dict_of(answer, "counts").items())
    message = f"Checked {counted(len(outcomes), 'source')} ({counts or 'none was due'}); serial {answer.get('serial')}."
    return report(answer, [*filter(is_bad, outcomes)], message)


@command(
    "hub accept",
    *REPO,
    arg("--digest DIGEST", "only if this is held: the held_digest that hub show tells"),
    YES,
)
def accept(hub: "Api", args: "Namespace") -> "Result":
    """Let in content that was held because much of what was there has vanished from it."""
    held = args.digest
    if may_ask(args):
        # What was asked about is what is let in, whatever a check brings while the question stands.
        held = held or dict_of(hub.read(path_of(args.repo)), "source").get("held_digest")
        if held:  # else the hub says that nothing is held
            confirm(f"Accept what is held of {args.repo}? What it no longer names leaves the federated index.")
    outcome = hub.write("POST", path_of(args.repo, "accept"), {"digest": held} if held else None)
    return report(outcome, [outcome])


# --- Documents: an index, the federated index, manifests --------------------------------------------------------------

MANIFEST = "registry/federation/sources.yaml"
MARK = "# Written by reuse-surface hub sync"
_NAME = re.compile("[a-z0-9][a-z0-9._-]{0,99}")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@command(
    "hub validate",
    arg("file FILE", "a capability index, YAML or JSON; - is standard input"),
    arg("--repo REPO", "the name that the index is registered under"),
    arg("--manifest", "FILE is a federation manifest"),
)
def validate(hub: "Api", args: "Namespace") -> "Result":
    """Check an index before it is published; exit 1 with every fault as file:line:column: message."""
    answer = check(hub, read_file(args.file), kind="manifest" if args.manifest else None, repo=args.repo)
    if answer.get("valid") is not True:
        return Result(answer, *faults(args.file, answer), code=REFUSED)
    count = answer.get("capability_count")
    return Result(answer, f"{args.file}: valid" + ("" if count is None else f", {counted(count)}"))


def check(hub: "Api", content: bytes, **query: object) -> "Json":
    """Have the hub check a document."""
    headers = {"Content-Type": "application/yaml"}
    answer: Json = hub.write("POST", with_query("/v1/validate", query), content, headers=headers, public=True)
    return answer


@command(
    "hub federated",
    arg("--format", "the form of the document (json)", choices=["json", "yaml"]),
    arg("--out FILE", "write it there, whole or not at all; asked for only if it changed since"),
    arg("--strict", "fail while a required source has nothing to serve"),
)
def federated(hub: "Api", args: "Namespace") -> "Result":
    """Print the federated index, or write it to a file."""
    form = args.format or "json"
    if args.json and form == "yaml" and not args.out:
        raise Failure("--json prints JSON: leave out --format yaml, or write it with --out.", USAGE)
    aside = to_stdout(args)
    path = with_query("/v1/federated", {"format": form, "strict": args.strict or None})
    unless = unless_changed(args.out, hub.url + path) if args.out and not aside else {}
    answer = hub.ask("GET", path, headers={"Accept": f"application/{form}", **unless})
    changed = not (unless and answer.status == 304)
    document = document_of(hub, answer, form) if changed else b""
    if not args.out:
        return Result(None, document=document)
    if changed and write_whole(args.out, document):
        note = [answer.header("etag"), hub.url + path, sha256(document)]
        write_whole(f"{args.out}.etag", json.dumps(note).encode())
    # A proxy may take away headers that it does not know; then nothing is said of what they would have told.
    serial, complete = (answer.header(f"reuse-surface-{name}") for name in ("serial", "complete"))
    words = ["written" if changed else "unchanged", f"serial {serial}" if serial else "",
             "incomplete" if complete == "false" else ""]  # fmt: skip
    data = {"out": args.out, "changed": changed, "serial": number(serial) if serial else None,
            "complete": complete == "true" if complete else None}  # fmt: skip
    return Result(data, f"{args.out}: {', '.join(filter(None, words))}", aside=aside)


def unless_changed(path: str, url: str) -> "dict[str, str]":
    """Return the header that asks for *url* only if it changed since, where *path* still holds what was noted."""
    try:
        if os.path.isfile(path) and os.path.isfile(f"{path}.etag"):
            tag, *rest = read_json(read_file(f"{path}.etag"))
            if rest == [url, sha256(read_file(path))] and re.fullmatch(r'(W/)?"[!-~]+"', str(tag)):
                return {"If-None-Match": str(tag)}
    except (Failure, ValueError, TypeError):
        pass
    return {}


def document_of(hub: "Api", answer: "Answer", form: str) -> bytes:
    """Return the federated index in an answer; raise Failure for what is none, or is only a part of one."""
    if answer.status != 200:
        hub.expect(answer)
        raise no_hub(f"it answered {answer.status} instead of a federated index")
    if answer.kind != f"application/{form}":
        raise no_hub(f"it answered {answer.kind or 'without a content type'}, not application/{form}")
    try:
        text = answer.body.decode()
        is_whole = _is_whole(answer, form)
    except ValueError:
        is_whole = False
    if not is_whole:
        message = f"The federated index did not arrive whole{answer.via}. Ask again, or in the other --format."
        raise Failure(message, UNREACHABLE)
    if _CONTROLS.search(text):
        raise no_hub("its federated index holds control characters")
    return answer.body


_CONFLICTS = re.compile(rb'\n"conflicts":(?: \[\]\n|\n(?:- "id": .*\n  "repo": .*\n  "others": \[.*\]\n)+)')


def _is_whole(answer: "Answer", form: str) -> bool:
    """Tell whether nothing of a federated index is missing; raise ValueError where its JSON ends too early.

    A connection that ends too early and one that ends in time look the same. JSON ends where it parses. The hub's YAML
    ends with the list of conflicts; a cut between two of its lines shows only where the answer's end was marked.
    """
    lists, body = ("sources", "capabilities", "conflicts"), answer.body
    if form == "json":
        document = read_json(body)
        return isinstance(document, dict) and all(isinstance(document.get(name), list) for name in lists)
    end = _CONFLICTS.fullmatch(body, max(body.rfind(b'\n"conflicts":'), 0))
    has_lists = all(b'\n"%s":' % name.encode() in body for name in lists)
    return has_lists and end is not None and (answer.framed or end[0].endswith(b" []\n"))


@command(
    "hub sync",
    arg("--out FILE", f"where to ({MANIFEST})", default=MANIFEST),
    arg("--keep-local", "keep the entries of the file that have a local index, or format: hub"),
    arg("--force", "overwrite a file that hub sync did not write"),
)
def sync(hub: "Api", args: "Namespace") -> "Result":
    """Write the hub's federation manifest to a file, whole or not at all; unchanged files stay untouched."""
    aside = to_stdout(args)
    old = read_file(args.out) if os.path.isfile(args.out) and not aside else b""
    if old and not old.startswith(MARK.encode()) and not args.force:
        raise Failure(f"{args.out} was not written by hub sync. --force overwrites it.")
    answer = hub.read("/v1/sources")
    entries = list_of(answer, "sources")
    texts = [row.get(name) for row in entries for name in ("repo", "url", "domain")]
    if entries != answer.get("sources") or not all(isinstance(text, str) for text in texts):
        raise no_hub("its /v1/sources is not a federation manifest")
    entries_there, refusals = read_manifest(hub, args.out, old) if args.keep_local and old else ([], [])
    if refusals:
        wrong = [text for _, text in refusals]
        raise Failure("\n".join([f"{args.out} is left as it is, for these entries:", *wrong]))
    # What composing without a hub needs, and no hub knows.
    local = [entry for entry in entries_there if "index" in entry or entry.get("format") == "hub"]
    names = {entry.get("repo") for entry in local}
    entries = [*local, *(entry for entry in entries if entry.get("repo") not in names)]
    content = manifest_of(entries, hub.url).encode()
    if content != old:
        make_folder(os.path.dirname(args.out) or os.curdir, os.makedirs)
        write_whole(args.out, content)
    data = {"out": args.out, "changed": content != old, "sources": len(entries), "local": len(local)}
    message = f"{args.out}: {'written' if content != old else 'unchanged'}, {counted(len(entries), 'source')}"
    return Result(data, f"{message}, {len(local):,} of them local" if local else message, aside=aside)


def manifest_of(entries: "list[Json]", url: str) -> str:
    """Return a federation manifest as YAML, in the order of the names, each value on its line as JSON writes it."""
    lines = [f"{MARK} from {url}. Changes are lost, but local entries stay with --keep-local.", '"version": 1']
    lines.append('"sources":' if entries else '"sources": []')
    for entry in sorted(entries, key=lambda entry: str(entry.get("repo"))):
        pairs = [f"{scalar(name)}: {scalar(value)}" for name, value in entry.items()]
        lines.append("- " + "\n  ".join(pairs))
    return "\n".join(lines) + "\n"


def read_manifest(hub: "Api", path: str, content: bytes) -> "Manifest":
    """Return the entries of a manifest, and of those in disorder the name, where it is legible, and what is wrong.

    JSON and YAML as ``hub sync`` writes it are read here, other YAML by the hub. Raise Failure for what is no manifest.
    """
    try:
        text = content.decode()
        document = read_json(text, unique=True) if text.lstrip()[:1] == "{" else _own_yaml(text)
    except ValueError as fault:
        raise Failure(f"{path} is not a manifest: {fault}.") from fault
    if document is None:
        return _read_by_the_hub(hub, path, content)
    rows = document.get("sources")
    if document.get("version") != 1 or not isinstance(rows, list):
        raise Failure(f"{path} is not a federation manifest: it needs version: 1 and a list of sources.")
    legible = [isinstance(row, dict) and _NAME.fullmatch(str(row.get("repo"))) is not None for row in rows]
    wrong = f"has no name: repo is {A_NAME}"
    nameless = [("", f"{path}: /sources/{place} {wrong}") for place, good in enumerate(legible) if not good]
    return [row for row, good in zip(rows, legible) if good], nameless


def _own_yaml(text: str) -> "Json | None":
    """Return the manifest in *text* where it is YAML as manifest_of writes it, each line a pair of JSON, else None."""
    head = re.match(r'(?:#.*\n|[^\S\n]*\n)*"version": 1\n"sources":(?: \[\])?\n', text)
    before, *blocks = re.split("^- ", text[head.end() :] if head else text, flags=re.MULTILINE)
    try:
        sources = [read_json("{" + ",".join(block.rstrip().split("\n")) + "}", unique=True) for block in blocks]
    except ValueError:
        return None
    return {"version": 1, "sources": sources} if head and not before.strip() else None


def _read_by_the_hub(hub: "Api", path: str, content: bytes) -> "Manifest":
    answer = check(hub, content, kind="manifest")
    refusals = []
    for entry in list_of(answer, "refused"):
        place = str(entry.get("pointer"))
        within = [fault for fault in list_of(answer, "errors") if f"{fault.get('pointer')}/".startswith(f"{place}/")]
        wrong = "; ".join(faults(path, {"errors": within}))
        wrong = wrong or f"{path}: {place} was not checked: too many faults before it"
        refusals.append((str(entry.get("repo") or ""), wrong))
    if answer.get("valid") is not True and not refusals:
        raise Failure("\n".join([f"{path} is not a federation manifest.", *faults(path, answer)]))
    rows = list_of(dict_of(answer, "manifest") or answer, "sources")
    return [row for row in rows if _NAME.fullmatch(str(row.get("repo")))], refusals


@command(
    "hub apply",
    arg("file FILE", "a federation manifest, YAML or JSON; - is standard input"),
    arg("--prune", "deregister what the manifest does not name, if all its entries are in order"),
    arg("--dry-run", "tell what would be done, and do nothing"),
    YES,
)
def apply(hub: "Api", args: "Namespace") -> "Result":
    """Register or update every source of a manifest; safe to repeat. One that fails does not stop the others."""
    listing, refusals = read_manifest(hub, args.file, read_file(args.file))
    entries = {str(entry.get("repo")): entry for entry in listing}
    names = sorted([str(entry.get("repo")) for entry in listing] + [name for name, _ in refusals if name])
    twice = sorted({name for name, following in zip(names, names[1:]) if name == following})
    if twice:
        raise Failure(f"{args.file} names {', '.join(twice)} more than once.")
    if not entries and not refusals:
        raise Failure(f"{args.file} lists no source, so nothing was done; --prune takes no empty list either.")
    rows = hub.rows("/v1/repos", "repos")
    registered = {str(row.get("repo")): row for row in rows if _NAME.fullmatch(str(row.get("repo")))}
    # A name that can't be read may be that of any repo: then none is taken for one that the manifest leaves out.
    surplus = [] if refusals or not args.prune else [repo for repo in registered if repo not in entries]
    off = [repo for repo, entry in entries.items() if entry.get("enabled") is False]
    losses = surplus + [repo for repo in off if registered.get(repo, {}).get("enabled") is True]
    if losses and not args.dry_run and may_ask(args):
        whose = "Its" if len(losses) == 1 else "Their"
        confirm(f"Deregister or disable {few(losses)}? {whose} entries leave the federated index.")
    results = [{"repo": repo, "outcome": "failed", "detail": detail} for repo, detail in refusals]
    # What is to go goes first: a new name may take over the URL of an old one.
    changes: list[tuple[str, Json]] = [(repo, {}) for repo in surplus] + [*entries.items()]
    results += apply_all(hub, changes, registered, dry=args.dry_run)
    return _applied(results, args, halted=bool(args.prune and refusals))


def apply_all(
    hub: "Api", changes: "list[tuple[str, Json]]", registered: "dict[str, Json]", *, dry: bool
) -> "list[dict[str, str]]":
    """Make each repo what its entry says and return a row for each; a Failure tells how many came before it."""
    rows: list[dict[str, str]] = []
    for done, (repo, entry) in enumerate(changes):
        hub.screen.progress(f"{done} of {len(changes)}: {repo}")
        try:
            outcome, detail = apply_one(hub, repo, entry, registered.get(repo, {}), dry=dry)
        except Failure as fault:
            rest = f"{done:,} of {len(changes):,} sources were gone through before. To go on, repeat the command."
            raise Failure(f"{fault}\n{rest}", fault.code, fault.problem) from fault
        rows.append({"repo": repo, "outcome": outcome, "detail": detail})
    return rows


def apply_one(hub: "Api", repo: str, entry: "Json", registered: "Json", *, dry: bool) -> "tuple[str, str]":
    """Make the registration of a repo what *entry* says, none where it says nothing; return outcome and detail."""
    if entry and "url" not in entry:
        return "skipped", "only this machine has its index: publish it, and name its raw URL as url"
    if entry.get("format", "index") != "index":
        return "skipped", "a hub takes indexes only: federation compose reads this federated index"
    entry = {name: value for name, value in entry.items() if name != "format"}
    changed = [name for name, value in {**DEFAULTS, **entry}.items() if registered.get(name) != value]
    outcome = "deregistered" if not entry else "created" if not registered else "changed" if changed else "unchanged"
    try:
        if outcome != "unchanged" and not dry:
            # A loss is one of what was listed, and nothing that somebody registered or changed since.
            loss = not entry or entry.get("enabled") is False
            headers = _as_listed(hub, registered) if loss and registered else {}
            hub.write("PUT" if entry else "DELETE", path_of(repo), entry or None, headers=headers)
    except Failure as fault:
        # What all the others would meet, too, ends the command.
        if fault.code == UNREACHABLE or str(fault.problem.get("type")).endswith(("/unauthorized", "/read-only")):
            raise
        return "failed", str(fault)
    return outcome, ", ".join(changed) if outcome == "changed" else ""


def _as_listed(hub: "Api", listing: "Json") -> "dict[str, str]":
    """Return the header that lets a change happen only to the registration that was listed, or raise Failure."""
    row, headers = present(hub, str(listing.get("repo")))
    if any(row.get(name) != value for name, value in listing.items() if name != "source"):
        revision = f"{row.get('repo')} is at revision {row.get('revision')} now"
        raise Failure(f"{revision}, and was changed since it was listed. Repeat the command.")
    return headers


def _applied(results: "list[dict[str, str]]", args: "Namespace", *, halted: bool) -> "Result":
    """Return what ``hub apply`` came to; *halted* says that an entry in disorder kept --prune from deregistering."""
    outcomes = [row["outcome"] for row in results]
    counts = {outcome: outcomes.count(outcome) for outcome in dict.fromkeys(outcomes)}
    lines = [", ".join(f"{count} {outcome}" for outcome, count in counts.items()) + args.dry_run * " (dry run)"]
    if halted:
        lines.insert(0, "Nothing was deregistered: --prune waits until every entry of the manifest is in order.")
    shown = table(results, REPO="repo", OUTCOME="outcome", DETAIL="detail")
    data = {"dry_run": args.dry_run, "counts": counts, "results": results}
    return Result(data, shown, *lines, code=REFUSED if "failed" in counts else DONE)


# --- Machines: tokens and shells --------------------------------------------------------------------------------------

_MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.([0-9]{3}){1,2})?)?(Z|[+-][0-9]{2}:[0-9]{2})"


@command(
    "token new",
    arg("--name NAME", "who it is for, as the history will say", required=True),
    arg("--repos PATTERNS", "the repos it may write, e.g. state-hub,railiance-*"),
    arg("--domains PATTERNS", "limit it to these domains"),
    arg("--expires-at TIME", "when it ends, e.g. 2027-06-30T00:00:00Z"),
    arg("--admin", "it may write everything"),
)
def new_token(_hub: "Api", args: "Namespace") -> "Result":
    """Make a token: it is shown once; its line goes into the file that REUSE_SURFACE_TOKENS_FILE names."""
    import secrets
    from zlib import crc32

    if bool(args.repos) == args.admin:
        raise Failure("Give either --repos PATTERNS or --admin.", USAGE)
    offences = [*token_offences(args)]
    if offences:
        raise Failure("\n".join(["The hub would refuse this token.", *offences]), USAGE)
    body = secrets.token_urlsafe(32)
    token = f"hub_{body}{crc32(body.encode()):08x}"
    line = {"name": args.name, "sha256": sha256(token.encode()), **({"admin": True} if args.admin else {})}
    line.update({name: text.split(",") for name, text in options_in(args, "repos", "domains").items()})
    line.update(options_in(args, "expires_at"))
    message = ["The token, shown this once:", f"  {token}", "Its line in the file of tokens, under tokens:"]
    return Result({"token": token, "entry": line}, *message, f"  - {json.dumps(line)}")


def token_offences(args: "Namespace") -> "Iterator[str]":
    """Yield what a hub would refuse in a line of its file of tokens; its rules are those of shared/auth/tokens.py."""
    from datetime import datetime

    if not re.fullmatch("[A-Za-z0-9][A-Za-z0-9._-]{0,99}", args.name) or args.name == "operator":
        yield "--name takes up to 100 letters, digits, . _ and -, the first a letter or digit, and not operator."
    for option, text in options_in(args, "repos", "domains").items():
        patterns = text.split(",")
        if len(patterns) > 100 or not all(re.fullmatch(r"[a-z0-9._*?!\[\]-]{1,100}", pattern) for pattern in patterns):
            yield f"--{option} takes up to 100 patterns such as team-* with commas between, of a-z 0-9 . _ - * ? ! [ ]."
    if args.expires_at is None:
        return
    try:
        # fromisoformat reads Z from Python 3.11 on.
        end = datetime.fromisoformat(re.sub("Z$", "+00:00", args.expires_at))
    except ValueError:
        end = None
    if end is None or end.tzinfo is None or not re.fullmatch(_MOMENT, args.expires_at):
        yield "--expires-at takes a time with its zone, such as 2027-06-30T00:00:00Z."
    elif end.timestamp() <= now():
        yield f"--expires-at {args.expires_at} is over."


_ASK = "reuse-surface completion words --"
_SCRIPTS = {
    "bash": f"""\
_reuse_surface() {{
    local IFS=$'\\n'
    COMPREPLY=($({_ASK} "${{COMP_WORDS[@]:1:COMP_CWORD}}" 2>/dev/null))
}}
complete -o default -F _reuse_surface reuse-surface""",
    "zsh": f"""\
#compdef reuse-surface
_reuse_surface() {{
    local -a names
    names=("${{(@f)$({_ASK} "${{(@)words[2,CURRENT]}}" 2>/dev/null)}}")
    [[ -n "$names" ]] && compadd -a names || _files
}}
compdef _reuse_surface reuse-surface""",
    "fish": f"complete -c reuse-surface -a '({_ASK} (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'",
}
_PLAIN = re.compile("[A-Za-z0-9._/+-]+")  # what a shell takes as it is: nothing that a hub sends is run
_FACETS = {"--tag": "tag", "--owner": "owner", "--status": "status"}


@command(
    "completion",
    arg("shell", "the shell; words prints what may follow, as the scripts ask", choices=[*_SCRIPTS, "words"]),
    arg("typed WORD", "after words: what was typed so far", nargs="*", default=[]),
)
def completion(hub: "Api", args: "Namespace") -> "Result":
    """Print what completes commands, options and names of repos in a shell: eval "$(reuse-surface completion bash)"."""
    if args.shell != "words":
        script = _SCRIPTS[args.shell]
        return Result({"script": script}, document=None if args.json else script.encode())
    *before, last = args.typed or [""]
    hub.seconds = hub.seconds or 3.0  # nobody waits longer for a word
    words: list[str] = []
    with suppress(Failure):  # a hub that does not answer is no reason to disturb whoever types
        fitting = (word for word in following(hub, before, last) if word.startswith(last))
        words = sorted(word for word in fitting if _PLAIN.fullmatch(word))
    return Result({"words": words}, *words)


def following(hub: "Api", before: "list[str]", last: str) -> "Iterable[str]":
    """Return what may follow the words typed *before*, the next one beginning with *last*; none means file names."""
    words = []
    todo = iter(before)
    for word in todo:
        if word in {"--base-url", "--timeout"}:
            value = next(todo, "")
            hub.url = value if word == "--base-url" else hub.url
        elif not word.startswith("-"):
            words.append(word)
    name = next((name for name in COMMANDS if words[: name.count(" ") + 1] == name.split()), "")
    own = COMMANDS[name][1] if name else (arg("--help", ""), arg("--version", ""))
    takes = dict((*own, *GLOBALS))
    how = takes.get(before[-1], {}) if before and before[-1].startswith("-") else {}
    if "metavar" in how or "choices" in how:
        return values(hub, before[-1], how)
    if not last.startswith("-"):
        if not name:
            return {command.split()[len(words)] for command in _begins(words)}
        argument = next((option for option in takes if not option.startswith("-")), "")
        if argument:
            return values(hub, argument, takes[argument])
    local = [option for option, _ in GLOBALS if name in LOCAL and option != "--json"]
    return [option for option in takes if option.startswith("-") and option not in (*before, *local)]


def values(hub: "Api", option: str, how: "Json") -> "Iterable[str]":
    """Return the values that an option or a word may have; those of repos and capabilities are asked of the hub."""
    if option in {"--repo", "name_of_repo", "--domain"}:
        field = "domain" if option == "--domain" else "repo"
        return {str(row.get(field)) for row in hub.rows("/v1/repos", "repos")}
    if option in _FACETS:
        facets = dict_of(hub.read("/v1/capabilities", limit=1, facets=True), "facets")
        return [str(facet.get("value")) for facet in list_of(facets, _FACETS[option])]
    return list(how.get("choices", ["true", "false"] if how.get("type") is truth else []))


@command("version")
def version(_hub: "Api", _args: "Namespace") -> "Result":
    """Print the version of this client."""
    return Result({"version": VERSION}, VERSION)


# --- Host: what runs where the hub does, most of it by the rest of the hub beside this file ---------------------------

TAR = "application/x-tar"
_TAKEN = re.compile(r"reuse-surface-\d{8}T\d{6}Z\.tar")


def _by_the_hub(name: str, *args: object, **how: object) -> "Any":  # noqa: ANN401 - as it returns
    """Call a function of shared/commands.py, which a checkout has beside this file; what it refuses is a Failure."""
    sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
    refusals: tuple[type[Exception], ...] = ()  # known once the packages are there
    try:
        from shared import commands

        refusals = commands.REFUSALS
        return getattr(commands, name)(*args, **how)
    except ImportError as fault:
        alone = fault.name in {"shared", "router"}
        raise Failure(
            (f"This needs the rest of the hub beside {__file__}: git clone {REPOSITORY}\n" if alone else "")
            + ("In the clone" if alone else f"The hub's package {fault.name} is missing. In {sys.path[0]}")
            + ": python3 -m venv .venv && .venv/bin/python -m pip install -r requirements.txt\n"
            "Then: .venv/bin/python cli.py ..."
        ) from fault
    except refusals as fault:
        raise Failure(str(fault)) from fault


@command(
    "federation compose",
    arg("--sources FILE", f"the federation manifest ({MANIFEST})", default=MANIFEST),
    arg("--out FILE", "where to; JSON if it ends so (federated.yaml)", default="federated.yaml"),
    arg("--cache-dir FOLDER", "what was fetched is kept there (~/.cache/reuse-surface)"),
    arg("--offline", "fetch nothing: compose what was kept"),
)
def compose(_hub: "Api", args: "Namespace") -> "Result":
    """Compose a federated index without a hub; exit 1, and write nothing, if a required source has nothing to give."""
    aside = to_stdout(args)
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    cache = args.cache_dir or os.path.join(home, "reuse-surface")
    form = "json" if args.out.endswith(".json") else "yaml"
    report = _by_the_hub("compose", args.sources, cache, offline=args.offline, form=form)
    document = report.pop("document").encode()
    shown = table(
        report["sources"], REPO="repo", STATE=lambda row: State(row["state"]),
        CHECKED=lambda row: age(row["checked_at"]), TROUBLE="detail",
    )  # fmt: skip
    message = f"{args.out}: not written, nothing to serve from {few(report['missing_required'])}"
    if report["complete"]:
        write_whole(args.out, document)
        message = f"{args.out}: written, {counted(report['capabilities'])}"
    data = {**report, "out": args.out, "written": report["complete"]}
    return Result(data, shown, message, code=DONE if report["complete"] else REFUSED, aside=aside)


@command(
    "serve",
    arg("--host HOST", "the address to listen on (127.0.0.1); :: is every one, IPv6 and IPv4", default="127.0.0.1"),
    arg("--port PORT", "the port to listen on (8080)", default=8080),
    arg("--data-dir FOLDER", "the folder that holds what the hub knows (./data)"),
)
def serve(_hub: "Api", args: "Namespace") -> "Result":
    """Run the hub until it is told to stop. Its settings are the REUSE_SURFACE_ variables of the specification."""

    def load_app() -> "Any":  # noqa: ANN401 - the hub's own
        from router import create_app

        return create_app

    _by_the_hub("run_compiled", __name__)
    return Result({"url": _by_the_hub("serve", load_app, args.host, args.port, args.data_dir)})


def log_everything(screen: "Screen") -> None:
    """Keep to one JSON object per line on stderr from here on, for a failure that nothing catches, too."""

    def say(kind: "type[BaseException]", fault: BaseException, trace: "Any") -> None:  # noqa: ANN401 - Python's own
        from traceback import format_exception

        screen.say("".join(format_exception(kind, fault, trace)).rstrip())

    screen.as_log, sys.excepthook = True, say


def log_line(text: str) -> str:
    """Return the line that says *text* in a log in JSON, of the form that the hub's own lines have."""
    at = utc("%Y-%m-%dT%H:%M:%S+00:00")
    message = re.sub("^reuse-surface: ", "", text)
    return json.dumps({"at": at, "level": "critical", "logger": "hub.server", "message": message})


@command(
    "backup",
    arg("--out PATH", "the file to write; a folder, if it ends in /", required=True),
    arg("--keep N", "keep the newest N backups of that folder, remove the others"),
    arg("--data-dir FOLDER", "the data directory of a stopped hub, instead of asking a hub"),
)
def backup(hub: "Api", args: "Namespace") -> "Result":
    """Take a backup of everything a hub knows; an admin's token is needed."""
    folder, aside = args.out.endswith("/"), to_stdout(args)
    if args.keep is not None and (args.keep < 1 or not folder):
        raise Failure("--keep takes a number from 1 on, with a folder as --out.", USAGE)
    if folder:
        make_folder(args.out, os.mkdir)  # more would hide a misspelt path, or a volume that is not mounted
    if args.data_dir:
        content = _by_the_hub("back_up", args.data_dir)
    else:
        headers = {"Accept": TAR, "Authorization": f"Bearer {hub.sendable_token()}"}
        answer = hub.ask("GET", "/v1/backup", headers=headers, seconds=SECONDS_OF_CHECKS)
        if answer.status != 200 or answer.kind != TAR:
            hub.expect(answer)
            raise no_hub("it answers with something else than a backup")
        content = answer.body
    about = _backed_up(content)
    path = args.out
    if folder:
        path += utc("reuse-surface-%Y%m%dT%H%M%SZ.tar")
    removed = make_room(args.out, len(content)) if args.keep else []
    write_whole(path, content)
    removed += thin_out(args.out, os.path.basename(path), args.keep) if args.keep else []
    contents = f"{counted(about['registrations'], 'registration')}, serial {about['serial']}"
    message = [f"{path}: {len(content):,} bytes, {contents}", *(f"{args.out}{name}: removed" for name in removed)]
    return Result({"out": path, "bytes": len(content), "removed": removed, **about}, *message, aside=aside)


def _backed_up(content: bytes) -> "Json":
    """Return what a backup says about itself; raise Failure where something of it is missing or differs."""
    import tarfile

    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
            # A link may lead to itself, and what is sparse can be larger than any memory.
            plain = all(member.type == tarfile.REGTYPE and not member.issparse() for member in tar)
            files = {member.name: (tar.extractfile(member) or io.BytesIO()).read() for member in tar if plain}
        (first, about), *between, (last, sums) = files.items()
        same = {name: {"bytes": len(file), "sha256": sha256(file)} for name, file in between} == read_json(sums)
        ends = len(content) % 512 == 0 and content.endswith(bytes(1024))
        if (first, last) == ("backup.json", "checksums.json") and same and ends:
            facts = read_json(about)
            return {name: facts[name] for name in ("made_at", "version", "serial", "registrations")}
    except (tarfile.TarError, ValueError, KeyError, TypeError, OSError):
        pass
    raise Failure("The backup did not arrive whole; nothing was written.", UNREACHABLE)


ROOM = 1 << 16  # what a file system takes for the name of a file, and for where its parts lie


def make_room(folder: str, size: int) -> "list[str]":
    """Remove the oldest backups in *folder* until *size* bytes fit on its volume; return the names; raise Failure.

    The newest stays. Where all the others are not enough none is removed: something else has filled the volume.
    """
    import shutil

    going: list[str] = []
    try:
        lacking = size + ROOM - shutil.disk_usage(folder).free
        others = sorted(name for name in os.listdir(folder) if _TAKEN.fullmatch(name))[:-1]
        while lacking > 0 and others:
            going.append(others.pop(0))
            lacking -= os.path.getsize(os.path.join(folder, going[-1]))
        going = going if lacking <= 0 else []
        for name in going:
            os.unlink(os.path.join(folder, name))
    except OSError as fault:
        raise Failure(f"{folder} has no room for the new backup, and can't be given any: {fault.strerror}.") from fault
    return going


def thin_out(folder: str, new: str, keep: int) -> "list[str]":
    """Remove the backups in *folder* but *new* and the newest others, *keep* in all; return the names; raise Failure.

    Names are times of a clock, which may be wrong: *new* stays, though others of a clock that was ahead seem newer.
    """
    removed = []
    path = folder
    try:
        others = sorted(name for name in os.listdir(folder) if _TAKEN.fullmatch(name) and name != new)
        for name in others[: max(len(others) - keep + 1, 0)]:
            path = os.path.join(folder, name)
            with suppress(FileNotFoundError):  # another one, run at the same time, was quicker
                os.unlink(path)
                removed.append(name)
    except OSError as fault:
        what = f"{path} can't be listed" if path == folder else f"of the older ones {path} can't be removed"
        raise Failure(f"The new backup is written; {what}: {fault.strerror}.") from fault
    return removed


@command(
    "restore",
    arg("file FILE", "a backup"),
    arg("--data-dir FOLDER", "the data directory, empty, of a hub that is stopped", required=True),
)
def restore(_hub: "Api", args: "Namespace") -> "Result":
    """Bring a backup back into an empty data directory, after every check."""
    outcome = _by_the_hub("restore", read_file(args.file), args.data_dir)
    message = f"{args.data_dir}: {counted(outcome['registrations'], 'registration')}, as of {outcome['made_at']}"
    return Result(outcome, message)


# --- Main -------------------------------------------------------------------------------------------------------------


def command_of(argv: "list[str]") -> "tuple[str, list[str]]":
    """Return the command that *argv* names and the rest of it; raise Failure where it names none."""
    words: list[str] = []
    rest: list[str] = []
    todo = iter(argv)
    for word in todo:
        if word in {"--version", "-V"} and not words:
            return "version", [*rest, *todo]
        if word.startswith("-"):
            rest.append(word)
            rest += [value for value in [next(todo, None)] if value] if word in {"--base-url", "--timeout"} else []
            continue
        if word == "help":
            show_help([*words, *(more for more in todo if not more.startswith("-"))])
        words.append(word)
        name = " ".join(words)
        if name in COMMANDS:
            return name, [*rest, *todo]
        if not _begins(words):
            raise Failure(_unknown(words), USAGE)
    if {"-h", "--help"} & set(rest):
        show_help(words)
    raise Failure(f"Which command? reuse-surface help says more.\n{commands_of(words)}", USAGE)


def _begins(words: "list[str]") -> "list[str]":
    return [name for name in COMMANDS if name.split()[: len(words)] == words]


def commands_of(words: "list[str]") -> str:
    """Return a line for each command that starts with *words*."""
    return "\n".join(f"  {name:<20}{COMMANDS[name][0].__doc__}" for name in _begins(words))


def show_help(words: "list[str]") -> "NoReturn":
    """Print the help of a command, of a group of them or of all, and end; raise Failure for what there is not."""
    if not _begins(words):
        raise Failure(_unknown(words), USAGE)
    name = " ".join(words)
    manual = ("" if words else f"{__doc__ or ''}\n") + f"Commands:\n{commands_of(words)}\n"
    write_stdout((parser_of(name).format_help() if name in COMMANDS else manual).encode())
    raise SystemExit(DONE)


def _unknown(words: "list[str]") -> str:
    from difflib import get_close_matches

    *group, last = words
    names = {name.split()[-1]: name for name in COMMANDS}
    for parts in (name.split()[: len(words)] for name in _begins(group)):
        names[parts[-1]] = " ".join(parts)
    near = get_close_matches(last, names, cutoff=0.66)
    hint = f"did you mean {names[near[0]]!r}?" if near else "reuse-surface help lists them."
    return f"There is no command {' '.join(words)!r}; {hint}"


def run(argv: "list[str]", screen: "Screen") -> int:
    """Run one command, print what came of it and return the exit code."""
    try:
        name, rest = command_of(argv)
        if name == "serve" and os.environ.get("REUSE_SURFACE_LOG") == "json":
            log_everything(screen)
        args = arguments_of(name, rest)
        url = args.base_url or os.environ.get("REUSE_SURFACE_URL") or DEFAULT_URL
        token = os.environ.get("REUSE_SURFACE_TOKEN", "")
        hub = Api(url, token, screen, insecure=args.insecure_http, seconds=args.timeout)
        result = COMMANDS[name][0](hub, args)
    except Failure as fault:
        screen.fail(fault)
        return fault.code
    except UnicodeEncodeError as fault:
        screen.fail(Failure(f"{fault.object!r} is not text in UTF-8.", USAGE))
        return USAGE
    screen.show(result)
    return result.code


def main(argv: "list[str] | None" = None) -> int:
    """Run one command and return its exit code."""
    argv = sys.argv[1:] if argv is None else argv
    # Streams that were closed before the start (``>&-``) are left out by Python.
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - it stays open to the end
    # What stands behind -- are words, such as those that a shell wants completed.
    screen = Screen(as_json="--json" in argv[: argv.index("--") if "--" in argv else None])
    try:
        return run(argv, screen)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read has seen enough
        _let_go(sys.stdout)
        return PIPE_CLOSED
    except StdoutError as fault:
        _let_go(sys.stdout)
        screen.say(f"reuse-surface: {fault}")
        return REFUSED
    finally:
        try:
            sys.stderr.flush()
        except OSError:
            _let_go(sys.stderr)


def _let_go(stream: "Any") -> None:  # noqa: ANN401 - a stream of text
    """Lead a stream that can't be written to nowhere: what Python flushes at its end must not complain again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
