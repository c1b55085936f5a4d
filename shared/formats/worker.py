"""The process that reads large indexes: limited in time and memory, so that no document can take the hub down.

It is started with pipes as its input and output and ends when its input does, so it never outlives the hub for long.
A request is what kind of document it holds, the lengths of its three parts and the parts: the name of the repo, the
URL, the document. An answer is its length, a line of JSON, and after it one line for each entry. Nothing of it is
unpickled or executed.
"""

from __future__ import annotations

import contextlib
import os
import resource
import struct
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import orjson

from shared.formats.capability_index import read_index
from shared.formats.documents import Fault, IndexFaulty
from shared.formats.manifest import Sifted, sift_manifest
from shared.model.content import Content, Entry
from shared.problems import PROBLEMS, InvalidIndex, SourceProblem, SourceTooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator

CPU_SECONDS = 10
MEMORY = 768 * 1024 * 1024
HEAD = struct.Struct(">?III")
LENGTH = struct.Struct(">I")
_ID = len(b'{"id":"')


def main() -> None:
    """Answer requests until there are no more; the arguments are the bytes of memory to take and the niceness."""
    memory, niceness = map(int, sys.argv[1:])
    _limit(memory)
    os.nice(niceness)
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    for manifest, repo, url, body in _requests(requests):
        _allow_seconds()
        answers.write(b"".join(_framed(answer(body, repo, url, manifest=manifest))))
        answers.flush()


def _limit(memory: int) -> None:
    """Let this process take little memory, and write no file and no core."""
    limits = {resource.RLIMIT_AS: memory, resource.RLIMIT_FSIZE: 0, resource.RLIMIT_CORE: 0}
    for what, most in limits.items():
        within = _within(most, resource.getrlimit(what)[1])
        resource.setrlimit(what, (within, within))
    with contextlib.suppress(OSError):  # where the system knows it: when memory ends, this goes before the hub does
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _allow_seconds() -> None:
    """Let this process take CPU_SECONDS more of the processor, or one more, because the system counts whole seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + CPU_SECONDS + 1
    most = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (_within(seconds, most), most))


def _within(wanted: int, most: int) -> int:
    """Return *wanted*, or *most* where the hub itself was started with less: no process may raise that."""
    return wanted if most == resource.RLIM_INFINITY else min(wanted, most)


def request(body: bytes, repo: str, url: str, *, manifest: bool = False) -> Iterator[bytes]:
    """Yield the parts of a request to read an index, or a *manifest*."""
    parts = repo.encode(), url.encode(), body
    yield HEAD.pack(manifest, *map(len, parts))
    yield from parts


def _requests(stream: BinaryIO) -> Iterator[tuple[bool, str, str, bytes]]:
    while head := stream.read(HEAD.size):
        manifest, *lengths = HEAD.unpack(head)
        repo, url, body = (stream.read(length) for length in lengths)
        yield manifest, repo.decode(), url.decode(), body


def _framed(lines: list[bytes]) -> Iterator[bytes]:
    whole = b"\n".join(lines)
    yield LENGTH.pack(len(whole))
    yield whole


def answer(body: bytes, repo: str, url: str, *, manifest: bool = False) -> list[bytes]:
    """Return the lines that say what reading an index, or a *manifest*, came to."""
    try:
        if manifest:
            whole, faults, *entries = sift_manifest(body)
            return [orjson.dumps({"sifted": [whole, [tuple(one) for one in faults], *entries]})]
        content = read_index(body, repo, url)
    except IndexFaulty as fault:
        return [orjson.dumps({"faults": [tuple(one) for one in fault.faults]})]
    except SourceProblem as problem:
        return _problem(type(problem), problem.detail)
    except MemoryError:
        return _problem(SourceTooLarge, "Reading the document takes too much memory.")
    except Exception:  # noqa: BLE001 - printed, which the hub logs; the documents that come next are read
        traceback.print_exc()
        return _problem(InvalidIndex, "The document could not be read; the log of the hub says why.")
    head = {"digest": content.digest, "domain": content.domain, "base_url": content.base_url}
    return [orjson.dumps(head), *(entry.json for entry in content.entries)]


def _problem(kind: type[SourceProblem], detail: str) -> list[bytes]:
    return [orjson.dumps({"problem": kind.slug, "detail": detail})]


def said(answered: bytes) -> Content | Sifted:
    """Return the content, or what is in order in a manifest, that an answer holds, or raise what it says was wrong."""
    first, *lines = answered.split(b"\n")
    head = orjson.loads(first)
    if "sifted" in head:
        whole, faults, sources, refused = head["sifted"]
        return Sifted(whole, [Fault(*fault) for fault in faults], sources, refused)
    if "faults" in head:
        raise IndexFaulty([Fault(*fault) for fault in head["faults"]])
    if "problem" in head:
        kind = PROBLEMS[head["problem"]]
        raise kind(head["detail"])
    return Content(**head, entries=tuple(Entry(line[_ID : line.index(b'"', _ID)].decode(), line) for line in lines))
