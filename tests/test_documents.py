"""README and docs/: every block runs as a user would run it, and what they list is all there is.

`make` lines are planned with `make -n`, not carried out.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from forked import Forked

from agentgym import registry, store
from agentgym.checker import CHECKS
from agentgym.errors import SandboxError
from agentgym.registry import Registry
from agentgym.sandbox import choose
from agentgym.trainers.credit import WORDS

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = sorted((ROOT / "docs").glob("*.md"))
VARIABLES = {"PIP_EXTRA_INDEX_URL", "ALFWORLD_DATA", "AGENTGYM_CACHE"} | {
    f"AGENTGYM_{name}_DATA" for name in ("SEARCH", "WEBSHOP")
}


def blocks(path: Path) -> list[tuple[str, str]]:
    """Kind and text of every fenced block, in order."""
    return re.findall(r"```(\w+)\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


def run(words: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command as a user would, this environment's programs first on the path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        words, cwd=cwd, env={**os.environ, "PATH": path}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"
    return done


class Reader:
    """Somebody who carries out what the pages show, in one folder and each command once.

    Scripts and commands that load a model are run by the process that has imported PyTorch.
    """

    def __init__(self, folder: Path, forked: Forked) -> None:
        self.folder = folder
        self._forked = forked
        self._ran: set[str] = set()

    def read(self, page: Path) -> None:
        """Run its blocks in order; a file is named by its first line."""
        for kind, text in blocks(page):
            if kind == "sh":
                for line in (line.partition("#")[0].strip() for line in text.splitlines()):
                    self._type(line)
            elif kind in ("python", "yaml", "html"):
                named = re.match(r"(?:# |<!-- )(\w+\.(?:py|yaml|html))(?: -->)?\n", text)
                name = named[1] if named else "example.py"
                (self.folder / name).write_text(text, encoding="utf-8")
                if kind == "python":
                    self._run_forked(["python", name])

    def _type(self, line: str) -> None:
        if not line or line in self._ran:
            return
        self._ran.add(line)
        words = shlex.split(line)
        if words[0] == "make":
            run(["make", "-n", *words[1:]], ROOT)
        elif words[:2] in (["agentgym", "train"], ["agentgym", "eval"]):
            self._run_forked(words)
        else:
            run(words, self.folder)

    def _run_forked(self, words: list[str]) -> None:
        code, said = self._forked.run(words, cwd=self.folder)
        assert code == 0, f"{shlex.join(words)}\n{said}"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Has read the README, to which the other pages may refer."""
    with Forked() as forked:
        reader = Reader(tmp_path_factory.mktemp("reader"), forked)
        reader.read(README)
        yield reader


@pytest.mark.slow
def test_every_block_of_the_readme_runs_and_salt_solves_corridor_there(reader: Reader) -> None:
    report: Any = store.open(reader.folder / "runs" / "corridor").report()
    assert report["credit"]["name"] == "salt"
    assert report["problems"] == []
    assert report["after"]["success"] >= 0.9
    assert report["gain_ci95"][0] > 0
    own: Any = store.open(reader.folder / "runs" / "safe").report()
    assert own["gain_ci95"][0] > 0


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_of_a_page_runs(page: Path, reader: Reader) -> None:
    if page.name == "sandboxes.md":
        try:
            choose()
        except SandboxError as error:
            pytest.skip(str(error))
    reader.read(page)


def test_the_readmes_own_environment_keeps_the_contract(tmp_path: Path) -> None:
    (code,) = (text for kind, text in blocks(README) if kind == "python")
    (tmp_path / "own.py").write_text(code.partition("\nregister(")[0], encoding="utf-8")
    run(["agentgym", "check", "own:Safe"], tmp_path)


def test_the_readme_shows_the_two_commands() -> None:
    shown = "".join(text for kind, text in blocks(README) if kind == "sh")
    assert "make quickstart" in shown
    assert "make test" in shown


def test_nothing_is_left_to_fill_in() -> None:
    text = README.read_text(encoding="utf-8")
    assert set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", text)) <= VARIABLES


@pytest.mark.parametrize("page", [README, *PAGES], ids=lambda page: page.name)
def test_every_block_is_of_a_kind_that_is_run(page: Path) -> None:
    assert {kind for kind, _ in blocks(page)} <= {"sh", "python", "yaml", "html", "text"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_are_short_and_their_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 250
    assert text.isascii()
    for target, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", text):
        linked = (page.parent / target).resolve() if target else page
        assert linked.exists(), target
        heads = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
        assert not anchor or anchor in {head.lower().replace(" ", "-") for head in heads}


def table(page: str, section: str) -> list[list[str]]:
    """The cells of the one table in a section, without its head."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    (part,) = re.findall(rf"\n## {section}\n(.*?)(?:\n## |\Z)", text, re.DOTALL)
    rows = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("|")]
    return rows[2:]


@pytest.mark.parametrize(
    ("section", "known"), [("Schemes", registry.credits), ("Losses", registry.losses)]
)
def test_the_credit_page_names_every_scheme_and_loss(section: str, known: Registry) -> None:
    assert sorted(row[0].strip("`") for row in table("credit.md", section)) == list(known)


def test_the_credit_page_says_what_each_scheme_reads() -> None:
    words = {row[0].strip("`") for row in table("credit.md", "What a scheme reads")}
    assert words == WORDS | {"information_gain"}
    for name, _, reads, *_ in table("credit.md", "Schemes"):
        scheme = registry.credits.get(name.strip("`"))
        assert set(re.findall(r"`(\w+)`", reads.partition(" by ")[0])) == scheme.reads
        nodes = re.findall(r" by `(\w+)`", reads)
        assert nodes == ([scheme().nodes] if "states" in scheme.reads else [])


def test_the_credit_page_gives_the_papers_of_the_docstrings() -> None:
    for section, known in (("Schemes", registry.credits), ("Losses", registry.losses)):
        for name, paper, *_ in table("credit.md", section):
            found = known.get(name.strip("`"))
            source = " ".join(str(each.__doc__) for each in found.__mro__)
            for number in re.findall(r"\d{4}\.\d{5}", paper):
                assert number in source, f"{name}: {number}"


def test_the_environments_page_explains_every_check() -> None:
    claims = [(check.__doc__ or "").partition("\n")[0].rstrip(".") for check in CHECKS]
    assert [row[0] for row in table("environments.md", "What `agentgym check` tries")] == claims
