"""The promises S1 to S11: what code in a sandbox cannot do. Each attack works on plain processes.

The driver without isolation is the positive control: an attack that fails there proves nothing.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from processes import children, wait_gone, with_word
from sandbox_drivers import WAIT_S, kill_newest, make

from agentgym.errors import SandboxError
from agentgym.sandbox import ISOLATING, ExecResult, Limits, Sandbox

MEBIBYTE = 2**20
SMALL = Limits(memory_bytes=96 * MEBIBYTE, processes=24, cpus=0.5, disk_bytes=16 * MEBIBYTE)
SMALL = SMALL.model_copy(update={"disk_files": 500})


@pytest.fixture(scope="module", params=ISOLATING)
def driver(request: pytest.FixtureRequest) -> str:
    """Every driver that claims to hold code in."""
    return str(request.param)


@pytest.fixture(scope="module")
def shared(driver: str) -> Iterator[tuple[Sandbox, str]]:
    """A sandbox with little of everything, and its snapshot of the start."""
    with make(driver, limits=SMALL) as sandbox:
        yield sandbox, sandbox.snapshot(timeout_s=WAIT_S)


@pytest.fixture
def held(shared: tuple[Sandbox, str]) -> Sandbox:
    """A sandbox that holds code in, as it was made."""
    sandbox, start = shared
    sandbox.restore(start, timeout_s=WAIT_S)
    return sandbox


Tried = Callable[..., None]


@pytest.fixture(autouse=True)
def tried(driver: str, record_property: Callable[[str, object], None]) -> Tried:
    """Takes how many attempts of which kind a test makes, where it is not one attack."""

    def count(**planted: int) -> None:
        for kind, number in planted.items():
            record_property(kind, number)

    record_property("driver", driver)
    return count


@pytest.fixture
def loose() -> Iterator[Sandbox]:
    """The control."""
    with make("process") as sandbox:
        yield sandbox


def python(sandbox: Sandbox, program: str, timeout_s: float = WAIT_S) -> ExecResult:
    """Run a Python program."""
    sandbox.write("program.py", program.encode(), timeout_s=WAIT_S)
    return sandbox.exec("python3 program.py", timeout_s=timeout_s)


FORKS = """
import os, time
made = 0
for _ in range(60):
    try:
        pid = os.fork()
    except OSError:
        break
    if pid == 0:
        time.sleep(600)
    made += 1
