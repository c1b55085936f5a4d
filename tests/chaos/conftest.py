"""How much chaos: CHAOS=full does for minutes what the checks do for seconds; CHAOS_FIGURES is a file for the sums."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

FULL = os.environ.get("CHAOS") == "full"


@pytest.fixture
def much() -> Callable[[int, int], int]:
    """Choose between the little of the checks and the much of make chaos."""
    return lambda little, much: much if FULL else little


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Note what a test did, for the table of the last run."""

    def note(**figures: Any) -> None:
        if "CHAOS_FIGURES" in os.environ:
            with Path(os.environ["CHAOS_FIGURES"]).open("a", encoding="utf-8") as file:
                file.write(json.dumps({"test": request.node.name, **figures}) + "\n")

    return note
