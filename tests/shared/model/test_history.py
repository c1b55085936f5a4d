from __future__ import annotations

from dataclasses import replace

from shared.model import history
from shared.model.author import Author
from shared.model.history import Change
from shared.model.registration import Registration
from tests.builders import registration

ANNA = Author("anna", "request-1")
ROW = Registration(**registration(), registered_at="t0", updated_at="t0", registered_by="bert", revision=4, sequence=9)


def test_a_line_names_who_changed_what_when_and_in_which_request() -> None:
    changed = replace(ROW, required=True, domain="other", revision=5, updated_at="t1")

    assert history.updating(ROW, changed, ANNA, "t1") == Change(
        repo="state-hub", at="t1", by="anna", action="update", revision=5, request_id="request-1",
        before={"domain": "helix_forge", "required": False}, after={"domain": "other", "required": True},
    )  # fmt: skip


def test_the_ends_of_a_life_hold_every_field_a_client_may_ask_for() -> None:
    begun, ended = history.registering(ROW, ANNA, "t1"), history.deregistering(ROW, 5, ANNA, "t1")

    fields = ROW.client_fields().as_json()
    assert (begun.action, begun.revision, begun.before, begun.after) == ("register", 4, None, fields)
    assert (ended.action, ended.revision, ended.before, ended.after) == ("deregister", 5, fields, None)


def test_the_number_that_orders_lines_is_nobody_elses_and_makes_no_difference() -> None:
    line = history.line(ROW, ("accept", {"served": 2}, {"served": 1}), ANNA, "t1")

    assert line == replace(line, number=7)
    assert line.as_json() == {
        "repo": "state-hub", "at": "t1", "by": "anna", "action": "accept", "revision": 4, "before": {"served": 2},
        "after": {"served": 1}, "request_id": "request-1",
    }  # fmt: skip
