"""Images for containers, made without a registry: of this machine, or of a root file system."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.errors import DockerException, ImageNotFound

from agentgym.errors import DeadlineError, SandboxError, UsageError
from agentgym.sandboxes import owners
from agentgym.sandboxes.container import LABEL, remove
from agentgym.sandboxes.daemon import Daemon

HOST_LINKS = ("bin", "lib", "lib32", "lib64")
HOST_SHOWN = ("/usr", "/etc/alternatives", "/etc/ld.so.cache")
HOST_FILES = {
    "etc/passwd": "agent:x:1000:1000::/tmp:/bin/bash\n",
    "etc/group": "agent:x:1000:\n",
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "etc/ld.so.cache": "",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that the engine has."""

    digest: str
    """Of its content and configuration, in hex."""
    environment: Mapping[str, str]
    """The variables that it sets."""


def get_image(name: str, *, address: str | None = None, timeout_s: float = 600.0) -> Image:
    """An image, which the engine pulls where it has none of that name.

    Raises:
        DeadlineError: that takes longer.
        SandboxError: the engine can get none.
    """
    until = time.monotonic() + timeout_s
    what = f"the engine has no image {name} and cannot pull it"
    with closing(Daemon(address)) as daemon, daemon.calls(until, what=what) as api:
        try:
            return inspect_image(api, name)
        except ImageNotFound:
            _pull(api, name, until)
            return inspect_image(api, name)


def inspect_image(api: Any, name: str) -> Image:
    """An image that the engine has, by a client of `Daemon`."""
    told = api.inspect_image(name)
    return Image(
        digest=str(told["Id"]).rpartition(":")[2],
        environment=dict(each.split("=", 1) for each in told["Config"]["Env"] or ()),
    )


def _pull(api: Any, name: str, until: float) -> None:
    for told in api.pull(name, stream=True, decode=True):
        if "error" in told:
            raise DockerException(told["error"])
        if time.monotonic() > until:
            raise DeadlineError(f"pulling the image {name} took longer than its deadline")


def host_root() -> tuple[str, bytes, list[str]]:
    """A root file system that shows this machine's programs: name, archive, folders to show."""
    shown = [each for each in HOST_SHOWN if Path(each).exists()]
    folders, links = ["usr", "etc", "etc/alternatives", "proc", "dev", "sys", "sbin", "tmp"], {}
    for name in HOST_LINKS:
        if (host := Path("/", name)).is_symlink():
            links[name] = str(host.readlink())
        elif host.is_dir():
            folders.append(name)
            shown.append(str(host))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in folders:
            entry = _entry(name, tarfile.DIRTYPE)
            tar.addfile(entry)
        for name, target in links.items():
            entry = _entry(name, tarfile.SYMTYPE)
            entry.linkname = target
            tar.addfile(entry)
        for name, text in HOST_FILES.items():
            entry = _entry(name, tarfile.REGTYPE)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    archive = packed.getvalue()
    return f"agentgym-host:{hashlib.sha256(archive).hexdigest()[:12]}", archive, shown


def _entry(name: str, kind: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = kind, 0o755
    return entry


def ensure_host_image(daemon: Daemon, until: float) -> tuple[str, list[str]]:
    """An image that shows this machine's programs: its name, and the folders to show in it."""
    name, archive, shown = host_root()
    with daemon.calls(until, what=f"cannot make the image {name}") as api:
        try:
            api.inspect_image(name)
        except ImageNotFound:
            _import(api, name, archive)
    return name, shown


def import_root(
    root: Path, name: str, *, address: str | None = None, timeout_s: float = 600.0
) -> None:
    """Make an image of a root file system, such as `debootstrap` writes.

    Args:
        name: as `repository:tag`; an image that had it is there no more under it.
    """
    if not root.is_dir():
        raise UsageError(f"a root file system must be a folder: {root}")
    until = time.monotonic() + timeout_s
    command = ["tar", "--create", "--numeric-owner", "-C", str(root), "."]
    with closing(Daemon(address)) as daemon:
        with subprocess.Popen(command, stdout=subprocess.PIPE) as packing:
            with daemon.calls(until, what=f"cannot make the image {name}") as api:
                _import(api, name, packing.stdout)
        if packing.returncode:
            raise SandboxError(f"tar cannot read all of {root}: exit code {packing.returncode}")


def _import(api: Any, name: str, archive: Any) -> None:
    repository, _, tag = name.rpartition(":")
    api.import_image_from_data(archive, repository=repository, tag=tag)


def copy_out(
    image: str,
    path: str,
    target: Path,
    *,
    without: Sequence[str] = (),
    address: str | None = None,
    timeout_s: float = 600.0,
) -> None:
    """Copy a folder of an image to an empty one here, to be a sandbox's `source`.

    Args:
        without: the names in the folder that are left out.
    """
    until = time.monotonic() + timeout_s
    unpack = ["tar", "--extract", "--no-same-owner", "-C", str(target)]
    unpack += ["--anchored", *(f"--exclude=./{name}" for name in without)]
    what = f"no {path} in the image {image}"
    with closing(Daemon(address)) as daemon, daemon.calls(until, what=what) as api:
        run = f"a copy of {path} in {image}"
        label = owners.label(driver="docker", run=run, engine=daemon.address)
        name = label.folder.name
        try:
            config = {"Image": image, "Cmd": ["none"], "Labels": {LABEL: name}}
            api.create_container_from_config(config, name)
            pieces, _ = api.get_archive(name, f"{path}/.")
            with subprocess.Popen(unpack, stdin=subprocess.PIPE) as unpacking:
                assert unpacking.stdin is not None
                for piece in pieces:
                    unpacking.stdin.write(piece)
        finally:
            remove(daemon, name)
            shutil.rmtree(label.folder, ignore_errors=True)
    if unpacking.returncode:
        raise SandboxError(f"tar cannot unpack {path} of {image}: exit {unpacking.returncode}")
