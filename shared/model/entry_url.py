"""Where the document of an entry lies: the raw URL that the URL of its index, or ``base_url``, and its path make."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

_HOST = r"[^/?#@\[\]]+|\[[0-9a-f:.]+\](?::[0-9]+)?"
_URL = re.compile(rf"(https?://({_HOST}))(/[^?#]*)?(.*)", re.IGNORECASE)
_INDEX_FOLDER = "/registry/indexes/"

_REF = "(?:refs/(?:heads|tags)/)?[^/]+/"
_OF_HOSTS = {
    "raw.githubusercontent.com": re.compile(f"(/[^/]+/[^/]+/){_REF}"),
    "github.com": re.compile(f"(/[^/]+/[^/]+/raw/){_REF}"),
    # What sourcehut calls a blob is the file itself, and no page about it.
    "git.sr.ht": re.compile("(/~[^/]+/[^/]+/blob/)[^/]+/"),
}
_FLAT = re.compile(r"gist\.|snippets\.")
_GITLAB = re.compile(f"(/.+?/-/raw/){_REF}")
_GITEA = re.compile("(.*?/[^/]+/[^/]+/raw/(?:branch|tag|commit)/)[^/]+/")
_OLDER = re.compile(f"(.*?/[^/]+/[^/]+/raw/){_REF}")
# Names that a revision has and hardly a folder: where the form alone does not tell that the revision is named at all.
_REVISION = re.compile(r"(?:refs/(?:heads|tags)/[^/]+|main|master|trunk|v?[0-9]+(?:\.[0-9]+)*|[0-9a-f]{7,64})/")

# What stands before /raw/ in URLs that mean something else by it: an API, Bitbucket Data Center, other pages of GitLab.
_OTHERS = re.compile(r"/api/v[0-9.]+/|/(?:projects|users)/[^/]+/repos/[^/]+$|/-/")

# What may stand in a path as it is (RFC 3986 §3.3). A percent sign is a letter of a file's name like any other.
_PLAIN = "/!$&'()*+,;=:@~"


def root_of(index_url: str, base_url: str | None) -> str | None:
    """Return the URL that the paths of an index start from, with a slash at its end; None where nothing tells.

    ``base_url`` is the publisher's word. Without it *index_url* must be a raw URL of GitHub, GitLab, Gitea (so of
    Forgejo) or sourcehut: the root is that of the repository at the branch, tag or commit it names. A branch may hold
    slashes, so where the index lies in ``registry/indexes/``, the root is what stands before that. A URL that names no
    revision has no root, nor has one of a look-alike: a wrong link is worse than none. No query is taken over: it may
    hold what was given to the hub alone.
    """
    if base_url is not None:
        return _whole(base_url)
    parts = _URL.fullmatch(index_url)
    path = (parts[3] or "") if parts else ""
    if parts is None or any(unquote(segment) in {".", ".."} for segment in path.split("/")):
        return None
    end = _end_of_root(parts[2].lower().partition(":")[0], path)
    return parts[1] + path[:end] if end else None


def _end_of_root(host: str, path: str) -> int:
    """Return how many characters of *path* are the root of the repository at a revision; 0 where that can't be told."""
    match = _OF_HOSTS[host].match(path) if host in _OF_HOSTS else _of_other_hosts(host, path)
    if match is None or f"/{unquote(path[match.end(1) :])}".startswith(_INDEX_FOLDER):
        return 0
    return max(match.end(), path.rfind(_INDEX_FOLDER) + 1)


def _of_other_hosts(host: str, path: str) -> re.Match[str] | None:
    if _FLAT.match(host) or _OTHERS.search(path.partition("/raw/")[0]):
        return None
    certain = _GITLAB.match(path) or _GITEA.match(path)
    if certain:
        return certain
    older = _OLDER.match(path)
    certain_enough = older is not None and (_INDEX_FOLDER in path or _REVISION.match(path, older.end(1)))
    return older if certain_enough else None


def _whole(base_url: str) -> str | None:
    parts = _URL.fullmatch(base_url)
    if parts is None or parts[4]:
        return None
    return parts[1] + quote(parts[3] or "", safe=f"%{_PLAIN}").rstrip("/") + "/"


def entry_url(root: str | None, path: object) -> str | None:
    """Return the URL of the document at *path* below *root*; None where either is missing or *path* leads out of it."""
    segments = [segment for segment in path.split("/") if segment not in {"", "."}] if isinstance(path, str) else []
    if root is None or not segments or ".." in segments:
        return None
    return root + quote("/".join(segments), safe=_PLAIN)
