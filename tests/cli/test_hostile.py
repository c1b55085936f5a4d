"""What answers instead of a hub, or is a hub that means harm: a stand-in on a real socket."""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import json
import os
import pty
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import termios
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import cli
from tests.builders import TOKEN
from tests.cli.conftest import CLI, KEPT, Shell, said, stand_in

if TYPE_CHECKING:
    import http.server
    from pathlib import Path

    from tests.cli.conftest import Behave

ESCAPES = "\x1b[31mred\x1b]0;title\x07\x9b2J\u202egnp.exe\u200b\x7f\r\n"


def hub_list(shell: Shell, url: str, *argv: str) -> Any:
    return shell("hub", "list", *argv, REUSE_SURFACE_URL=url, REUSE_SURFACE_TOKEN=TOKEN)


def drip(handler: http.server.BaseHTTPRequestHandler) -> None:
    """Send a header that never ends, a byte at a time."""
    with contextlib.suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.05)


def cut_off(handler: http.server.BaseHTTPRequestHandler) -> None:
    """Announce more than is sent."""
    said(handler, b'{"repos": [', Content_Length="100", Connection="close")
    handler.close_connection = True


def no_http(handler: http.server.BaseHTTPRequestHandler) -> None:
    """Speak another protocol."""
    handler.wfile.write(b"SSH-2.0-OpenSSH\r\n")


HUGE = gzip.compress(b" " * (257 * 2**20), 1)
BEHAVIOURS: dict[str, tuple[Behave, str]] = {
    "truncated": (cut_off, "cut off"),
    "HTML with 200": (lambda one: said(one, b"<html>", Content_Type="text/html"), "text/html"),
    "HTML with 502": (lambda one: said(one, b"<html>", 502, Content_Type="text/html"), "502"),
    "no type": (lambda one: said(one, b"{}", Content_Type=""), "no content type"),
    "broken JSON": (lambda one: said(one, b"{"), "broken or cut off"),
    "deep JSON": (lambda one: said(one, b"[" * 100_000), "broken or cut off"),
    "other JSON": (lambda one: said(one, b"[]"), "not an object"),
    "broken gzip": (lambda one: said(one, b"no gzip at all", Content_Encoding="gzip"), "compression"),
    "huge": (lambda one: said(one, HUGE, Content_Encoding="gzip"), "more than 256 MiB"),
    "not HTTP": (no_http, "not HTTP"),
    "redirect": (lambda one: said(one, b"", 302, Location="https://elsewhere.example/"), "elsewhere.example"),
}


@pytest.mark.parametrize(("behave", "told"), BEHAVIOURS.values(), ids=BEHAVIOURS)
def test_what_is_no_hub_is_told_and_nothing_is_printed(alone: Shell, behave: Behave, told: str) -> None:
    with stand_in(behave) as (url, _):
        ran = hub_list(alone, url)

    assert (ran.code, ran.out) == (3, "")
    assert told in ran.err


def test_a_drip_does_not_stretch_the_time(alone: Shell) -> None:
    with stand_in(drip) as (url, _):
        started = time.monotonic()
        ran = hub_list(alone, url, "--timeout", "1.5")

    assert ran.code == 3
    assert "no whole answer within 1.5 s" in ran.err
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("argv", "doubt"),
    [
        (["hub", "update", "a", "--domain", "d"], True),
        (["hub", "register", "a", "--domain", "d", "--url", "https://x.example/"], True),
        (["hub", "register", "a", "--domain", "d", "--url", "https://x.example/", "--dry-run"], False),
        (["hub", "deregister", "a"], True),
        (["hub", "validate", "-"], False),
        (["hub", "show", "a"], False),
    ],
    ids=["update", "register", "dry run", "deregister", "validate", "show"],
)
def test_a_change_of_which_no_answer_comes_is_told_to_be_in_doubt(
    alone: Shell, argv: list[str], doubt: bool
) -> None:
    with stand_in(drip) as (url, _):
        ran = alone(*argv, "--timeout", "0.5", REUSE_SURFACE_URL=url, REUSE_SURFACE_TOKEN=TOKEN)
    gone = alone(*argv, REUSE_SURFACE_URL=url, REUSE_SURFACE_TOKEN=TOKEN)

    assert (ran.code, gone.code) == (3, 3)
    assert ("Whether it did what was asked is not known: look before you repeat it." in ran.err) == doubt
    assert gone.err.endswith("refused.\n"), "what was not sent is in no doubt"


