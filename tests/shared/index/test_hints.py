from __future__ import annotations

from typing import Any

import pytest

from shared.index import IndexFaulty, hints, read_index

ENTRY = {"id": "a", "name": "A"}


def first_hint(text: str) -> str | None:
    with pytest.raises(IndexFaulty) as fault:
        read_index(text.encode(), "state-hub")
    return fault.value.faults[0].hint


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("name", 1, 'in quotes, as in "1"'),
        ("name", 1.5, '"1.5"'),
        ("status", True, '"true"'),
        ("name", None, None),
        ("name", "", None),
        ("summary", "x" * 2000, None),
        ("tags", "one", "as a list"),
        ("tags", 1, None),
        ("consumption_modes", "cli", "as a list"),
        ("source_repo", "x", "Leave it out"),
        ("body", "x", "file of its own"),
        ("_rank", 1, "without the underscore"),
        ("domain", "Helix Forge", "as in helix_forge"),
        ("path", "../x", "without .."),
        ("url", "ftp://x", "absolute http"),
        ("id", "Capability.Registry Register!", "as in capability.registry-register."),
        ("id", "a__b", "as in a-b."),
        ("id", "ÄÖ", "as in one.two."),
        ("id", "", "as in one.two."),
        ("id", "a" * 300, "an id of its own"),
        ("id", 5, '"5"'),
    ],
)
def test_the_value_of_a_field_says_what_to_do(field: str, value: Any, says: str | None) -> None:
    index = {"version": 1, "capabilities": [ENTRY, {**ENTRY, field: value}]}

    hint = hints.for_value(index, f"/capabilities/1/{field}")

    assert (hint is None) is (says is None)
    assert says is None or says in (hint or "")


@pytest.mark.parametrize(
    ("index", "pointer", "says"),
    [
        ({"version": "1"}, "/version", "without quotes"),
        ({"version": 2}, "/version", "Write version: 1"),
        ({"capabilities": "x"}, "/capabilities", "as a list"),
        ({"base_url": "x"}, "/base_url", "absolute"),
        ({"a/b~c": {"version": 2}}, "/a~1b~0c/version", "version: 1"),
        ({}, "/version", None),
        ([], "/0/id", None),
        ([1], "/9", None),
        (None, "", None),
        ("text", "/x", None),
    ],
)
def test_so_does_its_place(index: Any, pointer: str, says: str | None) -> None:
    hint = hints.for_value(index, pointer)

    assert hint == says or (says is not None and says in (hint or ""))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a:\n\tb: 1\n", "not with tabs"),
        ("a: see: this\n", "colon and a blank"),
        ("a: *bold*\n", "in quotes"),
        ("a: &b c\n", "in quotes"),
        ("a: !important\n", "in quotes"),
        ("a: @user\n", "in quotes"),
        ("a: `code`\n", "in quotes"),
        ("a: %x\n", "in quotes"),
        ("a: 'open\n", None),
        ("a: 1\na: 2\n", None),
    ],
)
def test_the_character_at_which_yaml_ends_says_what_to_do(text: str, says: str | None) -> None:
    hint = first_hint(text)

    assert hint == says or (says is not None and says in (hint or ""))


def test_faults_carry_their_hints() -> None:
    assert first_hint("version: '1'\ncapabilities: []\n") == "Write version: 1, without quotes."
    assert first_hint("version: 1\ncapabilities:\n- {id: a, name: 1.0}\n") == 'Put it in quotes, as in "1.0".'


def test_another_charset_is_named_at_its_place() -> None:
    with pytest.raises(IndexFaulty) as fault:
        read_index("a: 1\nname: Bär\n".encode("latin-1"), "state-hub")

    assert fault.value.faults == [(2, 8, "", "is not UTF-8", "Save the file as UTF-8.")]
