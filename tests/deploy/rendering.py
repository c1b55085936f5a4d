"""The manifests as the cluster would get them, by kubectl where it is, and by the few lines below anywhere.

The lines know of kustomize what k8s/ uses of it, refuse the rest, and are held against kubectl by a test.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
K8S = ROOT / "k8s"
KNOWN = {"apiVersion", "kind", "namespace", "labels", "resources", "configMapGenerator", "patches", "images"}

Manifest = dict[str, Any]


def by_kubectl(folder: Path) -> list[Manifest]:
    """Return what ``kubectl kustomize`` makes of *folder*."""
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=True)
    return list(yaml.safe_load_all(done.stdout))


def rendered(folder: Path) -> list[Manifest]:
    """Return the manifests of the kustomization in *folder*, without the hashes in the names of config maps."""
    wanted = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    assert wanted.keys() <= KNOWN | {"generatorOptions"}, wanted.keys() - KNOWN
    manifests: list[Manifest] = []
    for name in wanted["resources"]:
        path = folder / name
        whole = rendered(path.resolve()) if path.is_dir() else yaml.safe_load_all(path.read_text(encoding="utf-8"))
        manifests += whole
    for generator in wanted.get("configMapGenerator", []):
        _generate(manifests, generator, folder)
    for patch in wanted.get("patches", []):
        _patch(manifests, patch)
    for manifest in manifests:
        _mark(manifest, wanted)
    return manifests


def _generate(manifests: list[Manifest], generator: dict[str, Any], folder: Path) -> None:
    data = dict(one.split("=", 1) for one in generator.get("literals", []))
    data |= {name: (folder / name).read_text(encoding="utf-8") for name in generator.get("files", [])}
    if generator.get("behavior") == "merge":
        (known,) = (one for one in manifests if (one["kind"], name_of(one)) == ("ConfigMap", generator["name"]))
        known["data"] |= data
    else:
        metadata = {"name": generator["name"]}
        manifests.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def _patch(manifests: list[Manifest], patch: dict[str, Any]) -> None:
    for manifest in manifests:
        if all(found == patch["target"][key] for key, found in _names(manifest).items() if key in patch["target"]):
            for step in yaml.safe_load(patch["patch"]):
                assert step["op"] == "add", step
                *way, last = step["path"].strip("/").split("/")
                place = manifest
                for key in way:
                    place = place[key]
                place[last] = step["value"]


def _names(manifest: Manifest) -> dict[str, str]:
    return {"kind": manifest["kind"], "name": name_of(manifest)}


def _mark(manifest: Manifest, wanted: dict[str, Any]) -> None:
    if "namespace" in wanted and manifest["kind"] != "Namespace":
        manifest["metadata"]["namespace"] = wanted["namespace"]
    for labels in wanted.get("labels", []):
        manifest["metadata"].setdefault("labels", {}).update(labels["pairs"])
        for template in templates(manifest):
            template.setdefault("metadata", {}).setdefault("labels", {}).update(labels["pairs"])
    tags = {one["name"]: one["newTag"] for one in wanted.get("images", [])}
    for container in containers([manifest]):
        image = container["image"].partition(":")[0]
        if image in tags:
            container["image"] = f"{image}:{tags[image]}"


def name_of(manifest: Manifest) -> str:
    """Return the name of *manifest*."""
    name: str = manifest["metadata"]["name"]
    return name


def templates(manifest: Manifest) -> list[Manifest]:
    """Return the templates in *manifest*: of pods, and of jobs."""
    if manifest["kind"] == "Deployment":
        return [manifest["spec"]["template"]]
    if manifest["kind"] == "CronJob":
        job = manifest["spec"]["jobTemplate"]
        return [job, job["spec"]["template"]]
    return []


def pods(manifests: list[Manifest]) -> list[Manifest]:
    """Return every template of a pod."""
    return [templates(one)[-1] for one in manifests if templates(one)]


def containers(manifests: list[Manifest]) -> list[Manifest]:
    """Return every container of every pod."""
    return [one for pod in pods(manifests) for one in pod["spec"]["containers"]]


def one(manifests: list[Manifest], kind: str, name: str = "reuse-surface") -> Manifest:
    """Return the manifest of that kind and name."""
    (found,) = (manifest for manifest in manifests if (manifest["kind"], name_of(manifest)) == (kind, name))
    return found
