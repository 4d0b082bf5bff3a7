"""Who may import whom, read from the source; and what `import agentgym` loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import agentgym

ROOT = Path(agentgym.__file__).parents[1]
LINKS = ("envs", "trainers", "sandboxes")
HEAVY = (
    "torch", "transformers", "docker", "playwright", "alfworld", "textworld", "browsergym", "bm25s",
    "tantivy",
)  # fmt: skip
STORAGE = ("duckdb", "pyarrow")
SERVER = ("starlette", "uvicorn")
WITHOUT_TORCH = ("agentgym.trainers", "agentgym.trainers.credit", "agentgym.trainers.rewards")


@dataclass(frozen=True, kw_only=True)
class Import:
    """One import of one module."""

    importer: str
    imported: str
    is_lazy: bool
    """Inside a function, or for the type checker only."""


def module_files(folder: str) -> dict[str, Path]:
    """Module name -> file, of a folder and all below it; the links are not followed."""
    names = {}
    for file in sorted((ROOT / folder).rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return names


CORE = module_files("agentgym")
FILES = CORE | {
    f"agentgym.{name}": file for link in LINKS for name, file in module_files(link).items()
}


def imports_of(name: str) -> Iterator[Import]:
    """Every import statement of a module."""
    tree = ast.parse(FILES[name].read_text(encoding="utf-8"))
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        found: list[str] = []
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: a relative import"
            source = node.module or ""
            inner = [f"{source}.{alias.name}" for alias in node.names]
            found = [each if each in FILES else source for each in inner]
        for imported in found:
            yield Import(importer=name, imported=imported, is_lazy=id(node) not in top)


@cache
def all_imports() -> tuple[Import, ...]:
    """Of all modules."""
    return tuple(each for name in FILES for each in imports_of(name))


def within(name: str, *packages: str) -> bool:
    """Whether a module is one of the packages or inside one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def violations(importers: tuple[str, ...], forbidden: tuple[str, ...]) -> list[str]:
    """The imports of the forbidden by the importers, inside functions too."""
    return [
        f"{each.importer} imports {each.imported}"
        for each in all_imports()
        if within(each.importer, *importers) and within(each.imported, *forbidden)
    ]


def test_the_walk_sees_every_module() -> None:
    assert {"agentgym", "agentgym.types", "agentgym.cli", "agentgym.pool"} <= CORE.keys()
    assert {"agentgym.envs.toys.box", "agentgym.sandboxes.scripted"} <= FILES.keys() - CORE.keys()
    assert "agentgym.trainers.credit.salt" in FILES
    assert Import(importer="agentgym.pool", imported="agentgym.env", is_lazy=False) in all_imports()


def test_records_and_errors_stand_on_the_standard_library() -> None:
    ours = ("agentgym.types", "agentgym.errors")
    others = [
        f"{each.importer} imports {each.imported}"
        for each in all_imports()
        if each.importer in ours
        and each.imported not in ours
        and each.imported.partition(".")[0] not in sys.stdlib_module_names
    ]
    assert others == []


def test_the_core_imports_no_plug_in_and_nothing_heavy() -> None:
    plug_ins = tuple(f"agentgym.{link}" for link in LINKS)
    assert violations(tuple(CORE.keys() - {"agentgym"}), (*plug_ins, *HEAVY)) == []
    (*ours,) = (each for each in all_imports() if each.importer == "agentgym")
    assert [each for each in ours if within(each.imported, *plug_ins, *HEAVY)] == []


def test_environments_reach_sandboxes_by_id_and_never_a_trainer() -> None:
    assert violations(("agentgym.envs",), ("agentgym.trainers", "agentgym.sandboxes")) == []


def test_environments_need_no_torch() -> None:
    assert violations(("agentgym.envs",), ("torch", "transformers")) == []


def test_sandboxes_know_neither_environments_nor_trainers() -> None:
    assert violations(("agentgym.sandboxes",), ("agentgym.envs", "agentgym.trainers")) == []


def test_trainers_know_neither_environments_nor_sandboxes() -> None:
    assert violations(("agentgym.trainers",), ("agentgym.envs", "agentgym.sandboxes")) == []


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("agentgym.viewer", ("types", "picture", "errors", "store", "registry", "serving")),
        ("agentgym.serving", ("errors",)),
    ],
)
def test_what_serves_pages_knows_little(package: str, allowed: tuple[str, ...]) -> None:
    names = {f"agentgym.{name}" for name in allowed}
    ours = [each for each in all_imports() if within(each.importer, package)]
    known = [each for each in ours if within(each.imported, "agentgym")]
    assert [each for each in known if not within(each.imported, *names, package)] == []
    assert all(any(within(each.imported, name) for each in known) for name in names)


def test_nothing_is_built_on_the_viewer() -> None:
    """The command line loads it by name, when it is asked for."""
    known = [each for each in all_imports() if within(each.imported, "agentgym.viewer")]
    assert [each for each in known if not within(each.importer, "agentgym.viewer")] == []


def test_credit_needs_no_torch() -> None:
    forbidden = ("torch", "transformers")
    importers = ("agentgym.trainers.credit", "agentgym.trainers.rewards.combine")
    assert violations(importers, forbidden) == []


def test_no_package_imports_anything_heavy_when_it_is_imported() -> None:
    packages = {name for name, file in FILES.items() if file.name == "__init__.py"}
    heavy = [
        f"{each.importer} imports {each.imported}"
        for each in all_imports()
        if each.importer in packages
        and not each.is_lazy
        and within(each.imported, *HEAVY, *STORAGE)
    ]
    assert heavy == []


def test_the_core_imports_downwards_only() -> None:
    """No cycle among the modules of the core; `agentgym` itself is above them all."""
    graph: dict[str, set[str]] = {name: set() for name in CORE}
    for each in all_imports():
        if each.importer in graph and each.imported in graph and not each.is_lazy:
            graph[each.importer].add(each.imported)
    assert [name for name, below in graph.items() if "agentgym" in below] == []
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the cycle


def test_oracles_know_nothing_of_the_product() -> None:
    for file in sorted((ROOT / "tests" / "oracles").glob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                package = name.partition(".")[0]
                allowed = package in (*sys.stdlib_module_names, "numpy", "oracles")
                assert allowed, f"{file.name} imports {name}"


@pytest.mark.parametrize("name", LINKS)
def test_each_link_is_a_link_to_its_folder(name: str) -> None:
    """A checkout without links would build a wheel without these packages, and no error."""
    link = ROOT / "agentgym" / name
    assert link.is_symlink()
    assert link.readlink() == Path("..") / name
    assert link.resolve() == ROOT / name
    assert (link / "__init__.py").is_file()


def loaded_by(statement: str) -> set[str]:
    """The top-level packages that a fresh interpreter has after a statement."""
    program = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def test_importing_agentgym_loads_nothing_heavy() -> None:
    loaded = loaded_by("import agentgym")
    assert "gymnasium" in loaded
    assert loaded.isdisjoint({*HEAVY, *STORAGE, *SERVER, "pydantic", "rich", "yaml"})


@pytest.mark.parametrize("name", WITHOUT_TORCH)
def test_a_trainer_package_loads_no_torch(name: str) -> None:
    assert loaded_by(f"import {name}").isdisjoint(HEAVY)
