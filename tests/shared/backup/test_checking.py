from __future__ import annotations

import hashlib
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from shared.backup.restore import restore
from shared.problems import StartError
from shared.storage.archive import FIRST, LAST
from tests.builders import WRITER, capability, index, refresh, register, served, url_of
from tests.shared.backup.test_restore import repacked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import respx

    from shared.settings import Settings

    Change = Callable[[dict[str, Any]], object]


@pytest.fixture
async def backup(settings: Settings, upstream: respx.MockRouter) -> bytes:
    """A backup of a hub with a source that serves three capabilities, holds one, and failed last."""
    source = upstream.get(url_of("state-hub")).respond(content=index(*map(capability, range(3))))
    async with served(settings) as client:
        await register(client)
        await refresh(client)
        source.respond(content=index(capability(7)))
        await refresh(client)
        source.respond(404)
        await refresh(client)
        return (await client.get("/v1/backup", headers=WRITER)).content


def rewritten(backup: bytes, name: str, change: Change) -> bytes:
    """Return *backup* with the JSON of the file *name* changed, and with sums that are right for that."""

    def repack(members: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        new = [(one, _changed(content, change) if one == name else content) for one, content in members[:-1]]
        files = [(one, content) for one, content in new if one != FIRST]
        sums = {one: {"bytes": len(was), "sha256": hashlib.sha256(was).hexdigest()} for one, was in files}
        return [*new, (LAST, json.dumps(sums).encode())]

    return repacked(backup, repack)


def _changed(content: bytes, change: Change) -> bytes:
    head, newline, rest = content.partition(b"\n")
    whole = json.loads(rest or head)
    change(whole)
    if "index" not in whole:
        return head + newline + json.dumps(whole).encode() + b"\n" if newline else json.dumps(whole).encode()
    document = json.dumps(whole.pop("index")).encode()
    whole["sha256"] = hashlib.sha256(document).hexdigest()
    return json.dumps(whole).encode()[:-1] + b',"index":' + document + b"}"


def row(saved: dict[str, Any]) -> dict[str, Any]:
    """Return the registration in a file of registrations."""
    only: dict[str, Any] = saved["repos"]["state-hub"]
    return only


def renamed(saved: dict[str, Any], name: str, repo: str) -> None:
    """Let the registration stand under *name* and say that it is of *repo*."""
    saved["repos"] = {name: {**row(saved), "repo": repo}}


def status(saved: dict[str, Any]) -> dict[str, Any]:
    """Return the status of the source in a file of states."""
    only: dict[str, Any] = saved["sources"][0][4]
    return only


def entry(saved: dict[str, Any]) -> dict[str, Any]:
    """Return the first capability in a file of content."""
    first: dict[str, Any] = saved["index"]["capabilities"][0]
    return first


HOSTILE: dict[str, tuple[str, Change]] = {
    "a revision beyond JSON": ("registrations.json", lambda one: row(one).update(revision=2**64 - 1)),
    "a revision that is none": ("registrations.json", lambda one: row(one).update(revision=True)),
    "a field of another type": ("registrations.json", lambda one: row(one).update(enabled="yes")),
    "a name that leads out": ("registrations.json", lambda one: renamed(one, "../x", "../x")),
    "a name under another": ("registrations.json", lambda one: renamed(one, "other", "state-hub")),
    "a domain that is none": ("registrations.json", lambda one: row(one).update(domain="A b")),
    "no moment": ("registrations.json", lambda one: row(one).update(updated_at="soon")),
    "gone with a word": ("registrations.json", lambda one: one["repos"].update({"(retired)": {"retired": "7"}})),
    "nothing but a list": ("registrations.json", lambda one: one.update(repos=[])),
    "a line without a moment": ("history.jsonl", lambda one: one.update(at="soon")),
    "a line with a number that is none": ("history.jsonl", lambda one: one.update(number=-1)),
    "a status of text": ("sources.json", lambda one: status(one).update(consecutive_failures="1")),
    "a state that is none": ("sources.json", lambda one: status(one).update(state="gone")),
    "a check at no moment": ("sources.json", lambda one: status(one).update(succeeded_at="2026-13-45T99:00:00Z")),
    "an error without a detail": ("sources.json", lambda one: status(one).update(error={"type": "source-status"})),
    "an error of numbers": ("sources.json", lambda one: status(one).update(error={"type": 1, "detail": 2})),
    "running for ever": ("sources.json", lambda one: one.update(ran=1e308)),
    "a serial of text": ("federated.json", lambda one: one.update(serial="3")),
    "a serial beyond JSON": ("federated.json", lambda one: one.update(serial=2**60)),
    "a trouble since no moment": ("federated.json", lambda one: one.update(since={"missing a": "soon"})),
    "a capability with tags of numbers": ("content/state-hub.json", lambda one: entry(one).update(tags=[1])),
    "a capability without an id": ("content/state-hub.json", lambda one: entry(one).update(id=[])),
    "capabilities in no order": ("content/state-hub.json", lambda one: one["index"]["capabilities"].reverse()),
    "a capability twice": ("content/state-hub.json", lambda one: one["index"]["capabilities"].insert(0, entry(one))),
    "validators of numbers": ("content/state-hub.json", lambda one: one.update(validators=[1, 2, 3])),
    "a held capability of numbers": ("held/state-hub.json", lambda one: entry(one).update(name=7)),
}  # fmt: skip


@pytest.mark.parametrize(("name", "change"), HOSTILE.values(), ids=HOSTILE)
async def test_what_no_hub_writes_is_refused_in_a_sentence_whatever_the_sums_say(
    backup: bytes, tmp_path: Path, name: str, change: Change
) -> None:
    with pytest.raises(StartError, match=r"^(The backup is damaged: |/.* is damaged or in a format of another)"):
        restore(io.BytesIO(rewritten(backup, name, change)), tmp_path / "fresh")

    assert {path.name for path in (tmp_path / "fresh").iterdir()} <= {"hub.lock"}


async def test_what_a_hub_wrote_passes_though_it_is_written_in_other_words(backup: bytes, tmp_path: Path) -> None:
    for number, name in enumerate(sorted({name for name, _ in HOSTILE.values()})):
        restored = restore(io.BytesIO(rewritten(backup, name, lambda _: None)), tmp_path / str(number))

        assert restored.registrations == 1