def test_a_redirect_gets_no_token_and_no_second_request(alone: Shell) -> None:
    with (
        stand_in(lambda one: said(one, b"{}")) as (other, asked_of_the_other),
        stand_in(lambda one: said(one, b"", 307, Location=f"{other}/v1/repos/x")) as (url, asked),
    ):
        ran = alone("hub", "deregister", "--repo", "x", REUSE_SURFACE_URL=url, REUSE_SURFACE_TOKEN=TOKEN)

    assert ran.code == 3
    assert asked == [("DELETE /v1/repos/x", f"Bearer {TOKEN}")]
    assert asked_of_the_other == []


def test_reading_never_shows_the_token(alone: Shell) -> None:
    with stand_in(lambda one: said(one, b'{"repos": []}')) as (url, asked):
        assert hub_list(alone, url).code == 0

    assert asked == [("GET /v1/repos?limit=1000", None)]


def test_escape_sequences_reach_no_terminal(alone: Shell) -> None:
    source = {"state": ESCAPES, "error": {"detail": ESCAPES}, "checked_at": ESCAPES}
    body = json.dumps({"repos": [{"repo": ESCAPES, "domain": ESCAPES, "source": source}]}).encode()
    problem = json.dumps({"detail": ESCAPES, "errors": [{"pointer": ESCAPES, "detail": ESCAPES}]}).encode()

    with stand_in(lambda one: said(one, body)) as (url, _):
        people, programs = hub_list(alone, url), hub_list(alone, url, "--json")
    with stand_in(lambda one: said(one, problem, 418, Content_Type="application/problem+json")) as (url, _):
        refused = hub_list(alone, url)

    for text in (people.out, programs.out, refused.err):
        assert [one for one in text.replace("\n", "") if not one.isprintable()] == []
    assert programs.json["repos"][0]["repo"] == ESCAPES
    assert refused.code == 1


def test_a_federated_index_with_escape_sequences_is_refused(alone: Shell) -> None:
    body = b'"capabilities":\n- "id": "\x1b[31m"\n'
    with stand_in(lambda one: said(one, body, Content_Type="application/yaml")) as (url, _):
        ran = alone("hub", "federated", "--format", "yaml", REUSE_SURFACE_URL=url)

    assert (ran.code, ran.out) == (3, "")


def test_a_federated_index_of_another_type_is_refused(alone: Shell) -> None:
    with stand_in(lambda one: said(one, b'"capabilities":', Content_Type="text/html")) as (url, _):
        assert alone("hub", "federated", "--format", "yaml", REUSE_SURFACE_URL=url).code == 3


def test_odd_shapes_in_an_answer_do_no_harm(alone: Shell) -> None:
    odd = {"repos": [7, {"repo": None, "source": 1}, {"source": {"error": "x", "checked_at": 5}}], "next": 5}
    with stand_in(lambda one: said(one, json.dumps(odd).encode())) as (url, asked):
        ran = hub_list(alone, url)

    assert ran.code == 0
    assert len(asked) == 2, "a cursor that leads nowhere is followed once"


def test_a_hub_that_asks_to_wait_is_asked_again(alone: Shell) -> None:
    answers = iter([(503, "1"), (429, "0"), (200, "")])

    def behave(one: http.server.BaseHTTPRequestHandler) -> None:
        status, after = next(answers)
        said(one, b'{"repos": []}', status, Retry_After=after)

    with stand_in(behave) as (url, asked):
        ran = hub_list(alone, url)

    assert (ran.code, len(asked)) == (0, 3)
    assert "asks to wait 1 s" in ran.err


@pytest.mark.parametrize(("after", "times"), [("0", 3), ("3600", 1), ("soon", 1)], ids=["again", "too long", "no"])
def test_waiting_is_bounded(alone: Shell, after: str, times: int) -> None:
    problem = json.dumps({"type": "x/problems/rate-limited", "detail": "Slow down."}).encode()
    with stand_in(lambda one: said(one, problem, 429, Retry_After=after)) as (url, asked):
        ran = hub_list(alone, url)

    assert (ran.code, len(asked)) == (1, times)
    assert "Slow down." in ran.err


def test_a_connection_that_the_hub_had_closed_is_opened_again(alone: Shell) -> None:
    def behave(one: http.server.BaseHTTPRequestHandler) -> None:
        said(one, json.dumps({"repos": [], "next": one.path}).encode())
        one.connection.shutdown(socket.SHUT_RDWR)
        one.close_connection = True

    with stand_in(behave) as (url, asked):
        hub_list(alone, url)

    assert len(asked) > 1


