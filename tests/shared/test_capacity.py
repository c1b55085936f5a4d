from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from shared.capacity import ProcessMemory, Use
from tests.builders import capability, index, refresh, register, url_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    import httpx
    import respx

    from shared.hub import Hub
    from tests.builders import Hands

MIB = 1 << 20


class SmallProcess(ProcessMemory):
    """The memory of a process that holds 80 MiB."""

    def held(self) -> int:
        """Return so many bytes."""
        return 80 * MIB


@pytest.fixture
def cgroup(tmp_path: Path) -> Path:
    """The folder of a control group that limits nothing yet."""
    folder = tmp_path / "cgroup"
    (folder / "memory").mkdir(parents=True)
    return folder


async def test_tells_how_much_of_each_limit_is_in_use(
    hub: Hub, client: httpx.AsyncClient, upstream: respx.MockRouter, cgroup: Path
) -> None:
    hub.findings.capacity.process = SmallProcess(cgroup)
    upstream.get(url_of("state-hub")).respond(content=index(*(capability(number) for number in range(10))))
    await register(client)
    await refresh(client)

    uses = hub.findings.capacity.uses()

    assert uses["registrations"] == Use(1, 20_000)
    assert uses["capabilities"] == Use(10, 100_000)
    assert uses["mib"].most == 64
    assert 0 < uses["mib"].used < 0.01
    assert uses.keys() == {"registrations", "capabilities", "mib"}
    assert hub.findings.capacity.near() == []


@pytest.mark.parametrize("name", ["memory.max", "memory/memory.limit_in_bytes"])
@pytest.mark.parametrize(
    ("text", "use"),
    [
        pytest.param(f"{100 * MIB}\n", Use(80, 100), id="a limit"),
        pytest.param("max\n", None, id="none"),
        pytest.param("9223372036854771712\n", None, id="none, as a number"),
    ],
)
async def test_memory_counts_where_the_system_limits_it(  # noqa: PLR0917 - fixtures
    hub: Hub, hands: Hands, cgroup: Path, name: str, text: str, use: Use | None
) -> None:
    hub.findings.capacity.process = SmallProcess(cgroup)
    (cgroup / name).write_text(text)
    hands.advance(5)

    assert hub.findings.capacity.uses().get("memory") == use
    near = [(one.limit, one.use, one.since) for one in hub.findings.capacity.near()]
    assert near == ([] if use is None else [("memory", use, "2026-11-23T10:00:05Z")])


def test_the_memory_of_this_process_is_read_from_the_system() -> None:
    assert memory() > 10 * MIB


async def test_memory_that_can_not_be_read_is_not_told_as_none(
    hub: Hub, cgroup: Path, no_free_files: Callable[[], AbstractContextManager[None]]
) -> None:
    (cgroup / "memory.max").write_text(f"{100 * MIB}\n")
    hub.findings.capacity.process = ProcessMemory(cgroup)
    assert "memory" in hub.findings.capacity.uses()

    with no_free_files():
        assert hub.findings.capacity.uses().keys() == {"registrations", "capabilities", "mib"}


def memory() -> int:
    """Return the bytes that the module reads."""
    read = ProcessMemory().held()
    assert read is not None
    return read


def test_the_processes_that_the_hub_started_count_too_and_those_that_ended_do_not() -> None:
    before = memory()
    program = f"held = bytearray(b'x') * {60 * MIB}; print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        assert memory() > before + 50 * MIB
        child.communicate(b"\n")

    assert memory() < before + 50 * MIB
