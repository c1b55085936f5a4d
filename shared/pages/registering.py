"""The page for registering: the offences of its form, and the commands that register what it holds."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from shared.problems import InvalidRegistration
from shared.registration_fields import read_fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.fetch.guard import Guard
    from shared.problems import Offence


def offences_of(fields: dict[str, Any], guard: Guard) -> Sequence[Offence]:
    """Return the offences of the registration *fields*, none where it could be sent."""
    try:
        read_fields(fields, guard)
    except InvalidRegistration as fault:
        return fault.errors
    return ()


def lines(fields: dict[str, Any], public: str) -> tuple[str, str]:
    """Return two commands that register *fields*, one with curl, one with the client, quoted for a POSIX shell."""
    curl = (
        f"curl -X POST {shlex.quote(f'{public}/v1/repos')} \\\n"
        '  -H "Authorization: Bearer $REUSE_SURFACE_TOKEN" -H \'Content-Type: application/json\' \\\n'
        f"  -d {shlex.quote(json.dumps(fields, ensure_ascii=False))}"
    )
    options = " ".join(f"--{name} {shlex.quote(_text(value))}" for name, value in fields.items())
    client = f"python3 cli.py --base-url {shlex.quote(public)} hub register {options}"
    return curl, client


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
