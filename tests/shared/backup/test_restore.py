from __future__ import annotations

import asyncio
import errno
import io
import json
import os
import re
import tarfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from shared.backup.restore import SERIALS_APART, back_up, restore
from shared.clock import Clock
from shared.hub import open_hub
from shared.problems import StartError
from shared.storage.archive import FIRST, LAST
from shared.storage.files.directory import DataDirectory
from shared.version import VERSION
from tests.builders import START, WRITER, capability, index, problem, refresh, register, served, url_of

if TYPE_CHECKING:
    import contextlib

    import httpx
    import respx

    from shared.settings import Settings
    from tests.builders import Hands

ASKED = (
    "/v1/repos", "/v1/repos/state-hub", "/v1/repos/state-hub/history", "/v1/repos/gone/history", "/v1/federated",
    "/v1/federated?format=yaml", "/v1/capabilities",
)  # fmt: skip


async def everything(client: httpx.AsyncClient) -> dict[str, Any]:
    """Return all that a hub tells about what it keeps."""
    answers = {path: await client.get(path) for path in ASKED}
    return {path: (answer.status_code, answer.headers.get("etag"), answer.text) for path, answer in answers.items()}


def without_tags(told: dict[str, Any]) -> dict[str, Any]:
    """Return *told* without the tags that go with the serial."""
    return {path: (one[0], one[1] if path.startswith("/v1/repos") else None, one[2]) for path, one in told.items()}


def without_serial(told: dict[str, Any]) -> dict[str, Any]:
    """Return *told* without the serial, which is another one after a restore."""
    serial = json.loads(told["/v1/federated"][2])["serial"]

    def moved(text: str) -> str:
        return re.sub(rf'("serial": ?){serial}\b', r"\g<1>1", text)

    return {path: (status, etag, moved(text)) for path, (status, etag, text) in told.items()}


async def fill(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    """Make a hub know something of everything."""
    upstream.get(url_of("state-hub")).respond(content=index(capability(1), capability(2)), headers={"ETag": '"v1"'})
    upstream.get(url_of("rival")).respond(content=index(capability(1, name="Mine"), domain="other"))
    upstream.get(url_of("bad")).respond(500)
    for repo in ("state-hub", "rival", "bad", "gone", "new"):
        await register(client, repo, required=repo == "bad")
    for repo in ("state-hub", "rival", "bad"):
        await refresh(client, repo)
    await client.patch("/v1/repos/state-hub", json={"description": "ä “quoted”\n"}, headers=WRITER)
    await client.patch("/v1/repos/new", json={"enabled": False}, headers=WRITER)
    await client.delete("/v1/repos/gone", headers=WRITER)
    upstream.get(url_of("state-hub")).respond(500)
    await refresh(client, "state-hub")


async def take(settings: Settings, upstream: respx.MockRouter, hands: Hands) -> tuple[bytes, dict[str, Any]]:
    async with served(settings, hands) as client:
        await fill(client, upstream)
        told = await everything(client)
        answer = await client.get("/v1/backup", headers=WRITER)
        assert answer.status_code == 200, answer.text
        return answer.content, told


@pytest.fixture
def backup(settings: Settings, upstream: respx.MockRouter, hands: Hands) -> tuple[bytes, dict[str, Any]]:
    """A backup of a full hub, and what that hub told when it was taken."""
    return asyncio.run(take(settings, upstream, hands))


def repacked(backup: bytes, change: Any) -> bytes:
    """Return *backup* with its members changed by *change*, which gets and returns the list of (name, content)."""
    with tarfile.open(fileobj=io.BytesIO(backup)) as tar:
        found = [(one.name, (tar.extractfile(one) or io.BytesIO()).read()) for one in tar]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in change(found):
            about = tarfile.TarInfo(name)
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))
    return out.getvalue()


async def test_a_new_hub_on_a_restored_backup_tells_what_the_old_one_told(
    settings: Settings, hands: Hands, tmp_path: Path, backup: tuple[bytes, dict[str, Any]]
) -> None:
    content, told = backup

    restored = restore(io.BytesIO(content), tmp_path / "fresh")

    assert restored.registrations == 4
    assert restored.about["version"] == VERSION
    async with served(replace(settings, data_dir=tmp_path / "fresh"), hands) as client:
        assert without_serial(without_tags(await everything(client))) == without_serial(without_tags(told))


