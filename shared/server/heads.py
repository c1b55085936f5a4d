"""Checks of a request's head beyond the parser's (RFC 9112), and the protocol that makes them.

Fields are pairs (lower-case name, value without white space around it), in the order in which they came.
"""

from __future__ import annotations

import logging
import re
from abc import abstractmethod
from typing import TYPE_CHECKING

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.problems import InternalError, MalformedRequest, MethodNotAllowed, Problem
from shared.web.traffic import METHODS

if TYPE_CHECKING:
    from collections.abc import Iterable

    Fields = Iterable[tuple[bytes, bytes]]

WHOLE_SERVER = b"*"
_log = logging.getLogger("hub.server")

_AUTHORITY = rb"(?:\[[0-9A-Fa-fvV:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]*)?"
_HOST = re.compile(_AUTHORITY)
_ABSOLUTE = re.compile(rb"(?i:https?)://(?P<authority>%s)(?P<rest>[/?].*|)" % _AUTHORITY, re.DOTALL)


def check(method: bytes, version: str, fields: Fields) -> None:
    """Raise MethodNotAllowed for CONNECT, and MalformedRequest for a head whose host or body is ambiguous.

    A request of HTTP/1.1 names its host exactly once (RFC 9112 §3.2); a body in a coding other than ``chunked`` could
    not be read (§6.1).
    """
    if method == b"CONNECT":
        raise MethodNotAllowed("This is no proxy: it opens no tunnels.", headers={"Allow": ", ".join(sorted(METHODS))})
    if version not in {"1.0", "1.1"}:
        raise MalformedRequest(f"The hub speaks HTTP/1.1 and HTTP/1.0, and not HTTP/{version}.")
    hosts = [value for name, value in fields if name == b"host"]
    codings = [value.lower() for name, value in fields if name == b"transfer-encoding"]
    if len(hosts) > 1 or (not hosts and version == "1.1"):
        raise MalformedRequest(f"A request has one Host header; this one has {len(hosts)}.")
    if hosts and not _HOST.fullmatch(hosts[0]):
        raise MalformedRequest("The Host header is no host name or address, with or without a port.")
    if codings and set(codings) != {b"chunked"}:
        raise MalformedRequest("Transfer-Encoding can only be chunked; the hub reads no other coding.")


def routed(method: bytes, target: bytes) -> bytes:
    """Return *target* as a path with its query, or ``*`` for the whole server; raise MalformedRequest.

    The absolute form has to be accepted (RFC 9112 §3.2.2). Its empty path is ``/``, but with OPTIONS the whole server
    (RFC 9110 §4.2.3). A URL without a host is refused (§4.2.1), and so are a name and password in front of it (§4.2.4).
    """
    if target.startswith(b"/") and b"#" not in target:
        return target
    if b"#" in target:
        raise MalformedRequest("The target of a request has no fragment (# and what follows); leave it out.")
    if target == WHOLE_SERVER and method != b"OPTIONS":
        raise MalformedRequest("The target * goes with OPTIONS only.")
    if target.startswith(WHOLE_SERVER):
        return target
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or absolute["authority"].partition(b":")[0] == b"":
        says = "The target of a request is a path, or an absolute http(s) URL with a host and without a user name."
        raise MalformedRequest(says)
    rest = absolute["rest"]
    if method == b"OPTIONS" and not rest:
        return WHOLE_SERVER
    return rest if rest.startswith(b"/") else b"/" + rest


def without_upgrade(method: bytes, target: bytes, version: str, fields: Fields) -> bytes:
    """Return the bytes of the same head without its field ``Upgrade``, to be parsed again.

    A server may ignore the offer to upgrade and answer the request as it is (RFC 9110 §7.8). Without that field the
    option of its name in ``Connection`` means nothing, so ``Connection`` stays as it came.
    """
    lines = [b"%s: %s\r\n" % field for field in fields if field[0] != b"upgrade"]
    return b"%s %s HTTP/%s\r\n%s\r\n" % (method, target, version.encode(), b"".join(lines))


class _DiscardedFields(list[tuple[bytes, bytes]]):
    """A list that stays empty: for trailer fields, which a server may discard (RFC 9110 §6.5.1)."""

    def append(self, _: object, /) -> None:
        """Discard the field."""


_DISCARDED = _DiscardedFields()