def test_nothing_that_listens_is_tried_three_times_and_then_told(alone: Shell) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        ran = hub_list(alone, f"http://127.0.0.1:{free.getsockname()[1]}")

    assert ran.code == 3
    assert "refused" in ran.err


@pytest.mark.parametrize(
    "url",
    ["ftp://hub", "hub.example", "http://", "http://user@hub.example", "http://hub:0", "http://hub:99999", "http://h?x",
     "https://hub.example/#x", "https://hub example", "http://[::1"],
)  # fmt: skip
def test_what_is_no_url_of_a_hub_is_a_usage_error(alone: Shell, url: str) -> None:
    assert hub_list(alone, url).code == 2


def test_a_name_is_looked_for_only_where_the_hub_tells_them(alone: Shell) -> None:
    problem = json.dumps({"type": "x/problems/repo-not-found", "detail": "No.", "instance": "/v1/repos/a"}).encode()
    with stand_in(lambda one: said(one, problem, 404)) as (url, _):
        ran = alone("hub", "show", "--repo", "a", REUSE_SURFACE_URL=url)

    assert (ran.code, ran.err) == (5, "reuse-surface: No.\n")


@pytest.mark.parametrize(
    ("version", "told"),
    [("0.1.1", "a newer client, 0.1.1"), ("10.0", "a newer client"), (cli.VERSION, "differs"), ("0.0.9", ""), ("", "")],
)
def test_status_tells_when_the_hub_serves_another_client(alone: Shell, version: str, told: str) -> None:
    def behave(one: http.server.BaseHTTPRequestHandler) -> None:
        body = {"ready": True, "serial": 1, "complete": True, "missing_required": [], "total": 0}
        said(one, json.dumps(body).encode(), Reuse_Surface_Client_Version=version)

    with stand_in(behave) as (url, _):
        ran = alone("hub", "status", REUSE_SURFACE_URL=url)

    assert ran.code == 0
    assert told in ran.out
    assert ("client" in ran.out) == bool(told)


def test_expect_ready_ends_with_the_time(alone: Shell) -> None:
    def behave(one: http.server.BaseHTTPRequestHandler) -> None:
        ready = one.path != "/ready"
        body = {"ready": ready, "checks": {"storage": "broken"}, "serial": 1, "complete": True, "total": 0}
        said(one, json.dumps(body).encode(), 200 if ready else 503)

    with stand_in(behave) as (url, _):
        ran = alone("hub", "status", "--expect-ready", "--timeout", "1", REUSE_SURFACE_URL=url)
        plain = alone("hub", "status", REUSE_SURFACE_URL=url)

    assert (ran.code, plain.code) == (1, 0)
    assert "ready         no (storage: broken)" in ran.out


def test_a_hub_that_never_comes_up_is_not_ready(alone: Shell) -> None:
    ran = alone("hub", "status", "--expect-ready", "--timeout", "1", REUSE_SURFACE_URL="http://127.0.0.1:9")

    assert ran.code == 3


