from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest
import yaml

from shared import schemas
from shared.model.capability import Capability, Entry, in_order
from shared.model.content import content_of
from tests.builders import capability

FULL: dict[str, Any] = {
    "zeta": [1, 2.5, None, True],
    "consumption_modes": ["cli"],
    "url": "https://h.example/",
    "path": "a.md",
    "tags": ["x"],
    "owner": "o",
    "status": "s",
    "domain": "d",
    "vector": "D5 / A4",
    "summary": "line\nline",
    "alpha": "ä☺",
    "name": "Name",
    "id": "a.b",
}
ENTRY = Entry.of(in_order(FULL), "state-hub", "https://h.example/a.md")


def entry(repo: str = "state-hub", **members: Any) -> Entry:
    [made] = content_of({"version": 1, "capabilities": [members]}, repo).entries
    return made


def test_an_entry_says_what_it_was_made_of_and_what_the_hub_adds() -> None:
    said = ENTRY.decoded()

    assert dict(said.members) == {**FULL, "entry_url": "https://h.example/a.md", "source_repo": "state-hub"}
    assert [*said.members][-2:] == ["entry_url", "source_repo"]
    assert said.published() == FULL


def test_every_member_that_the_schema_names_has_a_property_of_its_type() -> None:
    said = ENTRY.decoded()
    named = schemas.schema("federated-index")["$defs"]["capability"]["properties"]

    for name in {*named} - {"path"}:
        assert getattr(said, name) == said.members[name], name


def test_what_an_entry_does_not_say_is_empty() -> None:
    said = entry(**capability()).decoded()

    assert (said.id, said.name, said.source_repo) == ("capability.example.n1", "Example 1", "state-hub")
    texts = (said.summary, said.vector, said.domain, said.status, said.owner, said.url, said.entry_url)
    assert (texts, said.tags, said.consumption_modes) == (("",) * 7, [], [])


@pytest.mark.parametrize(
    ("value", "text", "texts"),
    [
        ("a", "a", None),
        ("", "", None),
        (7, "", None),
        (None, "", None),
        (True, "", None),
        (["a", "b"], "", ["a", "b"]),
        (["a", 1], "", None),
        ([], "", []),
    ],
    ids=repr,
)
def test_members_of_a_publishers_own_making_are_taken_where_they_are_texts(
    value: Any, text: str, texts: list[str] | None
) -> None:
    said = entry(**capability(own=value)).decoded()

    assert (said.text("own"), said.texts("own")) == (text, texts)
    assert (said.text("other"), said.texts("other")) == ("", None)


def test_the_bytes_alone_make_the_same_entry() -> None:
    assert Entry.encoded(ENTRY.json) == ENTRY
    assert Entry.encoded(entry(id="a", name='"\\').json).id == "a"


def test_what_is_kept_of_a_capability_is_its_id_and_its_bytes() -> None:
    assert [field.name for field in fields(Entry)] == ["id", "json"]
    assert ENTRY.decoded() is not ENTRY.decoded()
    with pytest.raises(FrozenInstanceError):
        Capability({}).members = {}  # type: ignore[misc]


def test_json_and_yaml_say_the_same() -> None:
    made = entry(**FULL)

    assert json.loads(made.json) == {**FULL, "source_repo": "state-hub"}
    assert yaml.safe_load(made.yaml) == [{**FULL, "source_repo": "state-hub"}]


def test_entries_of_two_repos_may_say_the_same() -> None:
    one = entry("one", **FULL)
    same = entry("two", **FULL)
    other = entry("two", **{**FULL, "name": "Other"})
    tricky = entry("one", **{**FULL, "summary": ',"source_repo":'})

    assert one.says_the_same(same)
    assert not one.says_the_same(other)
    assert not one.says_the_same(tricky)
    assert replace(one) == Entry(one.id, one.json)
