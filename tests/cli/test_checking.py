"""What publishers and operators look for: validate, the dry run, findings, accept, search, token new."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

import cli as client
from shared.auth.tokens import read_tokens
from shared.findings.finding import finding_of
from tests.builders import capability, index

if TYPE_CHECKING:
    from tests.cli.conftest import Publisher, Shell

BAD = "version: 1\ncapabilities:\n- id: capability.a\n  name: 7\n"


def test_validate_of_a_good_index_counts_its_capabilities(cli: Shell) -> None:
    (cli.folder / "index.yaml").write_bytes(index())

    said = cli.good("hub", "validate", "index.yaml", REUSE_SURFACE_TOKEN="").out

    assert said == "index.yaml: valid, 1 capability\n"


def test_validate_tells_every_fault_with_its_place(cli: Shell) -> None:
    (cli.folder / "index.yaml").write_text(BAD.replace("version: 1", "version: 3"))

    ran = cli("hub", "validate", "index.yaml")

    assert (ran.code, ran.err) == (1, "")
    assert [line.split(": ")[0] for line in ran.out.splitlines()] == ["index.yaml:1:10", "index.yaml:4:9"]
    assert "(Put it in quotes" in ran.out
    assert cli("hub", "validate", "-", "--json", sent=BAD).json["valid"] is False


def test_validate_compares_the_name_and_reads_manifests(cli: Shell) -> None:
    document = json.dumps({"version": 1, "sources": [{"repo": "a", "url": "https://git.example.org/a", "domain": "d"}]})

    assert cli("hub", "validate", "-", "--repo", "state-hub", sent=index(repo="other")).code == 1
    assert cli.good("hub", "validate", "-", "--manifest", sent=document).out == "-: valid\n"


def test_a_dry_run_tells_what_would_come_and_stores_nothing(federation: Shell, publisher: Publisher) -> None:
    publisher.pages["new"] = index(capability(1), capability(2))
    argv = ("hub", "register", "--repo", "new", "--url", publisher.url_of("new"), "--domain", "d", "--dry-run")

    ran = federation.good(*argv)

    assert ran.out.splitlines()[-1] == (
        "Nothing was stored. It would bring 2 capabilities, 1 of them served: 1 claimed by state-hub."
    )
    assert "capability.example.n1 is published by state-hub already" in ran.out
    assert federation("hub", "show", "--repo", "new").code == 5


@pytest.mark.parametrize(
    ("repo", "page", "told"),
    [
        ("new", b"", "answered 404"),
        ("new", BAD.encode(), ":4:9: /capabilities/0/name"),
        ("state-hub", index(), "registered"),
    ],
    ids=["no index", "bad index", "taken name"],
)
def test_a_dry_run_tells_what_would_go_wrong(
    federation: Shell, publisher: Publisher, repo: str, page: bytes, told: str
) -> None:
    publisher.pages["x"] = page

    ran = federation("hub", "register", "--repo", repo, "--url", publisher.url_of("x"), "--domain", "d", "--dry-run")

    assert ran.code == 1
    assert told in ran.out


def test_what_is_held_is_told_found_and_accepted(cli: Shell, publisher: Publisher) -> None:
    publisher.pages["state-hub"] = index(*(capability(number) for number in range(6)))
    cli.good("hub", "register", "--repo", "state-hub", "--url", publisher.url_of("state-hub"), "--domain", "d")
    assert cli.good("hub", "findings").out == "No finding as of the last check of 1 enabled source.\n"
    publisher.pages["state-hub"] = index()

    held = cli("hub", "refresh", "--repo", "state-hub")
    found = cli.good("hub", "findings", "--repo", "state-hub")
    status = cli.good("hub", "status")

    assert held.code == 1
    assert "reuse-surface hub accept --repo state-hub" in held.out
    assert found.out.splitlines()[1].split()[:3] == ["warning", "state-hub", "held"]
    assert "◔ held  1  state-hub" in status.out
    assert cli.good("hub", "accept", "--repo", "state-hub").out == "state-hub: changed, 1 capability served\n"
    assert cli("hub", "accept", "--repo", "state-hub").code == 6


def test_only_what_is_named_by_its_digest_is_accepted(cli: Shell, publisher: Publisher) -> None:
    publisher.pages["state-hub"] = index(*(capability(number) for number in range(6)))
    cli.good("hub", "register", "--repo", "state-hub", "--url", publisher.url_of("state-hub"), "--domain", "d")
    held = []
    for number in (1, 2):
        publisher.pages["state-hub"] = index(capability(number))
        held.append(cli("hub", "refresh", "state-hub", "--json").json["source"]["held_digest"])

    refused = cli("hub", "accept", "state-hub", "--digest", held[0])
    accepted = cli.good("hub", "accept", "state-hub", "--digest", held[1])

    assert (refused.code, held[1] in refused.err) == (6, True)
    assert accepted.out == "state-hub: changed, 1 capability served\n"
    assert held[1] in cli.good("hub", "show", "state-hub").out


def test_findings_name_the_line(cli: Shell, publisher: Publisher) -> None:
    publisher.pages["bad"] = BAD.encode()
    cli("hub", "register", "--repo", "bad", "--url", publisher.url_of("bad"), "--domain", "d")

    assert "4:9: " in cli.good("hub", "findings").out


def test_findings_name_every_place_what_they_amount_to_and_the_commands(cli: Shell, publisher: Publisher) -> None:
    publisher.pages["bad"] = b"version: 1\ncapabilities:\n- id: Upper\n  name: 7\n"
    cli("hub", "register", "--repo", "bad", "--url", publisher.url_of("bad"), "--domain", "d", "--required", "true")
    publisher.pages["many"] = index(*(capability(number) for number in range(6)))
    cli.good("hub", "register", "--repo", "many", "--url", publisher.url_of("many"), "--domain", "e")
    publisher.pages["many"] = index()
    cli("hub", "refresh", "many")

    said = cli.good("hub", "findings").out
    there = cli.good("hub", "findings", "--domain", "e").out

    assert "invalid-entry, failed, missing-required" in said
    assert "\nbad:3:7: /capabilities/0/id " in said
    assert "\nbad:4:9: /capabilities/0/name " in said
    assert "reuse-surface hub accept many" in there
    assert "bad" not in there
    assert "/v1/" not in said


def test_every_remedy_is_a_command() -> None:
    action = "A: {refresh}. B: {accept}; C: {optional}. D with POST /v1/validate."
    row = finding_of("held", "state-hub", None, "POST /v1/repos/a/refresh is published text.", action).as_json()

    said = client._finding(row)

    assert said == (
        "POST /v1/repos/a/refresh is published text. A: reuse-surface hub refresh state-hub. B: reuse-surface hub "
        "accept state-hub; C: reuse-surface hub update state-hub --required false. D with "
        "reuse-surface hub validate FILE."
    )


@pytest.mark.parametrize(
    ("count", "noun", "said"),
    [
        (0, "capability", "0 capabilities"),
        (1, "source", "1 source"),
        (1203, "capability", "1,203 capabilities"),
        ("many", "registration", "0 registrations"),
    ],
)
def test_numbers_are_grouped_and_have_their_noun(count: object, noun: str, said: str) -> None:
    assert client.counted(count, noun) == said


@pytest.mark.parametrize(
    ("served", "said"), [(1203, "1,203"), (1202, "1,202 of 1,203"), (None, "at most 1,203")], ids=["all", "some", "old"]
)
def test_a_list_tells_how_many_entries_are_served(served: int | None, said: str) -> None:
    assert client._served_of({"capability_count": 1203, "served_count": served}) == said


def test_without_findings_is_said_what_was_checked(cli: Shell, publisher: Publisher) -> None:
    empty = cli.good("hub", "findings").out
    publisher.pages["good"] = index()
    at = ("--url", publisher.url_of("good"), "--domain", "d")
    cli.good("hub", "register", "off", "--enabled", "false", "--url", publisher.url_of("off"), "--domain", "e")
    off, alone = cli.good("hub", "findings").out, cli.good("hub", "findings", "off").out
    cli.good("hub", "register", "--repo", "good", *at)

    assert empty == "No finding: no repository is registered.\n"
    assert off == "No finding: 1 source is disabled and not checked.\n"
    assert alone == "No finding: off is disabled, never checked.\n"
    both = cli.good("hub", "findings").out
    assert both == "No finding as of the last check of 1 enabled source; 1 source is disabled and not checked.\n"
    assert cli.good("hub", "findings", "good").out.startswith("No finding: good is fresh, last checked ")
    elsewhere = cli.good("hub", "findings", "good", "--domain", "e").out
    assert elsewhere == "No finding: good is not in the domain e.\n"
    assert cli("hub", "findings", "--domain", "nope").code == 5


def test_a_search_of_an_empty_hub_says_that_nothing_is_served(cli: Shell) -> None:
    assert cli.good("hub", "search").out == "No capability is served.\n"
    assert cli.good("hub", "search", "x").out == "No capability matches; fewer or shorter words may find some.\n"


def test_a_search_names_what_no_capability_has(federation: Shell) -> None:
    ran = federation.good("hub", "search", "--tag", "nope", "--owner", "nobody")
    elsewhere = federation("hub", "search", "--domain", "nope")

    assert ran.out == "No served capability has the tag nope, none the owner nobody.\n"
    assert (elsewhere.code, elsewhere.out) == (5, "")


def test_search_finds_by_words_and_facts(federation: Shell, publisher: Publisher) -> None:
    publisher.pages["state-hub"] = index(
        capability(1, name="Record a decision", tags=["x"]), capability(2, owner="team-a")
    )
    federation.good("hub", "refresh", "--repo", "state-hub")

    found = federation.good("hub", "search", "decision", "rec", "--tag", "x", "--repo", "state-hub")

    assert found.out.splitlines()[0].split() == ["ID", "REPO", "VECTOR", "NAME"]
    assert found.out.splitlines()[1].endswith("Record a decision")
    assert found.out.endswith("1 of 1\n")
    assert federation.good("hub", "search", "nowhere").out.startswith("No capability matches; fewer")
    both = federation.good("hub", "search", "--tag", "x", "--owner", "team-a").out
    assert both == "No capability matches.\n"


@pytest.mark.parametrize(
    "argv",
    [["--repos", "a,b*", "--domains", "d", "--expires-at", "2927-06-30T00:00:00Z"], ["--admin"]],
    ids=["limited", "admin"],
)
def test_a_new_token_fits_the_file_of_tokens_and_is_never_in_it(alone: Shell, argv: list[str]) -> None:
    ran = alone.good("token", "new", "--name", "ci", *argv)

    token = re.findall(r"^  (hub_\S+)$", ran.out, re.MULTILINE)[0]
    line = ran.out.splitlines()[-1]
    assert re.fullmatch(r"hub_[\w-]{43}[0-9a-f]{8}", token)
    assert token not in line
    assert [one.name for one in read_tokens(f"tokens:\n{line}\n".encode())] == ["ci"]
    assert alone.good("token", "new", "--name", "ci", *argv, "--json").json["token"] != token


@pytest.mark.parametrize("argv", [[], ["--admin", "--repos", "a"]], ids=["nothing", "both"])
def test_a_token_covers_repos_or_everything(alone: Shell, argv: list[str]) -> None:
    assert alone("token", "new", "--name", "ci", *argv).code == 2
