"""The federated index as bytes: encoded once per edition in each representation that readers ask for."""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import zstandard

from shared import yaml_out
from shared.federation.blocks import Gzip, blocks, views
from shared.parameters import JSON, YAML
from shared.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shared.model.capability import Entry
    from shared.model.compose import Composition

    Text = tuple[tuple[Entry, ...], bytes | memoryview]

CODINGS = ("zstd", "gzip")
"""The content codings on offer, the one that is smaller and read faster first."""

# Raised whenever the same composition is encoded to other bytes, so that no copy of the old bytes counts as current.
_ENCODING = 2
_MADE_WITH = [_ENCODING, zlib.ZLIB_RUNTIME_VERSION, [*zstandard.ZSTD_VERSION]]
_ZSTD_LEVEL = 6


class Form(NamedTuple):
    """The media type and content coding that identify a representation."""

    media_type: str
    coding: str


class Representation(NamedTuple):
    """The bytes of one representation and its strong entity tag (RFC 9110 §8.8.3)."""

    body: bytes
    etag: str


@dataclass(frozen=True, eq=False)
class Document:
    """One federated index: what its head says, and its representations.

    JSON, plain and in gzip, is there from the start; the others are made when somebody first asks, once, in a thread.
    """

    serial: int
    generated_at: str
    composition: Composition
    substance: str
    encoder: DocumentEncoder
    representations: dict[Form, Representation] = field(default_factory=dict)
    _making: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def complete(self) -> bool:
        """Whether every required source has something to serve."""
        return self.composition.complete

    @property
    def missing_required(self) -> list[str]:
        """The required sources that serve nothing."""
        return self.composition.missing_required

    def head(self) -> dict[str, Any]:
        """Return the fields of the document that stand before its sources."""
        return {
            "version": 1,
            "serial": self.serial,
            "generated_at": self.generated_at,
            "complete": self.complete,
            "missing_required": self.missing_required,
        }

    @property
    def tag(self) -> str:
        """A digest that differs from that of any other document, of another hub too: the base of its entity tags."""
        facts = orjson.dumps([self.serial, self.generated_at, self.substance, _MADE_WITH])
        return hashlib.sha256(facts).hexdigest()[:32]

    async def representation(self, form: Form) -> Representation:
        """Return the document in *form*; concurrent calls for the same share one encoding."""
        if form not in self.representations:
            async with self._making:
                if form not in self.representations:
                    loop = asyncio.get_running_loop()
                    encoded = await loop.run_in_executor(self.encoder.line, self.encoder.more, self, form)
                    self.representations.update(encoded)
        return self.representations[form]


def substance(composition: Composition) -> str:
    """Return a digest of the content of *composition*: an equal digest makes no new serial.

    Entries are in it by the digests of their sources, and by which source serves an id that several claim.
    """
    statements = [_ENCODING, composition.missing_required, composition.sources, composition.conflicts]
    return hashlib.sha256(orjson.dumps(statements)).hexdigest()


class DocumentEncoder:
    """Encodes documents, and reuses the gzip blocks and YAML texts of the last one for what did not change.

    The texts are views of the last YAML document, so that a hub that serves it does not keep them twice.
    """

    def __init__(self) -> None:
        self._gzip = {JSON: Gzip(), YAML: Gzip()}
        self._yaml: dict[str, Text] = {}

    @cached_property
    def line(self) -> Threads:
        """The thread for ``more``: encoding for readers uses none of the threads that writes need."""
        return Threads(1, "encoding")

    def close(self) -> None:
        """End the thread after the encoding in progress, and cancel those that wait; blocks until then."""
        self.line.shutdown(cancel_futures=True)

    def document(self, composition: Composition, digest: str, serial: int, generated_at: str) -> Document:
        """Return the document of *composition*, whose substance is *digest*, encoded as JSON, plain and in gzip."""
        document = Document(serial, generated_at, composition, digest, self)
        document.representations.update(self._both(document, JSON))
        return document

    def more(self, document: Document, form: Form) -> dict[Form, Representation]:
        """Return the representation of *document* in *form*, and others that had to be encoded for it."""
        encoded = {}
        plain = Form(form.media_type, "identity")
        if plain not in document.representations:
            encoded = self._both(document, form.media_type)
        if form.coding == "zstd":
            body = (encoded or document.representations)[plain].body
            encoded[form] = _encoded(document, form, zstandard.ZstdCompressor(_ZSTD_LEVEL).compress(body))
        return encoded

    def _both(self, document: Document, media_type: str) -> dict[Form, Representation]:
        units: list[bytes | memoryview]
        texts: dict[str, Text] = {}
        units = list(_json_units(document) if media_type == JSON else self._yaml_units(document, texts))
        body = b"".join(units)
        if media_type == YAML:
            self._remember(texts, units, body)
        packed = self._gzip[media_type].compress(body, blocks(units))
        bodies = {Form(media_type, "identity"): body, Form(media_type, "gzip"): packed}
        return {form: _encoded(document, form, content) for form, content in bodies.items()}

    def _remember(self, texts: Mapping[str, Text], units: Sequence[bytes | memoryview], body: bytes) -> None:
        """Keep *texts*, which are among *units*, as views of their places in *body*."""
        places = {id(unit): view for unit, view in zip(units, views(body, units), strict=True)}
        self._yaml = {repo: (share, places[id(text)]) for repo, (share, text) in texts.items()}

    def _yaml_units(self, document: Document, texts: dict[str, Text]) -> Iterator[bytes | memoryview]:
        """Yield the whole document as YAML, and put into *texts* that of each source."""
        composition = document.composition
        for name, value in document.head().items():
            yield yaml_out.field(name, value)
        yield from yaml_out.listing("sources", map(yaml_out.list_item, composition.sources))
        yield from yaml_out.listing("capabilities", self._yaml_shares(composition, texts))
        yield from yaml_out.listing("conflicts", map(_conflict_item, composition.conflicts))

    def _yaml_shares(self, composition: Composition, texts: dict[str, Text]) -> Iterator[bytes | memoryview]:
        for source, share in zip(composition.sources, composition.shares, strict=True):
            if share:
                before = self._yaml.get(source["repo"])
                text = before[1] if before and before[0] == share else b"".join([entry.yaml for entry in share])
                texts[source["repo"]] = share, text
                yield text


def _encoded(document: Document, form: Form, body: bytes) -> Representation:
    kind = "" if form.media_type == JSON else "-yaml"
    coding = "" if form.coding == "identity" else f"-{form.coding}"
    return Representation(body, f'"{document.tag}{kind}{coding}"')


def _json_units(document: Document) -> Iterator[bytes]:
    """Yield the whole document as JSON, joined from entries that were encoded when they were fetched."""
    composition = document.composition
    yield orjson.dumps(document.head())[:-1]
    yield b',"sources":['
    yield from _separated(map(orjson.dumps, composition.sources))
    yield b'],"capabilities":['
    yield from _separated(b",".join([entry.json for entry in share]) for share in composition.shares if share)
    yield b'],"conflicts":'
    yield orjson.dumps(composition.conflicts)
    yield b"}"


def _separated(units: Iterator[bytes]) -> Iterator[bytes]:
    """Yield *units* with a comma before each but the first."""
    comma = b""
    for unit in units:
        yield comma + unit
        comma = b","


def _conflict_item(conflict: dict[str, object]) -> bytes:
    # The one value that nests: JSON is YAML too, on one line.
    head = yaml_out.list_item({"id": conflict["id"], "repo": conflict["repo"]})
    return head + b'  "others": ' + orjson.dumps(conflict["others"]).replace(b":", b": ") + b"\n"
