from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastjsonschema
import pytest
import yaml

from shared import schemas
from shared.problems import Offence
from tests.builders import registration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DRAFT = {"$schema": "http://json-schema.org/draft-07/schema#"}


@pytest.mark.parametrize("name", schemas.NAMES)
def test_every_schema_can_be_read_and_compiled(name: str) -> None:
    assert schemas.schema(name) == yaml.safe_load(schemas.text(name))
    assert schemas.schema(name)["$schema"] == DRAFT["$schema"]
    assert schemas.checker(name)(None)


def test_no_file_is_opened_for_the_first_check(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    schemas.schema.cache_clear()
    schemas.checker.cache_clear()
    with monkeypatch.context() as refusing:
        refusing.setattr(Path, "open", refuse)
        assert schemas.checker("hub-registration", "wanted")(registration()) == []


def test_what_is_right_has_no_offences() -> None:
    assert schemas.checker("hub-registration", "wanted")(registration()) == []


def test_the_whole_schema_asks_for_more_than_its_part() -> None:
    missing = [offence.pointer for offence in schemas.checker("hub-registration")(registration())]

    assert {"/revision", "/registered_by"} <= set(missing)


@pytest.mark.parametrize(
    ("schema", "document", "offences"),
    [
        pytest.param({"type": "string"}, 7, [("", "must be text (in quotes if it looks like a number)")], id="type"),
        pytest.param({"type": ["string", "null"]}, 7, [("", "must be text, or null")], id="one of two types"),
        pytest.param({"enum": ["index", "hub"]}, "x", [("", "must be one of index, hub")], id="one of some words"),
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
        pytest.param(
            {"properties": {"domain": {}}, "additionalProperties": False},
            {"domian": 1, "d" * 41: 2},
            [(f"/{'d' * 41}", "is not a known field"), ("/domian", "is not a known field; did you mean domain?")],
            id="a misspelt one",
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


def rules_within(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield every rule for a value that stands anywhere in *schema*."""
    for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from rules_within(inner)
    if isinstance(schema, dict) and ("type" in schema or "enum" in schema) and not isinstance(schema.get("type"), dict):
        yield {name: schema[name] for name in ("type", "enum") if name in schema}


def test_of_every_type_that_a_schema_asks_for_it_is_said_what_it_must_be() -> None:
    rules = [rule for name in schemas.NAMES for rule in rules_within(schemas.schema(name))]
    assert {"type": ["string", "null"]} in rules
    values: list[Any] = [7, 7.5, "x", True, None, [], {}]

    for rule in rules:
        check = schemas.checker_of({**DRAFT, **rule})
        assert all(one.detail.startswith("must be ") for value in values for one in check(value)), rule


def test_never_repeats_what_was_sent() -> None:
    bad = registration(repo="SECRET", domain="SECRET", enabled="SECRET")
    offences = schemas.checker("hub-registration", "wanted")(bad)

    assert len(offences) == 3
    assert "SECRET" not in str(offences)


def test_lists_at_most_a_hundred() -> None:
    offences = schemas.checker_of({**DRAFT, "items": {"type": "string"}})([1] * 5000)

    assert len(offences) == schemas.MAX_OFFENCES


def calls(work: Callable[[], object]) -> int:
    """Return how many calls of functions *work* takes, those of the libraries too."""
    counted = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal counted
        counted += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return counted


MANY: list[Any] = [[] for _ in range(20_000)]


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param({"id": "a", "name": "b", "k": MANY}, id="an unknown field"),
        pytest.param({"id": "a", "name": "b", "tags": MANY}, id="a list of texts"),
        pytest.param({"id": "a", "name": "b", "k": [*MANY[:50]], "l": MANY}, id="beside one that is short enough"),
        pytest.param({"id": "a", "name": "b", **{f"k{number}": [] for number in range(201)}, "_": 1}, id="fields"),
        pytest.param({"id": "a", "name": "b", **{f"k{number}" * 30: 1 for number in range(20_000)}}, id="long keys"),
    ],
)
def test_what_is_too_long_is_refused_without_looking_into_it(entry: dict[str, Any]) -> None:
    check = schemas.checker("capability-index", "capability")
    check({})

    assert calls(lambda: check(entry)) < 20_000
    assert check(entry)


def test_naming_what_is_wrong_with_many_short_lists_costs_the_same_for_each() -> None:
    check = schemas.checker("capability-index", "capability")
    few, many = ({"id": "a", "name": "b", **{f"k{n}": [[]] * 50 for n in range(count)}} for count in (9, 90))
    check({})

    assert calls(lambda: check(many)) < 12 * calls(lambda: check(few))
    assert len(check(many)) == 90


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "url",
    ["http://" + "a" * 1_000_000 + " b", "http://" + "a" * 2030 + " b"],
    ids=["a long one", "one that is short enough"],
)
def test_a_url_that_does_not_match_is_refused_in_one_pass(url: str) -> None:
    check = schemas.checker("capability-index", "capability")

    for _ in range(2000 if len(url) < 3000 else 1):
        assert [offence.pointer for offence in check({"id": "a", "name": "b", "url": url})] == ["/url"]


@pytest.mark.parametrize("value", [[], {}, "x" * 1001, ["x"] * 51, [["x"]], 5])
def test_one_of_several_forms_has_to_fit(value: object) -> None:
    check = schemas.checker("capability-index", "capability")
    fits = value in ([], 5)

    assert [offence.pointer for offence in check({"id": "a", "name": "b", "k": value})] == ([] if fits else ["/k"])
    exactly = schemas.checker_of({**DRAFT, "oneOf": [{"required": ["url"]}, {"required": ["index"]}]})
    assert [bool(exactly(dict.fromkeys(keys, 1))) for keys in ([], ["url"], ["index"], ["url", "index"])] == [
        True, False, False, True,
    ]  # fmt: skip


def test_what_only_the_quick_check_refuses_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def strict(_: object) -> None:
        raise fastjsonschema.JsonSchemaValueException("data is odd")

    monkeypatch.setattr(fastjsonschema, "compile", lambda _, **__: strict)

    assert schemas.checker_of(DRAFT)({}) == [Offence("", "data is odd")]
