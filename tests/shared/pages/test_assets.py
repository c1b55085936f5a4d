from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from shared.pages import assets as module
from shared.pages.assets import address, assets, compressed, takes_gzip

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


@pytest.mark.parametrize(
    ("wish", "taken"),
    [
        ("gzip", True),
        ("gzip, deflate, br", True),
        ("*", True),
        ("br, gzip;q=0.5, identity;q=0.4", True),
        ("", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip;q=0.4, identity", False),
    ],
)
def test_gzip_is_for_those_who_take_it(wish: str, taken: bool) -> None:
    assert takes_gzip(wish) is taken


def test_what_is_long_becomes_short() -> None:
    body, headers = compressed(b"x" * 5000, "gzip")

    assert (gzip.decompress(body), headers) == (b"x" * 5000, {"Content-Encoding": "gzip"})
    assert compressed(b"x" * 5000, "gzip")[0] == body


@pytest.mark.parametrize(("body", "wish"), [(b"x" * 100, "gzip"), (b"x" * 5000, "br")])
def test_what_is_short_or_not_wanted_stays_as_it_is(body: bytes, wish: str) -> None:
    assert compressed(body, wish) == (body, {})