print(made)
"""


def test_s1_a_fork_bomb_meets_the_limit_and_the_host_forks_on(
    held: Sandbox, loose: Sandbox, tried: Tried
) -> None:
    tried(attack=2)
    assert python(loose, FORKS).output == "60\n"
    assert int(python(held, FORKS).output) < SMALL.processes
    bomb = held.exec("b() { b | b & }; b; sleep 600", timeout_s=0.5)
    assert bomb.killed == "deadline"
    assert held.exec("echo goes on", timeout_s=WAIT_S).output == "goes on\n"


def test_s2_a_memory_bomb_ends_itself_alone(held: Sandbox, loose: Sandbox) -> None:
    program = f"kept = b'x' * {3 * SMALL.memory_bytes}; print(len(kept))"
    assert python(loose, program).exit_code == 0
    result = python(held, program)
    assert (result.killed, result.output) == ("memory", "")
    assert held.exec("echo goes on", timeout_s=WAIT_S) == ExecResult(
        exit_code=0, output="goes on\n"
    )


def test_s3_a_busy_loop_gets_its_share_and_ends_at_the_deadline(held: Sandbox) -> None:
    program = "import os\nwhile True: print(sum(os.times()[:2]), flush=True)"
    held.write("program.py", program.encode(), timeout_s=WAIT_S)
    began = time.monotonic()
    result = held.exec("python3 program.py", timeout_s=2.0)
    assert result.killed == "deadline"
    assert time.monotonic() - began < 2.0 + 3.0
    assert float(result.output.split()[-1]) < 2.0 * SMALL.cpus + 0.3  # of 2 seconds of wall clock


def test_s4_a_flood_of_output_takes_no_memory(held: Sandbox) -> None:
    before = psutil.Process().memory_info().rss
    result = held.exec("head -c 100000000 /dev/zero", timeout_s=WAIT_S)
    assert result.lost_bytes == 100_000_000 - SMALL.output_bytes
    assert len(result.output) < SMALL.output_bytes + 100
    assert psutil.Process().memory_info().rss - before < 32 * MEBIBYTE


DISK_ATTACKS = {
    "fill": "head -c 60000000 /dev/zero > big",
    "fill /tmp": "head -c 60000000 /dev/zero > $HOME/big",
    "sparse": "truncate -s 60000000 sparse",
    "inodes": "mkdir many; cd many; seq 3000 | xargs touch",
}


@pytest.mark.parametrize("attack", DISK_ATTACKS)
def test_s5_the_disk_is_bounded(held: Sandbox, loose: Sandbox, attack: str) -> None:
    assert loose.exec(DISK_ATTACKS[attack], timeout_s=WAIT_S).exit_code == 0
    free = shutil.disk_usage("/tmp").free
    assert held.exec(DISK_ATTACKS[attack], timeout_s=WAIT_S).exit_code != 0
    assert free - shutil.disk_usage("/tmp").free < 30 * MEBIBYTE  # of others, if anything
    held.exec("rm -rf * /tmp/*", timeout_s=WAIT_S)
    held.write("after", b"room again", timeout_s=WAIT_S)


PLACES = (
    "/x", "/usr/x", "/dev/x", "/etc/x", "/proc/x", "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/proc/1/oom_score_adj",
)  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_s5_nothing_else_can_be_written(held: Sandbox, place: str) -> None:
    """Opened to write, and nothing written: some are the host's own settings."""
    assert held.exec(f": >> {place}", timeout_s=WAIT_S).exit_code != 0


def test_s2_no_process_spares_itself_when_memory_runs_out(held: Sandbox) -> None:
    spare = "echo -500 > /proc/self/oom_score_adj"
    assert held.exec(spare, timeout_s=WAIT_S).exit_code != 0


CALL = """
import socket, sys
reached = []
for family, address in {addresses!r}:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as client:
            client.settimeout(1)
            client.connect(tuple(address) if isinstance(address, list) else address)
        reached.append(address)
    except OSError:
        pass
print(len(reached), [name for _, name in socket.if_nameindex()])
"""


def test_s6_there_is_no_network(
    held: Sandbox, loose: Sandbox, tmp_path: Path, tried: Tried
) -> None:
    """The host listens on loopback, on an abstract name and in the file system."""
    inet, unix = int(socket.AF_INET), int(socket.AF_UNIX)
    abstract, path = f"\0agentgym-{os.getpid()}", str(tmp_path / "listens")
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX) as named,
        socket.socket(socket.AF_UNIX) as bound,
    ):
        for listener, address in ((named, abstract), (bound, path)):
            listener.bind(address)
            listener.listen()
        targets = [(inet, list(tcp.getsockname())), (unix, abstract), (unix, path)]
        assert python(loose, CALL.format(addresses=targets)).output.startswith("3 ")
        away = [(inet, [host, 80]) for host in ("169.254.169.254", "10.0.0.1", "1.1.1.1")]
        tried(attack=len(targets + away))
        assert python(held, CALL.format(addresses=targets + away)).output == "0 ['lo']\n"


def test_s6_no_open_file_of_the_host_is_inherited(held: Sandbox, tmp_path: Path) -> None:
    with (tmp_path / "open").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        result = held.exec("ls -l /proc/self/fd /proc/1/fd", timeout_s=WAIT_S)
    targets = [line.partition(" -> ")[2] for line in result.output.splitlines() if " -> " in line]
    kinds = {target.partition(":")[0] for target in targets}
    assert kinds <= {"pipe", "anon_inode", "/dev/null"} | {
        t for t in targets if t.startswith("/proc/")
    }


