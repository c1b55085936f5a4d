"""The process that reads large indexes: limited in time and memory, so that no document can take the hub down.

It is started with pipes as its input and output and ends when its input does, so it never outlives the hub for long.
A request is the lengths of its three parts and the parts: the name of the repo, the URL, the document. An answer is
its length, a line of JSON, and after it one line for each entry. Nothing of it is unpickled or executed.
"""

from __future__ import annotations

import contextlib
import resource
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import orjson

from shared.index import Content, Fault, IndexFaulty, read_index
from shared.index.content import Entry
from shared.problems import PROBLEMS, SourceProblem, SourceTooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator

CPU_SECONDS = 10
MEMORY = 768 * 1024 * 1024
LENGTHS = struct.Struct(">III")
LENGTH = struct.Struct(">I")
_ID = len(b'{"id":"')


def main() -> None:
    """Answer requests until there are no more."""
    _limit()
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    for repo, url, body in _requests(requests):
        used = resource.getrusage(resource.RUSAGE_SELF)
        seconds = int(used.ru_utime + used.ru_stime) + CPU_SECONDS + 1
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
        answers.write(b"".join(_framed(answer(body, repo, url))))
        answers.flush()


def _limit() -> None:
    """Let this process take little memory, and write no file and no core."""
    limits = {resource.RLIMIT_AS: MEMORY, resource.RLIMIT_FSIZE: 0, resource.RLIMIT_CORE: 0}
    for what, most in limits.items():
        resource.setrlimit(what, (most, most))
    with contextlib.suppress(OSError):  # where the system knows it: when memory ends, this goes before the hub does
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def request(body: bytes, repo: str, url: str) -> Iterator[bytes]:
    """Yield the parts of a request."""
    parts = repo.encode(), url.encode(), body
    yield LENGTHS.pack(*map(len, parts))
    yield from parts


def _requests(stream: BinaryIO) -> Iterator[tuple[str, str, bytes]]:
    while lengths := stream.read(LENGTHS.size):
        repo, url, body = (stream.read(length) for length in LENGTHS.unpack(lengths))
        yield repo.decode(), url.decode(), body


def _framed(lines: list[bytes]) -> Iterator[bytes]:
    whole = b"\n".join(lines)
    yield LENGTH.pack(len(whole))
    yield whole


def answer(body: bytes, repo: str, url: str) -> list[bytes]:
    """Return the lines that say what reading came to."""
    try:
        content = read_index(body, repo, url)
    except IndexFaulty as fault:
        return [orjson.dumps({"faults": [tuple(one) for one in fault.faults]})]
    except SourceProblem as problem:
        return [orjson.dumps({"problem": problem.slug, "detail": problem.detail})]
    except MemoryError:
        return [orjson.dumps({"problem": SourceTooLarge.slug, "detail": "Reading the index takes too much memory."})]
    head = {"digest": content.digest, "domain": content.domain, "base_url": content.base_url}
    return [orjson.dumps(head), *(entry.json for entry in content.entries)]


def said(answered: bytes) -> Content:
    """Return the content that an answer holds, or raise what it says was wrong."""
    first, *lines = answered.split(b"\n")
    head = orjson.loads(first)
    if "faults" in head:
        raise IndexFaulty([Fault(*fault) for fault in head["faults"]])
    if "problem" in head:
        kind = PROBLEMS[head["problem"]]
        raise kind(head["detail"])
    return Content(**head, entries=tuple(Entry(line[_ID : line.index(b'"', _ID)].decode(), line) for line in lines))
