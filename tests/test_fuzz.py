"""Whatever is sent: properties of what reads hostile input, and of the store, on examples that nobody thought of.

``make fuzz`` runs these with thousands of new examples each; the checks run the same few in every run.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from jsonschema import Draft7Validator

from shared import schemas
from shared.fetch.guard import Guard
from shared.formats import FORMATS, HUB, Publisher, worker, yaml_events
from shared.formats.capability_index import read_index
from shared.formats.documents import DocumentFaulty
from shared.formats.yaml_events import NotPlainYaml
from shared.model.author import Author
from shared.model.registration import OPTIONAL_FIELDS, Registration, RegistrationFields
from shared.problems import (
    InvalidRegistration,
    PreconditionFailed,
    Problem,
    RepoExists,
    RepoNotFound,
    SourceProblem,
    UrlRegistered,
)
from shared.registration_fields import merged, read_fields
from shared.storage.files.tiny import TinyStore
from shared.tally import Tally
from tests.builders import Hands, capability, demand, index, registration, url_of
from tests.shared.federated import federated, row

if TYPE_CHECKING:
    from collections.abc import Coroutine

GUARD = Guard((), (80, 443))
ANY_TEXT = st.text(max_size=60)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)
FIELDS = (*registration(), *OPTIONAL_FIELDS, "index", "revision", "source_repo")
GOOD_URLS = st.sampled_from([url_of("a"), "http://example.org", "https://example.org:443/%7e?x=[1]", "HTTPS://Ex.ORG/"])
GOOD_VALUES = {
    "repo": st.from_regex(r"[a-z0-9][a-z0-9._-]{0,99}", fullmatch=True),
    "url": GOOD_URLS,
    "domain": st.from_regex(r"[a-z0-9][a-z0-9_-]{0,63}", fullmatch=True),
    "enabled": st.booleans(),
    "required": st.booleans(),
    "cache_ttl_seconds": st.integers(0, 604800),
    "description": st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Cn"]), max_size=200),
}
WANTED = st.fixed_dictionaries(
    {name: GOOD_VALUES[name] for name in ("repo", "url", "domain")},
    optional={name: GOOD_VALUES[name] for name in OPTIONAL_FIELDS},
)
NEARLY = st.fixed_dictionaries({}, optional={name: GOOD_VALUES.get(name, JSON) | JSON for name in FIELDS})
ROW = Registration(**registration(required=True), registered_at="", updated_at="", registered_by="anna", revision=1)


@given(NEARLY | JSON)
def test_what_is_wanted_keeps_the_schema_or_is_refused_with_places_in_it(document: Any) -> None:
    # The validator that knows the whole draft is the judge of the quick one.
    part = schemas.schema("hub-registration")["$defs"]["wanted"]
    fits = Draft7Validator(part).is_valid(document)
    try:
        made = read_fields(document, GUARD)
    except InvalidRegistration as refusal:
        pointers = {offence.pointer for offence in refusal.errors}
        assert pointers
        assert not fits or pointers <= {"/url", "/repo", "/domain", "/description"}
    else:
        assert fits
        assert Draft7Validator(part).is_valid(made.as_json())
        assert {name: made.as_json()[name] for name in document} == document


@given(WANTED)
def test_what_keeps_every_rule_is_taken_and_read_back(document: dict[str, Any]) -> None:
    made = read_fields(document, GUARD)

    assert read_fields(orjson.loads(orjson.dumps(made.as_json())), GUARD) == made


PATCHES = st.fixed_dictionaries(
    {}, optional={name: st.none() | values for name, values in GOOD_VALUES.items() if name != "repo"}
)


@given(PATCHES)
def test_a_merge_patch_does_what_the_standard_says(patch: dict[str, Any]) -> None:
    before = ROW.client_fields().as_json()
    # RFC 7396 §2: null takes away, all else takes the place. What is taken away has its default.
    left = {name: value for name, value in {**before, **patch}.items() if value is not None}
    if {"url", "domain"} <= left.keys():
        assert merged(ROW, patch, GUARD) == RegistrationFields(**left)
    else:
        with pytest.raises(InvalidRegistration):
            merged(ROW, patch, GUARD)


@given(JSON)
def test_any_patch_is_merged_or_refused(patch: Any) -> None:
    try:
        made = merged(ROW, patch, GUARD)
    except InvalidRegistration:
        return
    assert (made.repo, isinstance(patch, dict)) == (ROW.repo, True)


YAML_PIECES = st.sampled_from(
    ["a", "- ", ": ", "? ", "\n", "  ", "[", "]", "{", "}", ",", "&a ", "*a", "!!x ", "<<", "|", ">", "'", '"', "#",
     "%", "---\n", "...\n", "\t", "0x1", "1:30", "~", "\\ud800", "\u2028", "\ufeff", "\x85", "é", "null",
     "1e999", "-.inf"],
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(YAML_PIECES | ANY_TEXT, max_size=40).map("".join))
def test_any_text_is_plain_data_or_refused_with_its_place(text: str) -> None:
    try:
        value = yaml_events.parse(text)
    except NotPlainYaml as refusal:
        value, place = None, (refusal.line, refusal.column)
    else:
        place = (1, 1)
    assert min(place) >= 1
    # What was read can be written again, and means the same to another reader.
    assert orjson.loads(orjson.dumps(value)) == value


@given(st.binary(max_size=300) | st.lists(YAML_PIECES, max_size=60).map(lambda pieces: "".join(pieces).encode("utf-8")))
def test_any_bytes_are_an_index_or_a_fault_of_the_source(content: bytes) -> None:
    for source_format in FORMATS.values():
        try:
            reading = source_format.reading(content, Publisher("state-hub"))
        except (DocumentFaulty, SourceProblem):
            continue
        assert (reading.content is None) == (source_format is HUB)


@given(st.data())
def test_an_index_with_one_spoilt_place_is_faulty_and_never_a_crash(data: st.DataObject) -> None:
    whole = index(capability(1, tags=["a"], summary="s"), capability(2), domain="d")
    place = data.draw(st.integers(0, len(whole) - 1))
    spoilt = whole[:place] + data.draw(st.binary(min_size=1, max_size=3)) + whole[place + 1 :]
    try:
        entries = read_index(spoilt, "state-hub").entries
    except (DocumentFaulty, SourceProblem):
        return
    for entry in entries:
        assert yaml.safe_load(entry.yaml.decode()) == [orjson.loads(entry.json)]


@given(st.data())
def test_a_federated_index_with_one_spoilt_value_is_faulty_or_read_the_same_in_the_process(data: st.DataObject) -> None:
    publisher = Publisher("hub", url_of("hub"), data.draw(st.booleans()))
    entries = [capability(number, source_repo=repo, tags=["a"]) for repo in ("a", "b") for number in range(2)]
    whole = json.loads(federated(*entries, sources=[row("a"), row("b", digest=None)]))
    holder = data.draw(st.sampled_from([whole, *whole["sources"], *whole["capabilities"]]))
    holder[data.draw(st.sampled_from([*holder]) | ANY_TEXT)] = data.draw(JSON | st.sampled_from(["a", "b", "inner"]))
    body = json.dumps(whole).encode()
    try:
        reading = HUB.reading(body, publisher)
    except (DocumentFaulty, SourceProblem):
        return
    assert worker.reading_of(b"\n".join(worker.answer(body, HUB.name, publisher))) == reading


class StoreMachine(RuleBasedStateMachine):
    """The store against a dictionary: every write, in any order, with restarts in between."""

    repos = st.sampled_from(["a", "b", "c"])
    urls = st.sampled_from([url_of("a"), url_of("b"), url_of("c").upper().replace("/CAP", "/cap")])
    tags = st.none() | st.sampled_from(["*", '"1"', "the present one", "the first one"])

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.hands = Hands()
        self.known: dict[str, dict[str, Any]] = {}
        self.revisions: dict[str, int] = {}
        self.retired = 0
        self.actions: dict[str, list[str]] = {}
        self.firsts: dict[str, str] = {}
        self.loop = asyncio.new_event_loop()
        self.open()

    def open(self) -> None:
        """Open the store, as a start does."""
        self.store = TinyStore(Path(self.folder.name), self.hands.clock(), Tally())

    def run(self, write: Coroutine[Any, Any, Any]) -> Problem | None:
        """Do a write and return why it was refused."""
        try:
            self.loop.run_until_complete(write)
        except Problem as refusal:
            return refusal
        return None

    def taken(self, repo: str, url: str) -> bool:
        """Tell whether another repo has the URL."""
        return any(other != repo and row["url"].lower() == url.lower() for other, row in self.known.items())

    def condition(self, repo: str, tag: str | None) -> str | None:
        """Return the condition that names the ETag called *tag*, which the repo need not have had."""
        present = {row.repo: row.etag for row in self.store.all()}.get(repo, '"0"')
        return {"the present one": present, "the first one": self.firsts.setdefault(repo, present)}.get(str(tag), tag)

    def held(self, repo: str, tag: str | None) -> bool:
        """Tell whether a condition holds."""
        if repo not in self.known or tag in {None, "*"}:
            return tag is None or repo in self.known
        return str(tag).startswith(f'"{self.revisions[repo]}-')

    def note(self, repo: str, action: str, row: dict[str, Any] | None) -> None:
        """Do in the model what was done in the store."""
        # What is new starts beyond all that is gone.
        before = self.revisions[repo] if repo in self.known else self.retired
        self.revisions[repo] = before + 1
        self.actions.setdefault(repo, []).append(action)
        if row is None:
            del self.known[repo]
            self.retired = max(self.retired, self.revisions[repo])
        else:
            self.known[repo] = row

    @rule(repo=repos, url=urls)
    def add(self, repo: str, url: str) -> None:
        """Register."""
        one = RegistrationFields(**registration(repo=repo, url=url))
        refusal = self.run(self.store.add(one, Author("anna")))
        if repo in self.known:
            assert isinstance(refusal, RepoExists)
        elif self.taken(repo, url):
            assert isinstance(refusal, UrlRegistered)
        else:
            assert refusal is None
            self.note(repo, "register", one.as_json())

    @rule(repo=repos, url=urls, required=st.booleans(), tag=tags)
    def replace(self, repo: str, url: str, required: bool, tag: str | None) -> None:
        """Replace, or register."""
        one, tag = RegistrationFields(**registration(repo=repo, url=url, required=required)), self.condition(repo, tag)
        refusal = self.run(self.store.replace(one, Author("anna"), None if tag is None else demand(tag)))
        if not self.held(repo, tag):
            assert isinstance(refusal, PreconditionFailed)
        elif self.known.get(repo) == one.as_json():
            assert refusal is None
        elif self.taken(repo, url):
            assert isinstance(refusal, UrlRegistered)
        else:
            assert refusal is None
            self.note(repo, "update" if repo in self.known else "register", one.as_json())

    @rule(repo=repos, tag=tags)
    def remove(self, repo: str, tag: str | None) -> None:
        """Deregister."""
        tag = self.condition(repo, tag)
        refusal = self.run(self.store.remove(repo, Author("anna"), None if tag is None else demand(tag)))
        if repo not in self.known:
            assert isinstance(refusal, RepoNotFound)
        elif not self.held(repo, tag):
            assert isinstance(refusal, PreconditionFailed)
        else:
            assert refusal is None
            self.note(repo, "deregister", None)

    @precondition(lambda self: self.revisions)
    @rule()
    def restart(self) -> None:
        """Stop, as kill -9 does, and start."""
        self.open()

    @invariant()
    def the_store_knows_what_was_answered(self) -> None:
        """Compare everything."""
        rows = self.loop.run_until_complete(self.store.registrations())
        assert {row.repo: row.client_fields().as_json() for row in rows} == self.known
        assert {row.repo: row.revision for row in rows} == {repo: self.revisions[repo] for repo in self.known}
        for repo, actions in self.actions.items():
            lines = self.loop.run_until_complete(self.store.history(repo))
            assert [line.action for line in reversed(lines)] == actions

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.loop.close()
        self.folder.cleanup()


# A run of the machine is many writes to the disk.
StoreMachine.TestCase.settings = settings(
    max_examples=settings().max_examples // 5, stateful_step_count=15, suppress_health_check=list(HealthCheck)
)
TestTheStore = StoreMachine.TestCase
