from __future__ import annotations

from dataclasses import replace

import pytest

from shared.model.capability import Capability
from shared.search.facts import at_least, domain_of, facts, levels
from tests.builders import capability
from tests.shared.sharing import part


def test_every_fact_of_an_entry_is_told() -> None:
    entry = capability(
        status="active", owner="team", tags=["a", "B"], consumption_modes=["cli"], vector="D5 / A4", domain="own"
    )

    assert set(facts(part("ours", entry), Capability(entry))) == {
        ("repo", "ours"), ("domain", "own"), ("status", "active"), ("owner", "team"), ("tag", "a"), ("tag", "B"),
        ("consumption_mode", "cli"), ("definition", "D5"), ("availability", "A4"),
    }  # fmt: skip


def test_what_an_entry_does_not_state_is_no_fact() -> None:
    entry = capability(status="", owner="", tags=[], vector="")

    assert set(facts(part("ours", entry), Capability(entry))) == {("repo", "ours"), ("domain", "helix_forge")}


@pytest.mark.parametrize(
    ("own", "index", "domain"), [("a", "b", "a"), (None, "b", "b"), (None, None, "helix_forge")], ids=str
)
def test_the_domain_is_the_entry_s_else_the_index_s_else_the_registration_s(
    own: str | None, index: str | None, domain: str
) -> None:
    share = part("ours", capability())
    assert share.content
    share = replace(share, content=replace(share.content, domain=index))
    said = Capability({"domain": own} if own else {})

    assert domain_of(share, said) == domain


@pytest.mark.parametrize(
    ("vector", "stated"),
    [
        ("D5 / A4 / C3 / R2", {"definition": "D5", "availability": "A4", "consumption": "C3", "reliability": "R2"}),
        ("A4,R2", {"availability": "A4", "reliability": "R2"}),
        ("D1 D3", {"definition": "D1"}),
        ("AD4 A44 a4 A-4 Z9", {}),
        ("", {}),
    ],
)
def test_a_vector_states_levels(vector: str, stated: dict[str, str]) -> None:
    assert levels(vector) == stated


def test_a_level_is_reached_by_itself_and_all_above() -> None:
    assert at_least("availability", 7) == ("A7", "A8", "A9")
    assert len(at_least("reliability", 0)) == 10
