from __future__ import annotations

import traceback
from dataclasses import fields
from pathlib import Path

import pytest

from shared.problems import StartError
from shared.settings import PREFIX, Settings, unknown

TOKEN = "x" * 20


def test_without_an_environment_every_setting_has_its_default() -> None:
    assert Settings.from_environment({}) == Settings()
    assert Settings() == Settings(
        data_dir=Path("data"),
        token=None,
        public_url=None,
        allow_networks=(),
        tokens_file=None,
        trusted_proxies=(),
        wrong_tokens_per_minute=20,
        writes_per_minute=1200,
        refreshes_per_minute=1200,
        max_registrations=20_000,
        max_registrations_per_token=2000,
        validations_per_minute=120,
        max_requests=500,
        max_connections=10_000,
        max_head_bytes=32 * 1024,
        max_body_bytes=64 * 1024,
        max_bodies_bytes=32 * 1024 * 1024,
        max_unread_bytes=64 * 1024 * 1024,
        receive_seconds=15,
        send_seconds=30,
        idle_seconds=130,
        allow_ports=(80, 443, 8080, 8443),
        max_stale_seconds=604800,
        refresh=True,
        log="text",
    )


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        pytest.param("data_dir", "/var/lib/hub", Path("/var/lib/hub"), id="folder"),
        pytest.param("token", TOKEN, TOKEN, id="a token of 20 characters"),
        pytest.param("token", "!~" * 20, "!~" * 20, id="a token of odd characters"),
        pytest.param("public_url", "https://hub.example.org/base/", "https://hub.example.org/base", id="a slash ends"),
        pytest.param("public_url", "http://[::1]:8080", "http://[::1]:8080", id="an address"),
        pytest.param("public_url", "https://h/a.b/~c/d_e-f", "https://h/a.b/~c/d_e-f", id="a path"),
        pytest.param("allow_networks", "10.0.0.0/8, Git.Internal,,::1/128", ("10.0.0.0/8", "git.internal", "::1/128"),
                     id="networks and names"),
        pytest.param("allow_ports", "80, 3000", (80, 3000), id="ports"),
        pytest.param("allow_ports", "1,65535", (1, 65535), id="first and last port"),
        pytest.param("max_stale_seconds", "0", 0, id="no time"),
        pytest.param("max_stale_seconds", "315360000", 315360000, id="ten years"),
        pytest.param("tokens_file", "/etc/hub/tokens.yaml", Path("/etc/hub/tokens.yaml"), id="file"),
        pytest.param("trusted_proxies", "10.0.0.0/8,, 192.0.2.1", ("10.0.0.0/8", "192.0.2.1/32"), id="proxies"),
        pytest.param("refreshes_per_minute", "600", 600, id="a count"),
        pytest.param("max_unread_bytes", "8589934592", 2**33, id="8 GiB"),
        pytest.param("max_bodies_bytes", "4194304", 2**22, id="room for one document of each client"),
        pytest.param("refresh", "off", False, id="off"),
        pytest.param("refresh", "on", True, id="on"),
        pytest.param("log", "json", "json", id="log"),
    ],
)  # fmt: skip
def test_reads_a_setting_from_its_variable(name: str, text: str, value: object) -> None:
    settings = Settings.from_environment({PREFIX + name.upper(): text, "REUSE_SURFACE_OTHER": "7"})

    assert getattr(settings, name) == value
    others = [one.name for one in fields(Settings) if one.name != name]
    assert [getattr(settings, other) for other in others] == [getattr(Settings(), other) for other in others]


