from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from shared import schemas
from shared.formats import FORMATS, HUB, INDEX, SourceFormat, recognised


def test_every_format_of_a_manifest_is_a_row_under_its_name() -> None:
    stated = schemas.schema("federation")["$defs"]["source"]["properties"]["format"]

    assert [*FORMATS] == [one.name for one in FORMATS.values()] == stated["enum"]
    assert stated["default"] == INDEX.name


FEDERATED: dict[str, Any] = {"version": 1, "sources": [], "capabilities": [], "missing_required": []}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param({"version": 1, "capabilities": []}, INDEX, id="an index"),
        pytest.param({"capabilities": 7}, INDEX, id="one with a fault"),
        pytest.param(FEDERATED, HUB, id="a federated index, which has what an index has"),
        pytest.param({"version": 1, "sources": []}, None, id="a manifest"),
        pytest.param([*FEDERATED], None, id="a list of the names"),
        pytest.param("capabilities", None, id="a text"),
        pytest.param(None, None, id="nothing"),
    ],
)
def test_a_document_is_recognised_by_what_stands_at_its_top(data: object, expected: SourceFormat | None) -> None:
    assert recognised(data) is expected


def test_a_further_row_is_recognised_too(monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = dataclasses.replace(INDEX, name="catalog", signs=frozenset({"entries"}))
    monkeypatch.setitem(FORMATS, "catalog", catalog)

    assert recognised({"entries": [], "specVersion": "1.0"}) is catalog
