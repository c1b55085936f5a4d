"""``python -m tests.browser.screenshots FOLDER``: pictures of the main pages, in light and dark, for the README."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from tests.browser.conftest import CHROMIUM, FLAGS, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SOURCES = 60
PICTURES = {
    "overview-light": ("/", 1280, 1420),
    "overview-dark": ("/", 1280, 1420),
    "capabilities-light": ("/capabilities?q=read+ledger", 1280, 900),
    "source-light": ("/sources/state-hub", 1280, 1000),
    "narrow-dark": ("/", 360, 1420),
}


def main(folder: Path) -> None:
    """Make every picture."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, running(Path(place), SOURCES) as site, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for name, (path, width, height) in PICTURES.items():
            take(browser, site.url + path, folder / f"{name}.png", (width, height))
        browser.close()


def take(browser: Browser, url: str, path: Path, size: tuple[int, int]) -> None:
    """Take one picture, and make it small where pngquant is there to do so."""
    dark = path.stem.endswith("dark")
    viewport = {"width": size[0], "height": size[1]}
    page = browser.new_page(viewport=viewport, color_scheme="dark" if dark else "light")  # type: ignore[arg-type]
    page.goto(url)
    page.screenshot(path=path)
    page.close()
    if shutil.which("pngquant"):
        subprocess.run(["pngquant", "--force", "--skip-if-larger", "--speed=1", "--ext=.png", str(path)], check=False)
    print(f"{path}: {path.stat().st_size / 1000:.0f} KB")  # noqa: T201 - that is what it is run for


if __name__ == "__main__":
    main(Path(sys.argv[1]))