_HANDSHAKE = b"\x16\x03"  # the first bytes of TLS (RFC 8446 §5.1)
_TLS = "This looks like TLS: this port takes http. The ingress or proxy before the hub is what takes https."
_PARSER_FAULTS = {
    "Invalid header token": "a header field has a character that may not stand there",
    "Invalid character in Content-Length": "Content-Length is no number",
    "Invalid character in chunk size": "the size of a chunk is no hexadecimal number",
    "Invalid method encountered": "it does not begin with a method, such as GET",
    "Expected HTTP/, RTSP/ or ICE/": "HTTP/ and a version have to stand behind the target, in capitals",
    "Pause on PRI/Upgrade": "it begins as HTTP/2 does, and the hub speaks HTTP/1.1 and HTTP/1.0",
}
"""The commonest messages of the parser in plain words; any other is answered without its reason."""


class RefusedError(Exception):
    """Raised in a callback of the parser to end it: the request is refused, and nothing behind it is read."""


class CheckedProtocol(HttpToolsProtocol):
    """A connection whose heads are checked by ``check`` and ``routed``, and which ignores offers to upgrade."""

    _keeps_alive = True
    _first = b""  # the first two bytes that came over the connection

    @abstractmethod
    def refuse(self, problem: Problem) -> None:
        """Answer with *problem*, and close the connection."""

    def data_received(self, data: bytes) -> None:
        """Parse *data*, and refuse a request that is malformed."""
        if len(self._first) < len(_HANDSHAKE):
            self._first += data[: len(_HANDSHAKE) - len(self._first)]
        try:
            self._parse(data)
        except HttpParserCallbackError as fault:
            self._broken_off(fault.__context__)
        except HttpParserError as fault:
            reason = _PARSER_FAULTS.get(str(fault))
            plain = f"This is no valid HTTP request: {reason}." if reason else "This is no valid HTTP request."
            self.send_400_response(_TLS if _HANDSHAKE.startswith(self._first) else plain)

    def _broken_off(self, cause: BaseException | None) -> None:
        """Refuse a request for which a callback below failed with *cause*; RefusedError means that it is already."""
        if not isinstance(cause, RefusedError):
            # No bytes of a client should lead here: it is a fault of the hub, and answered like a handler's.
            _log.error("reading a request failed", exc_info=cause)
            self.refuse(InternalError("Something failed inside the hub; its log has the details."))

    def _parse(self, data: bytes) -> None:
        """Parse *data*; raise HttpParserError.

        The parser stops behind a head that offers an upgrade, and takes all that follows for another protocol. So its
        head without the offer, and then the bytes behind it, are parsed by a new parser.
        """
        while data:
            try:
                self.parser.feed_data(data)
            except HttpParserUpgrade as stop:
                method, version = self.parser.get_method(), self.parser.get_http_version()
                data = without_upgrade(method, self.url, version, self.headers) + data[stop.args[0] :]
                self.parser = HttpRequestParser(self)
                # As in uvicorn: bytes behind the last request of a connection don't cost that request its answer.
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            else:
                return

    def on_headers_complete(self) -> None:
        """Begin the request, unless it is refused; one that offers an upgrade comes once more, without the offer."""
        method, version = self.parser.get_method(), self.parser.get_http_version()
        # A client of HTTP/1.0 would take a 100 (Continue) for the answer (RFC 9110 §10.1.1).
        self.expect_100_continue = self.expect_100_continue and version != "1.0"
        try:
            check(method, version, self.headers)
            self.url = routed(method, self.url)
        except Problem as problem:
            self.refuse(problem)
            raise RefusedError from problem
        if not self.parser.should_upgrade():
            super().on_headers_complete()
            self.headers = _DISCARDED
            # A client that is answered before it sends a body it has announced may send it or not: what comes next
            # could be either, so the answer says that the connection ends (RFC 9110 §10.1.1).
            self._keeps_alive = self.cycle.keep_alive
            self.cycle.keep_alive = self._keeps_alive and not self.expect_100_continue

    def on_body(self, body: bytes) -> None:
        """Pass a part of the body on; the client sends it, so the connection may be kept."""
        self._keep_as_asked()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the request is complete, so that the connection may be kept."""
        self._keep_as_asked()
        super().on_message_complete()

    def _keep_as_asked(self) -> None:
        # An answer that has begun has said already whether the connection ends with it (RFC 9112 §9.6).
        if not self.cycle.response_started:
            self.cycle.keep_alive = self._keeps_alive
