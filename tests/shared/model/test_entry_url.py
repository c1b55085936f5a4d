from __future__ import annotations

from urllib.parse import unquote, urlsplit

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.formats.capability_index import read_index
from shared.model.content import from_document
from shared.model.entry_url import entry_url, root_of
from tests.builders import capability, index

INDEX = "registry/indexes/capabilities.yaml"
ROOTS = [
    pytest.param("https://gitea.example.org/o/r/raw/branch/main/", id="Gitea, a branch"),
    pytest.param("https://gitea.example.org/o/r/raw/tag/v1.0/", id="Gitea, a tag"),
    pytest.param("https://gitea.example.org/o/r/raw/commit/9f86d08/", id="Gitea, a commit"),
    pytest.param("https://gitea.example.org/o/r/raw/main/", id="Gitea, the older form"),
    pytest.param("http://10.0.0.7:3000/git/o/r/raw/branch/main/", id="Gitea, in a folder of a host with a port"),
    pytest.param("https://raw.githubusercontent.com/o/r/main/", id="GitHub, raw"),
    pytest.param("https://raw.githubusercontent.com/o/r/refs/heads/main/", id="GitHub, raw, in full"),
    pytest.param("https://github.com/o/r/raw/main/", id="GitHub, its site"),
    pytest.param("https://GitHub.com/o/r/raw/refs/tags/v1/", id="GitHub, a tag in full"),
    pytest.param("https://gitlab.example.org/o/r/-/raw/main/", id="GitLab"),
    pytest.param("https://gitlab.example.org/a/b/c/r/-/raw/v1/", id="GitLab, groups in groups"),
    pytest.param("https://h.example/gitea/o/r/raw/branch/main/", id="Gitea, in a folder"),
    pytest.param("https://h.example/o/r/raw/branch/registry/", id="Gitea, a branch with the name of the folder"),
    pytest.param("https://h.example/api/v1/raw/branch/main/", id="Gitea, names that an API has too"),
    pytest.param("https://bitbucket.org/o/r/raw/9f86d081884c/", id="Bitbucket Cloud"),
    pytest.param("https://git.sr.ht/~o/r/blob/main/", id="sourcehut"),
]


@pytest.mark.parametrize("root", ROOTS)
def test_the_root_is_that_of_the_repository_at_its_revision(root: str) -> None:
    assert root_of(root + INDEX, None) == root
    assert root_of(root + "capabilities.yaml", None) == root
    assert root_of(f"{root}docs/capabilities.yaml", None) == root


@pytest.mark.parametrize("root", ROOTS)
def test_a_branch_with_slashes_ends_where_the_folder_of_indexes_starts(root: str) -> None:
    assert root_of(f"{root}feature/x/{INDEX}", None) == f"{root}feature/x/"


@pytest.mark.parametrize(
    "root",
    [
        pytest.param("https://h.example/o/r/raw/branch/main/api/v1/", id="what follows the branch is its files"),
        pytest.param("https://h.example/o/r/raw/registry/", id="a branch with the name of the folder"),
        pytest.param("https://h.example/o/r/raw/develop/", id="any branch, before the folder of indexes"),
    ],
)
def test_the_folder_of_indexes_tells_where_the_root_ends(root: str) -> None:
    assert root_of(root + INDEX, None) == root


def test_a_query_is_not_taken_over() -> None:
    url = f"https://gitlab.example.org/o/r/-/raw/main/{INDEX}?ref_type=heads&private_token=secret"

    assert root_of(url, None) == "https://gitlab.example.org/o/r/-/raw/main/"


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(f"https://files.example.org/{INDEX}", id="a site that is no forge"),
        pytest.param("https://files.example.org", id="no path at all"),
        pytest.param(f"https://github.com/o/r/blob/main/{INDEX}", id="a page about the file"),
        pytest.param(f"https://raw.githubusercontent.com/o/{INDEX}".replace("registry/indexes/", ""), id="too short"),
        pytest.param(f"https://gitea.example.org/o/r/raw/{INDEX}".replace("registry/indexes/", ""), id="no revision"),
        pytest.param("https://gitea.example.org/api/v1/repos/o/r/raw/docs/x.yaml?ref=main", id="the API of Gitea"),
        pytest.param(f"https://gitea.example.org/o/r/raw/main/a/../../b/{INDEX}", id="dots that lead elsewhere"),
        pytest.param(f"https://gitea.example.org/o/r/raw/main/%2e%2E/b/{INDEX}", id="the same in disguise"),
        pytest.param(
            f"https://bitbucket.example/projects/P/repos/r/raw/{INDEX}?at=refs%2Fheads%2Fmain",
            id="Bitbucket Data Center",
        ),
        pytest.param(f"https://h.example/git/projects/P/repos/r/raw/{INDEX}", id="the same in a folder"),
        pytest.param(f"https://bitbucket.example/users/u/repos/r/raw/{INDEX}", id="of a person"),
        pytest.param(f"https://bitbucket.example/projects/P/repos/r/raw/branch/a/{INDEX}", id="a folder called branch"),
        pytest.param(f"https://bitbucket.example/rest/api/1.0/projects/P/repos/r/raw/x/{INDEX}", id="its API"),
        pytest.param(f"https://h.example/gitea/api/v1/repos/o/r/raw/{INDEX}?ref=main", id="an API in a folder"),
        pytest.param(f"https://h.example/gitea/api/v1/repos/o/r/raw/branch/main/{INDEX}", id="an API, a folder more"),
        pytest.param(f"https://h.example/a/b/api/v4/o/r/raw/main/{INDEX}", id="an API deep in folders"),
        pytest.param(f"https://gitea.example.org/o/r/raw/{INDEX}", id="Gitea, the default branch without its name"),
        pytest.param(f"https://gitea.example.org/o/r/raw/%72egistry/indexes/{INDEX[17:]}", id="the same in disguise"),
        pytest.param("https://gitea.example.org/o/r/raw/docs/capabilities.yaml", id="a folder or a branch"),
        pytest.param(f"https://github.com/o/r/raw/{INDEX}", id="GitHub, no branch"),
        pytest.param(f"https://raw.githubusercontent.com/o/r/{INDEX}", id="GitHub, raw, no branch"),
        pytest.param(f"https://gitlab.example.org/o/r/-/raw/{INDEX}", id="GitLab, no branch"),
        pytest.param(f"https://gitlab.example.org/o/r/-/blob/main/raw/{INDEX}", id="GitLab, a page about a file"),
        pytest.param("https://gitlab.example.org/-/snippets/1/raw/main/capabilities.yaml", id="a snippet"),
        pytest.param("https://gist.githubusercontent.com/u/9f86d081884c7d65/raw/9f86d081884c/c.yaml", id="a gist"),
        pytest.param(f"https://git.sr.ht/~o/r/blob/{INDEX}", id="sourcehut, no branch"),
        pytest.param(f"https://git.sr.ht/~o/r/tree/main/item/{INDEX}", id="sourcehut, a page about a file"),
        pytest.param(f"https://git.example.org/cgit/r.git/plain/{INDEX}?h=main", id="cgit, the branch in the query"),
        pytest.param("ftp://gitea.example.org/o/r/raw/main/x.yaml", id="another scheme"),
        pytest.param("", id="nothing"),
    ],
)
def test_where_nothing_tells_there_is_no_root(url: str) -> None:
    assert root_of(url, None) is None


