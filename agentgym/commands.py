"""What the verbs of the command line do; each returns its exit code."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from agentgym import env as envs
from agentgym import store
from agentgym.errors import SandboxError, UsageError
from agentgym.guard import GuardedEnv
from agentgym.listing import Filter, rows_of
from agentgym.registry import load
from agentgym.replay import episode_text, find_episode, printable, replay_command
from agentgym.rows import to_row
from agentgym.types import Task

INTERRUPTED_EXIT = 130
"""What shells say of a program that Ctrl-C ended."""
TABLE_ROWS = 200
EXTRA_USES = {
    "train": "training a model, and judging or reading it",
    "gguf": "models in GGUF files",
    "lora": "training an adapter in place of the weights",
    "bitsandbytes": "an optimizer in 8 bits on a GPU",
    "tantivy": "search over millions of passages",
    "spacy": "nouns of WebShop's titles as its own code tells them",
    "viewer": "`agentgym view`, reading a run in the browser",
    "docker": "sandboxes that are containers",
    "gui": "web pages in a real browser (Chromium itself is a system package)",
    "browsergym": "BrowserGym's environments, in an environment of their own",
    "swe": "SWE's tasks from real repositories, real1/...",
    "search-real": "Search's panels of real facts, real1/...",
    "alfworld": "ALFWorld in its original engine, and its published games",
    "dev": "tests and linters",
}
"""What each extra of the package is for."""
WIDE = 10_000
"""Columns of a table where no terminal wraps it; rich takes fewer where fewer will do."""


def train(
    recipe: str,
    words: Sequence[str],
    *,
    out: Path | None,
    resume: bool,
    force: bool,
    control: bool,
) -> int:
    """Run a recipe and say where its report is, or how to go on when Ctrl-C stopped it."""
    overrides = load("agentgym.trainers.overrides:parse_overrides")(words)
    # Most mistakes show here, before the import of torch takes its seconds.
    load("agentgym.trainers.config:resolve")(recipe, overrides)
    result = load("agentgym.trainers.run:train")(
        recipe, out=out, resume=resume, force=force, control=control, **overrides
    )
    if result.report is not None:
        print(result.summary())
        if not control or result.report["control"] is not None:
            return 0
    asked = ["--control"] if control else []
    again = ["agentgym", "train", recipe, "--out", str(result.folder), "--resume", *asked, *words]
    print(f"agentgym: stopped; to go on: {shlex.join(again)}", file=sys.stderr)
    return INTERRUPTED_EXIT


def list_recipes() -> int:
    """Names and titles of the recipes that ship."""
    config = "agentgym.trainers.config"
    rows = []
    for name in load(f"{config}:recipe_names")():
        data = load(f"{config}:read_recipe")(name)
        rows.append((name, data.get("title", ""), data.get("note", "")))
    show_table(("recipe", "title", "note"), rows)
    return 0


def print_config(recipe: str, words: Sequence[str]) -> int:
    """The resolved recipe as YAML."""
    config = "agentgym.trainers.config"
    overrides = load("agentgym.trainers.overrides:parse_overrides")(words)
    print(load(f"{config}:dump")(load(f"{config}:resolve")(recipe, overrides)), end="")
    return 0


def evaluate(
    folder: Path,
    *,
    split: str | None,
    tasks: int | None,
    samples: int | None,
    greedy: bool,
    as_json: bool,
) -> int:
    """Play a panel with a run's newest model; 1 when not one episode is valid."""
    if greedy and samples is not None:
        raise UsageError(
            "--greedy plays one episode a task, for all would be the same; leave --samples out"
        )
    run = store.open(folder)
    judge = load("agentgym.trainers.judge:judge")
    result = judge(run, split=split, tasks=tasks, samples=samples or 1, greedy=greedy)
    if as_json:
        print_json(result)
        return 1 if result["success"] is None else 0
    print(f"{result['panel']['name']} {result['panel']['hash']}, {result['n']} tasks")
    for line in result["errors"]:
        print(f"lost: {line}")
    if result["success"] is None:
        print(f"no success to report: not one of {result['num_errors']} episodes is valid")
        return 1
    low, high = result["ci95"]
    print(f"success {result['success']:.1%} [{low:.1%}, {high:.1%}], score {result['score']:.3f}")
    by_type = [(k, None if v is None else f"{v:.1%}") for k, v in result["by_type"].items()]
    show_table(("type", "success"), by_type)
    print(f"read an episode: {replay_command(folder, file=result['file'])}")
    return 0


