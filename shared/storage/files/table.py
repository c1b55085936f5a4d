"""TinyDB on a file that is whole or not there: the only place that knows TinyDB."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import orjson
import tinydb
from tinydb.storages import Storage
from tinydb.table import Table

from shared.disk import PREVIOUS, NewerFormatError, content_of, damaged, keep_aside, trusted, write_whole
from shared.saved import fitting
from shared.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

FORMAT = 3
_KIND = "reuse-surface registrations"
_log = logging.getLogger("hub.store")
REMEDY = "Put back a good copy (the name + .prev is the previous generation), or move the file away to begin anew."

RETIRED = "(retired)"
Row = dict[str, Any]
Tables = dict[str, dict[str, Any]]


class RetiredNumbers(NamedTuple):
    """What registrations that are gone had reached: the highest *revision* and the highest number (*sequence*).

    Files of versions that did not keep the number tell 0.
    """

    revision: int = 0
    sequence: int = 0


class AtomicStorage(Storage):
    """TinyDB's view of one file: read once, then kept in memory; written as draft, fsync, rename, fsync of the folder.

    TinyDB's own JSONStorage writes in place and loses everything when the process dies in between. A file of an older
    format is brought to the present one by ``upgrade`` or the first write, and kept aside then.
    """

    def __init__(self, path: Path) -> None:
        """Read *path*, or start empty where there is none; raise StartError when it is foreign or damaged."""
        self._path = path
        self._tables, self._file_format = _load(path)

    def read(self) -> Tables:
        """Return all tables; the outer dictionary is the caller's to change."""
        # TinyDB puts the changed table into what it read before it writes: a refused write must not change ours.
        return dict(self._tables)

    def upgrade(self) -> None:
        """Bring a file of an older format to the present one; raise StorageUnavailable and keep what was there."""
        if self._file_format < FORMAT:
            self.write(self._tables)

    def write(self, data: Tables) -> None:
        """Make *data* the content of the file, or raise StorageUnavailable and keep what was there."""
        if self._file_format < FORMAT:
            keep_aside(self._path, f".format-{self._file_format}")
        write_whole(self._path, orjson.dumps(data), keep_previous=True)
        if self._file_format < FORMAT:
            message = "%s was brought from format %d to %d; the old file is kept beside it"
            _log.warning(message, self._path, self._file_format, FORMAT)
            self._file_format = FORMAT
        self._tables = data


def _load(path: Path) -> tuple[Tables, int]:
    """Return the tables in *path* as the present format has them, and the format that they were found in."""
    content = content_of(path, REMEDY)
    with trusted(path, REMEDY):
        if content is None:
            # A write never leaves the previous generation alone: somebody removed the other file.
            if path.with_name(path.name + PREVIOUS) in path.parent.iterdir():
                raise damaged(path, "is missing, but its previous generation is there", REMEDY)
            return {"about": {"1": _about()}}, FORMAT
        tables: Tables = orjson.loads(content)
        file_format = _format_of(tables["about"]["1"])
        for number in range(file_format, FORMAT):
            tables = _MIGRATIONS[number](tables)
        tables["about"] = {"1": _about()}
        return tables, file_format


def _about() -> Row:
    return {"kind": _KIND, "format": FORMAT, "written_by": VERSION}


def _format_of(about: Row) -> int:
    """Return the format that a file says it has; raise ValueError for what is no such file, or a newer one."""
    file_format = int(about["format"])
    if about["kind"] != _KIND or file_format < 1:
        raise ValueError(about)
    if file_format > FORMAT:
        raise NewerFormatError(file_format, FORMAT, about.get("written_by"))
    return file_format


def _say_who_writes(tables: Tables) -> Tables:
    """Format 2 names the version that wrote it, so that a refused downgrade can say which one to go back to."""
    return {**tables, "about": {"1": _about()}}


def _number_rows(tables: Tables) -> Tables:
    """Format 3 numbers registrations in their order, and keeps one revision instead of a row for each name gone."""
    rows: dict[str, Row] = tables.get("repos", {})
    registered = {repo: row for repo, row in rows.items() if "retired" not in row}
    order = sorted(registered, key=lambda repo: (str(registered[repo]["registered_at"]), repo))
    numbered = {repo: {**registered[repo], "sequence": number} for number, repo in enumerate(order, 1)}
    retired = max((int(row["retired"]) for row in rows.values() if "retired" in row), default=0)
    return {**tables, "repos": numbered | ({RETIRED: {"retired": retired}} if retired else {})}


# From each format to the next.
_MIGRATIONS: dict[int, Callable[[Tables], Tables]] = {1: _say_who_writes, 2: _number_rows}


class _BatchTable(Table):
    """A table whose document ids are text, changed by many rows in one operation."""

    document_id_class = str  # type: ignore[assignment]  # TinyDB allows it, its annotation does not

    def put(self, rows: Mapping[str, Row | None]) -> None:
        """Store every row under its id, and remove the ids whose row is None: all of it or nothing."""

        def change(table: dict[Any, Any]) -> None:
            for name, row in rows.items():
                if row is None:
                    table.pop(name, None)
                else:
                    table[name] = row

        # A private method of TinyDB, for one write of many rows: each public call copies the whole table, 1.7 ms at
        # 10,000 rows.
        self._update_table(change)


class Database(tinydb.TinyDB):
    """One table: under the name of each repo its registration.

    A row whose name no repo can have keeps what those that are gone had reached, once there are any:
    ``{"retired": revision, "sequence": number}``.
    """

    table_class = _BatchTable

    def __init__(self, path: Path) -> None:
        super().__init__(path, storage=AtomicStorage)
        self.upgrade = cast("AtomicStorage", self.storage).upgrade
        self._repos = cast("_BatchTable", self.table("repos"))

    def load(self) -> tuple[dict[str, Row], RetiredNumbers]:
        """Return every row by the name of its repo, and the numbers that deregistered ones had reached."""
        rows = {str(document.doc_id): dict(document) for document in self._repos}
        row = rows.pop(RETIRED, {"retired": 0})
        return rows, fitting(RetiredNumbers(row["retired"], row.get("sequence", 0)))

    def save(self, rows: Mapping[str, Row | None], retired: RetiredNumbers) -> None:
        """Store the changed *rows* (None removes one) and the numbers *retired*, durably and as one write.

        Raise StorageUnavailable and change nothing.
        """
        row = {RETIRED: {"retired": retired.revision, "sequence": retired.sequence}} if retired.revision else {}
        self._repos.put({**rows, **row})
