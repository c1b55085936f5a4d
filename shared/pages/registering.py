"""What a person is about to register: whether it can be, and the lines that do it."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from shared.problems import InvalidRegistration
from shared.registration import read_fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.fetch.guard import Guard
    from shared.problems import Offence


def offences_of(fields: dict[str, Any], guard: Guard) -> Sequence[Offence]:
    """Return what is wrong with the registration *fields*, nothing where it could be sent."""
    try:
        read_fields(fields, guard)
    except InvalidRegistration as fault:
        return fault.errors
    return ()


def lines(fields: dict[str, Any], public: str) -> tuple[str, str]:
    """Return the commands of curl and of the client that register *fields*, quoted for a POSIX shell."""
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