LINKS = (
    "ln -s {secret} out",
    "ln -s {folder} dir",
    "mkdir d && ln -s ../../../../../../{secret} d/out",
)


def test_s7_no_path_leads_out(held: Sandbox, loose: Sandbox, tmp_path: Path, tried: Tried) -> None:
    """Links that code inside made, followed by the host's `read` and `write`."""
    tried(attack=7)  # five are read, two are written
    secret = tmp_path / "secret"
    for sandbox, reached in ((loose, b"canary"), (held, None)):
        secret.write_bytes(b"canary")
        for link in LINKS:
            sandbox.exec(link.format(secret=secret, folder=tmp_path), timeout_s=WAIT_S)
        for path in ("out", "dir/secret", "d/out", str(secret), f"../../../../../..{secret}"):
            try:
                assert sandbox.read(path, timeout_s=WAIT_S) == reached
            except FileNotFoundError:
                assert reached is None
        for path in ("out", "dir/planted"):
            try:
                sandbox.write(path, b"planted", timeout_s=WAIT_S)
            except OSError:
                assert reached is None
        assert (secret.read_bytes() == b"planted") == (reached is not None)
        assert (tmp_path / "planted").exists() == (reached is not None)
        (tmp_path / "planted").unlink(missing_ok=True)


def test_s7_a_diff_follows_no_link(held: Sandbox, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"canary")
    held.exec(f"ln -s {tmp_path} dir; echo mine > secret", timeout_s=WAIT_S)
    changes = {each.path: each for each in held.diff(timeout_s=WAIT_S)}
    assert changes["dir"].kind == "link" and changes["secret"].data == b"mine\n"
    assert not any(b"canary" in each.data for each in changes.values())


MARK = 10**6 + os.getpid()
"""Seconds to sleep: by them a test's processes are told from everybody else's."""
DAEMON = (
    f"(setsid sh -c 'trap \"\" TERM HUP; echo $$ > pid; exec sleep {MARK}' &) ; sleep 0.3; cat pid"
)


def test_s8_nothing_runs_on(driver: str, loose: Sandbox, tried: Tried) -> None:
    tried(daemon=4)
    daemon = int(loose.exec(DAEMON, timeout_s=WAIT_S).output)
    assert with_word(str(MARK)) == [daemon]
    os.kill(daemon, signal.SIGKILL)
    before = children()
    for _ in range(2):
        with make(driver, limits=SMALL) as sandbox:
            count = "set -- /proc/[0-9]*; echo $#"
            alone = sandbox.exec(count, timeout_s=WAIT_S).output
            sandbox.exec(DAEMON, timeout_s=WAIT_S)
            sandbox.exec(DAEMON + f"; sleep {MARK}", timeout_s=0.5)
            assert sandbox.exec(count, timeout_s=WAIT_S).output == alone
    assert wait_gone({*with_word(str(MARK)), *(children() - before)}) == []


SEARCH = """
import glob, os
canary = "canary-" + "{half}"
found = 0
places = [place for pid in {pids} for place in glob.glob(f"/proc/{{pid}}/[cefm]*")]
places += [place for pid in {pids} for place in glob.glob(f"/proc/{{pid}}/fd/*")]
for folder in {folders!r}:
    for top, _, names in os.walk(folder):
        places += [os.path.join(top, name) for name in names if name != "program.py"]
for place in places:
    try:
        if os.path.isfile(place):
            with open(place, "rb") as file:
                found += canary.encode() in file.read(100000)
        found += canary in os.path.realpath(place)
    except OSError:
        pass
print(found)
"""


