"""What is applied to the cluster, held against the rules for it and against the hub that it runs."""

from __future__ import annotations

import re
import shutil
from dataclasses import fields
from ipaddress import ip_network
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

import cli as client
from bench import full
from bench.upstream import FULL_ENTRIES
from router import ENDPOINTS
from shared.fetch import guard
from shared.server import SHUTDOWN_SECONDS
from shared.settings import PREFIX, Settings
from shared.version import VERSION
from tests.deploy.rendering import K8S, ROOT, Manifest, by_kubectl, containers, name_of, one, pods, rendered

OVERLAY = K8S / "overlays" / "railiance01"
FOLDERS = [K8S / "base", OVERLAY]
IMAGE = "gitea.coulomb.social/coulomb/reuse-surface"
CLUSTERS = ["1.28", "1.30", "1.32", "1.34"]
MEMORY = 1408
"""The MiB that the pod may take."""
HASH = re.compile(r"-[0-9a-z]{10}$")
# What the client reads; the rest of what starts like a setting must be one.
CLIENT = {"REUSE_SURFACE_URL"}

NO_KUBECTL = "kubectl is not here: see kubernetes.io/docs/tasks/tools"
needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason=NO_KUBECTL)


@pytest.fixture(scope="module")
def manifests() -> list[Manifest]:
    return rendered(OVERLAY)


def key(manifest: Manifest) -> tuple[str, str]:
    return manifest["kind"], HASH.sub("", name_of(manifest))


def unhashed(text: str) -> str:
    return re.sub(r"(reuse-surface-\w+)-[0-9a-z]{10}\b", r"\1", text)


@needs_kubectl
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_kubectl_makes_the_same_of_them(folder: Any) -> None:
    by_key = {key(manifest): yaml.safe_dump(manifest) for manifest in rendered(folder)}

    # Only kubectl appends a hash to the names of generated config maps, and to the references to them.
    assert {key(manifest): unhashed(yaml.safe_dump(manifest)) for manifest in by_kubectl(folder)} == by_key


@pytest.mark.parametrize("version", CLUSTERS)
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_every_manifest_is_valid_down_to_the_last_field(folder: Any, version: str) -> None:
    for manifest in rendered(folder):
        kubernetes_validate.validate(manifest, version, strict=True)


def test_a_field_that_does_not_exist_would_be_noticed(manifests: list[Manifest]) -> None:
    broken = yaml.safe_load(yaml.safe_dump(one(manifests, "Deployment")))
    broken["spec"]["template"]["spec"]["containers"][0]["securityContext"]["readOnlyRootFileSystem"] = True

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, CLUSTERS[-1], strict=True)


def test_there_is_one_pod_for_the_hub_and_one_for_its_backup(manifests: list[Manifest]) -> None:
    assert sorted(pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in pods(manifests)) == [
        "backup",
        "hub",
    ]