@pytest.mark.parametrize(
    ("base_url", "root"),
    [
        ("https://docs.example.org/caps", "https://docs.example.org/caps/"),
        ("https://docs.example.org/caps/", "https://docs.example.org/caps/"),
        ("https://docs.example.org", "https://docs.example.org/"),
        ("https://docs.example.org/caps?file=", None),
        ("https://docs.example.org/caps#top", None),
        ("https://user:word@docs.example.org/", None),
        ("https://[2001:db8::1]:8443/caps", "https://[2001:db8::1]:8443/caps/"),
        ('https://docs.example.org/a%20b/"', "https://docs.example.org/a%20b/%22/"),
        ("https://[", None),
    ],
)
def test_the_publisher_may_say_where_entries_lie(base_url: str, root: str | None) -> None:
    assert root_of(f"https://github.com/o/r/raw/main/{INDEX}", base_url) == root


@pytest.mark.parametrize(
    ("path", "end"),
    [
        ("registry/capabilities/a.md", "registry/capabilities/a.md"),
        ("./registry//./a.md", "registry/a.md"),
        ("a?b#c.md", "a%3Fb%23c.md"),
        ("50%.md", "50%25.md"),
        ("%2e%2e/a.md", "%252e%252e/a.md"),
        ("übersicht.md", "%C3%BCbersicht.md"),
        ("a:b@c,d;e=f&g+h(i)!~*'$.md", "a:b@c,d;e=f&g+h(i)!~*'$.md"),
        ('<a">`{|}^.md', "%3Ca%22%3E%60%7B%7C%7D%5E.md"),
        ("...", "..."),
    ],
)
def test_a_path_is_written_as_a_url_asks(path: str, end: str) -> None:
    assert entry_url("https://h.example/", path) == f"https://h.example/{end}"


@pytest.mark.parametrize("path", [None, 7, [], "", ".", "//", "..", "a/../b", "../a", "a/.."])
def test_what_is_no_path_below_the_root_has_no_url(path: object) -> None:
    assert entry_url("https://h.example/", path) is None


def test_without_a_root_there_is_no_url() -> None:
    assert entry_url(None, "a.md") is None


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_whatever_the_path_the_url_stays_below_the_root_and_says_the_path(path: str) -> None:
    made = entry_url("https://h.example/r/", path)

    if made is not None:
        parts = urlsplit(made)
        assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("https", "h.example", "", "")
        assert parts.path.startswith("/r/")
        assert not {".", ".."} & {unquote(one) for one in parts.path.split("/") if "%25" not in one}
        kept = [one for one in path.split("/") if one not in {"", "."}]
        assert unquote(parts.path.removeprefix("/r/")) == "/".join(kept)


RAW = f"https://gitea.example.org/o/r/raw/branch/main/{INDEX}"


def test_an_entry_is_served_with_its_url_before_whose_it_is() -> None:
    content = read_index(index(capability(1, path="a.md", url="https://x.example/"), capability(2)), "r", RAW)

    first, second = (orjson.loads(entry.json) for entry in content.entries)
    assert list(first)[-2:] == ["entry_url", "source_repo"]
    assert first["entry_url"] == "https://gitea.example.org/o/r/raw/branch/main/a.md"
    assert "entry_url" not in second


def test_the_url_is_made_anew_from_what_was_kept() -> None:
    content = read_index(index(capability(1, path="a.md")), "r", RAW)
    kept = orjson.loads(content.document())
    kept["capabilities"][0]["entry_url"] = "https://h.example/by-an-older-rule"

    assert from_document(kept, RAW) == content
    assert "entry_url" not in orjson.loads(from_document(orjson.loads(content.document())).entries[0].json)


def test_where_an_index_lies_changes_neither_its_digest_nor_what_it_says() -> None:
    one, other = (read_index(index(capability(1, path="a.md")), "r", url) for url in (RAW, ""))

    assert one.digest == other.digest
    assert one.entries[0].json != other.entries[0].json
    assert one.entries[0].says_the_same(other.entries[0])
