from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.formats.yaml_events import NotPlainYaml, locate, parse
from tests.shared.test_yaml_out import MAPPINGS, same

DOCUMENT = """\
version: 1
capabilities:
  - id: a
    "a/b": {x: [1, two]}
  - tags:
      - one
"""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("Null", None), ("NULL", None), ("nULL", "nULL"),
        ("true", True), ("True", True), ("FALSE", False), ("yes", "yes"), ("off", "off"), ("y", "y"),
        ("0", 0), ("-12", -12), ("+7", 7), ("007", 7), ("9007199254740991", 2**53 - 1),
        ("9007199254740992", "9007199254740992"), ("-9007199254740992", "-9007199254740992"), ("9" * 5000, "9" * 5000),
        ("0x10", "0x10"), ("0o7", "0o7"), ("0b1", "0b1"), ("1_000", "1_000"), ("1:30", "1:30"), ("-", None),
        ("1.5", 1.5), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0), ("-1.5E-3", -0.0015), ("1e999", "1e999"),
        (".inf", ".inf"), ("-.INF", "-.INF"), (".nan", ".nan"), ("+", "+"), ("1e", "1e"), (".", "."),
        ("1.2.3", "1.2.3"),
        ("2026-11-23", "2026-11-23"), ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00Z"), ("=", "="),
        ("'true'", "true"), ('"1"', "1"), ("|\n  12\n", "12\n"), (">\n  a\n  b\n", "a b\n"), ('"\\u263a"', "☺"),
    ],
)  # fmt: skip
def test_a_scalar_stands_for(text: str, value: Any) -> None:
    read = parse(f"key: {text}\n")["key"] if text != "-" else parse("- \n")[0]

    assert same(read, value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# nothing\n", None),
        ("---\n...\n", None),
        ("just text", "just text"),
        ("- 1\n- [2, {a: b}]\n", [1, [2, {"a": "b"}]]),
        ("1: a\ntrue: b\nnull: c\n~: d\n", {"1": "a", "true": "b", "null": "c", "~": "d"}),
        ("? a\n: b\n? c\n", {"a": "b", "c": None}),
        ('"<<": a\n', {"<<": "a"}),
        ("a: []\nb: {}\n", {"a": [], "b": {}}),
        ("a: {b: {}, c: [[], 1]}\nd: 2\n", {"a": {"b": {}, "c": [[], 1]}, "d": 2}),
        ("a: x\u0085y", {"a": "x y"}),
    ],
)
def test_a_document_is_read_as(text: str, value: Any) -> None:
    if "\u0085" in text:
        with pytest.raises(NotPlainYaml):
            parse(text)
        return
    assert same(parse(text), value)


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        pytest.param("a: &x 1\n", 1, 4, "anchors", id="an anchor on a scalar"),
        pytest.param("a: &x [1]\n", 1, 4, "anchors", id="an anchor on a list"),
        pytest.param("a: 1\nb: *x\n", 2, 4, "aliases", id="an alias"),
        pytest.param("a: 1\n<<: {b: 2}\n", 2, 1, "merge keys", id="a merge key"),
        pytest.param("a: !!str 1\n", 1, 4, "tags", id="a tag on a scalar"),
        pytest.param("a: !!python/object/apply:os.system [ls]\n", 1, 4, "tags", id="a tag on a list"),
        pytest.param("a: !!set {b}\n", 1, 4, "tags", id="a tag on a mapping"),
        pytest.param("a: 1\nb: 2\na: 3\n", 3, 1, "'a' stands twice", id="a key twice"),
        pytest.param('a: {b: 1, "b": 2}\n', 1, 11, "'b' stands twice", id="a key twice, once quoted"),
        pytest.param("? [a]\n: b\n", 1, 3, "key must be a scalar", id="a list as key"),
        pytest.param("{{a: b}: c}\n", 1, 2, "key must be a scalar", id="a mapping as key"),
        pytest.param("--- 1\n--- 2\n", 2, 1, "one document", id="two documents"),
        pytest.param("%YAML 1.1\n--- 1\n", 1, 1, "directives", id="a version directive"),
        pytest.param("%TAG ! !foo\n--- 1\n", 1, 1, "directives", id="a tag directive"),
        pytest.param("a: [1\n", 2, 1, "not YAML", id="a list without end"),
        pytest.param("a: b: c\n", 1, 5, "not YAML", id="two colons"),
        pytest.param("a:\n\tb: 1\n", 2, 1, "not YAML", id="a tab as indent"),
        pytest.param("a: 'open\n", 2, 1, "not YAML", id="a quote without end"),
        pytest.param("a: 1\nb: x\x07y\n", 2, 5, "U\\+0007", id="a control character"),
        pytest.param('a: "\\a"\n', 1, 4, "U\\+0007", id="a control character, escaped"),
        pytest.param('a: "\\ud800"\n', 1, 7, "not YAML", id="half a character, escaped"),
        pytest.param('"a\\x01": 1\n', 1, 1, "U\\+0001", id="a control character in a key, escaped"),
        pytest.param("a: \ufffe\n", 1, 4, "U\\+FFFE", id="a non-character"),
        pytest.param("[" * 21, 1, 21, "nested deeper than 20", id="21 lists"),
        pytest.param("[" * 100_000, 1, 21, "nested deeper than 20", id="100,000 lists"),
        pytest.param("{a: " * 21, 1, 81, "nested deeper than 20", id="21 mappings"),
        pytest.param("- " * 100_000, 1, 41, "nested deeper than 20", id="100,000 dashes"),
    ],
)
def test_refuses_at_the_place(text: str, line: int, column: int, says: str) -> None:
    with pytest.raises(NotPlainYaml, match=says) as fault:
        parse(text)

    assert (fault.value.line, fault.value.column) == (line, column)


