"""Docker: images of one's own, whatever text, and containers that nobody closed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from docker_engine import containers
from root_trees import make_root
from sandbox_drivers import WAIT_S, make, why_not

from agentgym.errors import DeadlineError, SandboxError, UsageError
from agentgym.sandbox import Change
from agentgym.sandboxes import owners

PROGRAMS = (
    "bash", "sh", "cat", "chmod", "env", "find", "head", "id", "ls", "mkdir", "setpriv", "tar",
)  # fmt: skip
IMAGE = "agentgym-tests:small"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image of a few programs, with a folder of work in it."""
    if (reason := why_not("docker")) is not None:
        pytest.skip(reason)
    from agentgym.sandboxes.images import import_root

    root = tmp_path_factory.mktemp("root")
    make_root(root, PROGRAMS)
    (root / "testbed").mkdir()
    (root / "testbed" / "given").write_text("in the image\n", encoding="utf-8")
    import_root(root, IMAGE)
    return IMAGE


def test_an_image_is_made_of_a_root_file_system_and_its_work_is_copied_out(
    image: str, tmp_path: Path
) -> None:
    from docker import APIClient
    from docker.utils import kwargs_from_env

    from agentgym.sandboxes.images import copy_out

    with closing(APIClient(**kwargs_from_env(), version="auto")) as api:
        began = int(time.time())
        copy_out(image, "/testbed", tmp_path)
        told = api.events(since=began, until=int(time.time()) + 1, decode=True)
        created = [each["Actor"]["Attributes"] for each in told if each["Action"] == "create"]
        made = {each["name"] for each in created if each["image"] == image}
    # Such a name is that of its owner's folder: what a killed process leaves can be pruned.
    (name,) = made
    assert re.fullmatch("agentgym-[0-9a-f]{16}", name) and not (owners.root() / name).exists()
    with make("docker", image=image, workspace="/testbed", source=tmp_path) as sandbox:
        assert image in sandbox.isolation
        result = sandbox.exec("cat given; pwd; id -u; echo x > new; ls /", timeout_s=WAIT_S)
        assert result.output == "in the image\n/testbed\n1000\n" + "".join(
            f"{name}\n"
            for name in sorted(
                ["bin", "dev", "etc", "lib", "lib64", "proc", "sbin", "sys", "testbed", "tmp"]
            )
        )
        new = Change(path="new", kind="file", data=b"x\n")
        assert sandbox.diff(timeout_s=WAIT_S) == (new,)


def test_an_image_that_is_not_there_is_named(tmp_path: Path) -> None:
    make("docker").close()
    with pytest.raises(SandboxError, match="the engine has no image agentgym-none:1"):
        make("docker", image="agentgym-none:1")
    with pytest.raises(UsageError, match="must be a folder"):
        from agentgym.sandboxes.images import import_root

        import_root(tmp_path / "missing", IMAGE)


def test_a_command_may_hold_what_is_no_text() -> None:
    with make("docker") as sandbox:
        result = sandbox.exec("printf '%s' 'a\\\udcff\n' > x", timeout_s=WAIT_S)
        assert result.exit_code == 0
        assert sandbox.read("x", timeout_s=WAIT_S) == b"a\\\xff\n"
        assert sandbox.exec(f": {50_000 * chr(0xDCFF)}", timeout_s=WAIT_S).exit_code == 0


def test_how_a_program_sets_its_output_is_gone_with_it() -> None:
    with make("docker") as sandbox:
        sandbox.exec("python3 -c 'import os; os.set_blocking(1, False)'", timeout_s=WAIT_S)
        result = sandbox.exec("head -c 3000000 /dev/zero", timeout_s=WAIT_S)
        assert (result.exit_code, result.lost_bytes) == (0, 3_000_000 - 2**16)


def test_files_that_take_too_long_end_the_sandbox() -> None:
    with make("docker") as sandbox:
        with pytest.raises(DeadlineError, match="and was destroyed"):
            sandbox.write("large", bytes(10**7), timeout_s=0.0)
        with pytest.raises(SandboxError, match="lost"):
            sandbox.exec("true", timeout_s=WAIT_S)


def test_an_image_without_what_is_needed_is_refused(image: str, tmp_path: Path) -> None:
    from agentgym.sandboxes.images import copy_out, import_root

    copy_out(image, "/", tmp_path)
    (tmp_path / "bin" / "tar").unlink()
    import_root(tmp_path, "agentgym-tests:smaller")
    with pytest.raises(SandboxError, match="the image has no 'tar'"):
        make("docker", image="agentgym-tests:smaller")


def test_a_container_may_wait_to_be_asked_for() -> None:
    make("docker").close()
    from agentgym.sandboxes.waiting import WAITING

    before, until = containers(), time.monotonic() + WAIT_S
    with make("docker", warm=1) as first:
        while len(started := containers() - before) < 2:
            assert time.monotonic() < until
            time.sleep(0.05)
        first.write("left", b"", timeout_s=WAIT_S)
        with make("docker", warm=1) as second:
            assert second.exec("ls; hostname", timeout_s=WAIT_S).output == "sandbox\n"
            assert second._container.name in started  # type: ignore[attr-defined]
    WAITING.close()
    # One whose end the engine noticed first is being removed, and may be listed for a moment.
    until = time.monotonic() + WAIT_S
    while containers() != before:
        assert time.monotonic() < until
        time.sleep(0.05)


OTHER = """
import sys
from agentgym.sandboxes.docker import Docker
sandbox = Docker(run="other")
print(sandbox._container.name, flush=True)
sandbox.exec("setsid sleep 600 & sleep 600", timeout_s=600)
"""


@pytest.mark.usefixtures("apart")
def test_a_container_ends_with_a_program_that_is_killed() -> None:
    make("docker").close()
    with subprocess.Popen(
        [sys.executable, "-c", OTHER], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        name = other.stdout.readline().strip()
        assert name in containers()
        other.kill()
    until = time.monotonic() + 20
    while name in containers():
        assert time.monotonic() < until
        time.sleep(0.05)
    (label,) = (each for each in owners.listed() if each.folder.name == name)
    assert (label.owner.driver, label.owner.state) == ("docker", "orphaned")
    assert label in owners.prune()
    assert name not in {each.folder.name for each in owners.listed()}


def test_prune_removes_a_container_that_was_left(tmp_path: Path) -> None:
    """As where the engine did not notice its program's death."""
    from agentgym.sandboxes.docker import remove_left

    with make("docker") as sandbox:
        (label,) = (each for each in owners.listed() if each.owner.pid == os.getpid())
        remove_left(label.folder.name, f"unix://{tmp_path}/none")  # an engine that is gone
        assert label.folder.name in containers()
        label.remove()
        assert label.folder.name not in containers()
        with pytest.raises(SandboxError, match="lost"):
            sandbox.exec("true", timeout_s=WAIT_S)
