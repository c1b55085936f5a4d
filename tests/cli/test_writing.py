"""The commands that write: register, update, deregister, refresh."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders import capability, index

if TYPE_CHECKING:
    from tests.cli.conftest import Publisher, Shell


def test_register_tells_what_came_of_the_first_fetch(cli: Shell, publisher: Publisher) -> None:
    url = publisher.url_of("state-hub")

    ran = cli.good("hub", "register", "--repo", "state-hub", "--url", url, "--domain", "d", "--description", "a b")

    assert ran.out == "Registered state-hub (revision 1).\nstate-hub: changed, 1 capability served\n"
    assert cli.good("hub", "show", "--repo", "state-hub", "--json").json["description"] == "a b"


def test_register_of_an_index_that_can_not_be_read_is_kept_and_fails(cli: Shell, publisher: Publisher) -> None:
    publisher.pages["bad"] = index(version=2)

    ran = cli("hub", "register", "--repo", "bad", "--url", publisher.url_of("bad"), "--domain", "d", "--json")

    assert (ran.code, ran.json["outcome"], ran.json["revision"]) == (1, "failed", 1)
    assert "/version" in cli("hub", "refresh", "--repo", "bad").out


def test_register_of_a_disabled_repo_fetches_nothing(cli: Shell, publisher: Publisher) -> None:
    url = publisher.url_of("gone")

    ran = cli.good("hub", "register", "--repo", "gone", "--url", url, "--domain", "d", "--enabled", "false")

    assert "so nothing was fetched" in ran.out


@pytest.mark.parametrize(
    ("repo", "url", "code", "told"),
    [
        ("state-hub", "https://git.example.org/other", 6, "reuse-surface hub update"),
        ("other", "", 6, "state-hub"),
        ("Other!", "file:///etc/passwd", 1, "/repo"),
    ],
    ids=["name", "url", "fields"],
)
def test_what_the_hub_refuses_is_told_with_every_offence(  # noqa: PLR0917 - a case has that many parts
    federation: Shell, publisher: Publisher, repo: str, url: str, code: int, told: str
) -> None:
    url = url or publisher.url_of("state-hub")

    ran = federation("hub", "register", "--repo", repo, "--url", url, "--domain", "d")

    assert (ran.code, ran.out) == (code, "")
    assert told in ran.err
    assert len(federation.good("hub", "list", "--json").json["repos"]) == 2


def test_update_changes_what_is_named_and_nothing_else(federation: Shell) -> None:
    before = federation.good("hub", "show", "--repo", "state-hub", "--json").json

    after = federation.good("hub", "update", "--repo", "state-hub", "--cache-ttl-seconds", "60", "--json").json

    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"cache_ttl_seconds", "updated_at", "revision"}


def test_update_of_nothing_is_a_usage_error(federation: Shell) -> None:
    assert federation("hub", "update", "--repo", "state-hub").code == 2


@pytest.mark.parametrize("command", ["update", "deregister"])
def test_a_revision_that_is_not_the_present_one_is_a_conflict(federation: Shell, command: str) -> None:
    fields = ["--required", "true"] if command == "update" else []

    assert federation("hub", command, "--repo", "state-hub", "--revision", "7", *fields).code == 6
    assert federation.good("hub", "show", "--repo", "state-hub", "--json").json["revision"] == 1


@pytest.mark.parametrize("command", ["update", "deregister"])
def test_the_present_revision_is_changed(federation: Shell, command: str) -> None:
    fields = ["--required", "true"] if command == "update" else []

    assert federation("hub", command, "--repo", "state-hub", "--revision", "1", *fields).code == 0


def test_deregister_frees_the_name(federation: Shell) -> None:
    assert federation.good("hub", "deregister", "--repo", "state-hub").out == "Deregistered state-hub.\n"

    assert federation("hub", "deregister", "--repo", "state-hub").code == 5


def test_refresh_of_all_tells_which_source_is_in_trouble(federation: Shell, publisher: Publisher) -> None:
    publisher.pages["state-hub"] = index(domain="other")
    del publisher.pages["railiance-apps"]

    ran = federation("hub", "refresh", "--all", "--force")

    lines = ran.out.splitlines()
    assert ran.code == 1
    assert lines[0].startswith("Checked 2 sources (1 failed, 1 changed")
    assert lines[1:] == [
        "railiance-apps: failed, 1 capability, not served: its id is claimed by state-hub",
        "  The source answered 404.",
    ]
    assert federation.good("hub", "refresh", "--all").out.startswith("Checked 0 sources (none was due)")


@pytest.mark.parametrize("argv", [[], ["--repo", "state-hub", "--all"], ["--force"]], ids=["none", "both", "force"])
def test_refresh_wants_one_repo_or_all(federation: Shell, argv: list[str]) -> None:
    assert federation("hub", "refresh", *argv).code == 2


def test_a_disabled_repo_is_not_fetched_and_the_way_out_is_told(federation: Shell) -> None:
    federation.good("hub", "update", "--repo", "state-hub", "--enabled", "false")

    ran = federation("hub", "refresh", "--repo", "state-hub")

    assert ran.code == 6
    assert ran.err.endswith("To enable it: reuse-surface hub update state-hub --enabled true\n")


@pytest.mark.parametrize(
    ("token", "told"),
    [("", "is not set"), ("wrong-token-of-good-length", "REUSE_SURFACE_TOKEN"), ("with blank\r\nX: y", "characters")],
    ids=["none", "wrong", "hostile"],
)
def test_without_a_good_token_nothing_is_written_and_no_token_is_shown(
    federation: Shell, token: str, told: str
) -> None:
    ran = federation("hub", "deregister", "--repo", "state-hub", REUSE_SURFACE_TOKEN=token)

    assert ran.code == 4
    assert told in ran.err
    assert not token or token not in ran.err
    assert federation.good("hub", "show", "--repo", "state-hub").code == 0


def registered(cli: Shell, publisher: Publisher, repo: str) -> str:
    """Register *repo* and return what the client says came of it."""
    ran = cli.good("hub", "register", "--repo", repo, "--url", publisher.url_of(repo), "--domain", "d")
    return ran.out.splitlines()[1]


def test_what_is_registered_counts_what_is_served_and_names_who_serves_the_rest(
    cli: Shell, publisher: Publisher
) -> None:
    for repo, numbers in (("my-repo", range(15)), ("copycat", range(15)), ("third", (0, 1, 99))):
        publisher.pages[repo] = index(*(capability(number) for number in numbers))
    said = [registered(cli, publisher, repo) for repo in ("my-repo", "copycat", "third")]

    assert said == [
        "my-repo: changed, 15 capabilities served",
        "copycat: changed, 15 capabilities, 0 of them served: all claimed by my-repo",
        "third: changed, 3 capabilities, 1 of them served: 2 claimed by my-repo",
    ]
    listed = [line.split() for line in cli.good("hub", "list").out.splitlines()[1:]]
    assert (listed[0][4:7], listed[1][4], listed[2][4:7]) == (["0", "of", "15"], "15", ["1", "of", "3"])
    assert "0 of them served: all claimed by my-repo" in cli.good("hub", "show", "--repo", "copycat").out


def test_of_several_who_serve_the_rest_each_is_named(cli: Shell, publisher: Publisher) -> None:
    pages = {"one": (1,), "two": (2, 3), "both": (1, 2, 3, 4)}
    for repo, numbers in pages.items():
        publisher.pages[repo] = index(*(capability(number) for number in numbers))
    said = [registered(cli, publisher, repo) for repo in pages]

    assert said[2] == "both: changed, 4 capabilities, 1 of them served: 2 claimed by two, 1 claimed by one"


def test_a_new_url_is_read_and_a_misspelt_one_takes_nothing_away(federation: Shell, publisher: Publisher) -> None:
    publisher.pages["moved"] = index(capability(1), capability(2))

    typo = federation("hub", "update", "state-hub", "--url", publisher.url_of("typo"))
    kept = federation.good("hub", "search", "--repo", "state-hub", "--json").json["total"]
    state = federation.good("hub", "show", "state-hub", "--json").json["source"]["state"]
    moved = federation.good("hub", "update", "state-hub", "--url", publisher.url_of("moved"))

    assert typo.code == 1
    assert typo.out.startswith("state-hub is at revision 2.\nstate-hub: failed, ")
    assert (kept, state) == (1, "stale")
    assert moved.out == "state-hub is at revision 3.\nstate-hub: changed, 2 capabilities served\n"


def test_a_new_url_of_a_disabled_source_is_stored_and_not_read(federation: Shell, publisher: Publisher) -> None:
    changes = ("--url", publisher.url_of("typo"), "--enabled", "false")

    ran = federation.good("hub", "update", "state-hub", *changes)

    assert ran.out.startswith("state-hub is at revision 2.\nrepo ")
    assert "/typo" in ran.out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--domain", "e"], "It differs in domain. To change it: reuse-surface hub update state-hub --domain e\n"),
        (
            ["--domain", "helix_forge", "--required", "true", "--description", "a b"],
            "To change it: reuse-surface hub update state-hub --required true --description 'a b'\n",
        ),
    ],
    ids=["domain", "several"],
)
def test_a_name_that_is_taken_tells_what_differs_and_the_command(
    federation: Shell, publisher: Publisher, options: list[str], told: str
) -> None:
    ran = federation("hub", "register", "state-hub", "--url", publisher.url_of("state-hub"), *options)

    assert (ran.code, ran.out) == (6, "")
    assert ran.err.endswith(told)
    assert federation.good("hub", "show", "state-hub", "--json").json["revision"] == 1


def test_what_was_not_typed_is_not_offered_for_a_change(federation: Shell, publisher: Publisher) -> None:
    federation.good("hub", "update", "state-hub", "--description", "kept")
    same = federation.good("hub", "show", "state-hub", "--json").json

    ran = federation("hub", "register", "state-hub", "--url", publisher.url_of("state-hub"), "--domain", same["domain"])

    assert ran.code == 6
    assert ran.err.endswith("It differs in description. To change it: reuse-surface hub update state-hub ...\n")
