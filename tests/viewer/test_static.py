"""The built page is what its sources make, is small, and is in the wheel."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import agentgym.viewer

FOLDER = Path(agentgym.viewer.__file__).parent
ROOT = FOLDER.parents[1]
BUDGET_BYTES = 120_000


def files(name: str) -> set[Path]:
    """The files of a folder, but what npm installs and the list itself."""
    found = {path for path in (FOLDER / name).rglob("*") if path.is_file()}
    return {p for p in found if "node_modules" not in p.parts and p.name != "digests.txt"}


def test_the_page_was_built_from_these_sources() -> None:
    text = (FOLDER / "static" / "digests.txt").read_text(encoding="utf-8")
    stated = {FOLDER / name: digest for digest, _, name in map(parts, text.splitlines())}
    found = files("web") | files("static")
    assert set(stated) == found, "run `make page`"
    stale = [
        str(path.relative_to(FOLDER))
        for path in sorted(found)
        if hashlib.sha256(path.read_bytes()).hexdigest() != stated[path]
    ]
    assert stale == [], "run `make page`"


def parts(line: str) -> tuple[str, str, str]:
    return line.partition("  ")


def test_the_page_is_small() -> None:
    sizes = [len(gzip.compress(path.read_bytes())) for path in files("static")]
    assert 5_000 < sum(sizes) <= BUDGET_BYTES


def test_the_wheel_holds_the_page_and_not_its_sources(tmp_path: Path) -> None:
    build = "import hatchling.build as b, sys; b.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=ROOT, check=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    built = {f"agentgym/viewer/static/{path.name}" for path in files("static")}
    assert built <= names
    assert [name for name in names if "viewer/web" in name] == []