async def test_it_goes_on_from_there(
    settings: Settings, hands: Hands, tmp_path: Path, backup: tuple[bytes, dict[str, Any]], upstream: respx.MockRouter
) -> None:
    restore(io.BytesIO(backup[0]), tmp_path / "fresh")
    serial = json.loads(backup[1]["/v1/federated"][2])["serial"]

    async with served(replace(settings, data_dir=tmp_path / "fresh"), hands) as client:
        made = await register(client, "gone")
        upstream.get(url_of("state-hub")).respond(304)
        outcome = await refresh(client, "state-hub")
        asked = upstream.calls.last.request
        after = (await client.get("/v1/federated")).json()
        changes = [await client.get("/v1/federated/changes", params={"since": since}) for since in (serial, serial + 1)]

    assert made["revision"] == 3
    assert (outcome["outcome"], asked.headers["If-None-Match"]) == ("unchanged", '"v1"')
    assert after["serial"] > serial + SERIALS_APART
    for answer in changes:
        problem(answer, "serial-gone")


class Restores:
    """Hubs that go on from one backup."""

    def __init__(self, settings: Settings, hands: Hands, backup: bytes) -> None:
        self.settings = settings
        self.hands = hands
        self.backup = backup

    def restored(self, folder: Path) -> contextlib.AbstractAsyncContextManager[httpx.AsyncClient]:
        """Return the hub in *folder*, restored by now where it is not there."""
        if not folder.exists():
            restore(io.BytesIO(self.backup), folder, self.hands.clock())
        return served(replace(self.settings, data_dir=folder), self.hands)

    async def grown(self, folder: Path, repo: str) -> list[int]:
        """Let the hub in *folder* take in *repo*; return the serials before that and after it."""
        async with self.restored(folder) as client:
            before = (await client.get("/v1/federated")).json()
            await register(client, repo)
            await refresh(client, repo)
            return [before["serial"], (await client.get("/v1/federated")).json()["serial"]]


@pytest.fixture
def restores(
    settings: Settings, hands: Hands, backup: tuple[bytes, dict[str, Any]], upstream: respx.MockRouter
) -> Restores:
    for repo in ("one", "two"):
        upstream.get(url_of(repo)).respond(content=index(capability(9, name=repo)))
    return Restores(settings, hands, backup[0])


@pytest.mark.parametrize(
    "later", [0, 10, 7 * 86400, -3600], ids=["at once", "soon", "next week", "by a clock set back"]
)
async def test_a_copy_of_one_restore_is_gone_for_another_of_the_same_backup(
    restores: Restores, tmp_path: Path, later: float
) -> None:
    restores.hands.jump(365 * 86400)
    first = await restores.grown(tmp_path / "first", "one")
    restores.hands.jump(later)
    second = await restores.grown(tmp_path / "second", "two")

    async with restores.restored(tmp_path / "second") as client:
        asked = [await client.get("/v1/federated/changes", params={"since": serial}) for serial in first]
        own = await client.get("/v1/federated/changes", params={"since": second[0]})

    for answer in asked:
        problem(answer, "serial-gone")
    assert own.json()["capabilities"]["upserted"][0]["source_repo"] == "two"
    assert max(first + second) < 2**53


async def test_a_tag_that_one_restore_gave_holds_for_no_change_that_another_made(
    restores: Restores, tmp_path: Path
) -> None:
    tags = []
    for name in ("first", "second"):
        async with restores.restored(tmp_path / name) as client:
            body = {"description": f"of the {name} restore"}
            made = await client.patch("/v1/repos/new", json=body, headers=WRITER)
            tags.append(made.headers["etag"])
            conditions = [{**WRITER, "If-Match": tag} for tag in (tags[0], f'"{made.json()["revision"]}"')]
            foreign = conditions[name == "first" :]
            answers = [await client.delete("/v1/repos/new", headers=headers) for headers in foreign]
            kept = (await client.get("/v1/repos/new")).json()

        for answer in answers:
            told = problem(answer, "precondition-failed")
            assert told["detail"].endswith("send the ETag of that answer; a revision alone is none.")
        assert kept["description"] == f"of the {name} restore"

    assert len(set(tags)) == 2