def test_the_number_of_lists_and_mappings_is_bounded() -> None:
    assert len(parse("[" + "[]," * 499_999 + "]")) == 499_999
    with pytest.raises(NotPlainYaml, match="more than 500,000"):
        parse("[" + "[]," * 500_000 + "]")


@given(st.lists(MAPPINGS, max_size=3))
def test_json_is_yaml(value: Any) -> None:
    assume("9007199254740992" not in json.dumps(value))  # an integer that others could not read exactly stays text
    text = json.dumps(value)  # escapes all that is not ASCII
    try:
        read = parse(text)
    except NotPlainYaml:
        return

    assert json.dumps(read) == text


@pytest.mark.parametrize(
    ("pointer", "mark"),
    [
        ("", (1, 1)),
        ("/version", (1, 10)),
        ("/capabilities", (3, 3)),
        ("/capabilities/0", (3, 5)),
        ("/capabilities/0/id", (3, 9)),
        ("/capabilities/0/a~1b/x/1", (4, 20)),
        ("/capabilities/1/tags/0", (6, 9)),
        ("/capabilities/1/id", (5, 5)),
        ("/capabilities/0/a~1b/none/deeper", (4, 12)),
        ("/nothing", (1, 1)),
    ],
)
def test_locates_a_value_or_what_would_hold_it(pointer: str, mark: tuple[int, int]) -> None:
    (place,) = locate(DOCUMENT, [pointer])

    assert (place.line, place.column) == mark


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a: 1.10", "1.10"), ("a: 0042", "0042"), ("a: 1e3", "1e3"), ("a: .5", ".5"), ("a: +7", "+7"),
        ("a: True", "True"), ("a: ~", "~"), ("a: NULL", "NULL"), ("a:", ""), ("a: 1_000", "1_000"), ("a: 0x1F", "0x1F"),
        ("a: 2026-11-23", "2026-11-23"),
        ("a: '1.10'", None), ('a: "1e3"', None), ("a: [1]", None), ("a: {}", None), ("a: |\n  1\n", None),
    ],
)  # fmt: skip
def test_a_plain_scalar_is_known_as_it_is_written(text: str, written: str | None) -> None:
    (place,) = locate(text, ["/a"])

    assert place.scalar == written


@pytest.mark.parametrize("letter", ["\u2028", "\u2029"])
@pytest.mark.parametrize("kind", ["a: '{}'", 'a: "{}"', "a: {}", "a: |-\n  {}", "a: ['{}']"])
def test_only_what_editors_take_for_the_end_of_a_line_is_one(kind: str, letter: str) -> None:
    text = f"x: 1 # one{letter}two\n" + kind.format(f"one{letter}two") + "\nb: 2\n"

    value = parse(text)
    (place,) = locate(text, ["/b"])

    assert value["a"] in (f"one{letter}two", [f"one{letter}two"])
    assert (place.line, place.column) == (len(text.split("\n")) - 1, 4)


def test_such_a_separator_may_stand_in_a_key() -> None:
    assert parse("'a\u2028b': 1\n\"c\u2029\": 2") == {"a\u2028b": 1, "c\u2029": 2}


@pytest.mark.parametrize("escape", ["\\ufdd0", "\\uFDD1", "\\U0000fdd0"])
def test_no_character_is_taken_for_what_stands_in_for_another(escape: str) -> None:
    with pytest.raises(NotPlainYaml, match=r"U\+FDD[01] is not allowed") as fault:
        parse(f'a: "\u2028"\nb: "{escape}"\n')

    assert (fault.value.line, fault.value.column) == (2, 5)


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        pytest.param("a: 1\rb: x\x07\r", (2, 5), id="CR alone"),
        pytest.param("a: 1\r\nb: x\x07\r\n", (2, 5), id="CR LF"),
        pytest.param("a: 1\n\r\nb: x\x07", (3, 5), id="both kinds"),
        pytest.param("a: 1\r\rb: [}", (3, 5), id="CR alone, found by libyaml"),
        pytest.param("ä: 名\n\U0001f600: \x07", (2, 4), id="wide characters count as one"),
        pytest.param("a:\t\x07", (1, 4), id="a tab counts as one"),
        pytest.param("# \u2028\n\x07", (2, 1), id="U+2028 ends no line"),
    ],
)
def test_lines_and_columns_are_counted_as_editors_do(text: str, mark: tuple[int, int]) -> None:
    with pytest.raises(NotPlainYaml) as fault:
        parse(text)

    assert (fault.value.line, fault.value.column) == mark


HIDDEN = [
    *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2061, 0x206F, 0xFEFF, 0xFFF9, 0x1D173,
    0xE0000, 0xE0001, 0xE0041, 0xE007F, 0xE0FFF,
]  # fmt: skip


@pytest.mark.parametrize("code", HIDDEN, ids=[f"{code:04X}" for code in HIDDEN])
@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("a: 1\nb: x{}y\n", (2, 5)), ("a: 1\n'x{}': 1\n", (2, 3)), ("a: 1\n# x{}\n", (2, 4)), ("a: |\n  x{}\n", (2, 4)),
        ('a: 1\nb: "x\\U{:08X}"\n', (2, 4)), ('a: 1\n"x\\U{:08X}": 1\n', (2, 1)),
    ],
)  # fmt: skip
def test_what_hides_or_turns_text_round_is_refused_at_its_place(text: str, mark: tuple[int, int], code: int) -> None:
    with pytest.raises(NotPlainYaml, match=f"the character U\\+{code:04X}.* is not allowed") as fault:
        parse(text.format(code) if ":08X" in text else text.format(chr(code)))

    assert (fault.value.line, fault.value.column) == mark