@pytest.mark.parametrize("name", [one.name for one in fields(Settings)])
def test_an_empty_variable_is_an_unset_one(name: str) -> None:
    assert Settings.from_environment({PREFIX + name.upper(): ""}) == Settings()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("token", "x" * 19, id="a short token"),
        pytest.param("token", "words with many spaces", id="a token with spaces"),
        pytest.param("token", TOKEN + "\n", id="a token with a line feed"),
        pytest.param("token", "é" * 20, id="a token beyond ASCII"),
        pytest.param("public_url", "hub.example.org", id="no scheme"),
        pytest.param("public_url", "ftp://hub.example.org", id="another scheme"),
        pytest.param("public_url", "https://hub.example.org/?a=b", id="a query"),
        pytest.param("public_url", "https://hub.example.org/#a", id="a fragment"),
        pytest.param("public_url", "https://me:secret@hub.example.org", id="user info"),
        pytest.param("public_url", "https://hub.example.org/\n", id="a line feed"),
        pytest.param("public_url", "https://hub.example.org//reuse", id="an empty part of the path"),
        pytest.param("public_url", "https://hub.example.org/reuse//", id="two slashes at the end"),
        pytest.param("public_url", "https://hub.example.org/../reuse", id="a way up"),
        pytest.param("public_url", "https://hub.example.org/reuse/.", id="a dot"),
        pytest.param("public_url", "https://hub.example.org/re%75se", id="a quoted letter"),
        pytest.param("public_url", "https://hub.example.org/a>b", id="a character that ends a link"),
        pytest.param("public_url", 'https://hub.example.org/a"b', id="a quotation mark"),
        pytest.param("public_url", "https://hub.example.org/caf\u00e9", id="a letter beyond ASCII"),
        pytest.param("allow_networks", "10.0.0.0/33", id="no prefix of IPv4"),
        pytest.param("allow_networks", "10.0.0.1/8", id="an address in a network"),
        pytest.param("allow_networks", "git internal", id="a name with a space"),
        pytest.param("allow_ports", "0", id="port 0"),
        pytest.param("allow_ports", "65536", id="a port beyond the last"),
        pytest.param("allow_ports", "80,", id="an empty port"),
        pytest.param("allow_ports", "http", id="a port by name"),
        pytest.param("max_stale_seconds", "-1", id="a negative time"),
        pytest.param("max_stale_seconds", "315360001", id="more than ten years"),
        pytest.param("max_stale_seconds", "1e3", id="a float"),
        pytest.param("max_stale_seconds", "٣", id="a digit beyond ASCII"),
        pytest.param("refreshes_per_minute", "0", id="none at all"),
        pytest.param("trusted_proxies", "proxy.internal", id="a proxy by name"),
        pytest.param("refresh", "yes", id="yes for on"),
        pytest.param("log", "JSON", id="upper case"),
    ],
)
def test_a_bad_value_names_its_variable(name: str, text: str) -> None:
    with pytest.raises(StartError, match=f"^{PREFIX}{name.upper()}: .+ unset it for the default[.]$"):
        Settings.from_environment({PREFIX + name.upper(): text})


@pytest.mark.parametrize("token", ["too-short-a-secret", "a secret in several words", "geheimnisträgerin-an-bord"])
def test_a_bad_token_is_never_repeated(token: str) -> None:
    with pytest.raises(StartError) as raised:
        Settings.from_environment({"REUSE_SURFACE_TOKEN": token})

    assert token not in "".join(traceback.format_exception(raised.value))


def test_every_setting_says_what_it_means() -> None:
    for one in fields(Settings):
        assert one.metadata["meaning"], one.name
        assert one.metadata["default"] is None or isinstance(one.metadata["default"], str)


def test_the_public_url_has_a_default() -> None:
    assert Settings().public == "http://127.0.0.1:8080"
    assert Settings(public_url="https://hub.example.org").public == "https://hub.example.org"


@pytest.mark.parametrize(
    ("url", "path"),
    [(None, ""), ("https://h", ""), ("https://h:8443/reuse", "/reuse"), ("https://h/tools/reuse", "/tools/reuse")],
)
def test_the_public_path_is_that_of_the_public_url(url: str | None, path: str) -> None:
    assert Settings(public_url=url).public_path == path


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("REUSE_SURFACE_TOKENFILE", "did you mean REUSE_SURFACE_TOKENS_FILE?"),
        ("REUSE_SURFACE_PUBLICURL", "did you mean REUSE_SURFACE_PUBLIC_URL?"),
        ("reuse_surface_token", "did you mean REUSE_SURFACE_TOKEN?"),
        ("REUSE_SURFACE_COLOUR", "the specification lists the settings."),
    ],
)
def test_a_variable_that_is_no_setting_is_named(name: str, says: str) -> None:
    assert unknown({name: "x", "REUSE_SURFACE_LOG": "json"}) == [
        f"{name} is no setting of the hub and changes nothing; {says}"
    ]


def test_variables_of_the_client_and_of_kubernetes_are_no_mistakes() -> None:
    names = ["URL", "TOKEN", "SERVICE_HOST", "SERVICE_PORT_HTTP", "PORT", "PORT_8080_TCP_ADDR"]

    assert unknown({f"REUSE_SURFACE_{name}": "x" for name in names} | {"PATH": "x"}) == []


def test_the_defaults_leave_room_for_all_that_a_version_before_served() -> None:
    # decisions/0025: a start obeys the bounds, so a version with lower defaults would take sources away.
    assert Settings().max_capabilities >= 100_000
    assert Settings().max_mib >= 64
