from __future__ import annotations

import json
import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from shared.yaml_out import field, flow, list_item, listing, scalar

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXT
VALUES = SCALARS | st.lists(SCALARS, max_size=4)
MAPPINGS = st.dictionaries(TEXT, VALUES, min_size=1, max_size=4)


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are the same, types included."""
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@given(SCALARS)
def test_a_scalar_is_read_as_itself_by_yaml_1_1_and_by_json(value: Any) -> None:
    written = scalar(value).decode()

    assert same(yaml.safe_load(written), value)
    assert same(json.loads(written), value)


@given(MAPPINGS, MAPPINGS)
def test_a_list_of_mappings_is_read_as_itself(one: dict[str, Any], other: dict[str, Any]) -> None:
    document = b"".join([*listing("entries", [list_item(one), list_item(other)]), field("end", ["a"])])

    read = yaml.safe_load(document.decode())
    assert read.keys() == {"entries", "end"}
    for given_one, read_one in zip([one, other], read["entries"], strict=True):
        assert list(given_one) == list(read_one)
        assert all(same(given_one[name], read_one[name]) for name in given_one)


LOOKING_LIKE = ["no", "1:30", "2026-11-20", "0o17", ".5", "null", "~", "", "a: b", "- a", "# a"]
LOOKING_LIKE += ["a\nb", '"', "\\", "=", "<<"]


@pytest.mark.parametrize("text", LOOKING_LIKE)
def test_text_that_looks_like_something_else_stays_text(text: str) -> None:
    assert yaml.safe_load(scalar(text).decode()) == text
    assert scalar(text).startswith(b'"')
    assert b"\n" not in scalar(text)


@pytest.mark.parametrize("letter", ["\u2028", "\u2029", "\ufeff", "\x7f", "\x80", "\x85", "\x9f", "\ufffe", "\uffff"])
@pytest.mark.parametrize("around", ["a{}b", "ü{}", "{}"])
def test_letters_that_yaml_would_misread_or_refuse_are_escaped(letter: str, around: str) -> None:
    text = around.format(letter)

    assert letter.encode() not in scalar(text)
    assert yaml.safe_load(scalar(text).decode()) == text


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param(None, b"null", id="null"),
        pytest.param(True, b"true", id="true"),
        pytest.param(-7, b"-7", id="an integer"),
        pytest.param(0.5, b"0.5", id="a fraction"),
        pytest.param(1e22, b"1.0e+22", id="a great float"),
        pytest.param(1.5e300, b"1.5e+300", id="a greater float"),
        pytest.param(1e-7, b"1.0e-07", id="a small float"),
        pytest.param(-0.0, b"-0.0", id="a negative zero"),
        pytest.param("ü", '"ü"'.encode(), id="text beyond ASCII"),
    ],
)
def test_writes_scalars_in_one_form(value: object, written: bytes) -> None:
    assert scalar(value) == written


def test_a_negative_zero_keeps_its_sign() -> None:
    assert math.copysign(1, yaml.safe_load(scalar(-0.0).decode())) == -1


def test_lists_stand_on_one_line() -> None:
    assert flow(["a", 1, None]) == b'["a", 1, null]'
    assert flow(("a",)) == b'["a"]'
    assert flow([]) == b"[]"
    assert field("tags", ["a"]) == b'"tags": ["a"]\n'


def test_a_list_without_items_is_written_as_one() -> None:
    assert listing("entries", []) == [b'"entries": []\n']
    assert listing("entries", iter([b"- 1\n"])) == [b'"entries":\n', b"- 1\n"]