def export_model(folder: Path, out: Path) -> int:
    """Write a run's newest model, and say of which step it is."""
    step = load("agentgym.trainers.export:export")(store.open(folder), out)
    print(f"{out}: the model after {step} train steps")
    return 0


def list_envs(*, as_json: bool) -> int:
    """The registered environments with their panels."""
    rows: list[dict[str, Any]] = []
    for env_id in envs.turn_env_ids():
        found = envs.env_class(env_id)
        rows.append(
            {
                "id": env_id,
                "max_turns": envs.find_spec(env_id).max_episode_steps,
                "splits": list(found.splits()),
                "expert": found.expert_name,
                "needs": found.needs,
                "about": (found.__doc__ or "").strip().partition("\n")[0],
            }
        )
    if as_json:
        print_json(rows)
        return 0
    cells = [
        (r["id"], r["max_turns"], ", ".join(r["splits"]), r["expert"], r["needs"], r["about"])
        for r in rows
    ]
    show_table(("environment", "turns", "panels", "expert", "needs", "about"), cells)
    return 0


def check(env_id: str, *, as_json: bool) -> int:
    """Run the contract's checks; 1 when one fails."""
    results = load("agentgym.checker:check_env")(env_id)
    if as_json:
        print_json([asdict(result) for result in results])
    else:
        for result in results:
            reason = f": {printable(result.reason)}" if result.reason else ""
            print(f"{'ok  ' if result.ok else 'FAIL'} {result.name}{reason}")
    return 0 if all(result.ok for result in results) else 1


def play(env_id: str, *, split: str | None, task: str | None) -> int:
    """A person plays in the terminal."""
    panel = envs.get_panel(env_id, split)
    chosen = panel.get(task) if task else panel.tasks[0]
    with closing(GuardedEnv(envs.find_spec(env_id))) as env:
        print(f"{env_id}  task {chosen.id}; an empty line lists the choices, Ctrl-D leaves\n")
        _play(env, chosen)
    return 0


def _play(env: GuardedEnv, task: Task) -> None:
    observation = env.reset(task, seed=task.seed)
    print(printable(observation.text))
    ended = False
    while not ended:
        try:
            text = input("\n> ")
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if not text.strip():
            print(printable("\n".join(observation.choices or ("(no list of choices here)",))))
            continue
        reply = env.step(text)
        observation, ended = reply.observation, reply.terminated or reply.truncated
        print(printable(observation.text))
        if reply.reward:
            print(f"[reward {reply.reward:g}]")
    outcome = env.outcome()
    print(f"\n{'success' if outcome.success else 'failure'}, score {outcome.score:g}")


def replay(
    folder: Path,
    *,
    file: str | None,
    step: int | None,
    group: int,
    member: int,
    as_json: bool,
) -> int:
    """Print one episode."""
    run = store.open(folder)
    episode = find_episode(run, file=file, step=step, group=group, member=member)
    if as_json:
        row = to_row(episode)
        row["images"] = [image is not None for image in row["images"]]
        print_json(row)
    else:
        print(episode_text(episode))
    return 0


