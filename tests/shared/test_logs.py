from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest

from shared.logs import configure

ROOT = Path(__file__).resolve().parent.parent.parent


pytestmark = pytest.mark.usefixtures("restored_log")


def test_writes_an_event_as_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json")

    logging.getLogger("hub.sources").info("checked %s", "a\nb")

    line = json.loads(capsys.readouterr().err)
    assert (line["level"], line["logger"], line["message"]) == ("info", "hub.sources", "checked a\nb")
    assert line["at"].endswith("+00:00")


@pytest.mark.parametrize("seconds", [253402300800.0, 1e12], ids=["10000", "beyond"])
@pytest.mark.parametrize("form", ["json", "text"])
def test_an_event_of_a_clock_that_is_set_beyond_the_year_9999_is_logged(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, seconds: float, form: str
) -> None:
    configure(form)
    monkeypatch.setattr(time, "time", lambda: seconds)

    logging.getLogger("hub").error("the clock is wrong")

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "the clock is wrong" in lines[0]
    assert form == "text" or json.loads(lines[0])["at"] == "9999-12-31T23:59:59.000+00:00"


def test_keeps_a_traceback_in_the_same_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json")

    try:
        int("spilt")
    except ValueError:
        logging.getLogger("hub").exception("failed")

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "ValueError: invalid literal" in json.loads(lines[0])["traceback"]


def test_puts_the_fields_of_an_event_beside_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json")

    logging.getLogger("hub.requests").info("answered", extra={"fields": {"status": 201, "request_id": None}})

    line = json.loads(capsys.readouterr().err)
    assert (line["message"], line["status"], line["request_id"]) == ("answered", 201, None)


def test_writes_text_for_people_and_leaves_the_chatter_of_libraries_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure("text")

    logging.getLogger("httpcore").info("chatter")
    logging.getLogger("hub").info("composed")

    assert capsys.readouterr().err.endswith("INFO    hub: composed\n")


def test_what_python_says_itself_is_logged_too(capsys: pytest.CaptureFixture[str]) -> None:
    class Broken:
        def __del__(self) -> None:
            raise KeyError("at the end")

    configure("json")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("old", UserWarning, stacklevel=1)
    thread = threading.Thread(target=int, args=("spilt",), name="one")
    thread.start()
    thread.join()
    Broken()
    try:
        int("uncaught")
    except ValueError as fault:
        sys.excepthook(type(fault), fault, fault.__traceback__)

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["level"] for line in lines] == ["warning", "error", "error", "critical"]
    assert "UserWarning: old" in lines[0]["message"]
    assert [line["traceback"].splitlines()[-1].partition(":")[0] for line in lines[1:]] == [
        "ValueError", "KeyError", "ValueError",
    ]  # fmt: skip


FAILING = """
import asyncio, logging, threading, warnings
from shared.logs import configure

configure("json")

async def fail():
    raise LookupError("in a task")

async def main():
    task = asyncio.create_task(fail())
    asyncio.get_running_loop().call_soon(int, "in a callback")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
    asyncio.get_running_loop().call_exception_handler({"message": "of the loop"})

asyncio.run(main())
thread = threading.Thread(target=int, args=("in a thread",))
thread.start()
thread.join()
warnings.warn("of Python")
logging.getLogger("hub").error(*("%d of %d", "no number"))
logging.getLogger("uvicorn.error").error("of\\nthe server")
raise SystemError("at the end")
"""


def test_every_line_of_a_process_that_fails_in_many_ways_is_json() -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "always", "-c", FAILING],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert (ended.returncode, ended.stdout) == (1, "")
    said = [line["message"] + line.get("traceback", "") for line in lines]
    ways = ["in a callback", "in a task", "of the loop", "in a thread", "of Python", "no number", "of\nthe", "the end"]
    assert [sum(way in text for text in said) for way in ways] == [1] * len(ways)
    assert len(lines) == len(ways)


def test_arguments_that_do_not_fit_are_logged_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json")

    logging.getLogger("hub").error(*("%d of %d", "no number"))

    assert json.loads(capsys.readouterr().err)["message"] == "%d of %d ('no number',)"


def test_a_text_that_is_no_unicode_is_written_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json")

    logging.getLogger("hub").info("half \ud800", extra={"fields": {"of": {1}}})

    assert json.loads(capsys.readouterr().err)["of"] == "{1}"
