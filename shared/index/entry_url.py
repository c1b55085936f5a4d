"""Where the document of an entry lies: the raw URL that the URL of its index, or ``base_url``, and its path make."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

_HOST = r"[^/?#@\[\]]+|\[[0-9a-f:.]+\](?::[0-9]+)?"
_URL = re.compile(rf"(https?://({_HOST}))(/[^?#]*)?(.*)", re.IGNORECASE)
_INDEX_FOLDER = "/registry/indexes/"

_REF = "(?:refs/(?:heads|tags)/)?[^/]+/"
_GITHUB = {
    "raw.githubusercontent.com": re.compile(f"/[^/]+/[^/]+/{_REF}"),
    "github.com": re.compile(f"/[^/]+/[^/]+/raw/{_REF}"),
}
_GITLAB = re.compile(f"/.+?/-/raw/{_REF}")
_GITEA = re.compile(f"(?!/api/).*?/[^/]+/[^/]+/raw/(?:(?:branch|tag|commit)/[^/]+/|{_REF})")

# What may stand in a path as it is (RFC 3986 §3.3). A percent sign is a letter of a file's name like any other.
_PLAIN = "/!$&'()*+,;=:@~"


def root_of(index_url: str, base_url: str | None) -> str | None:
    """Return the URL that the paths of an index start from, with a slash at its end; None where nothing tells.

    ``base_url`` is the publisher's word. Without it *index_url* must be a raw URL of GitHub, GitLab or Gitea (so of
    Forgejo): the root is that of the repository at the branch, tag or commit it names. A branch may hold slashes, so
    where the index lies in ``registry/indexes/``, the root is what stands before that. No query is taken over: it may
    hold what was given to the hub alone.
    """
    if base_url is not None:
        return _whole(base_url)
    given = _URL.fullmatch(index_url)
    path = (given[3] or "") if given else ""
    if given is None or any(unquote(segment) in {".", ".."} for segment in path.split("/")):
        return None
    host = given[2].lower().partition(":")[0]
    found = _GITHUB[host].match(path) if host in _GITHUB else _GITLAB.match(path) or _GITEA.match(path)
    return given[1] + path[: max(found.end(), path.rfind(_INDEX_FOLDER) + 1)] if found else None


def _whole(base_url: str) -> str | None:
    given = _URL.fullmatch(base_url)
    if given is None or given[4]:
        return None
    return given[1] + quote(given[3] or "", safe=f"%{_PLAIN}").rstrip("/") + "/"


def entry_url(root: str | None, path: object) -> str | None:
    """Return the URL of the document at *path* below *root*; None where either is missing or *path* leads out of it."""
    segments = [one for one in path.split("/") if one not in {"", "."}] if isinstance(path, str) else []
    if root is None or not segments or ".." in segments:
        return None
    return root + quote("/".join(segments), safe=_PLAIN)
