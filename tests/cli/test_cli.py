"""The file as a program: help, usage, versions of Python, starting the hub."""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import cli
from shared.version import VERSION
from tests.builders import TOKEN
from tests.cli.conftest import CLI, Shell


def test_version_prints_the_version(alone: Shell) -> None:
    assert alone.good("version").out == f"{VERSION}\n"
    assert alone.good("--json", "version").json == {"version": VERSION}


@pytest.mark.parametrize("argv", [["--help"], ["-h"]], ids=" ".join)
def test_help_tells_every_command_and_exit_code(alone: Shell, argv: list[str]) -> None:
    said = alone.good(*argv).out

    assert [name for name in cli.COMMANDS if name not in said] == []
    assert re.findall(r"^  (\d)  ", said, re.MULTILINE) == [*"0123456"]
    assert TOKEN not in said


def test_help_of_a_group_tells_its_commands_alone(alone: Shell) -> None:
    said = alone.good("hub", "--help").out

    assert "hub register" in said
    assert "serve" not in said


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_a_help_that_names_its_options_and_no_token(name: str) -> None:
    said = cli.parser_of(name).format_help()

    assert (cli.COMMANDS[name][0].__doc__ or "").split()[0] in said
    shared = ["--base-url", "--timeout", "--insecure-http"]
    assert [one in said for one in shared] == [name not in cli.LOCAL] * 3
    assert "--json" in said


def test_the_help_of_a_command_is_its_own(alone: Shell) -> None:
    assert "--cache-ttl-seconds" in alone.good("hub", "register", "--help", REUSE_SURFACE_TOKEN=TOKEN).out


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ([], "reuse-surface: Which command? reuse-surface help says more.\n  hub status"),
        (["hub"], "reuse-surface: Which command? reuse-surface help says more.\n  hub status"),
        (["hub", "lst"], "'hub list'"),
        (["dance"], "reuse-surface help lists them"),
        (["serve", "--port", "x"], "--port"),
        (["hub", "list", "--enabled", "maybe"], "--enabled: it takes true or false, not 'maybe'"),
        (["hub", "list", "--timeout", "0"], "--timeout: it takes a number of seconds above 0 and below 86400, not '0'"),
        (["hub", "list", "--timeout", "x"], "--timeout: it takes a number of seconds above 0 and below 86400, not 'x'"),
        (["hub", "search", "--limit", "ten"], "--limit: it takes a whole number, not 'ten'"),
        (["hub", "accept", "a", "--digest", "sha256:0"], "--digest: it takes the held_digest of hub show"),
        (["hub", "accept", "a", "--digest", "sha256:0"], "64 hexadecimal digits), not 'sha256:0'"),
        (["hub", "show", "../health"], "../health is no name of a repo; it is a-z"),
        (["completion"], "the following arguments are required: shell\n"),
        (["hub", "list", "--base"], "--base"),
        (["--base-url"], "Which command?"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_what_it_does_not_know_is_a_usage_error(alone: Shell, argv: list[str], told: str) -> None:
    ran = alone(*argv)

    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert alone(*argv, "--json").json["error"]["exit_code"] == 2


@pytest.mark.parametrize("where", ["before", "after"])
def test_the_url_may_stand_before_and_after_the_command(cli: Shell, where: str) -> None:
    url = ["--base-url", cli.environ["REUSE_SURFACE_URL"] + "/"]
    argv = [*url, "hub", "list"] if where == "before" else ["hub", "list", *url]

    assert cli.good(*argv, REUSE_SURFACE_URL="http://127.0.0.1:9").out == "No repository is registered.\n"


def test_an_older_python_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 8, 0))

    with pytest.raises(SystemExit, match="needs Python 3"):
        runpy.run_path(str(CLI))


def test_python_3_6_can_compile_what_tells_that_it_is_too_old() -> None:
    text = CLI.read_text(encoding="utf-8")

    tree = ast.parse(text, feature_version=(3, 6))

    froms = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "__future__" not in froms, "3.6 does not know the future of annotations and refuses the whole file"


@pytest.mark.parametrize("version", ["3.6", "3.7", "3.8"])
def test_an_older_python_itself_says_that_it_is_too_old(version: str) -> None:
    python = older_python(version)
    if python is None:
        pytest.skip(f"needs python{version} on the PATH, or of pyenv")

    ran = subprocess.run([python, str(CLI), "version"], capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stdout) == (1, "")
    assert re.fullmatch(rf"reuse-surface needs Python 3\.9 or newer; this is {version}\.\d+\n", ran.stderr)


