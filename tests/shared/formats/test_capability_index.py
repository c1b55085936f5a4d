from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from shared.formats.capability_index import read_index
from shared.formats.documents import DocumentFaulty
from shared.problems import SourceTooLarge
from tests.builders import capability, index

REPO = "state-hub"
YAML = b"""\
version: 1
domain: helix_forge
updated: 2026-11-23
anything: {else: [1]}
capabilities:
  - id: capability.registry.register
    name: Register
    vector: D5 / A4 / C3 / R2
    since: 2026-11-23
    level: 3
"""


def faults(body: bytes) -> list[tuple[Any, ...]]:
    with pytest.raises(DocumentFaulty) as raised:
        read_index(body, REPO)
    return [tuple(fault) for fault in raised.value.faults]


def entry(text: str) -> bytes:
    return f"version: 1\ncapabilities:\n- id: a\n  name: A\n  {text}\n".encode()


def test_yaml_is_read_as_data() -> None:
    content = read_index(YAML, REPO)

    (read,) = content.entries
    assert content.domain == "helix_forge"
    assert json.loads(read.json) == {
        "id": "capability.registry.register",
        "name": "Register",
        "vector": "D5 / A4 / C3 / R2",
        "level": 3,
        "since": "2026-11-23",
        "source_repo": REPO,
    }


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"version":1,"capabilities":[{"id":"a","name":"A"}]}', id="JSON"),
        pytest.param(b"\xef\xbb\xbfversion: 1\ncapabilities:\n- {id: a, name: A}\n", id="a byte order mark"),
        pytest.param(b"{version: 1, capabilities: [{id: a, name: A}]}", id="YAML that starts like JSON"),
        pytest.param(b"version: 1\r\ncapabilities:\r\n- id: a\r\n  name: A\r\n", id="line ends of Windows"),
        pytest.param(b'version: 1.0\nrepo: state-hub\ncapabilities:\n- {id: a, "name": A}\n', id="a float that is 1"),
    ],
)
def test_forms_of_one_index_are_one_content(body: bytes) -> None:
    assert read_index(body, REPO) == read_index(b"version: 1\ncapabilities:\n- id: a\n  name: A\n", REPO)


def test_an_index_may_be_empty() -> None:
    assert read_index(b"version: 1\ncapabilities: []\n", REPO).entries == ()


UNSEEN = ("/capabilities/0/name", "must hold something that can be seen")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b"", [(1, 1, "", "must be a mapping of names to values")], id="nothing"),
        pytest.param(
            b"404: Not Found",
            [(1, 1, "/capabilities", "is required"), (1, 1, "/version", "is required")],
            id="an error as text",
        ),
        pytest.param(b"[]", [(1, 1, "", "must be a mapping of names to values")], id="a list"),
        pytest.param(b"version: 1\n", [(1, 1, "/capabilities", "is required")], id="no list"),
        pytest.param(b"version: 1\ncapabilities: {}\n", [(2, 15, "/capabilities", "must be a list")], id="no list but"),
        pytest.param(b"version: 2\ncapabilities: []\n", [(1, 10, "/version", "must be 1")], id="another version"),
        pytest.param(
            b"version: 1\nrepo: other\ncapabilities: []\n",
            [(2, 7, "/repo", "must be state-hub, the name under which this URL is registered")],
            id="another repo",
        ),
        pytest.param(entry("source_repo: x"), [(5, 16, "/capabilities/0/source_repo", "is not allowed")], id="whose"),
        pytest.param(
            entry("".join(f"k{number}: 1\n  " for number in range(199))),
            [(3, 3, "/capabilities/0", "has more than 200 fields")],
            id="many fields",
        ),
        pytest.param(entry("body: x"), [(5, 9, "/capabilities/0/body", "is not allowed")], id="a body"),
        pytest.param(entry("_x: 1"), [(5, 7, "/capabilities/0/_x", "is not allowed")], id="a name of the hub"),
        pytest.param(entry("x: {a: 1}"), [(5, 6, "/capabilities/0/x", "must be a scalar")], id="a mapping"),
        pytest.param(entry("path: ../secret"), [(5, 9, "/capabilities/0/path", "does not match")], id="a path upwards"),
        pytest.param(entry("url: javascript:x"), [(5, 8, "/capabilities/0/url", "does not match")], id="a script"),
        pytest.param(entry("status: 1"), [(5, 11, "/capabilities/0/status", "must be text")], id="a number as text"),
        pytest.param(
            entry("summary: " + "x" * 1001),
            [(5, 12, "/capabilities/0/summary", "is longer than 1,000")],
            id="a long text",
        ),
        pytest.param(
            b"version: 1\ncapabilities:\n- {id: a, name: A}\n- {id: a, name: B}\n",
            [(4, 8, "/capabilities/1/id", "stands twice in this index")],
            id="an id twice",
        ),
        pytest.param(
            b"version: 1\ncapabilities:\n- 1\n- {name: A, tags: x}\n- {id: B, name: ''}\n",
            [
                (3, 3, "/capabilities/0", "must be a mapping"),
                (4, 3, "/capabilities/1/id", "is required"),
                (4, 19, "/capabilities/1/tags", "must be a list"),
                (5, 8, "/capabilities/2/id", "does not match"),
                (5, 17, "/capabilities/2/name", "must not be empty"),
            ],
            id="many faults at once",
        ),
        pytest.param(b"version: 1\nname: \xff\n", [(2, 7, "", "is not UTF-8")], id="another charset"),
        pytest.param("version: 1".encode("utf-16"), [(1, 1, "", "is not UTF-8")], id="UTF-16"),
        pytest.param(b"version: 1\nx: *y\n", [(2, 4, "", "aliases")], id="an alias"),
        pytest.param(b'{"a":1,"a":1}', [(1, 8, "", "the key 'a' stands twice")], id="JSON, a key twice"),
        pytest.param(b'{"a":' * 21 + b"1" + b"}" * 21, [(1, 101, "", "nested deeper")], id="JSON, too deep"),
        pytest.param(b'{"a":"\\u0007"}', [(1, 7, "", "U+0007")], id="JSON, a control character"),
        pytest.param('{\n"a": "ä\u202e"}'.encode(), [(2, 8, "", "U+202E")], id="JSON, an override"),
        pytest.param(b'{"\\ud83d\\ude00": 1,\n"a": "\\uDB40\\udc41"}', [(2, 7, "", "U+E0041")], id="JSON, a tag"),
        pytest.param(b'{"a": "NaN",\n "b": NaN}', [(2, 7, "", "NaN is not JSON")], id="JSON, NaN"),
        pytest.param(
            b'{"' + b"k" * 2000 + b'": 1, "a": 1, "a": 2}', [(1, 1, "", 'the key "a"')], id="JSON, no YAML either"
        ),
        pytest.param(entry(r'summary: "x\u2066y"'), [(5, 12, "", "U+2066 (left-to-right isolate)")], id="an isolate"),
        pytest.param(entry('"x\u200b\u200b\u200by": 1'), [(5, 5, "", "can't be seen")], id="a hidden message in a key"),
        pytest.param(b"version: 1\ncapabilities:\n- id: a\n  name: '   '\n", [(4, 9, *UNSEEN)], id="a name of blanks"),
        pytest.param(
            b'version: 1\ncapabilities:\n- id: a\n  name: "\\u200b"\n', [(4, 9, *UNSEEN)], id="a name of no width"
        ),
        pytest.param(
            'version: 1\ncapabilities:\n- id: a\n  name: "\u3164\u2800\xa0"\n'.encode(),
            [(4, 9, *UNSEEN)],
            id="a name of fillers",
        ),
        pytest.param(
            entry('tags: [a, "\\u200b"]\n  owner: "\\u200d"\n  "\\u200b": 1'),
            [
                (5, 13, "/capabilities/0/tags/1", "something that can be seen"),
                (6, 10, "/capabilities/0/owner", "something that can be seen"),
                (7, 13, "/capabilities/0/\u200b", "something that can be seen"),
            ],
            id="a tag, an owner and a key that nobody sees",
        ),
    ],
)
def test_names_every_fault_with_its_place(body: bytes, expected: list[tuple[int, int, str, str]]) -> None:
    found = faults(body)

    assert [fault[:3] for fault in found] == [fault[:3] for fault in expected]
    assert all(wanted[3] in fault[3] for fault, wanted in zip(found, expected, strict=True))


