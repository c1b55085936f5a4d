from __future__ import annotations

import asyncio
import gzip
import threading
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import yaml
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from shared.federation import document as module
from shared.federation.document import CODINGS, Document, DocumentEncoder, Form, substance
from shared.model.compose import Composition, compose
from shared.parameters import JSON, YAML
from shared.yaml_out import list_item
from tests.builders import capability
from tests.shared.sharing import EARLY, LATER, part

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = "2026-11-23T10:00:00Z"
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
NOTES = TEXT | st.integers(-(2**53), 2**53) | st.none()
UNDO: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.decompress,
    "zstd": zstandard.decompress,
}
FORMS = [Form(kind, coding) for kind in (JSON, YAML) for coding in ("identity", *CODINGS)]


def composition(*entries: dict[str, Any], **changes: Any) -> Composition:
    """Return the composition of one repo that brings *entries* and one that disputes the first of them."""
    first = entries[0] if entries else capability()
    rival = part("rival", {**first, "name": "Mine"}, at=LATER)
    return compose([part("ours", *entries, at=EARLY, **changes), rival])


def document(made: Composition, serial: int = 7, at: str = NOW, encoder: DocumentEncoder | None = None) -> Document:
    """Return the document that says *made*."""
    return (encoder or DocumentEncoder()).document(made, substance(made), serial, at)


def bodies(of: Document) -> dict[Form, bytes]:
    """Return every representation, as its readers read it."""
    made = {form: asyncio.run(of.representation(form)).body for form in FORMS}
    return {form: UNDO[form.coding](body) for form, body in made.items()}


def test_the_whole_document_stands_in_the_documented_order() -> None:
    made = document(composition(capability(1, tags=["x"]), capability(2)))

    read = orjson.loads(bodies(made)[Form(JSON, "identity")])
    assert list(read) == [
        *["version", "serial", "generated_at", "complete", "missing_required"],
        *["sources", "capabilities", "conflicts"],
    ]
    assert (read["version"], read["serial"], read["generated_at"], read["complete"]) == (1, 7, NOW, True)
    assert [source["repo"] for source in read["sources"]] == ["ours", "rival"]
    assert read["capabilities"] == [
        capability(1, tags=["x"], source_repo="ours"),
        capability(2, source_repo="ours"),
    ]
    others = [{"repo": "rival", "identical": False}]
    assert read["conflicts"] == [{"id": capability(1)["id"], "repo": "ours", "others": others}]


def test_the_head_tells_what_is_missing() -> None:
    made = document(compose([part("ours", state="failed", required=True)]))

    assert (made.serial, made.generated_at) == (7, NOW)
    assert (made.complete, made.missing_required) == (False, ["ours"])
    read = orjson.loads(bodies(made)[Form(JSON, "identity")])
    assert made.head() == {name: read[name] for name in made.head()}


@given(st.lists(st.fixed_dictionaries({"name": TEXT, "summary": TEXT, "note": NOTES})))
def test_every_representation_says_the_same(given_entries: list[dict[str, Any]]) -> None:
    entries = [{"id": f"n{number}", **entry} for number, entry in enumerate(given_entries)]

    read = bodies(document(composition(*entries)))

    assert yaml.safe_load(read[Form(YAML, "identity")]) == orjson.loads(read[Form(JSON, "identity")])
    for form in FORMS:
        assert read[form] == read[Form(form.media_type, "identity")]


def test_a_document_that_follows_another_is_as_if_it_were_the_first() -> None:
    encoder = DocumentEncoder()
    for made in (composition(capability(1)), composition(capability(1), capability(2)), composition()):
        following = document(made, encoder=encoder)
        alone = document(made)
        assert bodies(following) == bodies(alone)
        assert following.representations == alone.representations


def test_only_json_is_made_before_anybody_asks() -> None:
    assert set(document(composition()).representations) == {Form(JSON, "identity"), Form(JSON, "gzip")}


