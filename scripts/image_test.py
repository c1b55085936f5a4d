"""Build the image and run it as the pod does: no daemon, no registry of images, no privilege inside.

    scripts/image_test.py [--python PREFIX] [--repos N] [--memory MIB] [--keep]

Steps: a base image from Debian packages, the Dockerfile on it, its size, and the container under runc with user 10001,
a read-only root, no capabilities and a limit on memory. In it the hub must start, register, compose, refuse to write
anywhere but /data and /tmp, stop on SIGTERM, and know after a restart what it knew before.

scripts/install-image-tools installs what this needs on Debian. It runs as root, because it sets up namespaces.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".image"
IMAGE = "gitea.coulomb.social/coulomb/reuse-surface"
BASE = "localhost/reuse-surface-base:bookworm"
TOOLS = ("buildah", "mmdebstrap", "runc")
# Debian has the libraries that Python's standard library needs in packages of their own; a foreign Python brings none.
LIBRARIES = "libssl3,libsqlite3-0,libffi8,zlib1g,libbz2-1.0,liblzma5,libreadline8,libncursesw6,libuuid1,libexpat1"
TOKEN = "a-token-for-one-run-of-image-test"  # noqa: S105 - guards nothing but this run's own hub
MOST_ABOVE_BASE = 30_000_000
START_SECONDS = 30
STOP_SECONDS = 10
UID = 10001


def say(text: str) -> None:
    """Print one line of the report."""
    print(text, flush=True)


def check(holds: bool, what: str) -> None:  # noqa: FBT001 - what is checked
    """Report *what* as checked, or end here."""
    if not holds:
        raise SystemExit(f"FAILED: {what}")
    say(f"  ok: {what}")


def run(*command: str | Path, cwd: Path = ROOT, quiet: bool = True) -> str:
    """Run *command* and return what it printed; end here, showing it all, when it fails."""
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=quiet, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"FAILED: {' '.join(map(str, command))}\n{done.stdout or ''}{done.stderr or ''}")
    return done.stdout or ""


class Builder:
    """Buildah on a store of its own, which is thrown away at the end."""

    def __init__(self, store: Path) -> None:
        config = store / "storage.conf"
        # vfs needs nothing of the kernel; it copies each layer whole, hence a store of its own.
        config.write_text(f'[storage]\ndriver = "vfs"\nrunroot = "{store}/run"\ngraphroot = "{store}/graph"\n')
        os.environ["CONTAINERS_STORAGE_CONF"] = str(config)
        os.environ["BUILDAH_ISOLATION"] = "chroot"
        self._store = store

    def base(self, tar: Path) -> None:
        """Make the base image out of a root file system."""
        context = tar.parent
        (context / "Containerfile").write_text(f'FROM scratch\nADD {tar.name} /\nCMD ["/bin/sh"]\n')
        run("buildah", "bud", "-q", "-t", BASE, "-f", context / "Containerfile", context)

    def image(self, version: str) -> str:
        """Build the Dockerfile and return the name of the image."""
        config = self._store / "pip.conf"
        config.write_text("[global]\ncert = /run/ca.crt\n")
        bundle = os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
        # The mounts leave no trace in the image; they let pip work where TLS ends at an authority of the network's own.
        mounts = ("-v", f"{config}:/etc/pip.conf:ro", "-v", f"{bundle}:/run/ca.crt:ro")
        arguments = [f"--build-arg={name}" for name in (f"BASE_IMAGE={BASE}", f"VERSION={version}")]
        name = f"{IMAGE}:{version}"
        run("buildah", "bud", "-q", "--format", "docker", *arguments, *mounts, "-t", name, ".")
        return name

    def layers(self, image: str) -> list[int]:
        """Return the compressed size of each layer, from the base up."""
        with tempfile.TemporaryDirectory(dir=self._store) as folder:
            run("buildah", "push", "-q", image, f"oci:{folder}:x")
            blobs = Path(folder, "blobs", "sha256")
            top = json.loads(Path(folder, "index.json").read_bytes())["manifests"][0]["digest"]
            manifest = json.loads((blobs / top.removeprefix("sha256:")).read_bytes())
            return [layer["size"] for layer in manifest["layers"]]

    @contextlib.contextmanager
    def mounted(self, image: str) -> Iterator[Path]:
        """Give the root file system of *image*."""
        container = run("buildah", "from", image).strip()
        try:
            yield Path(run("buildah", "mount", container).strip())
        finally:
            run("buildah", "rm", container)


def bootstrap(python: Path | None) -> Path:
    """Return a root file system with Python as a tar: Debian's own Python, or the one installed at *python*."""
    HOME.mkdir(exist_ok=True)
    tar = HOME / ("base.tar" if python is None else f"base-{python.name}.tar")
    if tar.exists():
        return tar
    packages = "python3,python3-venv,ca-certificates" if python is None else f"ca-certificates,{LIBRARIES}"
    hooks = ['rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*']
    if python is None:
        hooks += ['ln -s /usr/bin/python3 "$1"/usr/local/bin/python3']
    else:
        # Tests and headers of a Python are no part of a slim image either.
        hooks += [
            f'cp -a {python}/bin {python}/lib "$1"/usr/local/',
            'rm -rf "$1"/usr/local/lib/python3*/test "$1"/usr/local/lib/*.a',
            'chroot "$1" ldconfig',
        ]
    draft = tar.with_suffix(".draft")
    excluded = [f"--dpkgopt=path-exclude=/usr/share/{one}/*" for one in ("man", "doc", "locale")]
    options = [f"--include={packages}", *excluded, *(f"--customize-hook={hook}" for hook in hooks)]
    run("mmdebstrap", "--quiet", "--variant=minbase", "--format=tar", *options, "bookworm", draft)
    draft.rename(tar)
    return tar


