"""Proxies of the environment: which one is used, what it gets, and what is said when it does not help."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

import cli
from tests.cli.conftest import Shell, said, stand_in

if TYPE_CHECKING:
    import http.server

EMPTY = b'{"repos": []}'


def test_a_proxy_of_the_environment_is_used_but_never_for_this_machine(alone: Shell) -> None:
    with stand_in(lambda one: said(one, b'{"repos": []}')) as (proxy, asked):
        through = alone("hub", "list", REUSE_SURFACE_URL="http://hub.invalid", HTTP_PROXY=proxy)
        past = alone("hub", "list", REUSE_SURFACE_URL="http://hub.invalid", HTTP_PROXY=proxy, NO_PROXY="hub.invalid")
        local = alone("hub", "list", REUSE_SURFACE_URL="http://127.0.0.1:9", HTTP_PROXY=proxy)

    assert (through.code, past.code, local.code) == (0, 3, 3)
    assert asked == [("GET http://hub.invalid/v1/repos?limit=1000", None)]


def test_a_proxy_gets_its_password_and_https_goes_through_a_tunnel(alone: Shell) -> None:
    given: list[str | None] = []

    def behave(one: http.server.BaseHTTPRequestHandler) -> None:
        given.append(one.headers.get("Proxy-Authorization"))
        said(one, b"", 407)

    with stand_in(behave) as (proxy, asked):
        place = proxy.removeprefix("http://")
        ran = alone("hub", "list", REUSE_SURFACE_URL="https://hub.invalid", ALL_PROXY=f"me:p%40ss@{place}")

    assert ran.code == 3
    assert "407" in ran.err
    assert asked == [("CONNECT hub.invalid:443", None)]
    assert given == ["Basic bWU6cEBzcw=="]


@pytest.mark.parametrize(
    ("url", "no_proxy", "past"),
    [
        ("http://hub.example:8443", "hub.example:8443", True),
        ("http://hub.example:8443", "other.example, hub.example:8443", True),
        ("http://hub.example:8443", "other.example hub.example", True),
        ("http://hub.example:8443", "hub.example:8080", False),
        ("http://hub.example", "hub.example:80", True),
        ("https://hub.example", "hub.example:443", True),
        ("https://hub.example", "hub.example:80", False),
        ("https://hub.example", ".example", True),
        ("https://hub.example", "*.example:443", True),
        ("https://hub.example", "EXAMPLE", True),
        ("https://hub.example", "ample", False),
        ("https://hub.example", "*", True),
        ("https://hub.example", " , ,", False),
        ("https://10.1.2.3", "10.0.0.0/8", True),
        ("https://10.1.2.3", "10.2.0.0/16", False),
        ("https://hub.example", "10.0.0.0/8", False),
        ("https://[fd00::1]:8443", "fd00::1", True),
        ("https://[fd00::1]:8443", "fd00:0::1", True),
        ("https://[fd00::1]:8443", "[fd00::1]:8443", True),
        ("https://[fd00::1]:8443", "[fd00::1]:443", False),
        ("https://[fd00::1]:8443", "fd00::/8", True),
    ],
)
def test_no_proxy_names_hosts_domains_and_networks_with_a_port_or_without(
    monkeypatch: pytest.MonkeyPatch, url: str, no_proxy: str, past: bool
) -> None:
    monkeypatch.setattr(os, "environ", {"ALL_PROXY": "http://p:3128", "NO_PROXY": no_proxy})

    assert (cli.proxy_for(urlsplit(url)) is None) == past


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"HTTPS_PROXY": "p", "https_proxy": "q", "ALL_PROXY": "r"}, "https_proxy"),
        ({"HTTPS_PROXY": "p", "ALL_PROXY": "socks5://r"}, "HTTPS_PROXY"),
        ({"HTTP_PROXY": "p", "all_proxy": "r"}, "all_proxy"),
        ({"https_proxy": "", "HTTPS_PROXY": "p"}, None),
        ({"HTTP_PROXY": "p"}, None),
        ({"HTTPS_PROXY": "p", "REQUEST_METHOD": "GET"}, "HTTPS_PROXY"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, dict) else "",
)
def test_the_variable_of_the_scheme_in_lower_case_comes_first(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], name: str | None
) -> None:
    monkeypatch.setattr(os, "environ", environ)

    proxy = cli.proxy_for(urlsplit("https://hub.example"))

    assert (proxy.via if proxy else None) == (name and f" through the proxy http://{environ[name]}:80 ({name})")


def test_the_header_of_a_request_to_a_web_server_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"HTTP_PROXY": "p", "REQUEST_METHOD": "GET"})

    assert cli.proxy_for(urlsplit("http://hub.example")) is None


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("ALL_PROXY", "socks5h://me:secret@127.0.0.1:{port}", "ALL_PROXY names a SOCKS proxy (socks5h://127.0.0.1:"),
        ("https_proxy", "https://127.0.0.1:{port}", "https_proxy names a proxy that is spoken to in https"),
        ("HTTPS_PROXY", "http://[::1", "HTTPS_PROXY is not the URL of a proxy"),
        ("HTTPS_PROXY", "http://p:99999", "HTTPS_PROXY is not the URL of a proxy"),
        ("HTTPS_PROXY", "http://", "HTTPS_PROXY is not the URL of a proxy"),
        ("HTTPS_PROXY", "http://p\x7fq:1", "HTTPS_PROXY is not the URL of a proxy"),
    ],
)
def test_a_proxy_of_another_kind_is_refused_by_name_before_anything_is_sent(
    alone: Shell, name: str, value: str, told: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        proxy = value.format(port=listening.getsockname()[1])
        ran = alone("hub", "list", "--base-url", "https://hub.invalid", **{name: proxy})
        listening.setblocking(False)  # noqa: FBT003 - its only parameter
        with pytest.raises(BlockingIOError):
            listening.accept()

    assert (ran.code, ran.out) == (3, "")
    assert told in ran.err
    assert "secret" not in ran.err


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_nobody_reaches_is_told_without_its_password(alone: Shell, scheme: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
        ran = alone("hub", "list", "--base-url", f"{scheme}://hub.invalid", ALL_PROXY=f"http://me:secret@{place}")

    assert ran.code == 3
    assert ran.err == (
        f"reuse-surface: The proxy http://{place} (ALL_PROXY) can't be reached: connection refused.\n"
    )


def test_a_proxy_without_an_address_is_told(alone: Shell) -> None:
    ran = alone("hub", "list", "--base-url", "https://hub.invalid", HTTPS_PROXY="http://nowhere.invalid:3128")

    assert "The proxy http://nowhere.invalid:3128 (HTTPS_PROXY) can't be reached: its name has no address." in ran.err


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (407, "asks for a name and a password: write its URL as http://NAME:PASSWORD@HOST:PORT"),
        (502, "the answer through the proxy http://"),
        (200, "the answer through the proxy http://"),
    ],
)
def test_a_page_of_the_proxy_is_not_taken_for_the_hubs(alone: Shell, status: int, told: str) -> None:
    with stand_in(lambda one: said(one, b"<html>", status, Content_Type="text/html")) as (proxy, _):
        ran = alone("hub", "list", "--base-url", "http://hub.invalid", HTTP_PROXY=proxy.replace("//", "//me:secret@"))

    assert ran.code == 3
    assert told in ran.err
    assert "(HTTP_PROXY)" in ran.err
    assert "secret" not in ran.err


def test_a_tunnel_that_ends_is_told_with_the_proxy(alone: Shell) -> None:
    with stand_in(lambda one: said(one, b"", 503)) as (proxy, _):
        ran = alone("hub", "list", "--base-url", "https://hub.invalid", HTTPS_PROXY=proxy)

    assert ran.code == 3
    assert f"The hub at https://hub.invalid can't be reached through the proxy {proxy} (HTTPS_PROXY): " in ran.err


def test_a_name_with_an_empty_label_has_no_address(alone: Shell) -> None:
    ran = alone("hub", "list", "--base-url", "http://hub..invalid", "--json")

    assert (ran.code, "its name has no address" in json.loads(ran.out)["error"]["detail"]) == (3, True)
