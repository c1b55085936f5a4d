"""hub sync and hub apply: the federation manifest of a machine, from the hub and to it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from shared import schemas
from tests.builders import url_of

if TYPE_CHECKING:
    from tests.cli.conftest import Publisher, Shell

OUT = "registry/federation/sources.yaml"


def manifest(*repos: str, **changes: Any) -> dict[str, Any]:
    sources = [{"repo": repo, "url": url_of(repo), "domain": "helix_forge"} for repo in repos]
    return {"version": 1, "sources": sources, **changes}


def outcomes(shell: Shell, document: object, *argv: str, code: int = 0) -> dict[str, str]:
    ran = shell("hub", "apply", "-", "--json", *argv, sent=json.dumps(document))
    assert ran.code == code, ran
    return {one["repo"]: one["outcome"] for one in ran.json["results"]}


def test_sync_writes_what_the_hub_serves_and_the_schema_takes(federation: Shell) -> None:
    ran = federation.good("hub", "sync")

    written = yaml.safe_load((federation.folder / OUT).read_text())
    assert ran.out == f"{OUT}: written, 2 sources\n"
    assert [one["repo"] for one in written["sources"]] == ["railiance-apps", "state-hub"]
    assert schemas.checker("federation")(written) == []


def test_sync_leaves_an_equal_file_untouched(federation: Shell) -> None:
    federation.good("hub", "sync")
    file = federation.folder / OUT
    before = file.stat()

    assert federation.good("hub", "sync").out == f"{OUT}: unchanged, 2 sources\n"
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_sync_of_an_empty_hub_is_an_empty_manifest(cli: Shell) -> None:
    cli.good("hub", "sync", "--out", "s.yaml")

    assert yaml.safe_load((cli.folder / "s.yaml").read_text()) == {"version": 1, "sources": []}


def test_sync_counts_one_source_as_one(cli: Shell, publisher: Publisher) -> None:
    cli.good("hub", "register", "state-hub", "--url", publisher.url_of("state-hub"), "--domain", "d")

    assert cli.good("hub", "sync").out == f"{OUT}: written, 1 source\n"


def test_sync_overwrites_a_file_of_others_only_when_told(federation: Shell) -> None:
    file = federation.folder / "s.yaml"
    file.write_text("version: 1\nsources: []\n")

    refused = federation("hub", "sync", "--out", "s.yaml")
    assert (refused.code, file.read_text()) == (1, "version: 1\nsources: []\n")

    federation.good("hub", "sync", "--out", "s.yaml", "--force")
    assert "state-hub" in file.read_text()


def test_sync_keeps_local_entries_in_place_of_the_hubs(federation: Shell) -> None:
    federation.good("hub", "sync")
    file = federation.folder / OUT
    local = '- "repo": "state-hub"\n  "index": "../state-hub/capabilities.yaml"\n  "domain": "d"\n'
    file.write_text(file.read_text() + local)

    ran = federation.good("hub", "sync", "--keep-local", "--json").json

    sources = yaml.safe_load(file.read_text())["sources"]
    assert (ran["sources"], ran["local"]) == (2, 1)
    assert ["index" in one for one in sources] == [False, True]
    assert "1 of them local" in federation.good("hub", "sync", "--keep-local").out


def test_what_sync_wrote_can_be_applied_to_another_hub(federation: Shell) -> None:
    federation.good("hub", "update", "--repo", "state-hub", "--description", 'Ü \u2028 😀 "q"\n')
    federation.good("hub", "sync")
    before = federation.good("hub", "list", "--json").json["repos"]
    for row in before:
        federation.good("hub", "deregister", "--repo", row["repo"])

    federation.good("hub", "apply", OUT)

    after = federation.good("hub", "list", "--json").json["repos"]
    fields = ("repo", "url", "domain", "enabled", "required", "cache_ttl_seconds", "description")
    assert [[row[name] for name in fields] for row in after] == [[row[name] for name in fields] for row in before]


def test_yaml_written_by_hand_is_read_by_the_hub(cli: Shell) -> None:
    by_hand = "version: 1\nsources:\n- repo: a # mine\n  url: https://git.example.org/a\n  domain: d\n"

    assert cli.good("hub", "apply", "-", sent=by_hand).out.endswith("1 created\n")
    ran = cli("hub", "apply", "-", sent=by_hand.replace("  domain: d\n", "  colour: 7\n"))
    assert (ran.code, ran.err) == (1, "")
    expected = "-:3:3: /sources/0/domain is required; -:5:11: /sources/0/colour is not a known field\n"
    assert expected in ran.out, "no value would be right, so no hint says how to write it"


BY_HAND = """\
version: 1
sources:
- {repo: good, url: https://git.example.org/good, domain: d}
- {repo: bad, url: https://git.example.org/bad, domain: Not A Domain}   # typed in haste
- {repo: last, url: https://git.example.org/last, domain: d}
"""


def test_one_bad_entry_of_a_manifest_by_hand_stops_no_other(cli: Shell) -> None:
    ran = cli("hub", "apply", "-", "--json", sent=BY_HAND)

    assert ran.code == 1
    assert [(one["repo"], one["outcome"]) for one in ran.json["results"]] == [
        ("bad", "failed"), ("good", "created"), ("last", "created")
    ]  # fmt: skip
    assert ran.json["results"][0]["detail"].startswith("-:4:57: /sources/1/domain ")
    assert [row["repo"] for row in cli.good("hub", "list", "--json").json["repos"]] == ["good", "last"]


def test_entries_behind_the_hundredth_fault_fail_as_not_looked_at(cli: Shell) -> None:
    rows = "".join("- {repo: x}\n" for _ in range(60))
    ran = cli("hub", "apply", "-", "--json", sent=BY_HAND + rows.replace("repo: x", "a: 1"))

    results = ran.json["results"]
    assert (ran.code, ran.json["counts"]) == (1, {"failed": 61, "created": 2})
    assert results[60]["detail"] == "-: /sources/62 was not checked: too many faults before it"


@pytest.mark.parametrize(
    "text",
    [
        BY_HAND.replace("repo: bad", "repo: Kept"),
        BY_HAND.replace("repo: bad, ", ""),
        BY_HAND.replace("repo: bad", "repo: [kept]"),
        json.dumps({"version": 1, "sources": ["kept"]}),
        json.dumps({"version": 1, "sources": [{"repo": "KEPT"}]}),
        json.dumps({"version": 1, "sources": [{"url": url_of("kept")}, None]}),
        '"version": 1\n"sources":\n- "repo": "Kept"\n  "url": "https://git.example.org/kept"\n',
    ],
    ids=["another case", "no name", "a list", "a text", "JSON, another case", "JSON, no name", "as sync writes it"],
)
def test_nothing_is_deregistered_while_an_entry_may_mean_any_repo(cli: Shell, text: str) -> None:
    outcomes(cli, manifest("kept"))

    for argv in (["--prune", "--dry-run"], ["--prune"]):
        ran = cli("hub", "apply", "-", *argv, sent=text)
        assert ran.code == 1
        assert "Nothing was deregistered: --prune waits until every entry of the manifest is in order." in ran.out

    assert "kept" in [row["repo"] for row in cli.good("hub", "list", "--json").json["repos"]]
    assert outcomes(cli, manifest("other"), "--prune")["kept"] == "deregistered"
    assert "kept" not in [row["repo"] for row in cli.good("hub", "list", "--json").json["repos"]]


def test_a_name_twice_is_refused_though_the_second_entry_is_bad(cli: Shell) -> None:
    ran = cli("hub", "apply", "-", sent=BY_HAND.replace("repo: bad", "repo: good"))

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "reuse-surface: - names good more than once.\n"
    assert cli.good("hub", "list", "--json").json["total"] == 0


def test_sync_leaves_a_file_with_an_entry_in_disorder_as_it_is(federation: Shell) -> None:
    federation.good("hub", "sync")
    file = federation.folder / OUT
    file.write_text(file.read_text() + '- "repo": "Mine"\n  "index": "x.yaml"\n  "domain": "d"\n')
    before = file.read_text()

    ran = federation("hub", "sync", "--keep-local")

    assert (ran.code, ran.out, file.read_text()) == (1, "", before)
    assert f"{OUT}: /sources/2 has no name" in ran.err


def test_apply_creates_changes_and_leaves(cli: Shell) -> None:
    assert outcomes(cli, manifest("a", "b")) == {"a": "created", "b": "created"}
    assert outcomes(cli, manifest("a", "b")) == {"a": "unchanged", "b": "unchanged"}
    changed = manifest("a", "b")
    changed["sources"][0]["required"] = True
    assert outcomes(cli, changed) == {"a": "changed", "b": "unchanged"}
    assert cli.good("hub", "show", "--repo", "b", "--json").json["revision"] == 1


def test_apply_goes_on_past_what_fails(cli: Shell) -> None:
    document = manifest("a", "b")
    document["sources"][0]["colour"] = "red"

    assert outcomes(cli, document, code=1) == {"a": "failed", "b": "created"}


def test_what_a_manifest_says_for_composing_without_a_hub_is_kept_and_not_sent(cli: Shell) -> None:
    document = manifest("a", "b")
    document["sources"][0]["format"] = "hub"
    document["sources"][1]["format"] = "index"

    assert outcomes(cli, document) == {"a": "skipped", "b": "created"}
    assert outcomes(cli, document) == {"a": "skipped", "b": "unchanged"}
    (cli.folder / "s.yaml").write_text(json.dumps(document))
    cli.good("hub", "sync", "--out", "s.yaml", "--keep-local", "--force")

    kept = yaml.safe_load((cli.folder / "s.yaml").read_text())["sources"]
    assert [(one["repo"], one.get("format")) for one in kept] == [("a", "hub"), ("b", None)]


def test_apply_skips_a_local_index_and_says_what_to_publish(cli: Shell) -> None:
    document = manifest("a")
    document["sources"] += [{"repo": "b", "index": "x.yaml", "domain": "d"}]

    ran = cli.good("hub", "apply", "-", sent=json.dumps(document))

    assert "b     skipped  only this machine has its index: publish it, and name its raw URL as url" in ran.out
    assert ran.out.endswith("1 created, 1 skipped\n")


def test_apply_prunes_only_when_told_and_lets_a_new_name_take_over_a_url(cli: Shell) -> None:
    outcomes(cli, manifest("old", "kept"))
    renamed = manifest("kept", "new")
    renamed["sources"][1]["url"] = url_of("old")

    assert outcomes(cli, renamed, code=1) == {"kept": "unchanged", "new": "failed"}
    assert outcomes(cli, renamed, "--prune") == {"old": "deregistered", "kept": "unchanged", "new": "created"}


def test_a_dry_run_tells_and_does_nothing(cli: Shell) -> None:
    outcomes(cli, manifest("old"))
    before = cli.good("hub", "list", "--json").out

    told = outcomes(cli, manifest("new"), "--prune", "--dry-run")

    assert told == {"old": "deregistered", "new": "created"}
    assert cli.good("hub", "list", "--json").out == before


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"version": 2, "sources": []}', '{"version": 1, "sources": []}', '"sources":\n- "repo": x\n',
     '  "repo": "x"\n', "- nonsense", json.dumps(manifest("a", "a"))],
    ids=["empty", "torn", "list", "version", "no sources", "not JSON", "no entry", "other YAML", "twice"],
)  # fmt: skip
def test_what_is_no_manifest_changes_nothing(cli: Shell, text: str) -> None:
    ran = cli("hub", "apply", "-", "--prune", sent=text)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("reuse-surface: - ")
    assert cli.good("hub", "list", "--json").json["total"] == 0


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(manifest("a")).replace('"repo"', '"url": "https://b.example/x", "repo"'),
        '"version": 1\n"sources":\n- "repo": "a"\n  "url": "https://a"\n  "url": "https://b"\n  "domain": "d"\n',
    ],
    ids=["JSON", "YAML"],
)
def test_a_manifest_with_a_key_twice_is_refused_and_registers_neither(cli: Shell, text: str) -> None:
    ran = cli("hub", "apply", "-", sent=text)

    assert (ran.code, "url" in ran.err or "url" in ran.out, "twice" in ran.err + ran.out) == (1, True, True), ran
    assert cli.good("hub", "list", "--json").json["total"] == 0


def test_a_manifest_below_any_number_of_blank_lines_is_read(cli: Shell) -> None:
    text = "\n" * 2000 + "version: 1\nsources:\n" + f"- {json.dumps(manifest('a')['sources'][0])}\n"

    assert cli.good("hub", "apply", "-", sent=text).out.endswith("1 created\n")


@pytest.mark.parametrize("command", ["apply", "validate"])
def test_a_file_that_is_not_there_is_a_usage_error(cli: Shell, command: str) -> None:
    """5 is what a hub says of a repo; a job has to tell the two apart."""
    assert cli("hub", command, "nowhere.yaml").code == 2


def test_a_file_that_is_not_text_is_no_manifest(cli: Shell) -> None:
    assert cli("hub", "apply", "-", sent=b"\xff\xfe").code == 1


def test_without_a_token_apply_ends_at_once(cli: Shell) -> None:
    ran = cli("hub", "apply", "-", "--json", sent=json.dumps(manifest("a", "b")), REUSE_SURFACE_TOKEN="x" * 20)

    assert (ran.code, ran.json["error"]["status"]) == (4, 401)


def test_sync_and_apply_understand_each_other_after_a_change(federation: Shell, publisher: Publisher) -> None:
    federation.good("hub", "sync")
    text = (federation.folder / OUT).read_text()
    (federation.folder / OUT).write_text(text.replace('"required": false', '"required": true'))

    ran = federation.good("hub", "apply", OUT)

    assert ran.out.splitlines()[1] == "railiance-apps  changed  required"
    assert publisher.url in text
