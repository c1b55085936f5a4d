"""The process that reads large indexes: limited in time and memory, so that no document can take the hub down.

It is started with pipes as its input and output and ends when its input does, so it never outlives the hub for long.
A request is the lengths of its two parts and the parts: what is to be read and whose it is, in JSON, and the document.
An answer is its length, a line of JSON, and after it one line for each entry. Nothing of it is unpickled or executed.
"""

from __future__ import annotations

import contextlib
import os
import resource
import struct
import sys
import traceback
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import orjson

from shared.formats import FORMATS, UNKNOWN, Publisher, Reading, Relayed
from shared.formats.documents import DocumentFaulty, Fault
from shared.formats.manifest import SiftedManifest, sift_manifest
from shared.model.capability import Entry
from shared.model.content import Content
from shared.problems import PROBLEMS, InvalidIndex, SourceProblem, SourceTooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator

CPU_SECONDS = 10
MEMORY = 768 * 1024 * 1024
HEAD = struct.Struct(">II")
LENGTH = struct.Struct(">I")
MANIFEST = "manifest"
"""What a request names for a federation manifest; for the document of a source it names its format."""



def main() -> None:
    """Answer requests until there are no more; the arguments are the bytes of memory to take and the niceness."""
    memory, niceness = map(int, sys.argv[1:])
    _limit(memory)
    os.nice(niceness)
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    for body, kind, publisher in _requests(requests):
        _allow_seconds()
        answers.write(b"".join(_framed(answer(body, kind, publisher))))
        answers.flush()


def _limit(memory: int) -> None:
    """Let this process take little memory, and write no file and no core."""
    # The address space, because Linux bounds no resident set (man 2 setrlimit).
    limits = {resource.RLIMIT_AS: memory, resource.RLIMIT_FSIZE: 0, resource.RLIMIT_CORE: 0}
    for what, most in limits.items():
        within = _within(most, resource.getrlimit(what)[1])
        resource.setrlimit(what, (within, within))
    with contextlib.suppress(OSError):  # where the system knows it: when memory ends, this goes before the hub does
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _allow_seconds() -> None:
    """Let this process take CPU_SECONDS more of the processor, or one more, because the system counts whole seconds."""
    # The limit counts all that the process ever used, so it is raised for each document; beyond it SIGXCPU comes.
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + CPU_SECONDS + 1
    most = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (_within(seconds, most), most))


def _within(limit: int, most: int) -> int:
    """Return *limit*, or *most* where the hub itself was started with less: no process may raise that."""
    return limit if most == resource.RLIM_INFINITY else min(limit, most)


def request(body: bytes, kind: str, publisher: Publisher = UNKNOWN) -> Iterator[bytes]:
    """Yield the parts of a request to read *body*; *kind* is the name of its format, or MANIFEST."""
    about = orjson.dumps([kind, *publisher])
    yield HEAD.pack(len(about), len(body))
    yield about
    yield body


def _requests(stream: BinaryIO) -> Iterator[tuple[bytes, str, Publisher]]:
    while head := stream.read(HEAD.size):
        about, body = (stream.read(length) for length in HEAD.unpack(head))
        kind, *publisher = orjson.loads(about)
        yield body, kind, Publisher(*publisher)


def _framed(lines: list[bytes]) -> Iterator[bytes]:
    whole = b"\n".join(lines)
    yield LENGTH.pack(len(whole))
    yield whole


def answer(body: bytes, kind: str, publisher: Publisher = UNKNOWN) -> list[bytes]:
    """Read *body*, of the format called *kind* or a MANIFEST, and return the lines of the answer; raise nothing."""
    try:
        if kind == MANIFEST:
            whole, faults, *entries = sift_manifest(body)
            return [orjson.dumps({"sifted": [whole, [tuple(row) for row in faults], *entries]})]
        return _lines(FORMATS[kind].reading(body, publisher))
    except DocumentFaulty as fault:
        return [orjson.dumps({"faults": [tuple(row) for row in fault.faults]})]
    except SourceProblem as problem:
        return _problem(type(problem), problem.detail)
    except MemoryError:
        return _problem(SourceTooLarge, "Reading the document takes too much memory.")
    except Exception:  # noqa: BLE001 - printed, which the hub logs; the documents that come next are read
        traceback.print_exc()
        return _problem(InvalidIndex, "The document could not be read; the log of the hub says why.")


def _problem(kind: type[SourceProblem], detail: str) -> list[bytes]:
    return [orjson.dumps({"problem": kind.slug, "detail": detail})]


def _lines(reading: Reading) -> list[bytes]:
    """Return *reading* as lines: the first is all but the entries, of whose contents it has the heads and counts."""
    contents = [reading.content, *(relayed.content for relayed in reading.relayed)]
    head = {
        "contents": [content and [content.digest, content.domain, content.base_url, len(content.entries)]
                     for content in contents],
        "relayed": [relayed[:-1] for relayed in reading.relayed],
        "skipped": [tuple(fault) for fault in reading.skipped],
    }  # fmt: skip
    return [orjson.dumps(head), *(entry.json for content in contents if content for entry in content.entries)]


def reading_of(answered: bytes) -> Reading | SiftedManifest:
    """Return the Reading or SiftedManifest that the bytes *answered* hold, or raise the problem that they name."""
    first, *lines = answered.split(b"\n")
    head = orjson.loads(first)
    if "sifted" in head:
        whole, faults, sources, refused = head["sifted"]
        return SiftedManifest(whole, [Fault(*fault) for fault in faults], sources, refused)
    if "faults" in head:
        raise DocumentFaulty([Fault(*fault) for fault in head["faults"]])
    if "problem" in head:
        kind = PROBLEMS[head["problem"]]
        raise kind(head["detail"])
    entries = map(Entry.encoded, lines)
    own, *others = (_content(entries, *facts) if facts else None for facts in head["contents"])
    relayed = (Relayed._make([*facts, content]) for facts, content in zip(head["relayed"], others, strict=True))
    return Reading(own, tuple(relayed), tuple(Fault(*fault) for fault in head["skipped"]))


def _content(entries: Iterator[Entry], digest: str, domain: str | None, base_url: str | None, count: int) -> Content:
    """Return the content to which the next *count* of *entries* belong."""
    return Content(digest, domain, base_url, tuple(islice(entries, count)))
