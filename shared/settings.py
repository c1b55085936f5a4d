"""The settings of the hub: one dataclass, each field read from REUSE_SURFACE_<FIELD>."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from shared.problems import StartError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX = "REUSE_SURFACE_"


def _path(text: str) -> Path:
    return Path(text)


def _token(text: str) -> str:
    if not re.fullmatch(r"[!-~]{20,}", text):
        raise ValueError("must be at least 20 visible ASCII characters without spaces")
    return text


def _public_url(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", text):
        raise ValueError("must be an absolute http(s) URL without query or fragment")
    # Such a path is the same in a link, a header and a request: quoting and normalising leave it unchanged.
    if not re.fullmatch(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*/?", urlsplit(text).path):
        raise ValueError("may have a path of letters, digits and . _ ~ - between single slashes, no other")
    return text.rstrip("/")


def _networks(text: str) -> tuple[str, ...]:
    names = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    for part in names:
        if "/" in part:
            ip_network(part)
        elif not re.fullmatch(r"[a-z0-9._:-]+", part):
            raise ValueError(f"{part!r} is neither a network (CIDR) nor a host name")
    return names


def _cidrs(text: str) -> tuple[str, ...]:
    return tuple(str(ip_network(part.strip())) for part in text.split(",") if part.strip())


def _count(text: str) -> int:
    return _whole(text, least=1, most=1_000_000)


def _bytes(text: str) -> int:
    return _whole(text, least=1, most=2**33)


def _body_bytes(text: str) -> int:
    # One client gets half of the half for those without a token; a document to validate has to fit into that.
    return _whole(text, least=4 * 2**20, most=2**33)


def _ports(text: str) -> tuple[int, ...]:
    return tuple(_whole(part.strip(), least=1, most=65535) for part in text.split(","))


def _seconds(text: str) -> int:
    return _whole(text, least=0, most=10 * 365 * 86400)


def _whole(text: str, *, least: int, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", text) or not least <= int(text) <= most:
        raise ValueError(f"{text!r} is not a whole number from {least} to {most}")
    return int(text)


def _switch(text: str) -> bool:
    if text not in {"on", "off"}:
        raise ValueError("must be on or off")
    return text == "on"


def _log(text: str) -> str:
    if text not in {"json", "text"}:
        raise ValueError("must be json or text")
    return text


def _setting(read: Callable[[str], Any], default: str | None, meaning: str) -> Any:  # noqa: ANN401 - becomes the field
    """Declare a field: the function that reads its text or raises ValueError, its default as text, and its meaning."""
    about = {"read": read, "default": default, "meaning": meaning}
    return field(default=None if default is None else read(default), metadata=about)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings. The metadata of each field has ``read``, and ``default`` and ``meaning`` as text."""

    data_dir: Path = _setting(_path, "./data", "The folder that holds everything the hub knows")  # noqa: RUF009
    token: str | None = _setting(_token, None, "A token that may write everything; without it the hub is read-only")
    tokens_file: Path | None = _setting(_path, None, "A YAML file of named tokens and what they may write")  # noqa: RUF009
    public_url: str | None = _setting(_public_url, None, "The URL under which readers know the hub")
    allow_networks: tuple[str, ...] = _setting(_networks, "", "CIDRs and host names that are trusted as sources")
    allow_ports: tuple[int, ...] = _setting(_ports, "80,443,8080,8443", "The ports at which all other sources are read")
    max_stale_seconds: int = _setting(_seconds, "604800", "How long the last good content outlives its last check")
    trusted_proxies: tuple[str, ...] = _setting(_cidrs, "", "CIDRs of the proxies whose X-Forwarded-For is believed")
    wrong_tokens_per_minute: int = _setting(_count, "20", "Wrong tokens from one address, past which they get 429")
    writes_per_minute: int = _setting(_count, "1200", "Writes that one token may send which is no admin's")
    refreshes_per_minute: int = _setting(_count, "1200", "Fetches that one token may ask for (also compose, dry_run)")
    validations_per_minute: int = _setting(_count, "120", "Indexes that one address may have validated")
    max_registrations: int = _setting(_count, "20000", "How many repos may be registered")
    max_registrations_per_token: int = _setting(_count, "2000", "How many of them by one token that is no admin's")
    max_capabilities: int = _setting(_count, "100000", "How many capabilities the hub keeps over all sources")
    max_mib: int = _setting(_count, "64", "How many MiB of capabilities, as JSON, the hub keeps over all sources")
    max_requests: int = _setting(_count, "500", "Writes that may be under way at a time, and as many POSTs of others")
    max_connections: int = _setting(_count, "10000", "Connections at a time, if the limit on open files allows")
    max_head_bytes: int = _setting(_count, "32768", "The size of a request line with its headers")
    max_body_bytes: int = _setting(_count, "65536", "The size of a body (for /v1/validate it is 1 MiB)")
    max_bodies_bytes: int = _setting(_body_bytes, "33554432", "Bytes of bodies at a time, half of them of writers")
    max_unread_bytes: int = _setting(_bytes, "67108864", "Bytes that slow readers may keep besides what the hub keeps")
    receive_seconds: int = _setting(_count, "15", "How long the head of a request may take to arrive, and its body")
    send_seconds: int = _setting(_count, "30", "How long a reader may leave an answer unread")
    idle_seconds: int = _setting(_count, "130", "How long a connection stays open without a request")
    refresh: bool = _setting(_switch, "on", "Whether sources are checked in the background (on, off)")
    log: str = _setting(_log, "text", "How the log is written (text, json)")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Return the settings in *environ*, the default for a variable that is missing or empty.

        Raise StartError that names a variable whose value is bad.
        """
        values: dict[str, Any] = {}
        for setting in fields(cls):
            name = PREFIX + setting.name.upper()
            text = environ.get(name, "")
            if text:
                values[setting.name] = _read(name, text, setting.metadata["read"])
        return cls(**values)

    @property
    def public(self) -> str:
        """The public URL without a slash at its end; the default address when none is set."""
        return self.public_url or "http://127.0.0.1:8080"

    @property
    def public_path(self) -> str:
        """The path of the public URL, such as ``/reuse``; empty where the hub has a host to itself."""
        return urlsplit(self.public).path


_OF_THE_CLIENT = {f"{PREFIX}URL"}
_OF_KUBERNETES = re.compile(f"{PREFIX}(?:SERVICE_(?:HOST|PORT)|PORT$|PORT_[0-9])")


def unknown(environ: Mapping[str, str]) -> list[str]:
    """Return a sentence for each variable of *environ* that is named like a setting and is none.

    Those of the client are left out, and those that Kubernetes sets for a Service named like the hub.
    """
    names = [setting.name.upper() for setting in fields(Settings)]
    variables = {PREFIX + name for name in names} | _OF_THE_CLIENT
    sentences = []
    for name in sorted(environ):
        plain = name.upper().replace("-", "_")
        if name in variables or not plain.startswith(PREFIX.rstrip("_")) or _OF_KUBERNETES.match(name):
            continue
        near = get_close_matches(plain.removeprefix(PREFIX), names, n=1, cutoff=0.7)
        hint = f"did you mean {PREFIX}{near[0]}?" if near else "the specification lists the settings."
        sentences.append(f"{name} is no setting of the hub and changes nothing; {hint}")
    return sentences


def _read(name: str, text: str, read: Callable[[str], Any]) -> object:
    try:
        return read(text)
    except ValueError as fault:
        # A token is never repeated, not even a bad one: logs are read by many.
        raise StartError(f"{name}: {fault}. Correct it, or unset it for the default.") from fault
