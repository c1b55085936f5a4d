"""TinyDB on a file that is whole or not there: the only place that knows TinyDB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import orjson
import tinydb
from tinydb.storages import Storage
from tinydb.table import Table

from shared.files import PREVIOUS, damaged, trusted, write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT = 1
_KIND = "reuse-surface registrations"
REMEDY = "Put back a good copy (the name + .prev is the previous generation), or move the file away to begin anew."

Row = dict[str, Any]


class AtomicStorage(Storage):
    """TinyDB's view of one file: read once, then kept in memory; written as draft, fsync, rename, fsync of the folder.

    TinyDB's own JSONStorage writes in place and loses everything when the process dies in between.
    """

    def __init__(self, path: Path) -> None:
        """Read *path*, or start empty where there is none; raise StartError when it is foreign or damaged."""
        self._path = path
        self._tables: dict[str, dict[str, Any]] = _load(path)

    def read(self) -> dict[str, dict[str, Any]]:
        """Return all tables; the outer dictionary is the caller's to change."""
        return dict(self._tables)

    def write(self, data: dict[str, dict[str, Any]]) -> None:
        """Make *data* the content of the file, or raise StorageUnavailable and keep what was there."""
        write_whole(self._path, orjson.dumps(data), keep_previous=True)
        self._tables = data


def _load(path: Path) -> dict[str, dict[str, Any]]:
    about = {"1": {"kind": _KIND, "format": FORMAT}}
    if not path.exists():
        if path.with_name(path.name + PREVIOUS).exists():
            raise damaged(path, "is missing, but its previous generation is there", REMEDY)
        return {"about": about}
    with trusted(path, REMEDY):
        tables: dict[str, dict[str, Any]] = orjson.loads(path.read_bytes())
        if tables["about"] != about:
            raise ValueError(tables["about"])
        return tables


class _BatchTable(Table):
    """A table whose document ids are text, changed by many rows in one operation."""

    document_id_class = str  # type: ignore[assignment]  # TinyDB allows it, its annotation does not

    def put(self, rows: Mapping[str, Row]) -> None:
        """Store every row under its id: all of them or none."""
        self._update_table(lambda table: table.update(rows))  # type: ignore[arg-type]  # the ids are text


class Database(tinydb.TinyDB):
    """One table: under the name of each repo its registration, or what is left of it: ``{"retired": revision}``."""

    table_class = _BatchTable

    def __init__(self, path: Path) -> None:
        super().__init__(path, storage=AtomicStorage)
        self._repos = cast("_BatchTable", self.table("repos"))

    def load(self) -> dict[str, Row]:
        """Return every row by the name of its repo."""
        return {str(one.doc_id): dict(one) for one in self._repos}

    def save(self, rows: Mapping[str, Row]) -> None:
        """Store the changed *rows*, durably and as one write; raise StorageUnavailable and change nothing."""
        self._repos.put(rows)