@pytest.mark.parametrize("years", [-30, 0, 100, 7000], ids=["long before", "now", "a century", "the year 9026"])
async def test_serials_go_forward_and_stay_exact_by_any_clock_restore_by_restore(
    tmp_path: Path, backup: tuple[bytes, dict[str, Any]], years: int
) -> None:
    content, clock = backup[0], Clock(lambda: START.replace(year=START.year + years))
    serials = [json.loads(backup[1]["/v1/federated"][2])["serial"]]

    for number in range(4):
        folder = tmp_path / str(number)
        restore(io.BytesIO(content), folder, clock)
        serials.append(json.loads((folder / "federated.json").read_bytes())["serial"])
        content = back_up(folder)

    assert all(later >= former + SERIALS_APART for former, later in pairwise(serials))
    assert serials[-1] < 2**53
    assert restored_again(backup[0], tmp_path / "a", clock) != restored_again(backup[0], tmp_path / "b", clock)


def restored_again(backup: bytes, folder: Path, clock: Clock) -> int:
    """Return the serial with which *backup* goes on by *clock*."""
    restore(io.BytesIO(backup), folder, clock)
    return int(json.loads((folder / "federated.json").read_bytes())["serial"])


def test_an_empty_folder_may_hold_what_a_new_volume_does(tmp_path: Path, backup: tuple[bytes, dict[str, Any]]) -> None:
    (tmp_path / "fresh" / "lost+found").mkdir(parents=True)

    restore(io.BytesIO(backup[0]), tmp_path / "fresh")

    names = {path.name for path in (tmp_path / "fresh").iterdir()}
    assert names >= {"registrations.json", "history.jsonl", "sources.json", "federated.json", "content"}
    assert not [name for name in names if name.startswith(".")]


def test_what_is_there_is_never_overwritten(tmp_path: Path, backup: tuple[bytes, dict[str, Any]]) -> None:
    (tmp_path / "fresh").mkdir()
    (tmp_path / "fresh" / "registrations.json").write_bytes(b"{}")

    with pytest.raises(StartError, match=r"not empty: it holds registrations\.json"):
        restore(io.BytesIO(backup[0]), tmp_path / "fresh")

    assert (tmp_path / "fresh" / "registrations.json").read_bytes() == b"{}"


def test_a_folder_that_a_hub_holds_is_left_alone(tmp_path: Path, backup: tuple[bytes, dict[str, Any]]) -> None:
    held = DataDirectory(tmp_path / "fresh")
    try:
        with pytest.raises(StartError, match="Another process holds"):
            restore(io.BytesIO(backup[0]), tmp_path / "fresh")
    finally:
        held.close()


def without(name: str) -> Any:
    return lambda members: [one for one in members if one[0] != name]


def changed(name: str, content: bytes) -> Any:
    return lambda members: [(one, content if one == name else was) for one, was in members]


def about(**changes: Any) -> Any:
    return lambda members: [
        (one, json.dumps(json.loads(was) | changes).encode() if one == FIRST else was) for one, was in members
    ]


BAD = {
    "without its end": (without(LAST), "cut off"),
    "without its beginning": (without(FIRST), "no backup of a hub"),
    "without a file": (without("history.jsonl"), r"history\.jsonl is not what was backed up"),
    "with another file": (lambda members: [*members[:-1], ("more.json", b""), members[-1]], "more.json is not what"),
    "with a changed file": (changed("registrations.json", b"{}"), r"registrations\.json is not what"),
    "of another program": (about(kind="another"), "no backup of a hub"),
    "of a newer format": (about(format=2, version="9.1.0"), r"made by 9\.1\.0 in format 2"),
    "of another count": (about(registrations=5), "5 registrations became 4"),
    "with a path that leads out": (lambda members: [members[0], ("../x", b"")], "which no backup of a hub does"),
    "with an absolute path": (lambda members: [members[0], ("/etc/x", b"")], "which no backup of a hub does"),
    "with no JSON": (changed(FIRST, b"{"), "damaged"),
    "with nothing": (lambda _: [], "no backup of a hub"),
    "with a file twice": (lambda members: [*members[:2], *members[1:]], "twice, which no backup of a hub does"),
    "with a file in a file": (lambda members: [*members[:2], (f"{members[1][0]}/x", b"")], "damaged"),
    "with a folder in place of a file": (lambda members: [members[0], ("a/b", b""), ("a", b"")], "can't be written"),
    "with a name that no volume takes": (lambda members: [members[0], ("a" * 300, b"")], "can't be written"),
    "with sums that are none": (changed(LAST, b"[]"), r"checksums\.json holds no sums"),
    "with a sum that is none": (changed(LAST, b'{"history.jsonl": 1e308}'), "is not what was backed up"),
    "with nested JSON": (changed(LAST, b"[" * 100_000), "damaged"),
    "of no format": (about(format=None), r"damaged: _About\.format"),
    "of a format of text": (about(format="1"), r"damaged: _About\.format"),
    "of registrations that are none": (about(registrations=None), r"damaged: _About\.registrations"),
    "that is a list": (changed(FIRST, b"[1]"), "no backup of a hub"),
}


