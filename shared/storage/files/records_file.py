"""The records of all sources in one file, written together: losing one costs no more than a conditional request."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import orjson

from shared.disk import content_of, parsed, trusted, write_whole
from shared.model.record import DatedFault, Record, RecordDetails
from shared.model.status import Status
from shared.saved import fitting

if TYPE_CHECKING:
    from pathlib import Path

FORMAT, OLDEST = 3, 1
"""Format 2 has the registration and moments of the running time, 3 the numbers of registrations (``sequence``)."""

_REMEDY = "Put back a good copy, or remove it: every source is then checked again."


class SavedRecords(NamedTuple):
    """How long the hub had run and watched (see ``RunningTime``), and the records by repo."""

    ran: float = 0.0
    watched: float = 0.0
    records: dict[str, Record] = {}  # noqa: RUF012 - never changed


class RecordsFile:
    """The file ``sources.json``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> SavedRecords:
        """Return what was saved last, no records where there is no file; raise StartError for a bad one."""
        content = content_of(self._path, _REMEDY)
        if content is None:
            return SavedRecords()
        with trusted(self._path, _REMEDY):
            saved = parsed(content, FORMAT, OLDEST)
            read = _record_of_format_1 if saved["format"] == OLDEST else _record
            records = {row[0]: _sound(read(*row)) for row in saved["sources"]}
            return fitting(SavedRecords(saved.get("ran", 0.0), saved.get("watched", 0.0), records))

    def save(self, saved: SavedRecords) -> None:
        """Write *saved* durably, or raise StorageUnavailable."""
        rows = [_row(record) for record in saved.records.values()]
        about = {"format": FORMAT, "ran": saved.ran, "watched": saved.watched, "sources": rows}
        write_whole(self._path, orjson.dumps(about))


def _row(record: Record) -> list[object]:
    *about, details, sequence = record
    faults, *others = details
    return [*about, [[[*fault] for fault in faults], *others], sequence]


def _record(  # noqa: PLR0913, PLR0917 - a row as it was written
    repo: str, url: str, registered_at: str, revision: int, status: dict[str, object], details: list[object],
    sequence: int = 0,
) -> Record:  # fmt: skip
    faults, *others = details
    remembered = RecordDetails(_dated_faults(faults), *others)  # type: ignore[arg-type]
    return Record(repo, url, registered_at, revision, Status(**status), remembered, sequence)  # type: ignore[arg-type]


def _record_of_format_1(
    repo: str, url: str, status: dict[str, object], details: list[object] | None = None
) -> Record:
    """Return a record without the moments: those of format 1 were dates, which a wrong clock could have given."""
    faults, failing_since, *_ = [*(details or [()]), None]
    remembered = RecordDetails(_dated_faults(faults), failing_since)  # type: ignore[arg-type]
    return Record(repo, url, "", 0, Status(**status), remembered)  # type: ignore[arg-type]


def _sound(record: Record) -> Record:
    """Return *record*, or raise ValueError for a value that no hub writes."""
    error = record.status.error
    if error is not None and [*error] != ["type", "detail"]:
        raise ValueError("error")
    if error is not None and not all(isinstance(value, str) for value in error.values()):
        raise ValueError("error")
    return fitting(record)


def _dated_faults(rows: object) -> tuple[DatedFault, ...]:
    return tuple(DatedFault(*row) for row in rows)  # type: ignore[attr-defined]
