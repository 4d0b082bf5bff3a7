"""A Docker engine for the tests: one that answers, or one that is started by hand and ended."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

PATH = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
UP_S = 30.0


def answers(address: str | None = None) -> bool:
    """Whether an engine does."""
    from agentgym.errors import AgentGymError
    from agentgym.sandboxes.daemon import Daemon

    try:
        Daemon(address).close()
    except AgentGymError:
        return False
    return True


@contextmanager
def engine() -> Iterator[str | None]:
    """Have one, by `DOCKER_HOST`, as long as it lasts; why there is none, if so."""
    try:
        import docker  # noqa: F401  whether it is installed
    except ModuleNotFoundError:
        yield "the package docker is not installed"
        return
    if answers():
        yield None
        return
    program = shutil.which("dockerd", path=PATH)
    if program is None or os.geteuid() != 0:
        yield "no engine answers, and " + (
            "this is not root" if program else "there is no dockerd; `make test` installs it"
        )
        return
    with tempfile.TemporaryDirectory(prefix="agentgym-docker-") as name:
        yield from started(program, Path(name))


def started(program: str, folder: Path) -> Iterator[str | None]:
    """An engine whose files are in a folder, without a network of its own."""
    address = f"unix://{folder}/docker.sock"
    places = {"data-root": "root", "exec-root": "exec", "pidfile": "dockerd.pid"}
    options = [f"--{option}={folder / place}" for option, place in places.items()]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            # Dies with us, however we die.
            ["setpriv", "--pdeathsig", "TERM", program, f"--host={address}", *options]
            + ["--storage-driver=overlay2", "--iptables=false", "--ip6tables=false"]
            + ["--bridge=none"],
            stdout=log,
            stderr=log,
            env={"PATH": PATH},
        )
    before = os.environ.get("DOCKER_HOST")
    try:
        until = time.monotonic() + UP_S
        while not (folder / "docker.sock").exists() or not answers(address):
            if process.poll() is not None or time.monotonic() > until:
                yield f"dockerd does not start: {(folder / 'log').read_text()[-500:]}"
                return
            time.sleep(0.05)
        os.environ["DOCKER_HOST"] = address
        yield None
    finally:
        os.environ.pop("DOCKER_HOST", None)
        if before is not None:
            os.environ["DOCKER_HOST"] = before
        process.terminate()
        process.wait()
        if (folder / "root").is_mount():
            subprocess.run(["umount", folder / "root"], check=True)


def containers() -> set[str]:
    """The names of all that there are."""
    from docker import APIClient
    from docker.utils import kwargs_from_env

    with closing(APIClient(**kwargs_from_env(), version="auto")) as api:
        return {each["Names"][0].lstrip("/") for each in api.containers(all=True)}
