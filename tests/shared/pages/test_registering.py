from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from shared.pages.registering import lines, offences_of
from tests.builders import registration

if TYPE_CHECKING:
    from shared.hub import Hub


async def test_what_can_be_registered_offends_in_nothing(hub: Hub) -> None:
    assert offences_of(registration(required=True), hub.guard) == ()
    assert [pointer for pointer, _ in offences_of({"repo": "A"}, hub.guard)] == ["/domain", "/repo", "/url"]


def test_the_commands_say_the_registration_whatever_is_in_it() -> None:
    given = registration(url="https://git.example.org/it's?a=$(b)&c", required=True)

    curl, client = lines(given, "http://hub")

    words = shlex.split(curl.replace("\\\n", " "))
    assert words[:4] == ["curl", "-X", "POST", "http://hub/v1/repos"]
    assert json.loads(words[-1]) == given
    options = shlex.split(client)
    assert options[:6] == ["python3", "cli.py", "--base-url", "http://hub", "hub", "register"]
    assert dict(zip(options[6::2], options[7::2], strict=True)) == {
        "--repo": "state-hub", "--url": given["url"], "--domain": "helix_forge", "--required": "true",
    }  # fmt: skip