@pytest.mark.parametrize("number", [0, 1])
def test_a_pod_may_do_nothing_but_its_work(manifests: list[Manifest], number: int) -> None:
    spec = pods(manifests)[number]["spec"]
    context = spec["securityContext"]

    assert (context["runAsNonRoot"], context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (
        True,
        *[10001] * 3,
    )
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == (False, False)
    assert spec["serviceAccountName"] == "reuse-surface"
    assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC", "hostUsers"}
    kinds = {kind for volume in spec["volumes"] for kind in volume.keys() - {"name"}}
    assert kinds <= {"persistentVolumeClaim", "emptyDir", "secret"}
    for container in spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@pytest.mark.parametrize("number", [0, 1])
def test_a_container_is_of_this_version_and_has_bounds(manifests: list[Manifest], number: int) -> None:
    container = containers(manifests)[number]

    assert container["image"] == f"{IMAGE}:{VERSION}"
    assert container["resources"]["requests"].keys() == {"cpu", "memory", "ephemeral-storage"}
    assert container["resources"]["limits"].keys() == {"memory", "ephemeral-storage"}
    assert container["command"][0] == "reuse-surface"


def test_a_backup_of_the_largest_hub_fits_the_pod_that_takes_it(manifests: list[Manifest]) -> None:
    (taking,) = (one for one in containers(manifests) if one["command"][1] == "backup")
    limit = taking["resources"]["limits"]["memory"]

    # Measured: the client takes 24 MiB and twice the backup.
    assert int(limit.removesuffix("Mi")) >= 1.1 * (24 + 2 * client.MOST / 2**20)


def test_the_hub_is_never_there_twice(manifests: list[Manifest]) -> None:
    spec = one(manifests, "Deployment")["spec"]

    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert not [manifest for manifest in manifests if manifest["kind"] == "HorizontalPodAutoscaler"]


def test_the_hub_gets_what_it_asks_for_and_no_more(manifests: list[Manifest]) -> None:
    resources = one(manifests, "Deployment")["spec"]["template"]["spec"]["containers"][0]["resources"]

    assert (resources["requests"]["memory"], resources["requests"]["cpu"]) == ("64Mi", "50m")
    assert resources["limits"]["memory"] == f"{MEMORY}Mi"


def test_the_memory_of_the_pod_is_what_was_measured_at_the_bounds_and_a_quarter_to_spare() -> None:
    rows = [row.split(" | ") for row in (ROOT / "bench/results/full.md").read_text(encoding="utf-8").splitlines()]
    measured = [float(row[2].replace(",", "")) for row in rows if row[0].startswith("| memory, full hub")]
    capabilities = {int(row[1].replace(",", "")) for row in rows if row[0].startswith("| memory, full hub")}

    assert len(measured) == 3
    assert max(measured) <= 0.75 * MEMORY
    # Of a hub that is full indeed: no source like those that were read would still fit.
    assert capabilities == {full.SOURCES * FULL_ENTRIES}
    assert Settings().max_capabilities - FULL_ENTRIES < full.SOURCES * FULL_ENTRIES <= Settings().max_capabilities
    for name in ("docs/deploy/README.md", "docs/Performance.md"):
        assert f"{max(measured):,.0f} MiB" in (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("docs/deploy/README.md", "--memory {}m "),
        ("docs/deploy/README.md", " {:,} MiB at most"),
        ("docs/deploy/Runbook.md", "the limit of {:,} MiB"),
        ("docs/deploy/helm-values.example.yaml", "memory: {}Mi"),
        ("k8s/monitoring/dashboard.json", "The pod's limit is {:,} MiB."),
    ],
)
def test_documents_name_the_memory_limit_of_the_pod(name: str, says: str) -> None:
    assert says.format(MEMORY) in (ROOT / name).read_text(encoding="utf-8")