def test_a_certificate_that_nobody_vouches_for_is_told() -> None:
    fault = ssl.SSLCertVerificationError("no")
    fault.verify_message = "self-signed certificate"

    assert "(self-signed certificate); SSL_CERT_FILE" in cli.why(fault, 1)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_tls_is_checked_and_ssl_cert_file_adds_an_authority(alone: Shell, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with stand_in(lambda one: said(one, b'{"repos": []}'), context) as (place, _):
        url = place.replace("http:", "https:")
        refused, trusted = hub_list(alone, url), alone("hub", "list", "--base-url", url, SSL_CERT_FILE=str(certificate))

    assert (refused.code, trusted.code) == (3, 0)
    assert "SSL_CERT_FILE" in refused.err


def test_a_name_without_an_address_is_told(alone: Shell) -> None:
    ran = hub_list(alone, "http://nowhere.invalid")

    assert ran.code == 3
    assert "no address" in ran.err


def test_a_token_goes_in_clear_to_this_machine_only(alone: Shell) -> None:
    argv = ("hub", "deregister", "--repo", "x", "--base-url", "http://hub.invalid")

    refused = alone(*argv, REUSE_SURFACE_TOKEN=TOKEN)
    forced = alone(*argv, "--insecure-http", REUSE_SURFACE_TOKEN=TOKEN)

    assert (refused.code, forced.code) == (4, 3)
    assert "plain http" in refused.err
    assert TOKEN not in refused.err + forced.err


def on_a_terminal(folder: Path, *argv: str, columns: int = 80, **environ: str) -> str:
    """Run a command whose stdout and stderr are a terminal of so many columns; return what it printed."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    known = {name: os.environ[name] for name in KEPT if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, "-I", str(CLI), *argv], cwd=folder, env=known | environ, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    pieces = []
    with contextlib.suppress(OSError):
        while piece := os.read(ours, 65536):
            pieces.append(piece)
    os.close(ours)
    process.wait(30)
    return b"".join(pieces).decode()


LISTED = {"repo": "state-hub", "domain": "d", "source": {"state": "failed", "error": {"detail": "long " * 30 + "日本"}}}


def test_a_terminal_gets_colour_and_lines_that_fit(tmp_path: Path) -> None:
    with stand_in(lambda one: said(one, json.dumps({"repos": [LISTED]}).encode())) as (url, _):
        painted = on_a_terminal(tmp_path, "hub", "list", REUSE_SURFACE_URL=url)
        plain = on_a_terminal(tmp_path, "hub", "list", REUSE_SURFACE_URL=url, NO_COLOR="1")

    assert "\x1b[31m✗ failed\x1b[0m" in painted
    assert "\x1b" not in plain
    assert max(map(len, plain.splitlines())) <= 80
    assert "…" not in plain
    assert plain.count("long") == 30, "nothing is cut off"


def test_a_narrow_terminal_gets_no_empty_lines_and_no_blanks_behind_a_state(tmp_path: Path) -> None:
    row = {"repo": "state-hub", "url": "https://git.example.org/" + "long/" * 20, "source": {"state": "fresh"}}
    good = {"repos": [{**row, "domain": "a_long_name_of_a_domain"}], **row}
    with stand_in(lambda one: said(one, json.dumps(good).encode())) as (url, _):
        listing = on_a_terminal(tmp_path, "hub", "list", columns=40, REUSE_SURFACE_URL=url)
        facts = on_a_terminal(tmp_path, "hub", "show", "state-hub", columns=40, REUSE_SURFACE_URL=url)

    assert all(line.strip() for line in listing.splitlines())
    assert "\x1b[32m● fresh\x1b[0m\r\n" in facts


def test_a_terminal_is_told_that_the_hub_is_waited_for_and_the_line_is_cleared(tmp_path: Path) -> None:
    release = threading.Event()

    def behave(one: http.server.BaseHTTPRequestHandler) -> None:
        release.wait(2.5)
        said(one, b'{"repos": []}')

    with stand_in(behave) as (url, _):
        shown = on_a_terminal(tmp_path, "hub", "list", REUSE_SURFACE_URL=url)

    assert "waiting for the hub, 1 s" in shown
    assert shown.endswith("\r\x1b[KNo repository is registered.\r\n")


def test_without_unicode_the_marks_are_ascii(alone: Shell) -> None:
    with stand_in(lambda one: said(one, json.dumps({"repos": [LISTED]}).encode())) as (url, _):
        ran = alone("hub", "list", REUSE_SURFACE_URL=url, LC_ALL="POSIX", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")

    assert "failed" in ran.out


@pytest.mark.parametrize("length", [b"-5", b"-1"])
def test_a_chunk_of_a_negative_length_is_no_answer(alone: Shell, length: bytes) -> None:
    def behave(handler: http.server.BaseHTTPRequestHandler) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        handler.wfile.write(head + length + b"\r\n{}\r\n0\r\n\r\n")
        handler.close_connection = True

    with stand_in(behave) as (url, _):
        ran = alone("hub", "show", "a", REUSE_SURFACE_URL=url)

    assert (ran.code, "the answer was cut off, or is not HTTP" in ran.err) == (3, True), ran


def test_a_chunk_without_an_end_is_read_up_to_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    def behave(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n")
        handler.close_connection = True
        with contextlib.suppress(OSError):
            for _ in range(500):
                handler.wfile.write(bytes(2**16))

    monkeypatch.setattr(cli, "MOST", 2**20)
    with stand_in(behave) as (url, _):
        hub = cli.Api(url, "", cli.Screen(as_json=False), insecure=False, seconds=20.0)
        with pytest.raises(cli.Failure, match="it answers with more than 1 MiB"):
            hub.read("/v1/repos")
