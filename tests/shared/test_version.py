from __future__ import annotations

import re

from shared.version import VERSION


def test_the_version_is_three_numbers() -> None:
    assert re.fullmatch(r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)", VERSION)
