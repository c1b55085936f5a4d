from __future__ import annotations

import weakref
from typing import Any

import pytest

from shared.tally import Tally
from shared.web.edge import RequestIds
from shared.web.prepared import LONGEST_WISH, MOST_WISHES, Prepared, PreparedAnswer, Shortcut
from tests.builders import Hands

ANSWER = PreparedAnswer.of(b"body", '"tag"', {"Vary": "Accept"}, {"Content-Type": "text/plain"})


def scope(*headers: tuple[str, str], method: str = "GET", query: str = "") -> dict[str, Any]:
    """Return the scope of a request with these headers."""
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return {"type": "http", "method": method, "query_string": query.encode(), "headers": pairs}


class Current:
    """Which document is the current one."""

    def __init__(self) -> None:
        self.document = object()

    def __call__(self) -> object:
        """Return it."""
        return self.document


@pytest.fixture
def current() -> Current:
    return Current()


@pytest.fixture
def prepared(current: Current) -> Prepared:
    """What was asked for as text, once."""
    made = Prepared(current)
    made.keep(scope(("accept", "text/*")), current(), "text", ANSWER)
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


def test_finds_nothing_once_something_else_is_current(prepared: Prepared, current: Current) -> None:
    asked = scope(("accept", "text/*"))

    before, current.document = current.document, object()
    assert prepared.find(asked) is None
    prepared.keep(scope(("accept", "other")), current(), "other", ANSWER)
    assert prepared.find(asked) is None
    prepared.keep(scope(("accept", "x")), current(), "text", ANSWER)
    assert prepared.find(asked) == ANSWER.whole
    current.document = before
    assert prepared.find(asked) is None


def test_an_answer_that_comes_after_its_document_was_replaced_is_not_kept(prepared: Prepared, current: Current) -> None:
    asked, late = scope(("accept", "text/*")), PreparedAnswer.of(b"late", '"late"', {}, {})
    before, current.document = current.document, object()
    prepared.forget()
    prepared.keep(asked, current(), "text", ANSWER)

    prepared.keep(asked, before, "text", late)
    prepared.keep(asked, slow := Slow(), "text", late)
    kept = weakref.ref(slow)
    del slow

    assert prepared.find(asked) == ANSWER.whole
    assert kept() is None


class Slow:
    """A document that was replaced before somebody's representation of it was made."""


def test_forgets_the_answers_and_keeps_the_words(prepared: Prepared, current: Current) -> None:
    asked = scope(("accept", "text/*"))
    prepared.forget()
    assert prepared.find(asked) is None

    prepared.keep(scope(("accept", "other")), current(), "text", ANSWER)

    assert prepared.find(asked) == ANSWER.whole


def test_remembers_neither_long_words_nor_too_many(prepared: Prepared, current: Current) -> None:
    long = scope(("accept", "x" * (LONGEST_WISH + 1)))
    prepared.keep(long, current(), "text", ANSWER)
    assert prepared.find(long) is None
    for number in range(MOST_WISHES * 3):
        prepared.keep(scope(("accept", str(number))), current(), "text", ANSWER)

    assert len(prepared._choices) <= MOST_WISHES
    assert prepared.find(scope(("accept", str(MOST_WISHES * 3 - 1)))) == ANSWER.whole


def test_words_that_were_no_plain_request_are_not_remembered(current: Current) -> None:
    prepared = Prepared(current)
    prepared.keep(scope(query="format=yaml"), current(), "yaml", ANSWER)

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
    asked: dict[str, Any], sent: list[Any], current: Current
) -> None:
    prepared, seen = Prepared(current), []
    prepared.keep(scope(), current(), "text", ANSWER)

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