def test_names_of_fields_are_bounded() -> None:
    assert faults(entry("x" * 101 + ": 1")) != []
    assert read_index(entry("x" * 100 + ": 1"), REPO).entries


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("\u0645\u06cc\u200c\u062e\u0648", id="Persian"),
        pytest.param("\u05e9\u05dc\u05d5\u05dd", id="Hebrew"),
        pytest.param("\U0001f468\u200d\U0001f469\u200d\U0001f467", id="emoji of several parts"),
        pytest.param(
            "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", id="a flag written with tags"
        ),
        pytest.param("one\u2028two", id="a separator of lines"),
    ],
)
def test_names_of_every_script_are_served_as_they_are_written(name: str) -> None:
    literal = f'version: 1\ncapabilities:\n- {{id: a, name: "{name}"}}\n'.encode()
    escaped = json.dumps({"version": 1, "capabilities": [{"id": "a", "name": name}]}).encode()

    for body in (literal, escaped):
        assert json.loads(read_index(body, REPO).entries[0].json)["name"] == name


def test_blank_texts_other_than_names_are_left_to_their_authors() -> None:
    assert read_index(entry("summary: ' '\n  owner: ''\n  tags: ['']"), REPO).entries


def test_at_most_a_hundred_faults_are_told() -> None:
    body = index(*({"id": f"Bad{number}"} for number in range(5000)))

    assert len(faults(body)) == 100


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"k" * 40_000: {"a": 1}}, id="a name with a value that is refused"),
        pytest.param({"\u2800" * 40_000: 1}, id="a name in which nothing can be seen"),
        pytest.param({"k" * 40_000: ["\u2800"] * 3000}, id="a list in which nothing can be seen"),
    ],
)
def test_what_is_told_of_a_document_does_not_grow_with_its_names(fields: dict[str, Any]) -> None:
    tracemalloc.start()
    try:
        found = faults(index(capability(**fields)))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert max(len(text) for fault in found for text in fault[2:4]) <= len("/capabilities/0") + 500
    # The pointer to each of 3,000 texts would have been as long as the name above them.
    assert most < 8 * 1024 * 1024


def test_the_number_of_capabilities_is_bounded() -> None:
    # Of so many faulty ones it tells; one more is one too many to look at.
    assert len(faults(index(*[{}] * 20_000))) == 100
    with pytest.raises(SourceTooLarge, match="more than 20,000 capabilities"):
        read_index(index(*[{}] * 20_001), REPO)


def test_characters_that_json_escapes_in_halves_move_no_place() -> None:
    body = b'{"version":1,"capabilities":[{"name":"\\ud83d\\uDE00","id":"A"}]}'

    assert [fault[:3] for fault in faults(body)] == [(1, 58, "/capabilities/0/id")]


def test_json_that_yaml_can_not_read_has_its_faults_at_the_start() -> None:
    body = b'{"' + b"k" * 2000 + b'":1,"version":1,"capabilities":[{"id":"A","name":"x"}]}'

    assert [fault[:3] for fault in faults(body)] == [(1, 1, "/capabilities/0/id")]
