from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from shared.backup.restore import back_up
from shared.hub import open_hub
from shared.problems import StartError
from shared.storage.files import FilesEngine
from shared.tally import Tally
from tests.builders import Hands, capability, index, refresh, register, served, url_of

if TYPE_CHECKING:
    import respx

    from shared.settings import Settings


def everything(folder: Path) -> dict[str, tuple[bytes | None, int]]:
    """Return what lies in *folder*: the content of each file, and when each file and folder was changed last."""
    found = [folder, *folder.rglob("*")]
    return {str(one): (one.read_bytes() if one.is_file() else None, one.stat().st_mtime_ns) for one in found}


async def filled(settings: Settings, upstream: respx.MockRouter) -> None:
    """Let a hub on the folder of *settings* have read a source, and stop."""
    upstream.get(url_of("state-hub")).respond(content=index(capability(1)))
    async with served(settings) as client:
        await register(client)
        await refresh(client, "state-hub")


async def test_opening_a_hub_and_backing_it_up_change_nothing_in_its_folder(
    settings: Settings, upstream: respx.MockRouter
) -> None:
    await filled(settings, upstream)
    folder = settings.data_dir
    (folder / ".snapshot-x").mkdir()
    (folder / "content" / "gone.json").write_bytes(b"{}")
    before = everything(folder)

    # Settings under which another edition would be served, as of an operator who raised what a backup does not know.
    with contextlib.closing(open_hub(replace(settings, max_capabilities=1, max_mib=1))):
        pass
    assert back_up(folder)

    assert everything(folder) == before


async def test_a_copy_without_a_lock_is_backed_up_and_stays_as_it_is(
    settings: Settings, upstream: respx.MockRouter
) -> None:
    await filled(settings, upstream)
    (settings.data_dir / "hub.lock").unlink()
    before = everything(settings.data_dir)

    assert back_up(settings.data_dir)

    assert everything(settings.data_dir) == before


@pytest.mark.parametrize("name", ["timeline.json", "content"])
async def test_what_a_backup_can_not_read_is_named_in_its_refusal(
    settings: Settings, upstream: respx.MockRouter, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    await filled(settings, upstream)

    def refusing(real: Any) -> Any:
        def fail(path: Path, *rest: Any, **options: Any) -> Any:
            if path.name == name:
                raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return real(path, *rest, **options)

        return fail

    monkeypatch.setattr(os, "scandir", refusing(os.scandir))
    monkeypatch.setattr(Path, "open", refusing(Path.open))
    with pytest.raises(StartError, match=f"can't be read: .*Permission denied: '{settings.data_dir}/{name}'"):
        back_up(settings.data_dir)


async def test_a_hub_that_serves_has_cleared_away_what_a_crash_left(
    settings: Settings, upstream: respx.MockRouter
) -> None:
    await filled(settings, upstream)
    (settings.data_dir / ".snapshot-x").mkdir()
    (settings.data_dir / "content" / "gone.json").write_bytes(b"{}")

    async with served(settings):
        assert not (settings.data_dir / ".snapshot-x").exists()
        assert [one.name for one in (settings.data_dir / "content").iterdir()] == ["state-hub.json"]


async def test_what_changed_while_the_hub_was_stopped_gets_a_serial_when_it_serves_and_not_before(
    settings: Settings, upstream: respx.MockRouter
) -> None:
    await filled(settings, upstream)
    lowered = replace(settings, max_capabilities=0)
    serial = FilesEngine(settings.data_dir, Hands().clock(), Tally()).editions.load().head.serial

    hub = open_hub(lowered)
    assert (hub.federation.document.serial, len(hub.federation.document.composition.entries)) == (serial, 0)
    async with hub.running():
        assert hub.federation.document.serial == serial + 1


@pytest.mark.parametrize("name", ["content", "held"])
def test_something_that_has_the_name_of_a_folder_stops_the_start(settings: Settings, name: str) -> None:
    settings.data_dir.mkdir()
    (settings.data_dir / name).write_bytes(b"")

    with pytest.raises(StartError, match=f"{name} can't be used: Not a directory"):
        open_hub(settings)


def test_a_volume_that_can_not_do_what_writes_need_stops_the_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    with contextlib.closing(open_hub(settings)) as hub:
        monkeypatch.setattr(os, "replace", fail)
        with pytest.raises(StartError, match="can't rename one file over another"):
            hub.prepare()


def test_a_folder_that_can_not_be_made_stops_the_start(settings: Settings, hands: Hands) -> None:
    engine = FilesEngine(settings.data_dir, hands.clock(), Tally())
    engine.open()
    with contextlib.ExitStack() as stack:
        stack.callback(engine.release)
        (settings.data_dir / "held").write_bytes(b"")
        with pytest.raises(StartError, match="held can't be used: File exists"):
            engine.prepare()
