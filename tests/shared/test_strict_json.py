from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.characters import refused
from shared.strict_json import NotStrictJson, finite, integer, parse

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cf", "Cn", "Mn", "Lo"]), max_size=20)
EXACT = st.integers(-(2**53) + 1, 2**53 - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | EXACT | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)


@given(VALUES)
def test_reads_back_what_a_json_library_wrote(value: Any) -> None:
    assert parse(json.dumps(value, ensure_ascii=False).encode()) == value
    assert parse(json.dumps(value).encode()) == value


@given(st.binary(max_size=40))
def test_any_bytes_are_a_value_or_refused(content: bytes) -> None:
    try:
        value = parse(content)
    except NotStrictJson as fault:
        assert str(fault)  # noqa: PT017 - both ends are right
    else:
        json.dumps(value, allow_nan=False).encode("ascii")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b'{"a": 1, "b": 2, "a": 1}', 'the key "a" stands twice', id="a repeated key"),
        pytest.param(b'[{"x": {"a": 1, "\\u0061": 2}}]', 'the key "a" stands twice', id="a key repeated in escapes"),
        pytest.param(b'{"\\ud800": 1, "\\ud800": 2}', r'the key "\\ud800" stands twice', id="a repeated half"),
        pytest.param(b"[NaN]", "NaN is not JSON", id="NaN"),
        pytest.param(b"Infinity", "Infinity is not JSON", id="infinity"),
        pytest.param(b'{"a": -Infinity}', "-Infinity is not JSON", id="negative infinity"),
        pytest.param(b'"\\ud800"', "U[+]D800 is not allowed", id="a lone high surrogate"),
        pytest.param(b'["\\udc00\\ud800"]', "U[+]DC00 is not allowed", id="surrogates in the wrong order"),
        pytest.param(b'{"\\udfff": 1}', "U[+]DFFF is not allowed", id="a lone surrogate in a key"),
        pytest.param(b'"\xff"', "not UTF-8 at byte 1", id="no UTF-8"),
        pytest.param(b'"\xed\xa0\x80"', "not UTF-8 at byte 1", id="an encoded surrogate"),
        pytest.param(b'"\xc0\x80"', "not UTF-8 at byte 1", id="an overlong zero"),
        pytest.param('"text"'.encode("utf-16"), "not UTF-8 at byte 0", id="UTF-16"),
        pytest.param(b"\xef\xbb\xbf{}", "not JSON", id="a byte order mark"),
        pytest.param(b"", "not JSON", id="nothing"),
        pytest.param(b'{"a": ', "not JSON", id="cut off"),
        pytest.param(b"{} {}", "not JSON", id="two documents"),
        pytest.param(b"{'a': 1}", "not JSON", id="single quotes"),
        pytest.param(b"[1,]", "not JSON", id="a comma at the end"),
        pytest.param(b'"a\nb"', "not JSON", id="a bare line feed in text"),
        pytest.param(b"[01]", "not JSON", id="a leading zero"),
        pytest.param(b"[" * 21 + b"]" * 21, "nested deeper than 20", id="21 lists"),
        pytest.param(b"[" * 21 + b"7" + b"]" * 21, "nested deeper than 20", id="21 lists around a number"),
        pytest.param(b'{"a":' * 21 + b"7" + b"}" * 21, "nested deeper than 20", id="21 objects"),
        pytest.param(b"[" * 100_000, "nested deeper than 20", id="100,000 brackets"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, "nested deeper than 20", id="100,000 pairs of brackets"),
    ],
)
def test_refuses_what_json_does_not_allow(content: bytes, says: str) -> None:
    with pytest.raises(NotStrictJson, match=says):
        parse(content)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"[" * 20 + b"]" * 20, id="lists"),
        pytest.param(b"[" * 20 + b'"deep"' + b"]" * 20, id="lists around text"),
        pytest.param(b'{"a":' * 20 + b"null" + b"}" * 20, id="objects"),
    ],
)
def test_reads_20_levels(content: bytes) -> None:
    assert parse(content) == json.loads(content)


def test_names_the_place_of_a_mistake() -> None:
    with pytest.raises(NotStrictJson) as raised:
        parse(b'{\n  "a": 1,\n  b\n}')

    assert (raised.value.line, raised.value.column) == (3, 3)


def test_names_no_place_where_none_is_known() -> None:
    with pytest.raises(NotStrictJson) as raised:
        parse(b'{"a": 1, "a": 2}')

    assert (raised.value.line, raised.value.column) == (None, None)