def episodes(folder: Path, wanted: Filter, *, sql: str | None, as_json: bool) -> int:
    """A run's episode files, the episodes that pass a filter, or what a query gives."""
    import duckdb

    if sql is not None and wanted.chosen:
        raise UsageError("--sql takes no other filter: say it in the query's WHERE")
    run = store.open(folder)
    found = run.sound_files()
    for complaint in found[1]:
        Console(stderr=True).print(f"skipped {complaint}", style="yellow", markup=False)
    try:
        connection = run.connect(found)
        result = connection.execute(sql) if sql else rows_of(connection, wanted)
    except duckdb.Error as error:
        raise UsageError(f"the query failed: {str(error).splitlines()[0]}") from error
    head = [column[0] for column in result.description or ()]
    rows = result.fetchall()
    if as_json:
        print_json([dict(zip(head, row, strict=True)) for row in rows])
        return 0
    show_table(head, rows[:TABLE_ROWS])
    if len(rows) > TABLE_ROWS:
        print(f"({TABLE_ROWS} of {len(rows)} rows; --json prints them all)")
    if not rows:
        print("(no such episodes)")
    if not (sql or wanted.chosen):
        where = shlex.quote(str(folder))
        more = "with --step N, --status S, --task ID or --sql QUERY"
        print(f"rows of episodes: agentgym episodes {where} {more}")
        print(f"read one: {replay_command(folder, file=rows[-1][0])}")
    return 0


def sandbox(what: str, *, as_json: bool) -> int:
    """List this user's sandboxes, or remove the orphaned ones and list these."""
    shown = list(load(f"agentgym.sandboxes.owners:{'prune' if what == 'prune' else 'listed'}")())
    rows = [
        {"sandbox": each.folder.name, "state": each.owner.state} | asdict(each.owner)
        for each in shown
    ]
    if as_json:
        print_json(rows)
    elif rows:
        head = ("sandbox", "state", "driver", "pid", "run", "host")
        show_table(head, [[row[name] for name in head] for row in rows])
    else:
        print("nothing is orphaned" if what == "prune" else "no sandboxes")
    return 0


def doctor(*, as_json: bool) -> int:
    """What this machine has."""
    facts: dict[str, Any] = {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "disk_free_gb": round(shutil.disk_usage(".").free / 1e9, 1),
    }
    for name in ("agentgym-lab", "gymnasium", "torch", "transformers", "duckdb", "pyarrow"):
        facts[name] = _version(name)
    if importlib.util.find_spec("torch"):
        torch: Any = importlib.import_module("torch")
        cuda = torch.cuda.is_available()
        facts["gpu"] = torch.cuda.get_device_name() if cuda else None
    try:
        facts["sandbox"] = load("agentgym.sandbox:choose")()
    except SandboxError as error:
        facts["sandbox"] = f"none: {error}"
    missing = {name: missing_packages(name) for name in EXTRA_USES}
    if as_json:
        extras = {name: {"for": EXTRA_USES[name], "missing": missing[name]} for name in missing}
        print_json(facts | {"extras": extras})
        return 0
    for name, value in facts.items():
        print(f"{name:>14}  {'-' if value is None else value}")
    print()
    rows = []
    for name, packages in missing.items():
        install = f"missing: {', '.join(packages)}; pip install 'agentgym-lab[{name}]'"
        rows.append((name, EXTRA_USES[name], install if packages else "installed"))
    show_table(("extra", "for", "is"), rows)
    return 0


def missing_packages(extra: str) -> list[str]:
    """The packages of an extra that are not installed."""
    stated = importlib.metadata.requires("agentgym-lab") or []
    own = re.compile(rf"""(?P<name>[\w.-]+).*; extra == ['"]{extra}['"]""")
    names = [match["name"] for match in map(own.match, stated) if match]
    return [name for name in names if _version(name) is None]


def _version(package: str) -> str | None:
    """The installed version of a package; None where there is none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def serve_search(corpus: str, *, host: str, port: int, topk: int, retriever: str) -> int:
    """Serve a corpus to agents elsewhere."""
    serve = load("agentgym.envs.search.server:serve")
    return int(serve(corpus, host=host, port=port, topk=topk, retriever=retriever))


def show_table(head: Iterable[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table for people; as wide as it needs to be when the output is no terminal."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDE)
    table = Table(*head, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(printable("-" if cell is None else str(cell)) for cell in row))
    # Not printed by rich itself: it would make a reader that left an error.
    with console.capture() as captured:
        console.print(table, markup=False)
    for line in captured.get().removesuffix("\n").split("\n"):
        print(line.rstrip())


def print_json(value: Any) -> None:
    """One JSON document."""
    print(json.dumps(value, indent=1, default=str))
