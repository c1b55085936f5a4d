"""The documents of the deployment and the forge's workflow, held against what they speak of."""

from __future__ import annotations

import configparser
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import cli
from shared.server import SHUTDOWN_SECONDS
from shared.version import VERSION
from tests.deploy.rendering import K8S, ROOT, one, rendered
from tests.processes import CLI, running

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = [
    *sorted((ROOT / "docs" / "deploy").glob("*.md")), ROOT / "SCOPE.md", ROOT / "docs" / "IntentScopeGapAnalysis.md",
]  # fmt: skip
WORKFLOW = yaml.safe_load((ROOT / ".gitea" / "workflows" / "ci.yaml").read_text(encoding="utf-8"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def anchors(text: str) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_of_a_document_leads_somewhere(document: Any) -> None:
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]*#?[^)]*)\)", text):
        if not target.startswith("http"):
            name, _, anchor = target.partition("#")
            path = (document.parent / name).resolve() if name else document
            assert path.exists(), target
            assert not anchor or anchor in anchors(path.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_is_to_be_typed_exists(document: Any) -> None:
    text = document.read_text(encoding="utf-8")

    assert set(re.findall(r"(?:`|\$ )make ([a-z-]+)", text)) <= TARGETS
    assert all((ROOT / path).exists() for path in re.findall(r"\bscripts/[\w-]+(?:\.py)?", text))
    assert all((ROOT / path).exists() for path in re.findall(r"-[kf] ((?:k8s|docs)/[\w/.-]+)", text))


def test_the_runbook_types_commands_and_options_that_the_client_knows() -> None:
    text = (ROOT / "docs/deploy/Runbook.md").read_text(encoding="utf-8").replace("\\\n", " ")
    common = {"--base-url", "--json", "--timeout", "--insecure-http"}
    typed = re.findall(r"(?:cli\.py |reuse-surface |`)((?:hub [a-z]+|backup|restore)\b[^`\n#]*)", text)

    assert len(typed) > 10
    for line in typed:
        words = line.split()
        name = " ".join(words[:2]) if words[0] == "hub" else words[0]
        known = {option for option, _ in cli.COMMANDS[name][1]} | common
        assert {word for word in words if word.startswith("--")} <= known, line


def block(start: str) -> str:
    """Return the block of the page for operators that begins with *start*."""
    text = (ROOT / "docs/deploy/README.md").read_text(encoding="utf-8")
    (found,) = [one for one in re.findall(r"^```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL) if start in one[:40]]
    return str(found)


def test_the_service_of_systemd_starts_a_hub_with_the_settings_beside_it(tmp_path: Path) -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # as systemd reads names
    unit.read_string(block("[Unit]"))
    service = dict(unit["Service"])
    settings = dict(line.split("=", 1) for line in block("REUSE_SURFACE_TOKEN").splitlines())
    python, script, *words = service["ExecStart"].split()

    assert python.startswith(f"{service['WorkingDirectory']}/.venv/bin/")
    assert words[-1] == f"/var/lib/{service['StateDirectory']}"
    assert int(service["TimeoutStopSec"]) > SHUTDOWN_SECONDS
    assert (ROOT / script).samefile(CLI)
    assert words[0] == "serve"
    assert set(words[1::2]) <= {option for option, _ in cli.COMMANDS["serve"][1]}
    with running(tmp_path, **settings) as server:
        assert server.ask("GET", "/reuse/").json()["links"]["repos"] == "https://tools.example/reuse/v1/repos"


def test_the_line_for_the_image_is_as_bound_as_the_pod() -> None:
    line = block("docker run").replace("\\\n", " ").split()
    container = one(rendered(K8S / "base"), "Deployment")["spec"]["template"]["spec"]["containers"][0]
    memory = container["resources"]["limits"]["memory"]

    assert line[-1] == container["image"]
    assert line[line.index("--memory") + 1] == memory.replace("Mi", "m")
    assert {"--read-only", "--cap-drop"} <= set(line)
    assert line[line.index("--volume") + 1].endswith(":/data")


def steps() -> list[str]:
    return [step["run"] for job in WORKFLOW["jobs"].values() for step in job["steps"] if "run" in step]


def test_the_workflow_types_what_exists() -> None:
    text = "\n".join(steps())

    assert set(re.findall(r"\bmake ([a-z-]+)", text)) <= TARGETS
    assert {"validate-registry", "manifests", "image-test", "release"} <= set(re.findall(r"\bmake ([a-z-]+)", text))
    assert all((ROOT / path).exists() for path in re.findall(r"\bscripts/[\w-]+|\.ci/\w+", text))
    assert "bash .ci/run" in text


def test_only_a_tag_pushes_an_image_and_only_after_every_check() -> None:
    jobs = WORKFLOW["jobs"]
    pushing = [name for name, job in jobs.items() if any("push" in step.get("run", "") for step in job["steps"])]

    assert pushing == ["release"]
    assert jobs["release"]["if"] == "startsWith(github.ref, 'refs/tags/v')"
    assert set(jobs["image"]["needs"]) == {"test", "validate-registry", "manifests"}
    assert jobs["release"]["needs"] == ["image"]
    assert not re.search(r"--password[ =]", "\n".join(steps()))


def test_the_values_for_helm_say_what_the_manifests_say() -> None:
    values = yaml.safe_load((ROOT / "docs/deploy/helm-values.example.yaml").read_text(encoding="utf-8"))
    manifests = rendered(K8S / "overlays" / "railiance01")
    deployment, ingress = one(manifests, "Deployment")["spec"], one(manifests, "Ingress")
    pod = deployment["template"]["spec"]
    claims = {name: one(manifests, "PersistentVolumeClaim", f"reuse-surface-{name}") for name in ("data", "backup")}
    volumes = {name: claim["spec"] for name, claim in claims.items()}

    assert f"{values['image']['repository']}:{values['image']['tag']}" == pod["containers"][0]["image"]
    assert values["image"]["tag"] == VERSION
    assert values["settings"] == one(manifests, "ConfigMap", "reuse-surface-settings")["data"]
    assert values["resources"] == pod["containers"][0]["resources"]
    assert (values["replicaCount"], values["strategy"]) == (deployment["replicas"], deployment["strategy"])
    assert values["terminationGracePeriodSeconds"] == pod["terminationGracePeriodSeconds"]
    assert values["nodeSelector"] == pod["nodeSelector"]
    assert values["ingress"]["annotations"] == ingress["metadata"]["annotations"]
    assert values["ingress"]["host"] == ingress["spec"]["rules"][0]["host"]
    assert values["persistence"]["size"] == volumes["data"]["resources"]["requests"]["storage"]
    assert values["persistence"]["storageClass"] == volumes["data"]["storageClassName"]
    assert values["backup"]["size"] == volumes["backup"]["resources"]["requests"]["storage"]
    assert values["backup"]["schedule"] == one(manifests, "CronJob", "reuse-surface-backup")["spec"]["schedule"]


def test_the_pod_for_a_restore_is_as_bound_as_the_hub() -> None:
    pod = yaml.safe_load((ROOT / "docs/deploy/restore-pod.yaml").read_text(encoding="utf-8"))["spec"]
    hub = one(rendered(K8S / "base"), "Deployment")["spec"]["template"]["spec"]

    assert pod["containers"][0]["securityContext"] == hub["containers"][0]["securityContext"]
    assert pod["containers"][0]["image"] == hub["containers"][0]["image"]
    assert pod["securityContext"].items() <= hub["securityContext"].items()
