"""What pages in a browser cost, and which tasks the experts solve.

`python -m tests.benchmarks.gui [--json] [PART...]`; parts: speed, contexts, leaks, shop, experts,
pages.
Memory is ours and that of the browser's processes, what they share counted once (PSS).
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import psutil
from gui_tour import tour

from agentgym.envs.gui.env import GUI
from agentgym.envs.gui.experts.book import EXPERTS
from agentgym.envs.gui.shop import translate
from agentgym.envs.gui.tasks import KINDS
from agentgym.envs.webshop.env import WebShop
from agentgym.errors import AgentGymError
from agentgym.types import Task

from .report import Row, main  # noqa: TID252  one name when run (tests.) and when type-checked

NUM_SPEED, NUM_CONTEXTS, NUM_LEAK, NUM_SHOP, NUM_SEEDS = 60, 16, 500, 50, 20
CLICKS = ("click-test", "click-button", "click-link", "click-checkboxes", "click-option")
MAX_TURNS = 30
SHARE = 0.95
"""A task counts as solved from this share of its seeds on."""


def task(kind: str, seed: int) -> Task:
    """One of MiniWoB's."""
    public = {"site": "miniwob", "type": kind}
    return Task(id=f"{kind}-{seed}", split="bench", seed=seed, public=public)


def milliseconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    began = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - began)


def play(env: GUI, kind: str, seed: int) -> bool:
    """An expert's episode; whether it succeeded."""
    env.reset(options={"task": task(kind, seed)})
    for _ in range(MAX_TURNS):
        if env.step(env.expert_action())[2]:
            break
    return env.outcome().success


def memory_mb() -> float:
    """This process and all below it; what they share is counted once."""
    ours = psutil.Process()
    total = 0.0
    for process in (ours, *ours.children(recursive=True)):
        try:
            total += process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total / 1e6