@pytest.mark.parametrize(("change", "said"), BAD.values(), ids=BAD)
def test_what_is_no_whole_backup_is_refused_and_leaves_an_empty_folder(
    tmp_path: Path, backup: tuple[bytes, dict[str, Any]], change: Any, said: str
) -> None:
    with pytest.raises(StartError, match=said):
        restore(io.BytesIO(repacked(backup[0], change)), tmp_path / "fresh")

    assert {path.name for path in (tmp_path / "fresh").iterdir()} <= {"hub.lock"}
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("length", [0, 100, 700, 3000, -1600])
def test_a_backup_that_was_cut_off_is_refused(
    tmp_path: Path, backup: tuple[bytes, dict[str, Any]], length: int
) -> None:
    with pytest.raises(StartError, match=r"cut off|damaged|no backup"):
        restore(io.BytesIO(backup[0][:length]), tmp_path / "fresh")

    assert {path.name for path in (tmp_path / "fresh").iterdir()} <= {"hub.lock"}


def test_a_link_in_a_backup_is_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        link = tarfile.TarInfo(FIRST)
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)

    with pytest.raises(StartError, match="which no backup of a hub does"):
        restore(io.BytesIO(out.getvalue()), tmp_path / "fresh")


def crafted(header: bytes, times: int = 1) -> bytes:
    """Return a tar that begins with *header*, so many times."""
    return header * times + b"\0" * 1024


def header(name: str = FIRST, **changes: Any) -> bytes:
    """Return the header of a member as a tar has it."""
    member = tarfile.TarInfo(name)
    for attribute, value in changes.items():
        setattr(member, attribute, value)
    return member.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    "content",
    [
        crafted(header(size=-5)),
        crafted(header(size=1 << 40)),
        crafted(header(type=tarfile.GNUTYPE_SPARSE, size=512)),
        crafted(header(type=tarfile.XHDTYPE, size=0), 2000),
        crafted(header(type=tarfile.XHDTYPE, size=512) + b"99999999999999999999 a=b\n".ljust(512, b"\0")),
        crafted(header(type=tarfile.XHDTYPE, size=512) + b"25 GNU.sparse.map=0,9,a,b\n".ljust(512, b"\0"), 2),
        crafted(header(type=tarfile.GNUTYPE_LONGNAME, size=512) + b"\xff" * 512 + header()),
        crafted(header(type=tarfile.CHRTYPE)),
        crafted(header(name="a/../b")),
    ],
    ids=["negative", "a terabyte", "sparse", "many heads", "a long number", "a map", "no text", "a device", "up"],
)
def test_a_crafted_tar_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(StartError, match=r"^(The backup is damaged: |The backup holds |This is no backup of a hub)"):
        restore(io.BytesIO(content), tmp_path / "fresh")

    assert {path.name for path in (tmp_path / "fresh").iterdir()} <= {"hub.lock"}


