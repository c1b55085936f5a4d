from __future__ import annotations

from shared.findings.finding import KINDS, SEVERITIES, finding_of, first_names


def test_a_remedy_is_called_as_it_is_where_it_is_read() -> None:
    finding = finding_of("held", "state-hub", None, "Something.", "Let it in: {accept}.")

    assert finding.action == "Let it in: POST /v1/repos/state-hub/accept."
    assert finding.on_page == "Let it in: \u201cAccept what is held\u201d on the page of state-hub."
    assert (finding.severity, finding.since, finding.kinds) == ("warning", "", ("held",))


def test_every_kind_has_a_severity_and_a_place_in_the_order() -> None:
    findings = [finding_of(kind, "a", "2026-11-23T10:00:00Z", "x", "y") for kind in KINDS]

    keys = sorted(findings, key=lambda finding: finding.key())

    assert [SEVERITIES.index(finding.severity) for finding in keys] == sorted(
        SEVERITIES.index(finding.severity) for finding in findings
    )


def test_a_crowd_is_named_by_its_first_and_counted() -> None:
    assert first_names(["a", "b"]) == "a, b"
    assert first_names([f"n{number}" for number in range(1021)]).endswith("n18, n19 and 1,001 more")
