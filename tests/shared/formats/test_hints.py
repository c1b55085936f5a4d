from __future__ import annotations

from typing import Any

import pytest

from shared.formats import hints
from shared.formats.capability_index import read_index
from shared.formats.documents import DocumentFaulty

ENTRY = {"id": "a", "name": "A"}


def first_hint(text: str) -> str | None:
    with pytest.raises(DocumentFaulty) as fault:
        read_index(text.encode(), "state-hub")
    return fault.value.faults[0].hint


def test_a_hint_does_not_repeat_a_number_of_any_length() -> None:
    assert first_hint(f"version: 1\ncapabilities:\n- {{id: a, name: 1.{'0' * 98}}}\n") is not None
    assert first_hint(f"version: 1\ncapabilities:\n- {{id: a, name: 1.{'0' * 5000}}}\n") == "Put it in quotes."


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("name", 1, 'in quotes, as in "1"'),
        ("name", 1.5, '"1.5"'),
        ("status", True, '"true"'),
        ("name", None, "Write the name behind it."),
        ("id", None, "Write an id behind it"),
        ("tags", None, "Leave it out, or write []."),
        ("summary", None, 'Leave it out, or write "".'),
        ("owner", None, 'Leave it out, or write "".'),
        ("domain", None, "Leave it out."),
        ("url", 5, "absolute http"),
        ("domain", True, '"true"'),
        ("domain", -5, "as in helix_forge"),
        ("id", True, '"true"'),
        ("id", -5, "as in 5."),
        ("entry_url", "https://x", "the hub makes it"),
        ("name", "", None),
        ("summary", "x" * 2000, None),
        ("tags", "one", "as a list"),
        ("tags", 1, "as a list"),
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
        ({"capabilites": []}, "/capabilities", "Write capabilities in the place of capabilites."),
        ({"capabilities": [{"nmae": "x"}]}, "/capabilities/0/name", "Write name in the place of nmae."),
        ({"sources": []}, "/capabilities", "a federation manifest, which is checked with kind=manifest"),
        ({"capabilities": []}, "/sources", "a capability index, which is checked without kind=manifest"),
        ({"sources": [{"ulr": "https://x"}]}, "/sources/0/url", "Write url in the place of ulr."),
        ({"summary": "x", 5: "x", "x" * 50: 1}, "/capabilities", None),
        ({"names": "x"}, "/capabilities/0/name", None),
        (None, "/capabilities", None),
    ],
)
def test_a_missing_field_may_stand_there_under_another_name(index: Any, pointer: str, says: str | None) -> None:
    hint = hints.for_missing(index, pointer)

    assert hint == says or (says is not None and says in (hint or ""))


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
        (None, "", "Begin with version: 1"),
        ({"version": None}, "/version", "Write version: 1"),
        ({"capabilities": None}, "/capabilities", "Write capabilities: []"),
        ({"capabilities": ["a.b"]}, "/capabilities/0", "as a mapping"),
        ({"capabilities": [None]}, "/capabilities/0", "as a mapping"),
        ({"capabilities": [{"tags": ["a", None]}]}, "/capabilities/0/tags/1", "Leave it out."),
        ({"sources": 5}, "/sources", "as a list"),
        ({"sources": [5]}, "/sources/0", "as a mapping"),
        ({"sources": [{"repo": None}]}, "/sources/0/repo", "Write the value behind it."),
        ({"sources": [{"enabled": "yes"}]}, "/sources/0/enabled", "Write true or false"),
        ({"sources": [{"required": 1}]}, "/sources/0/required", "Write true or false"),
        ({"sources": [{"cache_ttl_seconds": 1.5}]}, "/sources/0/cache_ttl_seconds", "whole number"),
        ({"sources": [{"cache_ttl_seconds": "60"}]}, "/sources/0/cache_ttl_seconds", "whole number"),
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
        ("a: *\n", "starts with * in quotes"),
        ("a: & b\n", "starts with & in quotes"),
        ("a: - b\n", "starts so in quotes"),
        ("a: ? b\n", "starts so in quotes"),
        ("a: b\n - c\n  d: e\n", "Align this key"),
        ("a: &b c\n", "in quotes"),
        ("a: !important\n", "in quotes"),
        ("a: @user\n", "in quotes"),
        ("a: `code`\n", "in quotes"),
        ("a: %x\n", "in quotes"),
        ("a: 'open\n", "Close the quote that opens in line 1, column 4."),
        ('a: "C:\\temp\\q"\n', "Write \\\\ for a backslash"),
        ("a: 'it's'\n", "quotes of the other kind"),
        ("a: 1\na: 2\n", None),
        ("a: |\n b\nc d\n", None),
        ("a: [1, 2\nb: 3\n", "the [ of line 1, column 4"),
        ("a:\n  b: {c d\n", "the { of line 2, column 6"),
        ("a: [b: c: d]\n", "quotes around texts"),
        ("%YAML 1.2\n---\nversion: 1\n", "Leave the directive out."),
        ("# by a generator\n\n%YAML 1.1\n---\nversion: 1\n", "Leave the directive out."),
        ("%FOO\n---\nversion: 1\n", "Leave the directive out."),
        ("a: 1\n%b: 2\n", "starts so in quotes"),
        ("version: 1\n---\nb: 1\n", "an index is one document"),
        ("a: &x 1\nb: 2\n", "Leave the anchor out"),
        ("a: 1\nb: *x\n", "what the alias stands for"),
        ("a: !!str 1\n", "Leave the tag out"),
        ("a: 1\n<<: {b: 2}\n", "fields of the other mapping"),
        ("- id: a.b\n   name: x\n", "Align this key"),
        ("- id: a.b\n  summary: x\n name: x\n", "Align this key"),
        ("- id: 'a.b'\n   name: x\n", "Align this key"),
        ("s: This is\n  and note: it\n", "colon and a blank"),
        ("a: http://x: y\n", "colon and a blank"),
        ("a:b\nc: d\n", "Write a blank behind the colon of line 1."),
        ("https://x\nc: d\n", "Align this key"),
        ("a: 1\n<<<<<<< HEAD\nb: 2\n=======\nb: 3\n>>>>>>> x\n", "merge conflict that begins in line 2."),
        ("a: 1\r\n- b\r\n<<<<<<< HEAD\r\n", "merge conflict that begins in line 3."),
    ],
)
def test_the_character_at_which_yaml_ends_says_what_to_do(text: str, says: str | None) -> None:
    hint = first_hint(text)

    assert hint == says or (says is not None and says in (hint or ""))