def older_python(version: str) -> Path | None:
    """Return a Python of that version that starts, None where there is none."""
    managed = sorted(Path("~/.pyenv/versions").expanduser().glob(f"{version}.*/bin/python"))
    named = shutil.which(f"python{version}")
    for python in [*managed, *([Path(named)] if named else [])]:
        if subprocess.run([python, "-V"], capture_output=True, check=False).returncode == 0:
            return python
    return None


def test_nothing_in_it_is_newer_than_python_3_9() -> None:
    vermin = Path(sys.executable).with_name("vermin")
    found = subprocess.run(
        [vermin, "-t=3.9-", "--no-tips", "--eval-annotations", "--violations", str(CLI)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert found.returncode == 0, found.stdout


def test_it_needs_nothing_but_the_standard_library(cli: Shell) -> None:
    ran = subprocess.run(
        [sys.executable, "-I", "-S", str(CLI), "hub", "status"],
        cwd=cli.folder, env=cli.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_reader_that_has_seen_enough_is_no_error(cli: Shell) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run(
        [sys.executable, "-I", str(CLI), "hub", "list"],
        cwd=cli.folder, env=os.environ | cli.environ, stdout=writing, stderr=subprocess.PIPE, check=False,
    )  # fmt: skip
    os.close(writing)

    assert (ran.returncode, ran.stderr) == (141, b"")


def test_ctrl_c_ends_it_quietly(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "run", interrupt)

    assert cli.main(["version"]) == 130
    assert capsys.readouterr() == ("", "")


def test_serve_says_what_keeps_the_hub_from_starting(alone: Shell) -> None:
    ran = alone("serve", "--port", "0", REUSE_SURFACE_TOKEN=TOKEN[:5])

    assert ran.code == 1
    assert ran.err.startswith("reuse-surface: REUSE_SURFACE_TOKEN")


def test_serve_runs_the_hub_until_it_is_told_to_stop(alone: Shell) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-I", str(CLI), "serve", "--port", str(port), "--json"]
    process = subprocess.Popen(command, cwd=alone.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    ready = alone("hub", "status", "--expect-ready", "--base-url", f"http://127.0.0.1:{port}")
    process.send_signal(signal.SIGTERM)

    assert (ready.code, process.wait(20)) == (0, 0)
    assert json.loads(process.communicate()[0]) == {"url": f"http://127.0.0.1:{port}"}
    assert (alone.folder / "data" / "hub.lock").exists()


@pytest.mark.usefixtures("restored_log")
def test_serve_without_the_packages_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "shared.server", raising=False)
    monkeypatch.setattr(sys, "path", [*sys.path])

    assert cli.main(["serve"]) == 1
    first = capsys.readouterr().err.splitlines()[0]
    assert first.startswith(f"reuse-surface: The hub's package uvicorn is missing. In {CLI.parent}: python3 -m venv")


def test_the_file_alone_says_what_serve_needs(tmp_path: Path) -> None:
    command = tmp_path / "reuse-surface"
    command.write_bytes(CLI.read_bytes())

    argv = [sys.executable, "-I", "-S", str(command), "serve"]
    ran = subprocess.run(argv, capture_output=True, text=True, check=False)

    assert ran.returncode == 1
    assert ran.stderr == (
        f"reuse-surface: This needs the rest of the hub beside {command}: git clone {cli.REPOSITORY}\n"
        "In the clone: python3 -m venv .venv && .venv/bin/python -m pip install -r requirements.txt\n"
        "Then: .venv/bin/python cli.py ...\n"
    )


@pytest.mark.usefixtures("restored_log")
def test_where_the_log_is_json_so_are_refusals_and_failures_of_serve(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REUSE_SURFACE_LOG", "json")

    assert cli.main(["serve", "--port", "abc"]) == 2
    sys.excepthook(ZeroDivisionError, ZeroDivisionError("by zero"), None)

    refusal, failure = [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()]
    assert "--port" in refusal
    assert failure == "ZeroDivisionError: by zero"


def test_where_the_clock_is_beyond_the_year_9999_it_shows_the_last_second_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1e12)

    assert json.loads(cli.log_line("late"))["at"] == "9999-12-31T23:59:59+00:00"
    assert cli.age("9999-12-31T23:58:59Z") == "1 min ago"
    assert cli.main(["token", "new", "--name", "ci", "--admin", "--expires-at", "9999-12-31T23:59:58Z"]) == 2
    assert "--expires-at 9999-12-31T23:59:58Z is over." in capsys.readouterr().err
