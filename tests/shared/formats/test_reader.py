from __future__ import annotations

import asyncio
import errno
import json
import os
import resource
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shared.formats import Publisher, Reading, SourceFormat, reader, worker
from shared.formats.capability_index import read_index
from shared.formats.documents import DocumentFaulty
from shared.formats.manifest import sift_manifest
from shared.formats.reader import LARGE, VISITORS, DocumentReader, ReadingLine
from shared.problems import InvalidIndex, Overloaded, SourceNotAnIndex, SourceTooLarge
from tests.builders import capability, index, registration

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from contextlib import AbstractContextManager
    from typing import Any

REPO = "state-hub"
OURS = Publisher(REPO)
BIG = index(*(capability(number, summary="x" * 500) for number in range(150)))
HOSTILE = {
    "many lists": b"version: 1\ncapabilities: [" + b"[]," * 30_000 + b"]",
    "many scalars": b"- a\n" * 30_000,
    "many keys": b"version: 1\ncapabilities:\n- " + b"".join(b"k%d: 1\n  " % number for number in range(30_000)),
    "one key": b"? " + b"k" * 5_000_000,
    "one scalar": b"a: " + b"x" * 5_000_000,
    "one integer": b"a: " + b"9" * 5_000_000,
    "one float": b"a: 0." + b"9" * 5_000_000 + b"e9",
    "an integer in JSON": b'{"a": ' + b"9" * 5_000_000 + b"}",
    "brackets": b"[" * 5_000_000,
    "brackets in JSON": b'{"a":' * 1_000_000,
    "dashes": b"- " * 2_500_000,
    "question marks": b"? " * 2_500_000,
    "quotes": b'"' * 5_000_000,
    "spaces": b" " * 5_000_000,
    "line feeds": b"\n" * 5_000_000,
    "directives": b"".join(b"%%TAG !a%d! b\n" % number for number in range(6_000)) + b"--- a\n",
    "aliases": b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"b: [*a,*a,*a,*a,*a]\n" * 9_000,
    "merges": b"a: &a {b: 1}\nc: {<<: [" + b"*a," * 30_000 + b"]}",
}


@pytest.fixture
async def reading() -> AsyncIterator[DocumentReader]:
    made = DocumentReader()
    yield made
    await made.close()


def process_of(reading: DocumentReader) -> int | None:
    """Return the id of the process, if there is one."""
    return reading._process.pid if reading._process else None


