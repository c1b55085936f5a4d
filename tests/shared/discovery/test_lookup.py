from __future__ import annotations

import pytest

from shared.discovery.lookup import lookup
from shared.discovery.naming import Naming
from tests.builders import capability
from tests.shared.search.editions import edition
from tests.shared.sharing import LATER, part

HUB = Naming("https://reuse.example.org")
OWN = {"identifier": "urn:air:example.org:x"}
EDITION = edition(
    part("first", capability(1), capability(2, **OWN), capability(3, name=" ")), part("second", capability(1), at=LATER)
)
ID = "capability.example.n"


@pytest.mark.parametrize(
    ("names", "display"),
    [
        (f"capability:first:{ID}1", "Example 1"),
        ("catalog:second", "second"),
        ("registry:federation", "Search over all registered capability indexes"),
    ],
)
def test_what_the_hub_named_is_found(names: str, display: str) -> None:
    found = lookup(HUB, EDITION, f"urn:air:reuse.example.org:{names}")

    assert found
    assert (found["identifier"], found["displayName"]) == (f"urn:air:reuse.example.org:{names}", display)


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(f"capability:second:{ID}1", id="it lost its id"),
        pytest.param(f"capability:first:{ID}2", id="it has a name of its own"),
        pytest.param(f"capability:first:{ID}3", id="it is left out"),
        pytest.param(f"capability:first:{ID}4", id="it is not there"),
        pytest.param("capability:nobody:x", id="nor is its repo"),
        pytest.param("catalog:nobody", id="nor is that catalog"),
        pytest.param("registry:other", id="there is one registry"),
        pytest.param("x", id="something else"),
    ],
)
def test_what_is_not_served_under_a_name_is_not_found(names: str) -> None:
    assert lookup(HUB, EDITION, f"urn:air:reuse.example.org:{names}") is None
    assert lookup(HUB, EDITION, f"urn:air:other.example.org:{names}") is None
