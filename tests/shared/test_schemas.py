from __future__ import annotations

from typing import Any

import fastjsonschema
import pytest
import yaml

from shared import schemas
from shared.problems import Offence
from tests.builders import registration

DRAFT = {"$schema": "http://json-schema.org/draft-07/schema#"}


@pytest.mark.parametrize("name", schemas.NAMES)
def test_every_schema_can_be_read_and_compiled(name: str) -> None:
    assert schemas.schema(name) == yaml.safe_load(schemas.text(name))
    assert schemas.schema(name)["$schema"] == DRAFT["$schema"]
    assert schemas.checker(name)(None)


def test_what_is_right_has_no_offences() -> None:
    assert schemas.checker("hub-registration", "wanted")(registration()) == []


def test_the_whole_schema_asks_for_more_than_its_part() -> None:
    missing = [offence.pointer for offence in schemas.checker("hub-registration")(registration())]

    assert {"/revision", "/registered_by"} <= set(missing)


@pytest.mark.parametrize(
    ("schema", "document", "offences"),
    [
        pytest.param({"type": "string"}, 7, [("", "must be text (in quotes if it looks like a number)")], id="type"),
        pytest.param(
            {"required": ["a", "b"], "type": "object"},
            {},
            [("/a", "is required"), ("/b", "is required")],
            id="all that is missing",
        ),
        pytest.param(
            {"properties": {"a": {}}, "additionalProperties": False},
            {"x/y": 1, "z~": 2},
            [("/x~1y", "is not a known field"), ("/z~0", "is not a known field")],
            id="all that is unknown",
        ),
        pytest.param({"pattern": "^a$", "description": "The letter."}, "a\n",
                     [("", "does not match ^a$: The letter")], id="a line feed at the end"),
        pytest.param({"items": {"maximum": 1000}}, [1, 2000, 3000],
                     [("/1", "must be at most 1,000"), ("/2", "must be at most 1,000")], id="in a list"),
        pytest.param({"uniqueItems": True}, [1, 1], [("", "is not as the schema asks")], id="a rule without words"),
    ],
)  # fmt: skip
def test_says_what_is_wrong_and_where(schema: dict[str, Any], document: object, offences: list[Any]) -> None:
    assert schemas.checker_of({**DRAFT, **schema})(document) == [Offence(*offence) for offence in offences]


def test_never_repeats_what_was_sent() -> None:
    bad = registration(repo="SECRET", domain="SECRET", enabled="SECRET")
    offences = schemas.checker("hub-registration", "wanted")(bad)

    assert len(offences) == 3
    assert "SECRET" not in str(offences)


def test_lists_at_most_a_hundred() -> None:
    offences = schemas.checker_of({**DRAFT, "items": {"type": "string"}})([1] * 5000)

    assert len(offences) == schemas.MAX_OFFENCES


def test_what_only_the_quick_check_refuses_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def strict(_: object) -> None:
        raise fastjsonschema.JsonSchemaValueException("data is odd")

    monkeypatch.setattr(fastjsonschema, "compile", lambda _, **__: strict)

    assert schemas.checker_of(DRAFT)({}) == [Offence("", "data is odd")]