async def test_what_the_process_says_is_an_event_of_the_log(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    says = r"import sys; sys.stderr.write('Fatal: \u20ac \x1b[2J\n' + 99_000 * 'x')"
    reading = DocumentReader(ReadingLine(command=(sys.executable, "-c", says)))

    with pytest.raises(Overloaded):
        await reading.read(BIG, OURS)
    await reading.close()

    [message] = [one for record in caplog.records if "indexes said" in (one := record.getMessage())]
    assert r"large indexes said: Fatal: \u20ac \x1b[2J" in message
    assert len(message) < 20_000
    assert capfd.readouterr().err == ""


async def test_small_indexes_are_read_without_a_process(reading: DocumentReader) -> None:
    assert await reading.read(index(), OURS) == Reading(read_index(index(), REPO))
    with pytest.raises(DocumentFaulty):
        await reading.read(b"[]", OURS)

    assert process_of(reading) is None


async def test_large_indexes_are_read_in_one_process(reading: DocumentReader) -> None:
    assert len(BIG) > LARGE

    contents = await asyncio.gather(*(reading.read(BIG, Publisher(REPO, "https://h.example/")) for _ in range(3)))
    first = process_of(reading)
    with pytest.raises(DocumentFaulty, match="Line 1"):
        await reading.read(BIG.replace(b'"version": 1', b'"version": 2'), OURS)
    with pytest.raises(SourceNotAnIndex):
        await reading.read(b"<html>" + b" " * LARGE, OURS)

    assert [one.own() for one in contents] == [read_index(BIG, REPO, "https://h.example/")] * 3
    assert first is not None
    assert process_of(reading) == first


@pytest.mark.skipif(sys.platform != "linux", reason="measures processes in /proc, which only Linux has")
async def test_the_process_holds_neither_sockets_nor_secrets(
    reading: DocumentReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REUSE_SURFACE_TOKEN", "a-secret-of-the-hub")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.set_inheritable(True)
        await reading.read(BIG, OURS)
        place = Path(f"/proc/{process_of(reading)}")

        held = {str(one.readlink()) for one in (place / "fd").iterdir()}
        assert f"socket:[{os.fstat(listening.fileno()).st_ino}]" not in held
        assert len(held) <= 4
        assert b"a-secret" not in (place / "environ").read_bytes()


async def test_an_idle_process_ends_and_the_next_index_starts_another() -> None:
    reading = DocumentReader(ReadingLine(idle_seconds=0.05))
    await reading.read(BIG, OURS)
    first = process_of(reading)

    for _ in range(200):
        if process_of(reading) is None:
            break
        await asyncio.sleep(0.01)
    assert process_of(reading) is None
    await reading.read(BIG, OURS)

    assert process_of(reading) not in {None, first}
    await reading.close()


async def test_a_process_that_died_is_replaced(reading: DocumentReader) -> None:
    await reading.read(BIG, OURS)
    assert reading._process is not None
    reading._process.kill()
    await reading._process.wait()

    assert len((await reading.read(BIG, OURS)).own().entries) == 150


def faulty_once(folder: Path, code: str) -> tuple[str, ...]:
    """Return the command of a process that runs *code* when it is started first; started again, it reads documents."""
    begun = folder / "begun"
    reads = "from shared.formats.worker import main; main()"
    once = f"from pathlib import Path; begun = Path({str(begun)!r}); first = not begun.exists(); begun.touch()"
    return sys.executable, "-c", f"{once}\nexec({code!r} if first else {reads!r})"


async def test_a_process_that_gets_no_processor_time_tells_nothing_about_the_document() -> None:
    sleeps = (sys.executable, "-c", "import time; time.sleep(60)")
    reading = DocumentReader(ReadingLine(seconds=0.3, command=sleeps))

    for _ in range(2):
        with pytest.raises(Overloaded, match="no processor time left"):
            await reading.read(BIG, OURS)
        assert process_of(reading) is None, "the next document gets another process"


CONSUMES = "import resource as r; r.setrlimit(r.RLIMIT_CPU, (1, -1))\nwhile True: pass"


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        pytest.param(CONSUMES, SourceTooLarge, "more than 10 s of processor time", id="its processor time is over"),
        pytest.param("import os; os.abort()", InvalidIndex, r"crashed over it \(SIGABRT\)", id="it crashes"),
        pytest.param(
            "import os; os.kill(os.getpid(), 9)", Overloaded, r"from outside \(SIGKILL\).*no memory", id="it is killed"
        ),
        pytest.param("import sys; sys.stdin.buffer.read(9)", Overloaded, r"\(exit code 0\)", id="it ends"),
        pytest.param("raise SystemExit(3)", Overloaded, r"\(exit code 3\)", id="it can't begin"),
    ],
)
async def test_what_ended_a_process_without_an_answer_tells_whose_fault_it_is(
    tmp_path: Path, code: str, kind: type[Exception], says: str
) -> None:
    reading = DocumentReader(ReadingLine(command=faulty_once(tmp_path, code)))

    with pytest.raises(kind, match=says):
        await reading.read(BIG, OURS)

    assert process_of(reading) is None
    assert len((await reading.read(BIG, OURS)).own().entries) == 150
    await reading.close()


