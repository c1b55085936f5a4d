"""Reads the fields of a registration from a body that a client sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared import schemas
from shared.fetch import urls
from shared.model.registration import OPTIONAL_FIELDS, RegistrationFields
from shared.problems import AddressRefused, InvalidRegistration, Offence

if TYPE_CHECKING:
    from shared.fetch.guard import Guard
    from shared.model.registration import Registration


def read_fields(document: object, guard: Guard, repo: str | None = None) -> RegistrationFields:
    """Return the fields in *document*, a JSON value, or raise InvalidRegistration with every offence.

    *guard* refuses URLs that are refused without a look-up. *repo* is the name in the path, where there is one:
    *document* may leave it out, and must not have another.
    """
    if isinstance(document, dict) and repo is not None:
        document = {"repo": repo} | document
    offences = schemas.checker("hub-registration", "wanted")(document)
    fields: dict[str, Any] = document if isinstance(document, dict) else {}
    offences = [_explained(offence, fields) for offence in offences]
    if repo is not None and isinstance(fields.get("repo"), str) and fields["repo"] != repo:
        offences = [Offence("/repo", f"must be {repo}, or left out: the name of a repo never changes"), *offences]
    url = fields.get("url")
    if isinstance(url, str) and not any(offence.pointer == "/url" for offence in offences):
        offences += _url_offences(url, guard)
    if offences:
        raise InvalidRegistration("The registration breaks the rules; see errors.", errors=sorted(offences))
    return RegistrationFields(**_whole(fields))


def _whole(fields: dict[str, Any]) -> dict[str, Any]:
    # JSON knows one kind of number: 60.0 is the integer 60.
    if "cache_ttl_seconds" in fields:
        fields = {**fields, "cache_ttl_seconds": int(fields["cache_ttl_seconds"])}
    return fields


_EXPLAINED = {
    "/index": "a local path can't be read by a hub; publish the index and register its raw URL as url",
    "/registered_at": "is set by the hub",
    "/updated_at": "is set by the hub",
    "/registered_by": "is set by the hub",
    "/revision": "is set by the hub; send the ETag as If-Match",
    "/source": "is set by the hub",
}


def _explained(offence: Offence, fields: dict[str, Any]) -> Offence:
    if offence.pointer.removeprefix("/") in fields and offence.pointer in _EXPLAINED:
        return Offence(offence.pointer, _EXPLAINED[offence.pointer])
    return offence


def _url_offences(url: str, guard: Guard) -> list[Offence]:
    try:
        guard.judge(urls.parse(url))
    except (urls.UrlRefused, AddressRefused) as fault:
        return [Offence("/url", str(fault))]
    return []


def merged(current: Registration, patch: object, guard: Guard) -> RegistrationFields:
    """Return the fields of *current* with *patch*, a JSON merge patch (RFC 7396), or raise InvalidRegistration.

    null resets an optional field to its default; ``repo`` may be in the patch only unchanged.
    """
    if not isinstance(patch, dict):
        raise InvalidRegistration("A merge patch is a JSON object.", errors=[Offence("", "must be a JSON object")])
    whole = current.client_fields().as_json() | patch
    fields = {name: value for name, value in whole.items() if value is not None or name not in OPTIONAL_FIELDS}
    return read_fields(fields, guard, current.repo)
