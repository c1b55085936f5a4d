"""The commands that read: status, list, show, history, federated."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import cli as client
from tests.cli.conftest import said, stand_in

if TYPE_CHECKING:
    from tests.cli.conftest import Publisher, Shell


def test_status_of_an_empty_hub_is_complete(cli: Shell) -> None:
    assert "complete      yes" in cli.good("hub", "status").out


def test_status_counts_the_sources_by_state(federation: Shell) -> None:
    federation.good("hub", "update", "--repo", "state-hub", "--enabled", "false")

    said = federation.good("hub", "status").out
    data = federation.good("hub", "status", "--json").json

    assert "● fresh     1" in said
    assert "- disabled  1" in said
    assert (data["sources"]["fresh"], data["sources"]["disabled"], data["capabilities"]) == (1, 1, 1)
    assert data["client"]["served"] == data["version"] == data["client"]["version"]


def test_status_tells_which_required_source_is_missing(cli: Shell, publisher: Publisher) -> None:
    cli("hub", "register", "--repo", "gone", "--url", publisher.url_of("gone"), "--domain", "d", "--required", "true")

    ran = cli("hub", "status", "--expect-ready")

    assert ran.code == 1
    assert "complete      no: nothing to serve from gone" in ran.out
    assert "✗ failed  1  gone" in ran.out


def test_list_shows_the_state_the_age_and_the_trouble_of_each(federation: Shell, publisher: Publisher) -> None:
    del publisher.pages["state-hub"]
    assert federation("hub", "refresh", "--repo", "state-hub").code == 1

    lines = federation.good("hub", "list").out.splitlines()

    assert lines[0].split() == ["REPO", "STATE", "DOMAIN", "SERVED", "CHECKED", "TROUBLE"]
    assert lines[1].split()[:5] == ["railiance-apps", "●", "fresh", "railiance", "0"]
    assert lines[2].split()[:5] == ["state-hub", "◐", "stale", "helix_forge", "1"]
    assert lines[2].endswith("The source answered 404.")


def test_list_filters(federation: Shell) -> None:
    ran = federation.good("hub", "list", "--domain", "railiance", "--enabled", "true", "--state", "fresh", "--json")

    assert [row["repo"] for row in ran.json["repos"]] == ["railiance-apps"]
    assert federation.good("hub", "list", "--state", "failed").out.startswith("No registered repository matches")


def test_list_reads_every_page(cli: Shell) -> None:
    sources = [{"repo": f"r{one:04}", "url": f"http://127.0.0.1:9/{one}", "domain": "d"} for one in range(1002)]
    manifest = json.dumps({"version": 1, "sources": sources})
    cli.good("hub", "apply", "-", sent=manifest)

    assert len(cli.good("hub", "list", "--json").json["repos"]) == 1002


def test_show_tells_everything_about_a_repo(federation: Shell) -> None:
    said = federation.good("hub", "show", "--repo", "state-hub").out

    assert "enabled               true\n" in said
    assert "next_check_at" in said
    assert "error                 none\n" in said
    assert federation.good("hub", "show", "--repo", "state-hub", "--json").json["source"]["state"] == "fresh"


def test_what_is_not_registered_is_not_found_and_the_nearest_name_is_told(federation: Shell) -> None:
    near = federation("hub", "show", "--repo", "statehub")
    far = federation("hub", "show", "--repo", "zzz", "--json")

    assert (near.code, near.out) == (5, "")
    assert near.err.endswith("Did you mean state-hub?\n")
    assert far.code == far.json["error"]["exit_code"] == 5
    assert far.json["error"]["type"].endswith("/problems/repo-not-found")


def test_history_tells_who_changed_what(federation: Shell) -> None:
    federation.good("hub", "update", "--repo", "state-hub", "--required", "true")
    federation.good("hub", "deregister", "--repo", "state-hub")

    lines = federation.good("hub", "history", "--repo", "state-hub", "--limit", "2").out.splitlines()

    assert lines[1].split()[-3:] == ["operator", "deregister", "3"]
    assert lines[2].endswith("operator  update      2         required=true")


def test_federated_prints_the_document_in_either_form(federation: Shell) -> None:
    as_json = federation.good("hub", "federated", "--json").json
    as_yaml = yaml.safe_load(federation.good("hub", "federated", "--format", "yaml", "--strict").out)

    assert as_yaml == as_json
    assert [row["repo"] for row in as_json["sources"]] == ["railiance-apps", "state-hub"]


def test_federated_is_written_whole_and_asked_for_only_when_it_changed(federation: Shell) -> None:
    first = federation.good("hub", "federated", "--out", "federated.json")
    file = federation.folder / "federated.json"
    written = file.stat().st_mtime_ns
    file.chmod(0o640)

    again = federation.good("hub", "federated", "--out", "federated.json", "--json").json

    assert first.out.startswith("federated.json: written, serial ")
    assert (again["changed"], file.stat().st_mtime_ns) == (False, written)
    federation.good("hub", "update", "--repo", "state-hub", "--enabled", "false")
    assert federation.good("hub", "federated", "--out", "federated.json", "--json").json["changed"] is True
    assert len(json.loads(file.read_text())["sources"]) == 1
    assert oct(file.stat().st_mode)[-3:] == "640"


@pytest.mark.parametrize("damage", ["", "{}", "[]", '{"url": 1'], ids=["empty", "other", "list", "torn"])
def test_what_is_noted_beside_the_file_is_trusted_only_when_it_fits(federation: Shell, damage: str) -> None:
    federation.good("hub", "federated", "--out", "f.json")
    (federation.folder / "f.json.etag").write_text(damage)

    assert federation.good("hub", "federated", "--out", "f.json", "--json").json["changed"] is True


def test_a_file_that_was_edited_since_is_written_again(federation: Shell) -> None:
    federation.good("hub", "federated", "--out", "f.json")
    (federation.folder / "f.json").write_text("mine")

    assert federation.good("hub", "federated", "--out", "f.json", "--json").json["changed"] is True
    assert (federation.folder / "f.json").read_text() != "mine"


def test_a_strict_reader_is_refused_an_incomplete_index(cli: Shell, publisher: Publisher) -> None:
    cli("hub", "register", "--repo", "gone", "--url", publisher.url_of("gone"), "--domain", "d", "--required", "true")

    ran = cli("hub", "federated", "--strict", "--out", "f.json")

    assert ran.code == 1
    assert "gone" in ran.err
    assert not (cli.folder / "f.json").exists()


def test_a_folder_that_can_not_be_written_is_told(federation: Shell) -> None:
    ran = federation("hub", "federated", "--out", "nowhere/f.json")

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        "reuse-surface: nowhere/f.json can't be written: No such file or directory. "
        "Make its folder first: mkdir -p nowhere\n"
    )


def test_a_folder_in_the_place_of_the_file_stays_and_no_draft_is_left(federation: Shell) -> None:
    (federation.folder / "f.json").mkdir()

    assert federation("hub", "federated", "--out", "f.json").code == 1
    assert [path.name for path in federation.folder.iterdir()] == ["f.json"]


def test_json_and_yaml_at_once_is_a_usage_error(federation: Shell) -> None:
    ran = federation("hub", "federated", "--format", "yaml", "--json")

    assert ran.code == ran.json["error"]["exit_code"] == 2


def test_a_client_that_was_read_from_a_pipe_has_no_file_to_compare(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = SimpleNamespace(status=200, body=b"another digest", header=lambda _: "99.0.0")
    hub: Any = SimpleNamespace(ask=lambda *_, **__: answer)
    notes = client.client_news(hub)["notes"]
    monkeypatch.delattr(client, "__file__")

    assert len(notes) == 1
    assert client.client_news(hub)["notes"] == []


def test_fractions_are_numbers_like_others(alone: Shell) -> None:
    row = {"repo": "a", "took": 1.5}
    with stand_in(lambda handler: said(handler, json.dumps(row).encode())) as (url, _):
        assert alone.good("--json", "hub", "show", "a", REUSE_SURFACE_URL=url).json["took"] == 1.5