async def test_the_process_ends_though_the_document_that_waited_for_it_is_given_up() -> None:
    reading = DocumentReader(ReadingLine(idle_seconds=0.05))
    await reading.read(BIG, OURS)
    async with reading._large.turn("another"):
        waiting = asyncio.create_task(reading.read(BIG, OURS))
        await asyncio.sleep(0)
        reading._idle()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    async with asyncio.timeout(5):
        while process_of(reading) is not None:  # noqa: ASYNC110 - a process has no event
            await asyncio.sleep(0.01)
    await reading.close()


async def test_an_idle_process_that_finds_no_memory_to_end_ends_later(monkeypatch: pytest.MonkeyPatch) -> None:
    reading = DocumentReader(ReadingLine(idle_seconds=0.05))

    def refuse(coroutine: Coroutine[Any, Any, None]) -> None:
        coroutine.close()
        raise MemoryError

    await reading.read(BIG, OURS)
    first = process_of(reading)
    with monkeypatch.context() as refusing:
        refusing.setattr(asyncio, "create_task", refuse)
        with pytest.raises(MemoryError):
            reading._idle()
    assert process_of(reading) == first

    async with asyncio.timeout(5):
        while process_of(reading) is not None:  # noqa: ASYNC110 - a process has no event
            await asyncio.sleep(0.01)
    await reading.close()


async def test_whoever_gives_up_leaves_no_answer_for_the_next(reading: DocumentReader) -> None:
    other = index(*(capability(number, summary="y" * 500) for number in range(150)))
    given_up = asyncio.create_task(reading.read(other, OURS))
    while process_of(reading) is None:  # noqa: ASYNC110 - a process has no event
        await asyncio.sleep(0.01)
    given_up.cancel()

    content = await reading.read(BIG, OURS)

    assert content.own() == read_index(BIG, REPO)
    assert given_up.cancelled()


async def test_an_index_that_comes_as_an_idle_process_ends_is_read_by_another(reading: DocumentReader) -> None:
    await reading.read(BIG, OURS)
    first = process_of(reading)

    reading._idle()
    content = await reading.read(BIG, OURS)

    assert len(content.own().entries) == 150
    assert process_of(reading) not in {None, first}


async def test_the_process_is_not_ended_while_the_next_document_waits_for_it(reading: DocumentReader) -> None:
    await reading.read(BIG, OURS)
    first = process_of(reading)
    async with reading._large.turn("another"):
        waiting = asyncio.create_task(reading.read(BIG, OURS))
        await asyncio.sleep(0)

    # The turn is given from here on, and the one that waits for it has not come to it.
    reading._idle()

    assert len((await waiting).own().entries) == 150
    assert process_of(reading) == first


@pytest.mark.parametrize("body", [index(), BIG], ids=["small", "large"])
async def test_documents_of_one_token_keep_no_other_waiting_for_all_of_them(
    reading: DocumentReader, body: bytes
) -> None:
    order: list[str] = []

    async def read(owner: str) -> None:
        await reading.read(body, OURS, owner=owner)
        order.append(owner)

    await asyncio.gather(*map(read, [*["many"] * 9, "one"]))

    assert order.index("one") <= 2


async def test_large_manifests_are_read_in_the_process(reading: DocumentReader) -> None:
    sources = [registration(repo=f"r-{n}", url=f"https://git.example.org/{n}/c.yaml") for n in range(900)]
    body = json.dumps({"version": 1, "sources": sources}).encode()
    assert len(body) > LARGE

    for manifest in (body, body.replace(b'"r-899"', b'"No"')):
        assert await reading.sift_manifest(manifest) == sift_manifest(manifest)
    assert process_of(reading) is not None


@pytest.mark.skipif(sys.platform != "linux", reason="asks for the limits of another process, which only Linux tells")
async def test_the_process_for_visitors_has_less_memory_and_gives_way() -> None:
    reading = DocumentReader(VISITORS)
    await reading.read(index(*(capability(number, summary="x" * 900) for number in range(10))), OURS)
    pid = process_of(reading)

    assert pid is not None
    assert resource.prlimit(pid, resource.RLIMIT_AS)[0] == VISITORS.memory < worker.MEMORY
    assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + VISITORS.niceness)
    await reading.close()


