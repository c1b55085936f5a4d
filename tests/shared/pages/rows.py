from __future__ import annotations

from shared.federation.edition import ServedCounts
from shared.model.registration import Registration
from shared.model.status import Status
from shared.pages.summary import RepoRow
from tests.builders import url_of


def row(repo: str = "state-hub", *, domain: str = "helix_forge", served: int = 0, **changes: object) -> RepoRow:
    """Return a row of a source that is fresh and serves so many entries; *changes* are fields of either part."""
    of_source = {name: value for name, value in changes.items() if name in Status.__slots__}
    of_registration = {name: value for name, value in changes.items() if name not in of_source}
    about = {
        "repo": repo,
        "url": url_of(repo),
        "domain": domain,
        "registered_at": "2026-11-23T10:00:00Z",
        "updated_at": "2026-11-23T10:00:00Z",
        "registered_by": "operator",
        "revision": 1,
    }
    source = {"state": "fresh", "capability_count": served} | of_source
    standing = ServedCounts(served, served, ())
    return RepoRow(Registration.from_json(about | of_registration), Status(**source), standing)  # type: ignore[arg-type]