class Ended(NamedTuple):
    """How a container ended."""

    code: int
    seconds: float
    log: str


class Container:
    """The image under runc, with the limits of the pod."""

    def __init__(self, folder: Path, root: Path, config: dict[str, Any], memory: int) -> None:
        self.name = f"reuse-surface-image-test-{os.getpid()}"
        self.data = folder / "data"
        self._bundle, self._log = folder / "bundle", folder / "log"
        self.group = f"/{self.name}"
        self._spec(root, config, memory)

    def _spec(self, root: Path, config: dict[str, Any], memory: int) -> None:
        """Write the OCI configuration: what ``runc spec`` proposes, and the pod's limits."""
        self._bundle.mkdir()
        self.data.mkdir(mode=0o750)
        os.chown(self.data, UID, UID)
        run("runc", "spec", cwd=self._bundle)
        path = self._bundle / "config.json"
        spec = json.loads(path.read_bytes())
        self.port = free_port()
        environment = {
            "REUSE_SURFACE_TOKEN": TOKEN,
            "REUSE_SURFACE_ALLOW_NETWORKS": "127.0.0.0/8",
            "REUSE_SURFACE_PUBLIC_URL": f"http://127.0.0.1:{self.port}",
        }
        kinds = ("bounding", "effective", "permitted", "inheritable", "ambient")
        spec["root"] = {"path": str(root), "readonly": True}
        spec["process"] |= {
            "terminal": False,
            "user": {"uid": UID, "gid": UID},
            "args": [*config["Cmd"], "--port", str(self.port)],
            "env": [*config["Env"], *(f"{name}={value}" for name, value in environment.items())],
            "cwd": config["WorkingDir"],
            "noNewPrivileges": True,
            "capabilities": {kind: [] for kind in kinds},
        }
        # Root without CAP_SYS_RESOURCE can't set them.
        spec["process"].pop("rlimits", None)
        writable = ["nosuid", "nodev", "size=16m"]
        spec["mounts"] += [
            {"destination": "/data", "type": "bind", "source": str(self.data), "options": ["rbind", "rw"]},
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": writable},  # noqa: S108 - inside
        ]
        linux = spec["linux"]
        # The network is shared with this program, which is the client and the source.
        linux["namespaces"] = [one for one in linux["namespaces"] if one["type"] != "network"]
        linux["resources"] = {"memory": {"limit": memory << 20}, "cpu": {"quota": 50_000, "period": 100_000}}
        linux["cgroupsPath"] = self.group
        path.write_text(json.dumps(spec))

    @contextlib.contextmanager
    def started(self) -> Iterator[None]:
        """Run it; it is up within, and gone after."""
        command = ["runc", "run", "--bundle", str(self._bundle), self.name]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            self._wait()
            yield
        finally:
            if self._process.poll() is None:
                subprocess.run(["runc", "kill", self.name, "KILL"], check=False, capture_output=True)
                self._process.wait(STOP_SECONDS)

    def _wait(self) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            with contextlib.suppress(OSError):
                if self.ask("GET", "/ready")[0] == http.client.OK:
                    return
            time.sleep(0.05)
        raise SystemExit(f"FAILED: the container did not come up\n{self._log.read_text()}")

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Send one request and return the status and the JSON of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        with contextlib.closing(connection):
            headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            content = answer.read()
            kind = answer.getheader("content-type", "")
            return answer.status, json.loads(content) if "json" in kind else content.decode()

    def inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run *command* in the container, as its user."""
        return subprocess.run(["runc", "exec", self.name, *command], capture_output=True, text=True, check=False)

    def process(self) -> str:
        """Return what the kernel says about the hub's process."""
        state = json.loads(run("runc", "state", self.name))
        return Path(f"/proc/{state['pid']}/status").read_text()

    def memory(self) -> int:
        """Return the most bytes that the container has held, its page cache included; 0 where that is not told."""
        for path in (f"/sys/fs/cgroup/memory{self.group}/memory.max_usage_in_bytes",
                     f"/sys/fs/cgroup{self.group}/memory.peak"):  # fmt: skip
            with contextlib.suppress(OSError):
                return int(Path(path).read_text())
        return 0

    def terminate(self) -> Ended:
        """Send SIGTERM and wait."""
        started = time.monotonic()
        run("runc", "kill", self.name, "TERM")
        code = self._process.wait(STOP_SECONDS)
        return Ended(code, time.monotonic() - started, self._log.read_text())


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def publisher() -> Iterator[str]:
    """Serve this repository's own index, and generated ones at ``/N.json``, and give the address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        disable_nagle_algorithm = True
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            number = re.fullmatch(r"/(\d+)\.json", self.path)
            content = generated(number[1]) if number else (ROOT / "registry/indexes/capabilities.yaml").read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def generated(number: str) -> bytes:
    """Return an index of ten entries of an ordinary size."""
    entries = [
        {
            "id": f"capability.generated.r{number}.n{one}",
            "name": f"Capability {one} of repository {number}",
            "summary": "Reads what it is given, checks it, and answers with what was found, in one request.",
            "vector": "D5 / A4 / C3 / R2",
            "tags": ["generated", "example", f"group-{one}"],
            "path": f"registry/capabilities/capability.generated.r{number}.n{one}.md",
        }
        for one in range(10)
    ]
    return json.dumps({"version": 1, "domain": "examples", "capabilities": entries}).encode()


def look_at_the_files(root: Path) -> None:
    """Check what is in the image and what is not."""
    say("the files")
    programs = {path.name for at in ("opt/venv/bin", "usr/local/bin", "usr/bin") for path in (root / at).iterdir()}
    packages = {path.name for path in root.glob("**/site-packages/*")}
    left = (programs & {"gcc", "cc", "make", "pip", "pip3", "git"}) | (packages & {"pip", "setuptools", "pytest"})
    check(not left, "no build tools and no tests' packages")
    here = {path.name for path in (root / "app").iterdir()} - {"__pycache__"}
    check(here == {"LICENSE", "cli.py", "functions", "router.py", "schemas", "shared"}, f"/app holds {sorted(here)}")
    owned = [str(path) for path in (root / "app").rglob("*") if path.stat().st_uid == UID]
    check(not owned, "nothing under /app belongs to the user that runs it")


def look_at_the_process(container: Container, healthcheck: Sequence[str]) -> None:
    """Check what the running container may do."""
    say("the process")
    status = container.process()
    check(f"Uid:\t{UID}\t{UID}\t{UID}\t{UID}" in status, f"runs as user {UID}")
    empty = [name for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb") if f"{name}:\t{'0' * 16}" in status]
    check(len(empty) == 4, "has no capability, nor can it get one")  # noqa: PLR2004 - the four above
    check("NoNewPrivs:\t1" in status, "can gain no privilege")
    for path in ("/", "/app", "/opt/venv"):
        done = container.inside("python3", "-c", f"open('{path}/x', 'w')")
        check("Read-only file system" in done.stderr, f"{path} is read-only")
    for path in ("/data", "/tmp"):  # noqa: S108 - inside the container
        done = container.inside("python3", "-c", f"open('{path}/x', 'w')")
        check(done.returncode == 0, f"{path} is writable")
    container.inside("rm", "/data/x")
    # This run has a port of its own, so that it disturbs nobody; the healthcheck finds it.
    check(container.inside(*healthcheck).returncode == 0, "the HEALTHCHECK finds it healthy")
    check(container.inside("reuse-surface", "version").returncode == 0, "reuse-surface is on the PATH")


def use(container: Container, source: str, repos: int) -> Any:  # noqa: ANN401 - the document
    """Register and compose; return the federated index."""
    say("the hub")
    wanted = {"repo": "reuse-surface", "url": f"{source}/capabilities.yaml", "domain": "helix_forge", "required": True}
    check(container.ask("POST", "/v1/repos", wanted)[0] == http.client.CREATED, "registers a repository")
    for number in range(repos):
        wanted = {"repo": f"r{number}", "url": f"{source}/{number}.json", "domain": "examples"}
        container.ask("PUT", f"/v1/repos/r{number}", wanted)
    started = time.monotonic()
    status, composed = container.ask("POST", "/v1/federated/compose?force=true")
    check((status, composed["complete"]) == (200, True), f"composes, in {time.monotonic() - started:.1f} s")
    document = container.ask("GET", "/v1/federated")[1]
    repositories = f"{repos + 1} repositories" if repos else "one repository"
    say(f"  {len(document['capabilities'])} capabilities of {repositories} are served")
    check("reuse_surface_federation_serial" in container.ask("GET", "/metrics")[1], "tells its metrics")
    return document


def stop(container: Container) -> None:
    """End the container as the cluster does."""
    ended = container.terminate()
    check(ended.code == 0, f"ends on SIGTERM with code 0, after {ended.seconds:.1f} s")
    lines = [json.loads(line) for line in ended.log.splitlines() if line.startswith("{")]
    events = sum(line["logger"] == "hub.requests" for line in lines)
    say(f"  logged {len(lines)} lines of JSON, {events} of them about requests")
    check(TOKEN not in ended.log and "Traceback" not in ended.log, "no token and no traceback in the log")


def exercise(image: str, builder: Builder, folder: Path, options: argparse.Namespace) -> None:
    """Run the image twice on one volume."""
    config = json.loads(run("buildah", "inspect", "--type", "image", image))["Docker"]["config"]
    check(config["User"] == f"{UID}:{UID}" and "/data" in config["Volumes"], "the image names its user and its volume")
    check(config["Cmd"] == ["reuse-surface", "serve", "--host", "::"], "its command is reuse-surface serve")
    healthcheck = config["Healthcheck"]["Test"][1:]
    with builder.mounted(image) as root, publisher() as source:
        look_at_the_files(root)
        container = Container(folder, root, config, options.memory)
        started = time.monotonic()
        with container.started():
            say(f"  ready after {time.monotonic() - started:.1f} s with half a processor and {options.memory} MiB")
            look_at_the_process(container, healthcheck)
            document = use(container, source, options.repos)
            say(f"  at most {container.memory() / 2**20:.0f} MiB of memory, page cache included")
            stop(container)
        say("the restart")
        started = time.monotonic()
        with container.started():
            say(f"  ready after {time.monotonic() - started:.1f} s")
            again = container.ask("GET", "/v1/federated")[1]
            check(again == document, f"serves what it served, serial {again['serial']}")
            stop(container)


def weigh(builder: Builder, image: str) -> None:
    """Report the compressed size, and check what lies above the base."""
    base, whole = builder.layers(BASE), builder.layers(image)
    above = sum(whole[len(base) :])
    say(f"compressed: {sum(base) / 1e6:.1f} MB of base and {above / 1e6:.1f} MB above it")
    check(above < MOST_ABOVE_BASE, f"less than {MOST_ABOVE_BASE / 1e6:.0f} MB above the base")


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="Build the image and run it as the pod does.")
    parser.add_argument("--python", type=Path, help="prefix of a Python to put into the base, instead of Debian's")
    parser.add_argument("--repos", type=int, default=0, help="how many repositories of 10 entries to register besides")
    parser.add_argument("--memory", type=int, default=128, help="limit in MiB (128)")
    parser.add_argument("--keep", action="store_true", help="leave the store of images where it is, and say where")
    return parser.parse_args()


def main() -> None:
    """Do it all, or end at the first thing that does not hold."""
    options = arguments()
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing or os.geteuid() != 0:
        raise SystemExit(f"This needs root and {', '.join(TOOLS)}: run scripts/install-image-tools as root first.")
    version = run(sys.executable, "cli.py", "version").strip()
    folder = Path(tempfile.mkdtemp(prefix="reuse-surface-image-"))
    try:
        builder = Builder(folder)
        started = time.monotonic()
        builder.base(bootstrap(options.python))
        say(f"base image made in {time.monotonic() - started:.0f} s")
        started = time.monotonic()
        image = builder.image(version)
        say(f"{image} built in {time.monotonic() - started:.0f} s")
        weigh(builder, image)
        exercise(image, builder, folder, options)
    finally:
        if options.keep:
            say(f"left: CONTAINERS_STORAGE_CONF={folder}/storage.conf buildah images")
        else:
            shutil.rmtree(folder)
    say("the image holds what it promises")


if __name__ == "__main__":
    main()