async def test_those_who_ask_at_once_wait_for_one_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    more = DocumentEncoder.more

    def counted(encoder: DocumentEncoder, of: Document, form: Form) -> Any:
        asked.append(form)
        return more(encoder, of, form)

    monkeypatch.setattr(DocumentEncoder, "more", counted)
    made = document(composition())

    got = await asyncio.gather(*(made.representation(Form(YAML, "gzip")) for _ in range(5)))

    assert len({id(one) for one in got}) == len(asked) == 1
    assert (await made.representation(Form(YAML, "identity"))).etag == f'"{made.tag}-yaml"'
    assert len(asked) == 1


def test_yaml_of_what_did_not_change_is_not_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def noted(mapping: dict[str, Any]) -> bytes:
        written.append(mapping["id"])
        return list_item(mapping)

    monkeypatch.setattr("shared.model.capability.list_item", noted)
    encoder, ours = DocumentEncoder(), part("ours", capability(1))
    bodies(document(compose([ours, part("other", capability(2))]), encoder=encoder))
    written.clear()

    bodies(document(compose([ours, part("other", capability(3))]), encoder=encoder))

    assert written == [capability(3)["id"]]


async def test_readers_take_no_thread_of_those_that_writes_need(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []
    more = DocumentEncoder.more

    def noted(encoder: DocumentEncoder, of: Document, form: Form) -> Any:
        threads.append(threading.current_thread().name.rstrip("_0"))
        return more(encoder, of, form)

    monkeypatch.setattr(DocumentEncoder, "more", noted)
    encoder = DocumentEncoder()
    older, newer = (document(composition(capability(number)), encoder=encoder) for number in (1, 2))

    await asyncio.gather(*(made.representation(Form(YAML, "zstd")) for made in (older, newer)))
    encoder.close()

    assert threads == ["encoding"] * 2


def test_texts_for_the_next_yaml_are_no_second_copy_of_the_last() -> None:
    encoder, ours = DocumentEncoder(), part("ours", capability(1))
    for number in (2, 3):
        made = document(compose([ours, part("other", capability(number))]), encoder=encoder)
        bodies(made)

        body = made.representations[Form(YAML, "identity")].body
        views = [text for _, text in encoder._yaml.values() if isinstance(text, memoryview)]
        assert [(view.obj is body, bytes(view[:2])) for view in views] == [(True, b"- ")] * 2


def tags(made: Composition, serial: int = 7, at: str = NOW) -> list[str]:
    of = document(made, serial, at)
    bodies(of)
    return [one.etag for one in of.representations.values()]


def test_every_tag_is_quoted_strong_and_of_one_representation_alone() -> None:
    known = tags(composition())

    assert all(tag[0] == tag[-1] == '"' and tag.isascii() and len(tag) > 20 for tag in known)
    assert len(set(known)) == len(known) == len(FORMS)
    for other in (tags(composition(), 8), tags(composition(), 7, LATER), tags(composition(capability(9)))):
        assert not {*known} & {*other}
    assert tags(composition()) == known


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(composition(capability(1, name="Other")), id="an entry"),
        pytest.param(composition(capability(1), capability(2)), id="one more entry"),
        pytest.param(composition(capability(1), state="stale"), id="a state"),
        pytest.param(composition(capability(1), required=True), id="what is required"),
        pytest.param(composition(capability(1), state="failed", required=True), id="what is missing"),
    ],
)
def test_what_is_said_differs_when(changed: Composition) -> None:
    assert substance(changed) != substance(composition(capability(1)))


def test_who_else_claims_an_id_is_part_of_what_is_said() -> None:
    ours, rival = part("ours", capability(1)), part("rival", capability(1), at=LATER)

    assert substance(compose([ours, rival])) != substance(compose([ours, part("rival", at=LATER)]))
    assert substance(compose([ours, rival])) == substance(compose([rival, ours]))


def test_a_version_that_writes_other_bytes_makes_another_serial_and_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    before, tag = substance(composition()), document(composition()).tag

    monkeypatch.setattr(module, "_ENCODING", 99)

    assert substance(composition()) != before
    assert document(composition()).tag != tag
