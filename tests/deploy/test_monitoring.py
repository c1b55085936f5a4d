"""The alerts and the dashboard, held against the metrics that exist and the runbook that explains them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.deploy.rendering import K8S, ROOT

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = K8S / "monitoring"
FORGE = "https://gitea.coulomb.social/coulomb/reuse-surface/src/branch/main"
ALERTS = yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))
RULES = [rule for group in ALERTS["spec"]["groups"] for rule in group["rules"]]
PANELS = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))["panels"]
RUNBOOK = (ROOT / "docs" / "deploy" / "Runbook.md").read_text(encoding="utf-8")
LISTED = re.findall(
    r"^\| `(reuse_surface_\w+)` \| (\w+) ", (ROOT / "docs/deploy/Metrics.md").read_text(encoding="utf-8"), re.MULTILINE
)
SAMPLES = {name for name, kind in LISTED if kind != "histogram"} | {
    f"{name}_{part}" for name, kind in LISTED if kind == "histogram" for part in ("bucket", "count", "sum")
}
# Of the client library's own, these are looked at; test_metrics holds that they are there.
PROCESS = {"process_resident_memory_bytes", "process_cpu_seconds_total"}
PROMTOOL = shutil.which("promtool") or shutil.which(ROOT / ".tools" / "promtool")

needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not here: scripts/install-promtool brings it")


def named(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:reuse_surface|process)_\w+", re.sub(r'"[^"]*"', "", expression)))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_looks_at_metrics_that_exist_and_is_explained(rule: dict[str, Any]) -> None:
    assert named(rule["expr"]) != set()
    assert named(rule["expr"]) <= SAMPLES | PROCESS
    assert f"### {rule['alert']}\n" in RUNBOOK
    # Absolute, as whoever is woken reads it in a mail and not in this repository.
    assert rule["annotations"]["runbook_url"] == f"{FORGE}/docs/deploy/Runbook.md#{rule['alert'].lower()}"
    assert rule["annotations"].keys() == {"summary", "runbook_url"}
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}


def test_the_runbook_explains_no_alert_that_is_not_there() -> None:
    assert set(re.findall(r"^### (ReuseSurface\w+)$", RUNBOOK, re.MULTILINE)) == {rule["alert"] for rule in RULES}


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_shows_metrics_that_exist(panel: dict[str, Any]) -> None:
    names = [named(target["expr"]) for target in panel["targets"]]

    assert all(names)
    assert set().union(*names) <= SAMPLES | PROCESS


def test_every_metric_of_the_hub_is_on_the_dashboard_or_under_an_alert() -> None:
    expressions = [target["expr"] for panel in PANELS for target in panel["targets"]]
    looked_at = set().union(*map(named, [*expressions, *(rule["expr"] for rule in RULES)]))

    assert {name for name, _ in LISTED} <= {re.sub(r"_(bucket|count|sum)$", "", name) for name in looked_at}


def test_panels_stand_beside_each_other() -> None:
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in PANELS)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


def test_the_monitor_asks_the_port_and_path_that_are_served() -> None:
    monitor = yaml.safe_load((FOLDER / "servicemonitor.yaml").read_text(encoding="utf-8"))
    service = yaml.safe_load((K8S / "base" / "service.yaml").read_text(encoding="utf-8"))
    (endpoint,) = monitor["spec"]["endpoints"]

    assert (endpoint["port"], endpoint["path"]) == (service["spec"]["ports"][0]["name"], "/metrics")
    assert monitor["spec"]["selector"]["matchLabels"] == service["spec"]["selector"]


def test_every_alert_is_tried() -> None:
    cases = yaml.safe_load((FOLDER / "alerts.test.yaml").read_text(encoding="utf-8"))["tests"]
    tried = [one for case in cases for one in case["alert_rule_test"]]

    assert {one["alertname"] for one in tried if one["exp_alerts"]} == {rule["alert"] for rule in RULES}
    assert {one["alertname"] for one in tried if not one["exp_alerts"]} == {rule["alert"] for rule in RULES}


@needs_promtool
def test_each_alert_fires_for_what_it_is_about_and_only_then(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(ALERTS["spec"]), encoding="utf-8")
    shutil.copy(FOLDER / "alerts.test.yaml", tmp_path)
    done = subprocess.run(
        [str(PROMTOOL), "test", "rules", tmp_path / "alerts.test.yaml"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