def test_a_volume_that_refuses_in_the_end_is_told(
    tmp_path: Path, backup: tuple[bytes, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(Path, "rename", refuse)
        with pytest.raises(StartError, match=r"did not end: No space left on device\. Empty the folder"):
            restore(io.BytesIO(backup[0]), tmp_path / "fresh")


def test_a_full_volume_is_told_and_no_hub_starts_on_the_half(
    tmp_path: Path, backup: tuple[bytes, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(28, "")

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", fail)
        with pytest.raises(StartError, match="can't be written"):
            restore(io.BytesIO(backup[0]), tmp_path / "fresh")

    assert {path.name for path in (tmp_path / "fresh").iterdir()} <= {"hub.lock"}


@pytest.mark.parametrize("call", ["mkdir", "unlink"])
def test_what_the_volume_refuses_is_not_blamed_on_the_backup(
    tmp_path: Path, backup: tuple[bytes, dict[str, Any]], monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    (tmp_path / "fresh").mkdir()
    real = getattr(os, call)

    def fail(path: Path, *rest: Any, **named: Any) -> None:
        # The folder of what is unpacked can be made and removed, those within it can't.
        if named.get("dir_fd") is None and ".restoring-" in str(Path(path).parent):
            raise OSError(errno.EDQUOT, "Disk quota exceeded")
        real(path, *rest, **named)

    with monkeypatch.context() as full:
        full.setattr(os, call, fail)
        with pytest.raises(StartError, match=r"^The backup can't be written to .*fresh: Disk quota exceeded\.$"):
            restore(io.BytesIO(backup[0]), tmp_path / "fresh")

    assert {path.name for path in (tmp_path / "fresh").iterdir()} <= {"hub.lock"}


def test_a_volume_without_room_for_a_folder_is_told(
    tmp_path: Path, backup: tuple[bytes, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fresh").mkdir()

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "mkdir", fail)
        with pytest.raises(StartError, match=r"can't be written to .*fresh: No space left on device\.$"):
            restore(io.BytesIO(backup[0]), tmp_path / "fresh")


def test_a_half_restore_that_the_volume_does_not_let_go_keeps_its_reason_and_stops_the_start(
    settings: Settings, tmp_path: Path, backup: tuple[bytes, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "rmdir", fail)
        with pytest.raises(StartError, match="The backup is damaged: unexpected end of data"):
            restore(io.BytesIO(backup[0][:10240]), tmp_path / "fresh")

    with pytest.raises(StartError, match="did not end"):
        open_hub(replace(settings, data_dir=tmp_path / "fresh"))


async def test_a_restore_that_was_killed_half_way_stops_the_start(
    settings: Settings, tmp_path: Path, backup: tuple[bytes, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.rename

    def killed(path: Path, target: Path) -> Path:
        if path.name == "registrations.json":
            raise KeyboardInterrupt
        return real(path, target)

    with monkeypatch.context() as dying:
        dying.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            restore(io.BytesIO(backup[0]), tmp_path / "fresh")

    with pytest.raises(StartError, match="did not end"):
        async with served(replace(settings, data_dir=tmp_path / "fresh")):
            pass


async def test_a_stopped_hub_is_backed_up_and_comes_back(settings: Settings, tmp_path: Path) -> None:
    async with served(settings) as client:
        made = await register(client)

    restored = restore(io.BytesIO(back_up(settings.data_dir)), tmp_path / "fresh")

    assert restored.registrations == 1
    async with served(replace(settings, data_dir=tmp_path / "fresh")) as client:
        again = (await client.get("/v1/repos/state-hub")).json()
    async with served(settings) as client:
        still = (await client.get("/v1/repos/state-hub")).json()
    for one in (made, again, still):
        one.pop("source", None)  # its next check is planned anew by each start
    assert made == again == still


async def test_a_stopped_hub_that_lost_the_file_of_its_serial_comes_back(settings: Settings, tmp_path: Path) -> None:
    async with served(settings) as client:
        await register(client)
    (settings.data_dir / "federated.json").unlink()

    backup = back_up(settings.data_dir)
    restored = restore(io.BytesIO(backup), tmp_path / "fresh")

    assert (restored.about["serial"], restored.registrations) == (0, 1)
    async with served(replace(settings, data_dir=tmp_path / "fresh")) as client:
        document = (await client.get("/v1/federated")).json()
    assert [source["repo"] for source in document["sources"]] == ["state-hub"]
    assert document["serial"] > SERIALS_APART


async def test_a_hub_that_runs_is_asked_and_not_looked_into(settings: Settings) -> None:
    async with served(settings) as client:
        await register(client)
        with pytest.raises(StartError, match="Another process holds"):
            back_up(settings.data_dir)


def test_a_folder_without_a_hub_is_told_and_left_alone(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="holds nothing of a hub"):
        back_up(tmp_path / "nowhere")

    assert not (tmp_path / "nowhere").exists()
