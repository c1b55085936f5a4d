from __future__ import annotations

import gzip
import re
from pathlib import Path

from shared.pages import assets as module
from shared.pages.assets import address, assets

FOLDER = Path(module.__file__).parent / "assets"


def test_every_asset_is_a_file_of_this_repository() -> None:
    assert set(assets()) == {path.name for path in FOLDER.iterdir()} == {"hub.css", "hub.js", "icon.svg"}
    for name, asset in assets().items():
        assert asset.body == (FOLDER / name).read_bytes() == gzip.decompress(asset.gzipped)


def test_an_address_names_the_version() -> None:
    assert address("/reuse", "hub.css") == f"/reuse/assets/hub.css?v={assets()['hub.css'].version}"
    assert len({asset.version for asset in assets().values()}) == 3


def test_no_asset_names_another_host() -> None:
    texts = [asset.body.decode() for asset in assets().values()]

    assert {found for text in texts for found in re.findall(r"https?://[\w.]+", text)} == {"http://www.w3.org"}


def test_all_that_a_page_loads_is_light() -> None:
    assert sum(len(asset.gzipped) for asset in assets().values()) < 20_000
