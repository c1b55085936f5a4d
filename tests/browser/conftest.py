"""A real Chromium, and real hubs for it to look at. Where there is no Chromium, these tests are skipped, aloud."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.builders import WRITER
from tests.conftest import NO_BROWSER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or ""
# Chromium as root in a container, with nothing that asks other hosts.
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of this folder on one worker: one browser at a time."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("browser"))
            item.add_marker(pytest.mark.timeout(300))


@dataclass(frozen=True)
class Site:
    """A running hub: its URL, and the folder whose files its publishers serve."""

    url: str
    published: Path
    base: str

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Send a request with the token, and return the JSON of the answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, WRITER, method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def publish(self, repo: str, index: dict[str, Any]) -> None:
        """Change what *repo* publishes, some seconds after anything before."""
        path = self.published / f"{repo}.yaml"
        later = path.stat().st_mtime + 5 if path.exists() else 1_700_000_000
        path.write_text(json.dumps(index), encoding="utf-8")
        os.utime(path, (later, later))


@contextlib.contextmanager
def running(folder: Path, sources: int, path: str = "") -> Iterator[Site]:
    """Run a hub with so many sources in *folder*, under *path* of its host."""
    command = [sys.executable, "-m", "tests.browser.site", str(folder), str(sources), path]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            yield Site(said["url"], Path(said["published"]), said["base"])
        finally:
            process.terminate()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of this folder."""
    if not CHROMIUM:
        pytest.skip(NO_BROWSER)
    with sync_playwright() as driver:
        # As long as a loaded machine needs; what is right is found at once.
        expect.set_options(timeout=30_000)
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def forty(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A hub with 40 sources of every state. Tests only read it."""
    assert browser.is_connected()
    with running(tmp_path_factory.mktemp("forty"), 40) as site:
        yield site


@pytest.fixture(scope="package")
def thousand(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A hub with 1,000 sources and some 10,000 capabilities. Tests only read it."""
    assert browser.is_connected()
    with running(tmp_path_factory.mktemp("thousand"), 1000) as site:
        yield site


@pytest.fixture
def own(browser: Browser, tmp_path: Path) -> Iterator[Site]:
    """A hub with three sources, for one test to change."""
    assert browser.is_connected()
    with running(tmp_path, 3) as site:
        yield site


@contextlib.contextmanager
def opened(browser: Browser, *, missing: bool = False, **how: Any) -> Iterator[Page]:
    """Open a page that may ask for nothing but its own host; what it complains of is a failure in the end.

    Of a page that is *missing*, or a token or an action that is refused, the browser may say so.
    """
    context = browser.new_context(**how)
    context.set_default_timeout(30_000)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    asked = set[str]()
    page.on("request", lambda request: asked.add("/".join(request.url.split("/")[:3])))
    yield page
    assert cookies_of(context) == []
    context.close()
    refused = re.compile("status of (401|409)")
    assert [one for one in complaints if not (missing and "404" in one) and not refused.search(one)] == []
    assert len(asked) <= 1, asked


def cookies_of(context: BrowserContext) -> list[str]:
    """Return the names of what the hub left in the browser."""
    return [cookie.get("name", "") for cookie in context.cookies()]


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a new browser window."""
    with opened(browser, viewport={"width": 1280, "height": 800}) as made:
        yield made
