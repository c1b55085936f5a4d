"""federation compose: a federated index from a manifest, without a hub."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

import cli
from shared import schemas

if TYPE_CHECKING:
    from tests.cli.conftest import Publisher, Shell

OPEN = "127.0.0.0/8"


def manifest(shell: Shell, publisher: Publisher, *repos: str) -> None:
    sources = [{"repo": one, "url": publisher.url_of(one), "domain": "d", "required": True} for one in repos]
    (shell.folder / "s.yaml").write_text(json.dumps({"version": 1, "sources": sources}))


@pytest.mark.parametrize("out", ["federated.yaml", "federated.json"])
def test_the_document_is_written_and_keeps_to_the_schema(alone: Shell, publisher: Publisher, out: str) -> None:
    manifest(alone, publisher, "state-hub", "railiance-apps")
    argv = ("federation", "compose", "--sources", "s.yaml", "--cache-dir", "cache", "--out", out)

    ran = alone.good(*argv, REUSE_SURFACE_ALLOW_NETWORKS=OPEN)

    assert ran.out.splitlines()[1].split()[:3] == ["state-hub", "●", "fresh"]
    assert ran.out.endswith(f"{out}: written, 1 capability\n")
    document = yaml.safe_load((alone.folder / out).read_text())
    assert schemas.checker("federated-index")(document) == []
    again = alone.good(*argv, "--offline", "--json").json
    assert (again["written"], [one["state"] for one in again["sources"]]) == (True, ["fresh", "fresh"])


def test_without_a_required_source_nothing_is_written(alone: Shell, publisher: Publisher) -> None:
    manifest(alone, publisher, "gone")

    argv = ("federation", "compose", "--sources", "s.yaml")

    ran = alone(*argv, XDG_CACHE_HOME=str(alone.folder), REUSE_SURFACE_ALLOW_NETWORKS=OPEN)

    assert ran.code == 1
    assert ran.out.endswith("federated.yaml: not written, nothing to serve from gone\n")
    assert not (alone.folder / "federated.yaml").exists()
    assert (alone.folder / "reuse-surface").is_dir()


def test_what_was_never_kept_can_not_be_composed_offline(
    alone: Shell, publisher: Publisher, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest(alone, publisher, "state-hub")
    monkeypatch.chdir(alone.folder)

    code = cli.main(["federation", "compose", "--sources", "s.yaml", "--cache-dir", "cache", "--offline", "--json"])

    said = json.loads(capsys.readouterr().out)
    assert (code, said["written"], said["missing_required"]) == (1, False, ["state-hub"])


def test_without_a_manifest_it_says_so(alone: Shell) -> None:
    ran = alone("federation", "compose", "--cache-dir", "cache")

    assert (ran.code, ran.err) == (
        1,
        "reuse-surface: registry/federation/sources.yaml can't be read: No such file or directory.\n",
    )
