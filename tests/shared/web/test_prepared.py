from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest

from shared.signals import EditionNotice
from shared.tally import Tally
from shared.web.edge import RequestIds
from shared.web.prepared import LONGEST_WISH, MOST_WISHES, Prepared, PreparedAnswer, Shortcut
from tests.builders import Hands

if TYPE_CHECKING:
    from shared.federation import Document, Edition

ANSWER = PreparedAnswer.of(b"body", '"tag"', {"Vary": "Accept"}, {"Content-Type": "text/plain"})


def scope(*headers: tuple[str, str], method: str = "GET", query: str = "") -> dict[str, Any]:
    """Return the scope of a request with these headers."""
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return {"type": "http", "method": method, "query_string": query.encode(), "headers": pairs}


@dataclass
class Shown:
    """An edition, as far as it matters here: its document."""

    document: Document


def a_document() -> Document:
    return cast("Document", _Document())


class _Document:
    """A document that nobody reads."""


def serve(prepared: Prepared, document: Document) -> None:
    """Let *prepared* hear that *document* is served."""
    prepared.on_edition(EditionNotice(cast("Edition", Shown(document)), None))


@pytest.fixture
def document() -> Document:
    return a_document()


@pytest.fixture
def prepared(document: Document) -> Prepared:
    """What was asked for as text, once."""
    made = Prepared(document)
    made.keep(scope(("accept", "text/*")), document, "text", ANSWER)
    return made


def test_an_answer_is_the_messages_of_asgi() -> None:
    headers = [(b"vary", b"Accept"), (b"etag", b'"tag"')]

    start, body = ANSWER.whole
    about = [(b"content-type", b"text/plain"), (b"content-length", b"4")]
    assert start == {"type": "http.response.start", "status": 200, "headers": headers + about}
    assert body == {"type": "http.response.body", "body": b"body"}
    start, body = ANSWER.unchanged
    assert start == {"type": "http.response.start", "status": 304, "headers": headers}
    assert body == {"type": "http.response.body", "body": b""}


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        pytest.param(scope(("accept", "text/*")), 200, id="the same words"),
        pytest.param(scope(("host", "h"), ("accept", "text/*"), ("x", "y")), 200, id="and others that do not matter"),
        pytest.param(scope(("accept", "text/*"), ("if-none-match", '"tag"')), 304, id="with the tag"),
        pytest.param(scope(("accept", "text/*"), ("if-none-match", '"tag\xff"')), None, id="with another tag"),
        pytest.param(scope(("accept", "text/*"), ("if-none-match", "*")), None, id="with a condition of another form"),
        pytest.param(scope(("accept", "text/plain")), None, id="other words"),
        pytest.param(scope(("accept", "text/*"), ("accept-encoding", "gzip")), None, id="more words"),
        pytest.param(scope(("accept", "text/*"), ("accept", "text/*")), None, id="a header in two lines"),
        pytest.param(scope(("accept", "text/*"), query="a=b"), None, id="a query"),
        pytest.param(scope(("accept", "text/*"), method="HEAD"), None, id="another method"),
    ],
)
def test_finds_what_was_asked_for_before(prepared: Prepared, asked: dict[str, Any], status: int | None) -> None:
    found = prepared.find(asked)

    assert (None if found is None else found[0]["status"]) == status


def test_finds_nothing_once_something_else_is_served(prepared: Prepared, document: Document) -> None:
    asked, later = scope(("accept", "text/*")), a_document()

    serve(prepared, later)
    assert prepared.find(asked) is None
    prepared.keep(scope(("accept", "other")), later, "other", ANSWER)
    assert prepared.find(asked) is None
    prepared.keep(scope(("accept", "x")), later, "text", ANSWER)
    assert prepared.find(asked) == ANSWER.whole
    serve(prepared, document)
    assert prepared.find(asked) is None


def test_an_answer_that_comes_after_its_document_was_replaced_is_not_kept(prepared: Prepared) -> None:
    asked, late = scope(("accept", "text/*")), PreparedAnswer.of(b"late", '"late"', {}, {})
    before, later = a_document(), a_document()
    serve(prepared, before)
    serve(prepared, later)
    prepared.keep(asked, later, "text", ANSWER)

    prepared.keep(asked, before, "text", late)
    gone = weakref.ref(before)
    del before

    assert prepared.find(asked) == ANSWER.whole
    assert gone() is None


def test_forgets_the_answers_and_keeps_the_words(prepared: Prepared) -> None:
    asked, later = scope(("accept", "text/*")), a_document()
    serve(prepared, later)
    assert prepared.find(asked) is None

    prepared.keep(scope(("accept", "other")), later, "text", ANSWER)

    assert prepared.find(asked) == ANSWER.whole


def test_remembers_neither_long_words_nor_too_many(prepared: Prepared, document: Document) -> None:
    long = scope(("accept", "x" * (LONGEST_WISH + 1)))
    prepared.keep(long, document, "text", ANSWER)
    assert prepared.find(long) is None
    for number in range(MOST_WISHES * 3):
        prepared.keep(scope(("accept", str(number))), document, "text", ANSWER)

    assert len(prepared._choices) <= MOST_WISHES
    assert prepared.find(scope(("accept", str(MOST_WISHES * 3 - 1)))) == ANSWER.whole


def test_words_that_were_no_plain_request_are_not_remembered(document: Document) -> None:
    prepared = Prepared(document)
    prepared.keep(scope(query="format=yaml"), document, "yaml", ANSWER)

    assert prepared.find(scope()) is None


def _without_id(message: Any) -> Any:
    if "headers" not in message:
        return message
    assert message["headers"][-1][0] == b"x-request-id"
    return {**message, "headers": message["headers"][:-1]}


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        pytest.param({"type": "http", "path": "/ready", **scope()}, [*ANSWER.whole], id="what lies ready"),
        pytest.param({"type": "http", "path": "/ready", **scope(method="HEAD")}, ["app"], id="what does not"),
        pytest.param({"type": "http", "path": "/other", **scope()}, ["app"], id="another path"),
        pytest.param({"type": "lifespan"}, ["app"], id="the lifespan"),
    ],
)
async def test_only_what_lies_ready_takes_the_shortcut(
    asked: dict[str, Any], sent: list[Any], document: Document
) -> None:
    prepared, seen = Prepared(document), list[Any]()
    prepared.keep(scope(), document, "text", ANSWER)

    async def app(*_: Any) -> None:
        seen.append("app")

    async def send(message: Any) -> None:
        seen.append(message)

    async def receive() -> Any:
        """Hear nothing."""

    tally, ready = Tally(), {"/ready": prepared.find}
    await Shortcut(app, ready, RequestIds(), tally, Hands().clock())(asked, receive, send)

    assert [_without_id(one) for one in seen] == sent
    assert tally.requests == ({("GET", "/ready", 200): 1} if sent != ["app"] else {})
