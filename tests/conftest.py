"""What every test may ask for: a hub on a folder of its own, a client to it, sources that a test announces."""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import sys
import threading
from typing import TYPE_CHECKING

import httpx
import hypothesis
import pytest

from router import ENDPOINTS, application
from shared.hub import Hub, Pace, open_hub
from shared.settings import Settings
from tests.announced import announcing
from tests.builders import TOKEN, Hands

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    import respx

# The same examples in every run, however busy the machine is; make fuzz asks for many more, and new ones each time.
hypothesis.settings.register_profile("checks", derandomize=True, deadline=None, database=None, max_examples=60)
hypothesis.settings.register_profile("fuzz", deadline=None, max_examples=5000, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "checks"))


NO_BROWSER = "No Chromium: scripts/install-browser installs one, or set CHROMIUM to yours; then make test"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which tests did not run for want of a browser, and tell what the others measured."""
    missed = [one for one in terminalreporter.stats.get("skipped", []) if NO_BROWSER in str(one.longrepr)]
    if missed:
        terminalreporter.section("tests that did not run")
        terminalreporter.line(f"{len(missed)} tests in tests/browser. {NO_BROWSER}.")
    for one in terminalreporter.stats.get("passed", []):
        for name, value in one.user_properties:
            terminalreporter.line(f"{name}: {value}")


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio."""
    return "asyncio"


@pytest.fixture(autouse=True)
def upstream(request: pytest.FixtureRequest) -> Iterator[respx.MockRouter | None]:
    """Stand in for every source: a URL that no test announced is a failure.

    Tests that talk to real servers ask for ``real_network`` (loopback only).
    """
    if "real_network" in request.fixturenames:
        yield None
        return
    with announcing() as mock:
        yield mock


@pytest.fixture(autouse=True)
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the programs that a test starts at their full speed; only tests/cli has their lines counted."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)


@pytest.fixture
def real_network() -> None:
    """Let the hub's own client connect, for tests with real servers on loopback."""


@pytest.fixture
def restored_log() -> Iterator[None]:
    """Give pytest its log back, after a test that has the hub's own log set up in this process."""
    root = logging.getLogger()
    handlers, level, own = root.handlers[:], root.level, logging.getLogger("hub").level
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    yield
    logging.captureWarnings(capture=False)
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("hub").setLevel(own)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a hub that fetches only when asked."""
    return Settings(data_dir=tmp_path / "data", token=TOKEN, refresh=False, public_url="http://hub")


@pytest.fixture
def hands() -> Hands:
    """The hands of the hub's clock."""
    return Hands()


@pytest.fixture
def pace() -> Pace:
    """How long the parts of the hub wait for one another: as they do for users."""
    return Pace()


@pytest.fixture
async def hub(settings: Settings, hands: Hands, pace: Pace) -> AsyncIterator[Hub]:
    """A running hub."""
    opened = open_hub(settings, hands.clock(), pace=pace)
    async with opened.running():
        yield opened


@pytest.fixture
async def client(hub: Hub) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the real app on the real store. A crash of a handler is a 500 here, as it is for users."""
    transport = httpx.ASGITransport(application(hub, ENDPOINTS), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as session:
        yield session


@pytest.fixture
def no_free_files() -> Callable[[], AbstractContextManager[None]]:
    """Let this process open nothing more, for as long as a block lasts."""

    @contextlib.contextmanager
    def begin() -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        first_free = os.dup(0)
        os.close(first_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (first_free, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    return begin