def test_the_pointer_of_a_large_file_is_named() -> None:
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935\nsize 12345\n"

    assert first_hint(text) == "This is the pointer of a large file (Git LFS); publish the file itself."


@pytest.mark.parametrize(
    "written",
    ["1.10", "0042", "1e3", ".5", "5.", "+7", "-1.50E-3", "true", "True", "FALSE", "9007199254740991", "1.0", "007"],
)
@pytest.mark.parametrize("kind", ["name: {}", "summary: {}", "tags: [{}]", "x: 1, name: {}"])
def test_a_hint_shows_the_value_as_it_is_written(kind: str, written: str) -> None:
    entry = "{id: a, " + ("" if "name" in kind else "name: A, ") + kind.format(written) + "}"

    assert first_hint(f"version: 1\ncapabilities:\n- {entry}\n") == f'Put it in quotes, as in "{written}".'


@pytest.mark.parametrize("written", ["1.10", "1e3", "0.50"])
def test_so_it_does_for_json(written: str) -> None:
    hint = first_hint(f'{{"version": 1, "capabilities": [{{"id": "a", "name": {written}}}]}}')

    assert hint == f'Put it in quotes, as in "{written}".'


@pytest.mark.parametrize("written", ["0x10", "0o7", "1_000", "1:30", "2026-11-23", "yes", "off", "1.2.3", ".inf"])
def test_what_is_text_needs_no_quotes(written: str) -> None:
    content = read_index(f"version: 1\ncapabilities:\n- {{id: a, name: {written}}}\n".encode(), "state-hub")

    assert f'"name":"{written}"'.encode() in content.entries[0].json


@pytest.mark.parametrize("written", ["1.10", "1e3", "007", "true"])
def test_who_does_as_the_hint_says_publishes_what_was_written(written: str) -> None:
    text = "version: 1\ncapabilities:\n- {{id: {}, name: A}}\n"
    hint = first_hint(text.format(written)) or ""

    content = read_index(text.format(hint.removeprefix("Put it in quotes, as in ").rstrip(".")).encode(), "state-hub")

    assert content.entries[0].id == written


def test_faults_carry_their_hints() -> None:
    assert first_hint("version: '1'\ncapabilities: []\n") == "Write version: 1, without quotes."
    assert first_hint("version: 1\ncapabilities:\n- {id: a, name: 1.0}\n") == 'Put it in quotes, as in "1.0".'


def test_another_charset_is_named_at_its_place() -> None:
    with pytest.raises(DocumentFaulty) as fault:
        read_index("a: 1\nname: Bär\n".encode("latin-1"), "state-hub")

    assert fault.value.faults == [(2, 8, "", "is not UTF-8", "Save the file as UTF-8.")]


@pytest.mark.parametrize(
    ("before", "mark"),
    [("name: ä, 名, \U0001f600 ", (1, 15)), ("a: 1\rb: ", (2, 4)), ("a: 1\r\nb: ", (2, 4)), ("\ufeffa: ", (1, 4))],
)
def test_its_column_counts_characters_and_not_bytes(before: str, mark: tuple[int, int]) -> None:
    with pytest.raises(DocumentFaulty) as fault:
        read_index(before.encode() + b"\xff", "state-hub")

    assert fault.value.faults[0][:2] == mark


def test_a_name_without_letters_is_no_other_document() -> None:
    assert hints.for_missing({"": 1}, "/version") is None