def test_the_probes_ask_endpoints_that_exist_on_the_port_that_is_served(manifests: list[Manifest]) -> None:
    container = one(manifests, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    asked = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")}

    paths = {name: probe["path"] for name, probe in asked.items()}
    assert paths == {"startup": "/ready", "readiness": "/ready", "liveness": "/health"}
    assert set(paths.values()) <= {path for method, path, *_ in ENDPOINTS if method == "GET"}
    assert {probe["port"] for probe in asked.values()} == {container["ports"][0]["name"]}
    assert str(container["ports"][0]["containerPort"]) in container["command"]


def test_a_stop_has_the_time_that_the_server_takes_for_it(manifests: list[Manifest]) -> None:
    spec = one(manifests, "Deployment")["spec"]["template"]["spec"]
    pause = int(spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert spec["terminationGracePeriodSeconds"] >= pause + SHUTDOWN_SECONDS + 10


def test_what_is_selected_is_there(manifests: list[Manifest]) -> None:
    labels = [pod["metadata"]["labels"] for pod in pods(manifests)]
    policies = [manifest for manifest in manifests if manifest["kind"] == "NetworkPolicy"]
    selectors = [
        one(manifests, "Service")["spec"]["selector"],
        one(manifests, "Deployment")["spec"]["selector"]["matchLabels"],
        one(manifests, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        *(policy["spec"]["podSelector"]["matchLabels"] for policy in policies),
    ]

    for selector in selectors:
        assert sum(selector.items() <= one_pods.items() for one_pods in labels) == 1, selector
    assert len(policies) == len(labels)


def test_every_volume_secret_and_config_map_that_is_named_is_there(manifests: list[Manifest]) -> None:
    claims = {name_of(manifest) for manifest in manifests if manifest["kind"] == "PersistentVolumeClaim"}
    maps = {name_of(manifest) for manifest in manifests if manifest["kind"] == "ConfigMap"}
    template = yaml.safe_load(next(OVERLAY.glob("*.secret.template.yaml")).read_text(encoding="utf-8"))
    text = yaml.safe_dump_all(manifests)

    assert set(re.findall(r"claimName: (\S+)", text)) == claims
    assert set(re.findall(r"configMapRef:\s+name: (\S+)", text)) <= maps
    assert set(re.findall(r"secret(?:Key)?Ref:\s+(?:key: \S+\s+)?name: (\S+)", text)) == {name_of(template)}
    assert "data" not in template
    assert "stringData" not in template


def test_no_secret_is_applied_from_here(manifests: list[Manifest]) -> None:
    assert not [manifest for manifest in manifests if manifest["kind"] == "Secret"]
    assert not [name for name in one(manifests, "ConfigMap", "reuse-surface-settings")["data"] if "TOKEN" in name]


def test_the_ingress_serves_the_public_url_by_the_service_over_https_only(manifests: list[Manifest]) -> None:
    ingress, service = one(manifests, "Ingress"), one(manifests, "Service")
    (rule,) = ingress["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    public = one(manifests, "ConfigMap", "reuse-surface-settings")["data"]["REUSE_SURFACE_PUBLIC_URL"]

    assert public == f"https://{rule['host']}" == "https://reuse.coulomb.social"
    assert ingress["spec"]["tls"][0]["hosts"] == [rule["host"]]
    target = {"name": name_of(service), "port": {"name": service["spec"]["ports"][0]["name"]}}
    assert path["backend"]["service"] == target
    assert ingress["metadata"]["annotations"] == {
        "cert-manager.io/cluster-issuer": "letsencrypt-prod",
        "traefik.ingress.kubernetes.io/router.entrypoints": "websecure",
        "traefik.ingress.kubernetes.io/router.tls": "true",
    }
    assert ingress["spec"]["ingressClassName"] == "traefik"


def test_the_way_out_is_as_wide_as_the_guard_and_no_wider(manifests: list[Manifest]) -> None:
    policy = one(manifests, "NetworkPolicy")["spec"]
    dns, web = policy["egress"]
    settings = one(manifests, "ConfigMap", "reuse-surface-settings")["data"]
    blocks = {rule["ipBlock"]["cidr"]: rule["ipBlock"]["except"] for rule in web["to"]}

    assert {port["port"] for port in dns["ports"]} == {53}
    assert [str(port["port"]) for port in web["ports"]] == settings["REUSE_SURFACE_ALLOW_PORTS"].split(",")
    assert [ip_network(text) for text in blocks["0.0.0.0/0"]] == guard._REFUSED_V4
    assert [ip_network(text) for text in blocks[str(guard._GLOBAL_V6)]] == guard._REFUSED_V6
    assert len(blocks) == 2


def test_only_the_ingress_prometheus_and_the_backup_get_in(manifests: list[Manifest]) -> None:
    (rule,) = one(manifests, "NetworkPolicy")["spec"]["ingress"]

    names = [peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for peer in rule["from"]]
    assert names == ["traefik", "prometheus", "reuse-surface"]
    assert one(manifests, "NetworkPolicy", "reuse-surface-backup")["spec"]["ingress"] == []


def test_every_setting_that_is_named_for_the_operator_exists() -> None:
    known = {f"{PREFIX}{one.name.upper()}" for one in fields(Settings)} | CLIENT
    files = [*K8S.rglob("*.yaml"), *(ROOT / "docs" / "deploy").rglob("*"), ROOT / "Dockerfile"]
    texts = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in files}
    named = {(file, name) for file, text in texts.items() for name in re.findall(r"REUSE_SURFACE_[A-Z_]*[A-Z]", text)}

    assert {name for _, name in named} >= {"REUSE_SURFACE_TOKEN", "REUSE_SURFACE_PUBLIC_URL"}
    assert {(file, name) for file, name in named if name not in known} == set()


def test_the_hub_keeps_an_idle_connection_for_longer_than_any_proxy(manifests: list[Manifest]) -> None:
    set_to = Settings.from_environment(one(manifests, "ConfigMap", "reuse-surface-settings")["data"])
    document = (ROOT / "docs" / "deploy" / "Proxies.md").read_text(encoding="utf-8")
    own = {name: int(seconds) for name, seconds in re.findall(r"^\| (\w+) \| (\d+) s", document, re.MULTILINE)}

    # Traefik 2 and 3: forwardingTimeouts.idleConnTimeout; Caddy 2: keepalive; nginx: keepalive_timeout of an upstream.
    assert own == {"nginx": 60, "Caddy": 120, "Traefik": 90}
    assert min(set_to.idle_seconds, Settings().idle_seconds) > max(own.values())


def test_the_settings_are_such_that_a_hub_starts(manifests: list[Manifest]) -> None:
    data = one(manifests, "ConfigMap", "reuse-surface-settings")["data"]
    set_to = Settings.from_environment(data)

    assert (str(set_to.data_dir), set_to.log, set_to.allow_ports) == ("/data", "json", (443,))
    container = one(manifests, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    assert str(set_to.data_dir) in {mount["mountPath"] for mount in container["volumeMounts"]}
