"""What a client asks a registration to be, read from what was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared import schemas
from shared.fetch import urls
from shared.model.registration import OPTIONAL_FIELDS, RegistrationFields
from shared.problems import AddressRefused, InvalidRegistration, Offence

if TYPE_CHECKING:
    from shared.fetch.guard import Guard
    from shared.model.registration import Registration


def wanted(document: object, guard: Guard, repo: str | None = None) -> RegistrationFields:
    """Return what *document* asks for, or raise InvalidRegistration with every offence.

    *guard* refuses the URLs that need no look-up to be refused. *repo* is the name in the path, where there is one: the
    document may leave it out, and must not say another.
    """
    if isinstance(document, dict) and repo is not None:
        document = {"repo": repo} | document
    offences = schemas.checker("hub-registration", "wanted")(document)
    fields_given: dict[str, Any] = document if isinstance(document, dict) else {}
    offences = [_explained(offence, fields_given) for offence in offences]
    if repo is not None and isinstance(fields_given.get("repo"), str) and fields_given["repo"] != repo:
        offences = [Offence("/repo", f"must be {repo}, or left out: the name of a repo never changes"), *offences]
    url = fields_given.get("url")
    if isinstance(url, str) and not any(offence.pointer == "/url" for offence in offences):
        offences += _url_offences(url, guard)
    if offences:
        raise InvalidRegistration("The registration breaks the rules; see errors.", errors=sorted(offences))
    return RegistrationFields(**_whole(fields_given))


def _whole(given: dict[str, Any]) -> dict[str, Any]:
    # JSON knows one kind of number: 60.0 is the integer 60.
    if "cache_ttl_seconds" in given:
        given = {**given, "cache_ttl_seconds": int(given["cache_ttl_seconds"])}
    return given


_EXPLAINED = {
    "/index": "a local path can't be read by a hub; publish the index and register its raw URL as url",
    "/registered_at": "is set by the hub",
    "/updated_at": "is set by the hub",
    "/registered_by": "is set by the hub",
    "/revision": "is set by the hub; send the ETag as If-Match",
    "/source": "is set by the hub",
}


def _explained(offence: Offence, given: dict[str, Any]) -> Offence:
    if offence.pointer.removeprefix("/") in given and offence.pointer in _EXPLAINED:
        return Offence(offence.pointer, _EXPLAINED[offence.pointer])
    return offence


def _url_offences(url: str, guard: Guard) -> list[Offence]:
    try:
        guard.judge(urls.parse(url))
    except (urls.UrlRefused, AddressRefused) as fault:
        return [Offence("/url", str(fault))]
    return []


def merged(current: Registration, patch: object, guard: Guard) -> RegistrationFields:
    """Return *current* changed by a JSON merge patch (RFC 7396), or raise InvalidRegistration.

    null resets an optional field to its default; ``repo`` may stand in the patch only unchanged.
    """
    if not isinstance(patch, dict):
        raise InvalidRegistration("A merge patch is a JSON object.", errors=[Offence("", "must be a JSON object")])
    whole = current.wanted().as_json() | patch
    kept = {name: value for name, value in whole.items() if value is not None or name not in OPTIONAL_FIELDS}
    return wanted(kept, guard, current.repo)
