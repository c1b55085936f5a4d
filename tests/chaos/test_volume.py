"""A volume that is full or read-only, and files that were cut."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import registration
from tests.processes import Answer, Server, launch, running, wait_until_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UNSHARE = ["unshare", "-m"] if os.getuid() == 0 else ["unshare", "-r", "-m"]


def register(server: Server, number: int) -> Answer:
    """Register one more repo, with much to say."""
    name = f"repo-{number}"
    body = registration(repo=name, url=f"https://git.example.org/{name}", description="d" * 1000)
    return server.ask("POST", "/v1/repos", body)


def told(server: Server) -> list[dict[str, Any]]:
    """Return all registrations, each with its history; what is known of their sources is of each start."""
    rows = [*server.registrations().values()]
    for row in rows:
        del row["source"]
        row["history"] = server.ask("GET", f"/v1/repos/{row['repo']}/history").json()["history"]
    return rows


def fill(server: Server) -> tuple[int, Answer]:
    """Register until it is refused; return how many there are, and the refusal."""
    for number in range(2000):
        answer = register(server, number)
        if answer.status != 201:
            return number, answer
    raise AssertionError("the volume is not bounded")


class Volume:
    """A small file system of its own, in a mount namespace that a process holds."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        script = f"mount -t tmpfs -o size=512k none {folder} && echo up && exec sleep 600"
        command = [*UNSHARE, "sh", "-c", script]
        self.holder = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self.holder.stdout is not None
        self.mounted = self.holder.stdout.readline() == b"up\n"

    @property
    def within(self) -> list[str]:
        """What a command has to be started by."""
        keep = [] if os.getuid() == 0 else ["-U", "--preserve-credentials"]
        return ["nsenter", "-t", str(self.holder.pid), "-m", *keep, f"--wd={Path.cwd()}"]

    def cover(self) -> None:
        """Make it read-only: what has a file open for writing, the lock, forbids to do so in its own place."""
        folder = str(self.folder)
        subprocess.run([*self.within, "mount", "--bind", folder, folder], check=True)
        subprocess.run([*self.within, "mount", "-o", "remount,bind,ro", folder], check=True)

    def uncover(self) -> None:
        """Make it writable again."""
        subprocess.run([*self.within, "umount", str(self.folder)], check=True)

    def close(self) -> None:
        """Let go of it."""
        self.holder.kill()
        self.holder.communicate()


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Volume]:
    """A file system of 512 kB."""
    made = Volume(tmp_path / "small")
    with contextlib.closing(made):
        if not made.mounted:
            pytest.skip("this machine lets nobody mount; test_a_limit_on_files does the same without")
        yield made


def test_a_full_disk_refuses_writes_and_loses_nothing(volume: Volume, tell: Callable[..., None]) -> None:
    with running(volume.folder, within=volume.within) as server:
        count, refusal = fill(server)
        assert (refusal.status, refusal.json()["type"].rpartition("/")[2]) == (507, "storage-unavailable")
        before = told(server)
        assert count > 20
        assert server.ask("PATCH", "/v1/repos/repo-0", {"required": True}).status == 507
        assert told(server) == before
        # It starts on the full disk, too.
    with running(volume.folder, within=volume.within) as server:
        assert told(server) == before
        assert server.ask("DELETE", "/v1/repos/repo-1").status in {204, 507}
    tell(registrations=count, losses=0)


def test_a_read_only_volume_refuses_writes_until_it_is_writable_again(
    volume: Volume, tell: Callable[..., None]
) -> None:
    with running(volume.folder, within=volume.within) as server:
        assert register(server, 1).status == 201
        before = told(server)
        volume.cover()
        for method, path in (("PATCH", "/v1/repos/repo-1"), ("DELETE", "/v1/repos/repo-1")):
            body = {"required": True} if method == "PATCH" else None
            answer = server.ask(method, path, body)
            assert (answer.status, answer.json()["type"].rpartition("/")[2]) == (503, "storage-unavailable")
        assert told(server) == before
        volume.uncover()
        assert register(server, 2).status == 201
    with running(volume.folder, within=volume.within) as server:
        assert server.ask("GET", "/v1/repos").json()["total"] == 2
    tell(losses=0)


def test_a_limit_on_files_refuses_writes_and_loses_nothing(tmp_path: Path) -> None:
    limit = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (60000, 60000)); "
    bounded = [sys.executable, "-c", limit + "os.execv(sys.argv[1], sys.argv[1:])"]
    with running(tmp_path, within=bounded) as server:
        count, refusal = fill(server)
        assert refusal.status == 507
        before = told(server)
    with running(tmp_path) as server:
        assert told(server) == before
        assert register(server, 9999).status == 201
    assert count > 20


@pytest.mark.timeout(1200)
def test_a_file_that_was_cut_or_changed_never_starts_a_hub_that_lost_something(
    tmp_path: Path, much: Callable[[int, int], int], tell: Callable[..., None]
) -> None:
    good, rounds = tmp_path / "good", much(4, 80)
    with running(good) as server:
        for number in range(12):
            register(server, number)
        wanted = told(server)
    chance, refusals = random.Random(3), 0  # noqa: S311 - the same places in every run
    for number in range(rounds):
        data = tmp_path / f"r{number}"
        shutil.copytree(good, data)
        victim = data / chance.choice(["registrations.json", "registrations.json", "history.jsonl"])
        content = victim.read_bytes()
        place = chance.randrange(len(content))
        spoilt = content[:place] if number % 2 else content[:place] + b"\x00" + content[place + 1 :]
        victim.write_bytes(spoilt)
        refusals += starts_whole_or_not_at_all(data, victim, spoilt, wanted)
    assert refusals > rounds / 3
    tell(rounds=rounds, refused=refusals, losses=0)


def whole(found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> bool:
    """Tell whether nothing is missing but lines at the end of the history, of which a crash may tear one.

    A history that was cut by someone looks like one that a crash tore: it is shorter, and never says anything else.
    """
    histories = [(one.pop("history"), other["history"]) for one, other in zip(found, wanted, strict=True)]
    registrations = [{name: value for name, value in other.items() if name != "history"} for other in wanted]
    return found == registrations and all(one in (other, other[1:]) for one, other in histories)


def starts_whole_or_not_at_all(data: Path, victim: Path, spoilt: bytes, wanted: list[dict[str, Any]]) -> bool:
    """Start on damaged data and tell whether the start was refused; where it was not, nothing may be missing."""
    server = launch(data)
    try:
        wait_until_up(server)
    except AssertionError:
        assert "left untouched" in server.said()
        assert victim.read_bytes() == spoilt
        return True
    else:
        assert whole(told(server), wanted)
        return False
    finally:
        server.process.kill()
        server.process.wait()
        server.log.close()
