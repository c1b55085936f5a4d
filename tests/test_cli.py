from __future__ import annotations

import asyncio
import runpy
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

import cli
from shared.version import VERSION
from tests.builders import TOKEN

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.applications import Starlette


async def start_and_stop(app: Starlette) -> None:
    async with app.router.lifespan_context(app):
        pass


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What uvicorn was asked to serve, in place of serving it."""
    calls: list[dict[str, Any]] = []

    def run(app: Starlette, **options: Any) -> None:
        calls.append(options)
        asyncio.run(start_and_stop(app))

    monkeypatch.setattr(uvicorn, "run", run)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    for name in ("PUBLIC_URL", "DATA_DIR", "TOKEN"):
        monkeypatch.delenv(f"REUSE_SURFACE_{name}", raising=False)
    return calls


def test_version_prints_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["version"]) == 0
    assert capsys.readouterr().out == f"{VERSION}\n"


def test_it_runs_as_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["cli.py", "version"])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(cli.__file__, run_name="__main__")

    assert end.value.code == 0


@pytest.mark.parametrize("argv", [[], ["dance"], ["serve", "--port", "x"], ["serve", "--colour"]], ids=" ".join)
def test_what_it_does_not_know_is_a_usage_error(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(argv)

    assert end.value.code == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.1", "http://127.0.0.1:8099"), ("::1", "http://[::1]:8099")], ids=["IPv4", "IPv6"]
)
def test_serve_runs_the_hub_at_the_address_on_the_data_directory(
    served: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str], host: str, shown: str
) -> None:
    assert cli.main(["serve", "--host", host, "--port", "8099", "--data-dir", str(tmp_path / "data")]) == 0

    assert [(call["host"], call["port"]) for call in served] == [(host, 8099)]
    assert (tmp_path / "data" / "hub.lock").exists()
    assert shown in capsys.readouterr().err


def test_serve_takes_the_data_directory_from_the_environment_unless_told(
    served: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REUSE_SURFACE_DATA_DIR", str(tmp_path / "data"))

    assert cli.main(["serve"]) == 0

    assert len(served) == 1
    assert (tmp_path / "data" / "hub.lock").exists()


def test_serve_says_what_keeps_the_hub_from_starting(
    served: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REUSE_SURFACE_TOKEN", TOKEN[:5])

    assert cli.main(["serve"]) == 1

    assert served == []
    assert capsys.readouterr().err.startswith("reuse-surface: REUSE_SURFACE_TOKEN")


def test_serve_says_how_to_get_the_packages_that_it_misses(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)

    assert cli.main(["serve"]) == 1

    assert "pip install -r requirements.txt" in capsys.readouterr().err
