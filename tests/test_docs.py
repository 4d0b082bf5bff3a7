"""The pages in docs/: every block runs, and what they list is all that there is."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
from documents import ROOT, blocks, run, run_lines

from agentgym import registry
from agentgym.checker import CHECKS
from agentgym.registry import Registry
from agentgym.trainers.credit import WORDS

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))


def table(page: str, section: str) -> list[list[str]]:
    """The cells of the one table in a section, without its head."""
    text = (DOCS / page).read_text(encoding="utf-8")
    (part,) = re.findall(rf"\n## {section}\n(.*?)(?:\n## |\Z)", text, re.DOTALL)
    rows = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("|")]
    return rows[2:]


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


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    """In order and in one folder; what is no command is the file that its first line names."""
    if page.name == "gui.md" and not any(map(shutil.which, ("chromium", "google-chrome"))):
        pytest.skip("there is no Chromium; `make test` installs it")
    for kind, text in blocks(page):
        if kind == "sh":
            run_lines(text, tmp_path)
            continue
        (name,) = re.findall(r"\A(?:# |<!-- )(\w+\.(?:py|yaml|html))(?: -->)?\n", text)
        (tmp_path / name).write_text(text, encoding="utf-8")
        if kind == "python":
            done = run([sys.executable, name], tmp_path)
            assert done.returncode == 0, done.stderr


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
