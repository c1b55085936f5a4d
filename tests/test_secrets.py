"""No secret lies in the repository, and what somebody decrypted can't get in by mistake."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent

# Written in pieces, because this file is looked at too.
UNWANTED = {
    "a private key": r"-----BEGIN ([A-Z]+ )*PRIV" + r"ATE KEY",
    "a key of age": r"AGE-SECRET-" + r"KEY-1[0-9A-Z]+",
    "a token of a forge": r"\b(gh[opsu]|glpat|gitea)[_-][0-9A-Za-z]{20,}",
    "a key of a cloud": r"\bA(KI|SI)A[0-9A-Z]{16}\b",
    "a token of this hub": r"\bhub_[0-9A-Za-z_-]{32,}",
    "a JSON web token": r"\beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.",
    "a value beside the name of a token": r"REUSE_SURFACE_TOKEN\s*[=:]\s*[\"']?[0-9A-Za-z+/_-]{32,}",
}
DECRYPTED = [".env", ".env.local", "k8s/x.secret.yaml", "secrets.yaml", "k8s/secrets-hub.yaml", "x.dec.yaml", "tls.key"]


def files() -> list[Path]:
    """Return every file of the project that git holds or would take."""
    asked = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.splitlines() if (ROOT / name).is_file()]


def faults(path: Path, text: str) -> list[str]:
    """Return what is secret about a file."""
    found = [what for what, pattern in UNWANTED.items() if re.search(pattern, text)]
    if path.suffix in {".yaml", ".yml"} and "kind: Secret" in text:
        documents = [one for one in yaml.safe_load_all(text) if isinstance(one, dict)]
        secrets = [one for one in documents if one.get("kind") == "Secret" and "sops" not in one]
        found += ["a Secret with data" for one in secrets if one.get("data") or one.get("stringData")]
    named_so = re.fullmatch(r".*\.secret\.ya?ml|secrets.*\.ya?ml", path.name)
    if named_so and not re.search(r"^sops:", text, re.MULTILINE):
        found.append("an unencrypted file of secrets")
    return found


def test_nothing_secret_lies_here() -> None:
    found = {
        str(path.relative_to(ROOT)): what
        for path in files()
        if path.suffix not in {".png", ".svg"} and (what := faults(path, path.read_text(encoding="utf-8")))
    }

    assert found == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("id", "-----BEGIN OPENSSH PRIV" + "ATE KEY-----"),
        ("keys.txt", "AGE-SECRET-" + "KEY-1" + "Q" * 58),
        ("a.py", 'x = "ghp_' + "a" * 36 + '"'),
        ("notes.md", "REUSE_SURFACE_TOKEN=" + "aB3" * 12),
        ("x.yaml", "kind: Secret\nstringData:\n  a: b\n"),
        ("x.secret.yaml", "kind: Secret\n"),
        ("secrets-hub.yaml", "a: b\n"),
    ],
)
def test_what_is_secret_would_be_found(name: str, text: str) -> None:
    assert faults(Path(name), text) != []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.secret.yaml", "kind: Secret\ndata:\n  a: ENC[AES256_GCM,data:x]\nsops:\n  version: 3.9.0\n"),
        ("x.secret.template.yaml", "kind: Secret\n# stringData:\n#   REUSE_SURFACE_TOKEN: what was printed\n"),
    ],
)
def test_what_is_encrypted_or_empty_may_lie_here(name: str, text: str) -> None:
    assert faults(Path(name), text) == []


@pytest.mark.parametrize("name", DECRYPTED)
def test_git_does_not_take_what_was_decrypted(name: str) -> None:
    done = subprocess.run(["git", "check-ignore", "-q", "--no-index", name], cwd=ROOT, check=False)

    assert done.returncode == 0


def test_the_builder_of_images_never_sees_what_was_decrypted() -> None:
    last_word = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()

    named = {"**/.env*", "**/*.key", "**/*.pem", "**/*.dec.yaml", "**/*.secret.yaml", "**/secrets*.yaml"}
    assert named <= set(last_word[last_word.index("!shared") :])
