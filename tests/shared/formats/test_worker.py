from __future__ import annotations

import dataclasses
import io
import os
import resource
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shared.formats import FORMATS, HUB, UNKNOWN, Publisher, Reading, SourceFormat, worker
from shared.formats.capability_index import read_index
from shared.formats.documents import DocumentFaulty, Fault
from shared.formats.manifest import sift_manifest
from shared.problems import InvalidIndex, SourceNotAnIndex, SourceTooLarge
from tests.builders import capability, index
from tests.shared.federated import federated, row

REPO = "state-hub"
URL = "https://raw.githubusercontent.com/o/r/main/capabilities.yaml"


def asked(*bodies: bytes) -> bytes:
    return b"".join(b"".join(worker.request(body, "index", Publisher(REPO, URL))) for body in bodies)


def answers(stream: bytes) -> list[bytes]:
    """Return the answers in what the process wrote."""
    found = []
    while stream:
        (length,) = worker.LENGTH.unpack_from(stream)
        found.append(stream[4 : 4 + length])
        stream = stream[4 + length :]
    return found


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> dict[int, tuple[int, int]]:
    """The limits that main sets, kept instead of set."""
    kept: dict[int, tuple[int, int]] = {}
    monkeypatch.setattr(resource, "setrlimit", kept.__setitem__)
    return kept


niceness: list[int] = []


def run(monkeypatch: pytest.MonkeyPatch, *bodies: bytes) -> list[bytes]:
    """Let main answer in this process."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(asked(*bodies))))
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=written))
    monkeypatch.setattr(Path, "write_text", lambda *_, **__: 0)
    monkeypatch.setattr(sys, "argv", ["-c", str(worker.MEMORY), "7"])
    monkeypatch.setattr(os, "nice", niceness.append)
    worker.main()
    return answers(written.getvalue())


@pytest.mark.usefixtures("limits")
def test_what_is_said_is_what_reading_says(monkeypatch: pytest.MonkeyPatch) -> None:
    bodies = [
        index(*(capability(number, path="a.md", summary='"\n\\ä☺ \u2028') for number in range(30)), domain="d"),
        index(base_url="https://h.example/"),
        b"version: 1\ncapabilities: []\n",
    ]

    said = [worker.reading_of(answer) for answer in run(monkeypatch, *bodies)]

    assert said == [Reading(read_index(body, REPO, URL)) for body in bodies]


@pytest.mark.usefixtures("limits")
def test_faults_and_problems_come_out_as_they_went_in(monkeypatch: pytest.MonkeyPatch) -> None:
    faulty, markup = run(monkeypatch, b"version: 1\ncapabilities: [{id: A}]\n", b"<html>")

    with pytest.raises(DocumentFaulty) as here:
        read_index(b"version: 1\ncapabilities: [{id: A}]\n", "state-hub")
    with pytest.raises(DocumentFaulty) as there:
        worker.reading_of(faulty)
    assert there.value.faults == here.value.faults
    with pytest.raises(SourceNotAnIndex, match="publish a raw URL"):
        worker.reading_of(markup)


def framed(lines: list[bytes]) -> bytes:
    [answer] = answers(b"".join(worker._framed(lines)))
    return answer


def test_what_a_document_says_of_many_repos_comes_back_whole() -> None:
    entries = [capability(number, source_repo=repo) for repo in ("a", "b") for number in range(3)]
    silent = row("silent", digest=None, changed_at=None, state="failed")
    body = federated(*entries, sources=[row("a"), silent, row("b"), row("c")])

    reading = worker.reading_of(framed(worker.answer(body, "hub", Publisher(REPO))))

    assert reading == HUB.reading(body, Publisher(REPO))
    assert isinstance(reading, Reading)
    contents = {relayed.repo: relayed.content for relayed in reading.relayed}
    assert {repo: content and len(content.entries) for repo, content in contents.items()} == {
        "a": 3, "silent": None, "b": 3, "c": 0,
    }  # fmt: skip


def test_what_was_left_out_of_a_document_comes_back_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    skipped = (Fault(3, 7, "/entries/1", "has no name"), Fault(9, 1, "/entries/4", "has no address", "Write a url."))
    reading = Reading(read_index(index(), REPO), skipped=skipped)
    lenient = dataclasses.replace(FORMATS["index"], name="lenient", read=lambda *_: reading)
    monkeypatch.setitem(FORMATS, "lenient", lenient)

    assert worker.reading_of(framed(worker.answer(index(), "lenient"))) == reading


def test_a_manifest_is_read_as_one() -> None:
    body = b"version: 1\nsources: [{repo: a, domain: b, url: 'https://h.example/c.yaml'}]\n"
    stream = io.BytesIO(b"".join(worker.request(body, worker.MANIFEST)))

    (request,) = worker._requests(stream)

    assert request == (body, worker.MANIFEST, UNKNOWN)
    for manifest in (body, b"version: 1\n", body.replace(b"repo: a", b"repo: A")):
        assert worker.reading_of(worker.answer(manifest, worker.MANIFEST)[0]) == sift_manifest(manifest)


@pytest.mark.usefixtures("limits")
def test_the_process_gives_way_as_it_is_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    niceness.clear()

    run(monkeypatch)

    assert niceness == [7]


@pytest.mark.usefixtures("limits")
def test_too_little_memory_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(SourceFormat, "reading", fail)

    (answer,) = run(monkeypatch, b"")
    with pytest.raises(SourceTooLarge, match="memory"):
        worker.reading_of(answer)


@pytest.mark.usefixtures("limits")
def test_what_nobody_foresaw_is_printed_and_an_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(SourceFormat, "reading", fail)

    faulty, manifest = run(monkeypatch, b"", b"")
    with pytest.raises(InvalidIndex, match="the log of the hub says why"):
        worker.reading_of(faulty)
    assert manifest == faulty
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_limits_that_the_hub_was_started_with_are_never_raised(
    monkeypatch: pytest.MonkeyPatch, limits: dict[int, tuple[int, int]]
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (5, 5))

    run(monkeypatch, index())

    assert limits == {
        resource.RLIMIT_AS: (5, 5),
        resource.RLIMIT_FSIZE: (0, 0),
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_CPU: (5, 5),
    }


def test_time_is_bounded_for_each_document_and_the_rest_for_good(
    monkeypatch: pytest.MonkeyPatch, limits: dict[int, tuple[int, int]]
) -> None:
    usage = iter([SimpleNamespace(ru_utime=0.5, ru_stime=0.0), SimpleNamespace(ru_utime=6.5, ru_stime=1.0)])
    monkeypatch.setattr(resource, "getrusage", lambda _: next(usage))

    run(monkeypatch, index(), index())

    assert limits.pop(resource.RLIMIT_CPU) == (7 + worker.CPU_SECONDS + 1, resource.RLIM_INFINITY)
    assert limits == {
        resource.RLIMIT_AS: (worker.MEMORY, worker.MEMORY),
        resource.RLIMIT_FSIZE: (0, 0),
        resource.RLIMIT_CORE: (0, 0),
    }


def started(code: str) -> Any:
    """Run *code* in a process with the limits of the worker's."""
    whole = f"from shared.formats import worker; worker._limit(worker.MEMORY); {code}"
    return subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, timeout=60, check=False)


def test_the_limits_hold_in_a_process_of_its_own(tmp_path: Any) -> None:
    assert "MemoryError" in started("bytearray(1 << 30)").stderr
    file = str(tmp_path / "file")
    assert "File too large" in started(f"import os; os.write(os.open({file!r}, os.O_CREAT | os.O_WRONLY), b'x')").stderr