async def test_a_megabyte_for_visitors_is_refused_within_their_memory() -> None:
    reading = DocumentReader(VISITORS)
    # Each list takes a place of its own, to be told where it stands.
    lists = b"version: 1\ncapabilities: [{id: a, name: b, k: [" + b"[]," * 340_000 + b"[]]}]"

    for body in (lists, *(body[: 1024 * 1024] for body in HOSTILE.values())):
        with pytest.raises((DocumentFaulty, SourceTooLarge)) as refused:
            await reading.read(body, OURS)
        assert "memory" not in str(refused.value), body[:100]
    await reading.close()


async def test_closing_leaves_no_process() -> None:
    reading = DocumentReader()
    await reading.read(BIG, OURS)
    pid = process_of(reading)

    await reading.close()

    assert pid is not None
    assert not running(pid)


async def test_a_process_that_does_not_end_by_itself_is_ended() -> None:
    reading = DocumentReader(ReadingLine(idle_seconds=60))
    await reading.read(BIG, OURS)
    pid = process_of(reading)
    assert reading._process is not None
    reading._process.send_signal(19)

    reading._idle()
    await asyncio.gather(*reading._ending)

    assert pid is not None
    assert not running(pid)
    await reading.close()


DIES = """
import asyncio, os, sys
from shared.formats.reader import DocumentReader

async def main():
    reader = DocumentReader()
    await reader.read(sys.stdin.buffer.read())
    print(reader._process.pid, flush=True)
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="measures processes in /proc, which only Linux has")
async def test_the_process_ends_when_the_hub_is_killed() -> None:
    hub = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DIES, cwd=reader._ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await hub.communicate(BIG)

    for _ in range(500):
        if not running(int(printed)):
            break
        await asyncio.sleep(0.01)
    assert not running(int(printed))


def running(pid: int) -> bool:
    """Tell whether a process is there and more than a zombie that nobody waits for."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
async def test_nothing_takes_more_than_its_share(reading: DocumentReader, body: bytes) -> None:
    assert len(body) > LARGE

    with pytest.raises((DocumentFaulty, SourceTooLarge)):
        await reading.read(body, OURS)


# What the hub's own machine refuses is no fault of a document.


async def test_a_process_that_can_not_be_started_is_no_fault_of_the_document(
    reading: DocumentReader, no_free_files: Callable[[], AbstractContextManager[None]]
) -> None:
    with no_free_files(), pytest.raises(Overloaded, match="no open files left"):
        await reading.read(BIG, OURS)

    assert len((await reading.read(BIG, OURS)).own().entries) == 150


@pytest.mark.parametrize(
    "fault",
    [BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)), RuntimeError("can't start new thread")],
    ids=["itself", "the thread that waits for its end"],
)
async def test_nor_is_one_that_the_system_refuses(
    reading: DocumentReader, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr(asyncio, "create_subprocess_exec", refuse)

    with pytest.raises(Overloaded, match="no processes left"):
        await reading.read(BIG, OURS)


@pytest.mark.parametrize("body", [index(), BIG], ids=["in the thread", "in the process"])
async def test_nor_is_memory_that_the_hub_lacks(
    reading: DocumentReader, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(SourceFormat, "reading", fail)
    monkeypatch.setattr(worker, "reading_of", fail)
    with pytest.raises(Overloaded, match="no memory left"):
        await reading.read(body, OURS)
    monkeypatch.undo()

    assert (await reading.read(body, OURS)).own().entries


async def test_nor_is_memory_for_what_the_process_is_sent(
    reading: DocumentReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(reader, "_exchange", fail)

    with pytest.raises(Overloaded, match="no memory left"):
        await reading.read(BIG, OURS)

    assert process_of(reading) is None


async def test_nor_is_a_thread_that_is_refused(reading: DocumentReader, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(reading._thread, "submit", refuse)

    with pytest.raises(Overloaded, match="no threads left"):
        await reading.read(index(), OURS)