def test_shows_only_the_start_of_a_long_key() -> None:
    key = b'"' + b"k" * 5000 + b'"'

    with pytest.raises(NotStrictJson) as raised:
        parse(b"{" + key + b":1," + key + b":2}")

    assert len(str(raised.value)) < 200


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("9007199254740991", 9007199254740991, id="the greatest exact integer"),
        pytest.param("-9007199254740991", -9007199254740991, id="the least exact integer"),
        pytest.param("9007199254740992", "9007199254740992", id="one more"),
        pytest.param("-9007199254740992", "-9007199254740992", id="one less"),
        pytest.param("9" * 5000, "9" * 5000, id="a huge integer"),
        pytest.param("-" + "9" * 5000, "-" + "9" * 5000, id="a huge negative integer"),
        pytest.param("1e999", "1e999", id="an overflow"),
        pytest.param("-1e999", "-1e999", id="a negative overflow"),
        pytest.param("1e308", 1e308, id="a great float"),
        pytest.param("1e-999", 0.0, id="an underflow"),
        pytest.param("2.50", 2.5, id="a fraction"),
        pytest.param("60.0", 60.0, id="a whole float"),
    ],
)
def test_numbers_that_others_would_misread_stay_text(text: str, value: object) -> None:
    read = parse(f"[{text}]".encode())[0]

    assert (read, type(read)) == (value, type(value))


@given(EXACT)
def test_an_exact_integer_is_read_as_itself(number: int) -> None:
    assert integer(str(number)) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_finite_number_is_read_as_itself(number: float) -> None:
    read = finite(repr(number))

    assert isinstance(read, float)
    assert math.copysign(1, read) == math.copysign(1, number)
    assert read == number


@pytest.mark.parametrize("letter", ["\x00", "\x0b", "\x0c", "\x1f", "\x7f", "\x85", "\ufffe"])
def test_refuses_the_characters_that_the_caller_forbids(letter: str) -> None:
    content = json.dumps({"a": [f"x{letter}"]}).encode()

    with pytest.raises(NotStrictJson, match=f"U[+]{ord(letter):04X} is not allowed in text"):
        parse(content, refused)
    assert parse(content) == {"a": [f"x{letter}"]}


@pytest.mark.parametrize(
    ("text", "mark", "says"),
    [
        pytest.param('{"a": 1,\n "b": "x\u202ey"}', (2, 9), "U[+]202E [(]right-to-left override[)]", id="an override"),
        pytest.param(r'{"a": "\\u202e", "b": "x\u202Ey"}', (1, 25), "U[+]202E", id="behind what looks so"),
        pytest.param('{"x\u2066": 1}', (1, 4), "U[+]2066", id="in a key"),
        pytest.param(r'[[{"x\u2069": 1}]]', (1, 6), "U[+]2069", id="in a key, escaped"),
        pytest.param('["\U000e0041"]', (1, 3), "U[+]E0041", id="a tag"),
        pytest.param(r'["ä", "\udb40\uDC41"]', (1, 8), "U[+]E0041", id="a tag, escaped"),
        pytest.param('["a\u200c", "\u200c\u200d\u200b"]', (1, 9), "more than two", id="a message that nobody sees"),
        pytest.param(r'["a\u200c", "x\u200c\u200d\u200b"]', (1, 15), "more than two", id="the same, escaped"),
        pytest.param('[1,\r2,\r\n"\ud83d\udca9", -Infinity]'.encode("utf-16", "surrogatepass").decode("utf-16"), (3, 6),
                     "-Infinity is not JSON", id="an infinity"),
        pytest.param('["NaN", NaN]', (1, 9), "NaN is not JSON", id="NaN behind the text NaN"),
    ],
)  # fmt: skip
def test_names_the_place_and_the_character(text: str, mark: tuple[int, int], says: str) -> None:
    with pytest.raises(NotStrictJson, match=says) as raised:
        parse(text.encode())

    assert (raised.value.line, raised.value.column) == mark


def test_text_of_every_script_and_emoji_are_let_through() -> None:
    text = "\u0645\u06cc\u200c\u062e \U0001f468\u200d\U0001f469 \u05e9 \u2028 \u200f"

    assert parse(json.dumps([text]).encode()) == [text]


def test_tabs_and_line_breaks_are_no_forbidden_characters() -> None:
    assert parse(b'"\\t\\r\\n \\ud83d\\ude00"', refused) == "\t\r\n \N{GRINNING FACE}"