def test_s9_secrets_of_the_host_are_not_there(driver: str, tmp_path: Path, tried: Tried) -> None:
    """Canaries in our environment, in a file, in the name of the source, in an open file."""
    tried(canary=4)
    half = f"{os.getpid()}-secret"
    source = tmp_path / f"canary-{half}"
    source.mkdir()
    (tmp_path / "file").write_text(f"canary-{half}", encoding="utf-8")
    everything = [str(tmp_path), *"/home /root /tmp /etc /run /var /dev/shm /workspace".split()]
    near = SEARCH.format(half=half, pids="[os.getppid()]", folders=everything[:1])
    far = SEARCH.format(half=half, pids="os.listdir('/proc')", folders=everything)
    child = [sys.executable, "-c", "import time; print(1, flush=True); time.sleep(600)"]
    environment = os.environ | {"AGENTGYM_CANARY": f"canary-{half}"}
    with (
        (tmp_path / "file").open() as file,
        subprocess.Popen(child, env=environment, stdout=subprocess.PIPE) as beside,
        make("process", source=source) as loose,
        make(driver, source=source) as held,
    ):
        os.set_inheritable(file.fileno(), True)
        assert beside.stdout is not None and beside.stdout.readline()
        try:
            told = near.replace("os.getppid()", str(beside.pid))
            assert int(python(loose, told).output) == 2  # the file, and our environment
            assert python(held, far).output == "0\n"
        finally:
            beside.kill()


def test_s10_an_episode_leaves_nothing_to_the_next(
    driver: str, tmp_path: Path, tried: Tried
) -> None:
    tried(attack=6)
    (tmp_path / "given").write_bytes(b"as given")
    plant = (
        "for d in . $HOME /tmp /dev/shm /var/tmp /usr; do echo x > $d/planted-{0}; done; rm given"
    )
    look = (
        "ls -d ./planted-{0} /tmp/planted-{0} /dev/shm/planted-{0} /var/tmp/planted-{0}; cat given"
    )
    name = os.getpid()
    for each, is_clean in (("process", False), (driver, True)):
        with make(each, source=tmp_path) as first:
            first.exec(plant.format(name), timeout_s=WAIT_S)
        with make(each, source=tmp_path) as second:
            seen = second.exec(f"exec 2>&-; {look.format(name)}", timeout_s=WAIT_S).output
        assert (seen == "as given") == is_clean
        for folder in ("/tmp", "/dev/shm", "/var/tmp", "/usr"):
            Path(folder, f"planted-{name}").unlink(missing_ok=True)


HOSTILE = ("; touch pwned", "$(touch pwned)", "`touch pwned`", "a\ntouch pwned\n", "-rf", "'\"*")


def test_s11_no_name_becomes_a_command(driver: str, tmp_path: Path, tried: Tried) -> None:
    """Paths, values of variables, the source's name; then a caller that does build a command."""
    tried(attack=5 * len(HOSTILE))  # a source, a variable, and files read, written, compared
    source = tmp_path / "".join(HOSTILE)
    source.mkdir()
    for name in HOSTILE:
        (source / name).write_bytes(b"1")
    environment = {f"NAME{number}": name for number, name in enumerate(HOSTILE)}
    with make(driver, source=source, environment=environment, run=HOSTILE[0]) as sandbox:
        for name in HOSTILE:
            assert sandbox.read(name, timeout_s=WAIT_S) == b"1"
            sandbox.write(f"d{name}/{name}", b"2", timeout_s=WAIT_S)
        sandbox.restore(sandbox.snapshot(timeout_s=WAIT_S), timeout_s=WAIT_S)
        paths = [each.path for each in sandbox.diff(timeout_s=WAIT_S)]
        assert paths == sorted(f"d{name}/{name}" for name in HOSTILE)
        sandbox.exec(f"cat {HOSTILE[0]}", timeout_s=WAIT_S)
        sandbox.read("pwned", timeout_s=WAIT_S)


def test_a_dead_sandbox_is_no_output_of_a_command(driver: str) -> None:
    """E7: code that only prints what a dead one would say is a result."""
    says = "bwrap: the sandbox is lost"
    with make(driver, limits=SMALL) as held:
        assert held.exec(f"echo '{says}'; exit 1", timeout_s=WAIT_S).output == f"{says}\n"
        kill_newest(driver)
        with pytest.raises(SandboxError, match="lost"):
            held.exec("echo alive", timeout_s=WAIT_S)