def speed() -> Iterator[Row]:
    """A reset and a step of click tasks."""
    resets, steps = [], []
    env = GUI()
    for kind in CLICKS:
        play(env, kind, 0)
        for seed in range(NUM_SPEED // len(CLICKS)):
            one = task(kind, seed)
            resets.append(milliseconds(lambda one=one: env.reset(options={"task": one})))  # type: ignore[misc]
            action = env.expert_action()
            steps.append(milliseconds(lambda action=action: env.step(action)))  # type: ignore[misc]
    env.close()
    yield Row(what="reset, click tasks", value=median(resets), unit="ms", bar=15, better="lower")
    yield Row(what="reset, fastest", value=min(resets), unit="ms")
    yield Row(what="step, click tasks", value=median(steps), unit="ms", bar=60, better="lower")
    yield Row(what="step, fastest", value=min(steps), unit="ms")


def contexts() -> Iterator[Row]:
    """Many environments at once, each in the middle of a task."""
    envs = [GUI() for _ in range(NUM_CONTEXTS)]
    for number, env in enumerate(envs):
        env.reset(options={"task": task(CLICKS[number % len(CLICKS)], number)})
    used = memory_mb()
    for env in envs:
        env.close()
    yield Row(what=f"{NUM_CONTEXTS} contexts", value=used, unit="MB", bar=1500, better="lower")


def play_and_tell() -> None:
    """In a process of its own: many episodes, an environment every fifty; print what grew."""
    from agentgym.sandboxes.chromium import program_of_process

    kinds = [kind for kind in KINDS[:60] if kind in EXPERTS]
    used: list[float] = []
    count = 0
    while count < NUM_LEAK:
        env = GUI()
        for _ in range(50):
            play(
                env, CLICKS[count % len(CLICKS)] if count % 2 else kinds[count % len(kinds)], count
            )
            count += 1
        env.close()
        time.sleep(1)
        used.append(memory_mb())
    told = {
        "used": used,
        "folder": str(program_of_process(is_paced=False).scratch),
        "processes": [child.pid for child in psutil.Process().children(recursive=True)],
    }
    print(json.dumps(told))


def leaks() -> Iterator[Row]:
    """What is left of many episodes, while the process lives and after its end."""
    program = "from tests.benchmarks.gui import play_and_tell; play_and_tell()"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    time.sleep(5)
    alive = [each for each in told["processes"] if psutil.pid_exists(each)]
    early, late = told["used"][1], told["used"][-1]
    growth = 100 * (late - early) / early
    what = f"memory after {NUM_LEAK} episodes against 100"
    yield Row(what=what, value=growth, unit="%", bar=5, better="lower")
    yield Row(what="processes left", value=len(alive), unit="", bar=0, better="lower")
    folders = float(Path(told["folder"]).exists())
    yield Row(what="folders left", value=folders, unit="", bar=0, better="lower")


def visit(env: GUI, number: int) -> bool:
    """A scripted visit to the shop; whether every reward was the text mode's."""
    bought = env.panel("gen1/shop-test").tasks[number]
    text, rng, same, over = WebShop(), random.Random(number), True, False
    observation, _ = text.reset(options={"task": bought})
    env.reset(options={"task": bought})
    for _ in range(MAX_TURNS // 2):
        action = text.expert_action()
        if observation.choices and (action.startswith("search") or rng.random() < 0.3):
            action = rng.choice(observation.choices)
        observation, reward, over, _, _ = text.step(action)
        _, ours, ended, _, _ = env.step(translate(action, env.shown))
        if action.startswith("search"):  # that was to write, and this is to send
            _, ours, ended, _, _ = env.step(translate(action, env.shown))
        same = same and (ours, ended) == (reward, over)
        if over or ended:
            break
    return same and env.outcome() == text.outcome()


def shop() -> Iterator[Row]:
    """WebShop through the browser against its text mode."""
    env = GUI()
    same = sum(visit(env, number) for number in range(NUM_SHOP))
    env.close()
    what = f"equal visits to the shop, of {NUM_SHOP}"
    yield Row(what=what, value=same, unit="", bar=NUM_SHOP)


def experts() -> Iterator[Row]:
    """Every expert's share of success; the tasks that none solves are named in the end."""
    env, solved = GUI(), []
    for kind in EXPERTS:
        won = sum(play(env, kind, seed) for seed in range(NUM_SEEDS))
        if won >= SHARE * NUM_SEEDS:
            solved.append(kind)
        yield Row(what=f"expert {kind}", value=100 * won / NUM_SEEDS, unit="%")
    env.close()
    unsolved = [kind for kind in KINDS if kind not in solved]
    print(f"not solved: {', '.join(unsolved)}", file=sys.stderr)
    yield Row(what=f"tasks solved, of {len(KINDS)}", value=len(solved), unit="", bar=60)


def pages() -> Iterator[Row]:
    """Every type of action on every page, twice under one seed: on the page just loaded, and then
    on the page that the first tour left. Those that raise or differ are named in the end."""
    env = GUI()
    failed, differing = [], []
    for kind in KINDS:
        try:
            if tour(env, kind, seed=7) != tour(env, kind, seed=7):
                differing.append(kind)
        except AgentGymError as error:
            failed.append(f"{kind} ({error})")
    env.close()
    for what, kinds in (("pages that raise", failed), ("pages that differ", differing)):
        print(f"{what}: {', '.join(kinds) or 'none'}", file=sys.stderr)
        name = f"{what}, of {len(KINDS)}"
        yield Row(what=name, value=len(kinds), unit="", bar=0, better="lower")


PARTS = {
    "speed": speed,
    "contexts": contexts,
    "leaks": leaks,
    "shop": shop,
    "experts": experts,
    "pages": pages,
}


def measure(*asked: str) -> Iterator[Row]:
    """The rows of the parts that are asked for, otherwise of all."""
    for name, part in PARTS.items():
        if not asked or name in asked:
            yield from part()


if __name__ == "__main__":
    main("gui", measure, parts=PARTS)
