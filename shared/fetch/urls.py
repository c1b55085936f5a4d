"""The URL of an index: which spellings are refused, and the normal form by which two are compared."""

from __future__ import annotations

import re
from functools import lru_cache
from threading import Lock

import httpx
from cachetools import LRUCache, cached
from cachetools.keys import hashkey

MAX_LENGTH = 2048
MAX_TARGET_LENGTH = 8000
"""Characters of a redirect's target: the signed URLs of object stores are long (RFC 9110 §4.1 names 8,000)."""
MAX_PORT = 65535
REMEMBERED_BYTES = 8 << 20
"""Bytes of the cache of parsed URLs; clients choose the URLs, and so their length."""

_OVERHEAD = 2000
_HOST_LENGTH, _LABEL_LENGTH = 253, 63  # RFC 1035 §2.3.4
_FORBIDDEN = re.compile(r'[ \\<>"^`{|}]')  # besides what can't be seen
_DEFAULT_PORTS = {"http": 80, "https": 443}
_WITHOUT_HOST = re.compile(r"https?:(?!//[^/?#])", re.IGNORECASE)


class UrlRefused(ValueError):  # noqa: N818 - a verdict, not a failure
    """The URL can't be registered; the message goes on after "The URL", such as "is not a URL"."""


def _size(url: httpx.URL) -> int:
    """Return about how many bytes *url* takes: its text as the key, and again as a whole and in parts."""
    return _OVERHEAD + 4 * len(str(url))


def _key(text: str, most: int = MAX_LENGTH) -> tuple[object, ...]:
    return hashkey(text, most)


_parsed: LRUCache[tuple[object, ...], httpx.URL] = LRUCache(REMEMBERED_BYTES, _size)


@cached(_parsed, _key, Lock())
def parse(text: str, most: int = MAX_LENGTH) -> httpx.URL:
    """Return *text*, of at most *most* characters, as the fetch will use it, or raise UrlRefused.

    One parser serves the rules and the fetch, so that they can't disagree about the host. It is cached, because the
    same URLs come again with each check.
    """
    if len(text) > most:
        raise UrlRefused(f"must have at most {most:,} characters")
    if not text.isprintable() or _FORBIDDEN.search(text):
        raise UrlRefused('must hold no blank, no invisible character, no backslash and none of < > " ^ ` { | }')
    try:
        url = httpx.URL(text)
        name = url.host
    except (httpx.InvalidURL, ValueError, UnicodeError) as fault:
        raise UrlRefused("is not a URL") from fault
    if url.scheme not in _DEFAULT_PORTS or not name:
        raise UrlRefused("must be an absolute http or https URL, as in https://host/path")
    authority = text.split("/", 3)[2]
    if "@" in authority:
        raise UrlRefused("must not hold a user name or password: the hub sends no credentials")
    if not authority.isascii() and any(letter.isdigit() and not letter.isascii() for letter in authority):
        raise UrlRefused("must write its digits in ASCII")
    if "#" in text:
        raise UrlRefused("must not hold a fragment (#)")
    _check_host(url)
    return url


def _check_host(url: httpx.URL) -> None:
    name = host(url)
    labels = [] if ":" in name else name.split(".")
    if "%" in name or len(name) > _HOST_LENGTH or not all(0 < len(label) <= _LABEL_LENGTH for label in labels):
        raise UrlRefused("does not hold a host name")
    if url.port is not None and not 0 < url.port <= MAX_PORT:
        raise UrlRefused(f"must hold a port from 1 to {MAX_PORT}, or none")


# A write looks up who has its URL, and then notes who has it.
@lru_cache(maxsize=64)
def normal(text: str) -> str:
    """Return the normal form of the URL *text* (RFC 3986 §6.2.2, §6.2.3), or raise UrlRefused.

    Scheme and A-label host in lower case, no default port, no dot segments, ``/`` for an empty path.
    """
    url = parse(text)
    name = host(url)
    name = f"[{name}]" if ":" in name else name
    port = "" if url.port in {None, _DEFAULT_PORTS[url.scheme]} else f":{url.port}"
    return f"{url.scheme}://{name}{port}{url.raw_path.decode('ascii')}"


def join(url: httpx.URL, reference: str) -> httpx.URL:
    """Return the target of *reference* relative to *url* (RFC 3986 §5), without its fragment, or raise UrlRefused.

    A reference with a scheme and no host is refused (RFC 9110 §4.2.1), where joining would take the host of *url*.
    """
    if _WITHOUT_HOST.match(reference):
        raise UrlRefused("does not hold a host name")
    try:
        target = str(url.join(reference).copy_with(fragment=None))
    except (httpx.InvalidURL, ValueError) as fault:
        raise UrlRefused("is not a URL") from fault
    return parse(target, MAX_TARGET_LENGTH)


def host(url: httpx.URL) -> str:
    """Return the host as the resolver gets it: A-labels in lower case, without the dot at the end."""
    return url.raw_host.decode("ascii").lower().removesuffix(".")


def origin(url: httpx.URL) -> tuple[str, str, int]:
    """Return the origin of *url* (RFC 6454 §4): scheme, host and port, the default one where none is given."""
    return url.scheme, url.raw_host.decode("ascii"), url.port or _DEFAULT_PORTS[url.scheme]
