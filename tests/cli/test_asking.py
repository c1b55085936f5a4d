"""What a person meets: questions before a loss, help, names as words, honest answers to names that are not there."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import cli as client
from shared.auth.tokens import BadTokens, read_tokens
from shared.version import VERSION
from tests.builders import TOKEN, capability, index
from tests.cli.conftest import CLI, KEPT, said, stand_in

if TYPE_CHECKING:
    import http.server

    from tests.cli.conftest import Publisher, Shell


def asked(shell: Shell, answer: str, *argv: str) -> tuple[int, str]:
    """Run a command for a person at a terminal who types *answer*; return its exit code and its stderr."""
    ours, theirs = pty.openpty()
    known = {name: os.environ[name] for name in KEPT if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, "-I", str(CLI), *argv], cwd=shell.folder, env=known | shell.environ,
        stdin=theirs, stderr=theirs, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(theirs)
    os.write(ours, answer.encode())
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:
        pass
    os.close(ours)
    return process.wait(30), shown.decode()


@pytest.mark.parametrize(
    ("argv", "question"),
    [
        (["hub", "deregister", "state-hub"], "? 1 capability of it leaves the federated index. [y/N]"),
        (["hub", "update", "state-hub", "--enabled", "false"], "Disable state-hub? 1 capability of it leaves"),
        (["hub", "apply", "m.json", "--prune"], "Deregister or disable railiance-apps, state-hub? Their entries"),
    ],
    ids=["deregister", "disable", "apply"],
)
def test_a_loss_is_asked_about_on_a_terminal(federation: Shell, argv: list[str], question: str) -> None:
    before = federation.good("hub", "list", "--json").json["repos"]
    off = next(one for one in before if one["repo"] == "state-hub")
    entry = {name: off[name] for name in ("repo", "url", "domain")} | {"enabled": False}
    (federation.folder / "m.json").write_text(json.dumps({"version": 1, "sources": [entry]}))

    code, shown = asked(federation, "n\n", *argv)
    unchanged = federation.good("hub", "list", "--json").json["repos"]
    agreed, _ = asked(federation, "y\n", *argv)

    assert question in shown
    assert (code, "Nothing was changed." in shown, agreed) == (1, True, 0)
    assert [one["revision"] for one in unchanged] == [one["revision"] for one in before]
    assert federation.good("hub", "list", "--json").json["repos"] != before


@pytest.mark.parametrize(
    ("count", "question"),
    [
        (0, "Deregister state-hub? Nothing of it is served. [y/N]"),
        (2, "Deregister state-hub? 2 capabilities of it leave the federated index. [y/N]"),
    ],
)
def test_a_question_counts_what_would_go(federation: Shell, publisher: Publisher, count: int, question: str) -> None:
    publisher.pages["state-hub"] = index(capabilities=[capability(one) for one in range(count)])
    federation("hub", "refresh", "state-hub")
    federation("hub", "accept", "state-hub")

    assert question in asked(federation, "n\n", "hub", "deregister", "state-hub")[1]


def test_accepting_is_asked_about_only_where_something_is_held(federation: Shell, publisher: Publisher) -> None:
    nothing = asked(federation, "", "hub", "accept", "state-hub")
    publisher.pages["state-hub"] = index(capabilities=[])
    federation("hub", "refresh", "state-hub")
    code, shown = asked(federation, "\n", "hub", "accept", "state-hub")

    assert nothing == (6, "reuse-surface: Nothing of state-hub is held.\r\n")
    assert (code, "Accept what is held of state-hub?" in shown) == (1, True)


def test_the_end_of_the_input_is_no_and_ends_the_line(federation: Shell) -> None:
    code, shown = asked(federation, "\x04", "hub", "deregister", "state-hub")

    assert (code, shown.splitlines()[-1]) == (1, "reuse-surface: Nothing was changed.")


@pytest.mark.parametrize(("count", "question"), [(7, "a0, a1, a2, a3, a4 and 1 more? Their"), (2, "disable a0? Its")])
def test_a_question_about_many_names_five(cli: Shell, count: int, question: str) -> None:
    sources = [{"repo": f"a{one}", "url": f"https://x.example/{one}", "domain": "d"} for one in range(count)]
    for name, some in (("all.json", sources), ("last.json", sources[-1:])):
        (cli.folder / name).write_text(json.dumps({"version": 1, "sources": some}))
    cli.good("hub", "apply", "all.json")

    assert question in asked(cli, "n\n", "hub", "apply", "last.json", "--prune")[1]


@pytest.mark.parametrize("way", ["--yes", "--json"])
def test_who_wants_no_question_gets_none(federation: Shell, way: str) -> None:
    code, shown = asked(federation, "", "hub", "deregister", "state-hub", way)

    assert (code, shown) == (0, "")


@pytest.mark.parametrize("argv", [["--version"], ["-V"], ["--version", "--timeout", "3"]], ids=" ".join)
def test_the_version_is_told_as_other_tools_do(alone: Shell, argv: list[str]) -> None:
    assert alone.good(*argv).out == f"{VERSION}\n"


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["help"], "Exit codes:"),
        (["help", "hub"], "hub register"),
        (["hub", "help"], "hub register"),
        (["help", "hub", "list"], "usage: reuse-surface hub list"),
        (["hub", "help", "list"], "usage: reuse-surface hub list"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_help_is_a_word_too(alone: Shell, argv: list[str], told: str) -> None:
    assert told in alone.good(*argv).out


@pytest.mark.parametrize(
    ("words", "near"),
    [
        ("hub dergister", "did you mean 'hub deregister'?"),
        ("help hub lst", "did you mean 'hub list'?"),
        ("regster", "did you mean 'hub register'?"),
        ("hbu list", "did you mean 'hub'?"),
        ("hub qqq", "reuse-surface help lists them."),
        ("hub hepl", "reuse-surface help lists them."),
    ],
)
def test_the_nearest_command_is_told_where_one_is_near(alone: Shell, words: str, near: str) -> None:
    ran = alone(*words.split())

    assert (ran.code, near in ran.err) == (2, True), ran.err


def test_a_repo_may_be_named_as_a_word_anywhere(federation: Shell) -> None:
    assert federation.good("hub", "show", "state-hub", "--json").json["repo"] == "state-hub"
    assert federation.good("hub", "history", "--limit", "1", "state-hub").out.count("\n") == 2
    assert federation("hub", "refresh", "--json", "state-hub").json["repo"] == "state-hub"
    both = federation("hub", "show", "state-hub", "--repo", "railiance-apps")
    none = federation("hub", "show")
    assert (both.code, none.code) == (2, 2)
    assert "Two repos are named" in both.err
    assert "reuse-surface hub show REPO" in none.err


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["hub", "findings", "statehub"], "Did you mean state-hub?"),
        (["hub", "search", "--repo", "statehub"], "Did you mean state-hub?"),
        (["hub", "history", "statehub"], "Did you mean state-hub?"),
        (["hub", "list", "--domain", "railianc"], "Did you mean railiance?"),
        (["hub", "search", "--domain", "zzz"], "reuse-surface hub list names those"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_a_name_that_is_not_registered_is_no_empty_answer(federation: Shell, argv: list[str], told: str) -> None:
    ran = federation(*argv)

    assert (ran.code, ran.out, told in ran.err) == (5, "", True), ran


def test_registering_the_same_again_is_no_failure(federation: Shell, publisher: Publisher) -> None:
    argv = ("hub", "register", "state-hub", "--url", publisher.url_of("state-hub"), "--domain", "helix_forge")

    again = federation.good(*argv)
    other = federation(*argv, "--required", "true")

    assert again.out.startswith("state-hub is registered with these values already (revision 1).\n")
    assert (other.code, other.out) == (6, "")
    assert federation.good("hub", "show", "state-hub", "--json").json["revision"] == 1


def test_an_entry_without_a_name_does_not_stop_the_others(cli: Shell) -> None:
    entries = [{"url": f"https://git.example.org/{one}", "domain": "d"} for one in "ab"]
    entries[1]["repo"] = "b"

    ran = cli("hub", "apply", "-", "--json", sent=json.dumps({"version": 1, "sources": entries}))

    assert (ran.code, [one["outcome"] for one in ran.json["results"]]) == (1, ["failed", "created"])


@pytest.mark.parametrize(
    ("sources", "told"), [([], "lists no source"), ([{"repo": "a"}, {"repo": "a"}], "names a more than once")]
)
def test_what_is_wrong_with_a_manifest_is_told_by_its_name(cli: Shell, sources: list[object], told: str) -> None:
    ran = cli("hub", "apply", "-", "--prune", sent=json.dumps({"version": 1, "sources": sources}))

    assert (ran.code, told in ran.err) == (1, True)


TOKENS = [
    {}, {"name": "operator"}, {"name": ""}, {"name": "-a"}, {"name": "a b"}, {"name": "a" * 101}, {"name": "a\n"},
    {"repos": "Team-*"}, {"repos": "a,,b"}, {"repos": "a b"}, {"repos": "a/b"}, {"repos": "[a-c]?!*"}, {"repos": "a\n"},
    {"repos": ",".join(["a"] * 101)}, {"repos": "a" * 101}, {"domains": "helix_forge,x-*"}, {"domains": "ü"},
    {"expires_at": "2927-06-30"}, {"expires_at": "garbage"}, {"expires_at": "2927-06-30T00:00:00"}, {"expires_at": ""},
    {"expires_at": "2927-06-30T00:00:00Z"}, {"expires_at": "2927-06-30T00:00+02:00"},
    {"expires_at": "2927-13-30T00:00:00Z"}, {"expires_at": "2927-06-30T00:00:00.123456Z"},
]  # fmt: skip


@pytest.mark.parametrize("fields", TOKENS, ids=repr)
def test_a_token_is_made_exactly_where_the_hub_takes_its_line(
    capsys: pytest.CaptureFixture[str], fields: dict[str, str]
) -> None:
    given = {"name": "ci", "repos": "a"} | fields
    lists = {name: given[name].split(",") for name in ("repos", "domains") if name in given}
    row = given | {"sha256": "0" * 64} | lists
    try:
        read_tokens(json.dumps({"tokens": [row]}).encode())
        good = True
    except BadTokens:
        good = False

    code = client.main(["token", "new", *(f"--{name.replace('_', '-')}={text}" for name, text in given.items())])

    assert (code == 0) == good
    assert ("hub_" in capsys.readouterr().out) == good


def test_no_token_is_made_whose_end_is_over(cli: Shell) -> None:
    ran = cli("token", "new", "--name", "ci", "--repos", "a", "--expires-at", "2026-01-01T00:00:00Z")

    assert (ran.code, ran.out) == (2, "")
    assert "--expires-at 2026-01-01T00:00:00Z is over." in ran.err


def test_many_missing_sources_are_not_listed_in_full(alone: Shell) -> None:
    body = {"ready": True, "complete": False, "missing_required": [f"r{one}" for one in range(21)], "checks": []}
    with stand_in(lambda one: said(one, json.dumps(body).encode())) as (url, _):
        ran = alone("hub", "status", REUSE_SURFACE_URL=url)

    assert (ran.code, "r0, r1, r2, r3, r4 and 16 more\n" in ran.out) == (1, True), ran


def test_many_sources_in_trouble_are_not_listed_in_full(alone: Shell) -> None:
    sources = [{"repo": f"r{one}", "state": "failed"} for one in range(8)]
    body = {"ready": True, "complete": True, "sources": sources}
    with stand_in(lambda one: said(one, json.dumps(body).encode())) as (url, _):
        ran = alone.good("hub", "status", REUSE_SURFACE_URL=url)

    assert re.search(r"failed +8  r0, r1, r2, r3, r4 and 3 more\n", ran.out)


HOSTILE = ["", "\udcff", "\ud800", "a\nb", "\x1b[31m", "\0", "-1", "9" * 5000, "日本", "../..", "%s{0}", "--", "nan"]


@pytest.mark.parametrize("name", [name for name in client.COMMANDS if name != "serve"])
def test_no_argument_ends_in_a_traceback(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    monkeypatch.setenv("REUSE_SURFACE_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(client.time, "sleep", lambda _: None)  # type: ignore[attr-defined]
    options = [names[0] for names, how in (*client.COMMANDS[name][1], *client.GLOBALS) if names[0].startswith("-")]
    for value in HOSTILE:
        for argv in ([*name.split(), value], *([*name.split(), option, value] for option in options)):
            code = client.main(argv)

            assert code in range(7), argv
    assert "Traceback" not in capsys.readouterr().err


class Changing:
    """A hub in which somebody changes the only repo after it was listed or shown; it takes changes of another ETag."""

    def __init__(self, **changed: str) -> None:
        self.conditions: list[str | None] = []
        self.changed = changed

    def __call__(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        """Answer one repo with what *changed* since it was listed; a change without its ETag is refused."""
        row = {"repo": "a", "url": "https://a.example/x", "domain": "d", "enabled": True, "revision": 1}
        row |= {"required": False, "cache_ttl_seconds": 3600, "description": ""}
        if handler.command == "GET":
            one = handler.path.startswith("/v1/repos/")
            shown = row | {"source": {}, **self.changed} if one else {"repos": [row], "total": 1, "next": None}
            said(handler, json.dumps(shown).encode(), ETag='"1-seen"')
            return
        self.conditions.append(handler.headers["If-Match"])
        body = {"type": "https://x.example/problems/revision-mismatch", "detail": "It is at revision 2."}
        said(handler, json.dumps(body).encode(), 412, Content_Type="application/problem+json")


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["hub", "deregister", "a"], 6),
        (["hub", "update", "a", "--enabled", "false"], 6),
        (["hub", "apply", "off.json"], 1),
        (["hub", "apply", "other.json", "--prune"], 1),
    ],
    ids=["deregister", "disable", "disable by apply", "prune"],
)
def test_what_is_taken_away_is_what_was_seen(alone: Shell, argv: list[str], code: int) -> None:
    source = {"repo": "a", "url": "https://a.example/x", "domain": "d", "enabled": False}
    for name, entry in (("off", source), ("other", {"repo": "b", "index": "b.yaml", "domain": "d"})):
        (alone.folder / f"{name}.json").write_text(json.dumps({"version": 1, "sources": [entry]}))
    hub = Changing()
    with stand_in(hub) as (url, _):
        shell = replace(alone, environ={"REUSE_SURFACE_URL": url, "REUSE_SURFACE_TOKEN": TOKEN})
        ran = asked(shell, "y\n", *argv)

    assert (ran[0], hub.conditions) == (code, ['"1-seen"']), ran


def test_what_was_listed_is_not_what_another_restore_has_at_the_same_revision(alone: Shell) -> None:
    other = {"version": 1, "sources": [{"repo": "b", "index": "b.yaml", "domain": "d"}]}
    hub = Changing(domain="of another restore")
    with stand_in(hub) as (url, _):
        environ = {"REUSE_SURFACE_URL": url, "REUSE_SURFACE_TOKEN": TOKEN}
        ran = alone("hub", "apply", "-", "--prune", "--yes", sent=json.dumps(other), **environ)

    assert (ran.code, hub.conditions) == (1, []), ran
    assert "a is at revision 1 now, and was changed since it was listed" in ran.out


@pytest.mark.parametrize(
    ("argv", "before"),
    [
        (["register", "a", "--url", "https://a.example/x", "--domain", "d"], "Registered a (revision 1). Its check"),
        (["update", "a", "--url", "https://a.example/x"], "a is at revision 1. Its check then failed: The hub at"),
    ],
    ids=["register", "update"],
)
def test_what_was_done_is_said_though_the_check_after_it_is_cut_off(alone: Shell, argv: list[str], before: str) -> None:
    def behave(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.close_connection = handler.path.endswith("/refresh")
        if not handler.close_connection:
            said(handler, b'{"repo": "a", "revision": 1, "enabled": true}', 201)

    with stand_in(behave) as (url, _):
        ran = alone("hub", *argv, REUSE_SURFACE_URL=url, REUSE_SURFACE_TOKEN=TOKEN)

    assert ran.code == 3
    assert ran.err.startswith(f"reuse-surface: {before}"), ran


def test_apply_says_how_far_it_came_when_the_hub_goes_away(alone: Shell) -> None:
    sources = [{"repo": name, "url": f"https://{name}.example/x", "domain": "d"} for name in "abc"]

    def behave(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.close_connection = handler.path.endswith("/b")
        if handler.command == "GET":
            said(handler, b'{"repos": [], "total": 0, "next": null}')
        elif not handler.close_connection:
            said(handler, b"{}", 201)

    with stand_in(behave) as (url, _):
        environ = {"REUSE_SURFACE_URL": url, "REUSE_SURFACE_TOKEN": TOKEN}
        ran = alone("hub", "apply", "-", sent=json.dumps({"version": 1, "sources": sources}), **environ)

    assert ran.code == 3
    assert ran.err.splitlines()[-1].startswith("1 of 3 sources were gone through before."), ran
