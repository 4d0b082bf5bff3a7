"""A run from recipe to report: warm start, evaluation, train steps, evaluation.

Every phase leaves files, so that a killed run goes on where its last checkpoint stands.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
import transformers

from agentgym import registry, store
from agentgym.errors import StoreError, UsageError
from agentgym.meter import Meter
from agentgym.panel import Panel
from agentgym.replay import replay_command
from agentgym.trainers import checkpoint, config, lost, plan, precision, report, run_folder
from agentgym.trainers.build import (
    Panels,
    choose_device,
    keeps_reference,
    load_policy,
    make_agent,
    make_critic,
    make_optimizer,
    make_pool,
    make_rewards,
    merge_adapter,
)
from agentgym.trainers.checks import check_recipe
from agentgym.trainers.config import Recipe
from agentgym.trainers.control import run_control
from agentgym.trainers.evaluate import evaluate, figures, greedy
from agentgym.trainers.imitate import build_model, imitate
from agentgym.trainers.kv_pool import size_pool
from agentgym.trainers.memory import peak_rss_gb
from agentgym.trainers.policy import Policy
from agentgym.trainers.progress import phase, say
from agentgym.trainers.report_text import headline
from agentgym.trainers.step import StepResult, Trainer, train_step
from agentgym.trainers.stop import Stop, Stopped, stoppable
from agentgym.trainers.world import World, launch


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What a run came to."""

    folder: Path
    report: Mapping[str, Any] | None
    """The content of `report.json`; None when the run was stopped before its end."""

    def summary(self) -> str:
        """A few lines for people."""
        if self.report is None:
            what = "stopped; go on with --resume"
            if not any((self.folder / "checkpoints").glob("step-*")):
                what = "stopped in the warm start; --resume begins it anew"
            return f"{what} (run in {self.folder})"
        return (
            f"{headline(self.report)}\n"
            f"report: {self.folder / 'report.md'}\n"
            f"read an episode: {replay_command(self.folder)}"
        )


def train(
    recipe: str | Recipe,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    force: bool = False,
    control: bool = False,
    **overrides: Any,
) -> RunResult:
    """Run a recipe.

    Args:
        recipe: the name of one that ships, the path of a YAML file, or a `Recipe`.
        out: the run's folder; default `runs/NAME`.
        resume: go on with what the folder holds, by the same recipe; `train.steps` may be more.
        force: delete what the folder holds.
        control: also go on imitating from the warm start for as long as RL took.
        overrides: sections of the recipe, such as `train={"steps": 20}`.

    Raises:
        UsageError: an unknown name or a bad value, or the folder exists, or holds another
            recipe's run.
        FidelityError: a threshold of the fidelity report was passed.
        NoEpisodeError: an evaluation or a train step has no valid episode.
    """
    if isinstance(recipe, str):
        name, resolved = Path(recipe).stem, config.resolve(recipe, overrides)
    else:
        name = "run"
        resolved = config.validate(config.merge(recipe.model_dump(mode="json"), overrides))
    folder = Path(out) if out is not None else Path("runs") / name
    stored = run_folder.find_stored(folder, resume=resume, force=force)
    if stored is not None:
        resolved = run_folder.go_on(folder, stored, resolved)
        run_folder.recall_env(folder)
    check_recipe(resolved)
    if control and resolved.warm_start is None:
        raise UsageError("--control goes on with the warm start, and this recipe has none")
    if stored is None:
        run_folder.begin(folder, resolved)
    elif resolved.train.steps > stored.train.steps:
        run_folder.extend(folder, resolved)
    done = _find_report(folder)
    if done is None or (control and done["control"] is None):
        device = choose_device(resolved)
        with run_folder.given_up(folder, resolved) if stored is None else nullcontext():
            launch(resolved.processes, device, _work, resolved, folder, control)
        done = _find_report(folder)
    if done is not None:
        report.check(done)
    return RunResult(folder=folder, report=done)


def _find_report(folder: Path) -> dict[str, Any] | None:
    return store.open(folder).report() if (folder / "report.json").exists() else None


def _work(world: World, recipe: Recipe, folder: Path, control: bool) -> None:
    """What every process of a run does."""
    run_folder.recall_env(folder)
    recipe = plan.settle(recipe, world.device)
    torch.manual_seed(recipe.seed)
    transformers.utils.logging.disable_progress_bar()
    panels = Panels.load(recipe)
    if world.leads:
        store.write_panel(folder / "panel.parquet", panels.train)
        store.write_panel(folder / "panel-eval.parquet", panels.eval)
    found, complaints = checkpoint.find_latest(folder)
    for complaint in complaints if world.leads else ():
        say(f"skipped a damaged checkpoint: {complaint}")
    if found is None and complaints:
        raise StoreError("no sound checkpoint is left; start again with --force")
    first = 0 if found is None else checkpoint.step_of(found)
    if world.leads:
        run_folder.forget_after(folder, -1 if found is None else first)
        run_folder.note(folder, {"phase": "begin"})
    finished = False
    with stoppable(world) as stop, suppress(Stopped):
        trainer = _trainer(world, recipe, folder, panels, found=found, stop=stop)
        if found is not None and world.leads:
            say(f"resuming at step {first}")
        finished = _run(trainer, panels, folder, first=first, control=control, stop=stop)
    if world.leads:
        run_folder.note(folder, {"phase": "end"})
        if finished:
            report.write(folder)


def _run(
    trainer: Trainer, panels: Panels, folder: Path, *, first: int, control: bool, stop: Stop
) -> bool:
    """Train and evaluate, then the control; whether the run itself came to its end."""
    try:
        finished = _loop(trainer, panels, folder, first=first, stop=stop)
        if finished and control:
            if trainer.world.leads:
                report.write(folder)  # the control may fail, or not fit into memory
            with suppress(Stopped):  # the run itself is finished
                run_control(trainer, panels, folder, stop=stop)
        _note_memory(trainer.world, folder)
    finally:
        asyncio.run(trainer.pool.close())
    return finished


def _trainer(
    world: World, recipe: Recipe, folder: Path, panels: Panels, *, found: Path | None, stop: Stop
) -> Trainer:
    """What a train step uses, as a checkpoint left it, or after the warm start and saved."""
    policy = _policy(world, recipe, folder, panels, found=found, stop=stop)
    critic = make_critic(recipe, policy)
    optimizer = make_optimizer(recipe, policy, critic)
    if found is not None:
        checkpoint.load_optimizer(found, optimizer)
        if critic is not None:
            checkpoint.load_critic(found, critic)
    elif world.leads:
        checkpoint.save(folder, 0, policy, optimizer, critic)
    meter = Meter(finish=torch.cuda.synchronize if policy.device.type == "cuda" else lambda: None)
    reference = _reference(world, recipe, folder, policy)
    agent, engine = make_agent(
        recipe,
        policy,
        kv_tokens=size_pool(recipe, policy, num_evaluated=len(panels.eval)),
        meter=meter,
    )
    return Trainer(
        recipe=recipe,
        world=world,
        policy=policy,
        reference=reference,
        optimizer=optimizer,
        agent=agent,
        pool=make_pool(recipe),
        panel=panels.train,
        rewards=make_rewards(recipe),
        credit=registry.credits.make(recipe.credit.name, **recipe.credit.args),
        loss=registry.losses.make(recipe.loss.name, **recipe.loss.args),
        curriculum=registry.curricula.make(recipe.curriculum.name, **recipe.curriculum.args),
        refresh_engine=engine.reset,
        critic=critic,
    )


def _policy(
    world: World, recipe: Recipe, folder: Path, panels: Panels, *, found: Path | None, stop: Stop
) -> Policy:
    """The policy that RL begins or goes on with: a checkpoint's, or a warm-started one."""
    if found is not None:
        return load_policy(recipe, str(found))
    path = recipe.model.path
    if path == "tiny":
        path = str(folder / "model")
        if world.leads:
            build_model(recipe, panels.train, folder / "model")
        world.wait()
    policy = load_policy(recipe, path)
    if recipe.lora is None:  # with an adapter, what is in bfloat16 is not trained
        precision.dither(policy.model, policy.dtype, seed=recipe.seed)
    if recipe.warm_start is not None:
        began = time.monotonic()
        record = imitate(world, recipe, panels, policy=policy, stop=stop)
        if world.leads:
            run_folder.note(folder, {"phase": "warm_start", **asdict(record)})
            run_folder.note(folder, {"phase": "seconds", "warm_start": time.monotonic() - began})
            say(f"warm start: {record.summary()}")
        if recipe.lora is not None:
            # What was learned so far is the model that RL begins with, and its reference.
            merge_adapter(recipe, policy, folder / "model", saved=world.leads)
    return policy


def _reference(world: World, recipe: Recipe, folder: Path, policy: Policy) -> Policy | None:
    """The policy that the run began with, if anything asks it."""
    if not keeps_reference(recipe):
        return None
    if recipe.lora is not None:
        return policy.without_adapter()
    world.wait()  # the leading process has saved it
    return load_policy(recipe, str(folder / "checkpoints" / "step-000000"), frozen=True)


def _loop(trainer: Trainer, panels: Panels, folder: Path, *, first: int, stop: Stop) -> bool:
    """Evaluate, train, evaluate; whether it came to the end."""
    recipe, world = trainer.recipe, trainer.world
    steps = recipe.train.steps
    every = recipe.eval.every
    done = first

    def evaluate_at(step: int) -> None:
        if not world.any(stop.asked):
            with stop.after("this evaluation"):
                _evaluate(trainer, panels.eval, folder, step=step)

    with phase("train step", total=steps, first=first, shown=world.leads) as advance:
        for step in range(first, steps):
            # Before the step, so that a run that goes on from here evaluates here, too.
            if step == 0 or (every and step % every == 0):
                evaluate_at(step)
            if world.any(stop.asked):
                break
            result = train_step(trainer, step)
            done = step + 1
            if world.leads:
                _keep(trainer, folder, step=step, result=result)
                advance(done, _remark(result.metrics))
    evaluate_at(steps)
    stopped = world.any(stop.asked)
    if stopped and world.leads:
        checkpoint.save(folder, done, trainer.policy, trainer.optimizer, trainer.critic)
        where = f"after step {done - 1}" if done else "before the first step"
        say(f"stopped {where}; --resume goes on")
    return not stopped


def _keep(trainer: Trainer, folder: Path, *, step: int, result: StepResult) -> None:
    """Store a step's episodes, metrics and, where one is due, a checkpoint."""
    train, done = trainer.recipe.train, step + 1
    began = time.perf_counter()
    path = folder / "episodes" / f"step-{step:06d}.parquet"
    lost.store_groups(result.groups, path, what=f"train step {step}")
    took = time.perf_counter() - began
    run_folder.note(folder, {"step": step, **result.metrics, "seconds/save": took})
    if done % train.checkpoint_every == 0 or done == train.steps:
        began = time.perf_counter()
        checkpoint.save(folder, done, trainer.policy, trainer.optimizer, trainer.critic)
        checkpoint.prune(folder)
        took = time.perf_counter() - began
        run_folder.note(folder, {"phase": "save", "at": done, "seconds": took})


def _remark(metrics: Mapping[str, float]) -> str:
    """What a step came to, and what most of its seconds went to."""
    spent = {
        name.removeprefix("seconds/"): value
        for name, value in metrics.items()
        if name.startswith("seconds/")
    }
    seconds = sum(spent.values())
    most = sorted(spent, key=lambda name: -spent[name])[:3]
    parts = (
        f"success {metrics['success']:.0%}  score {metrics['score']:.2f}",
        f"{metrics['speed/tokens_per_s']:,.0f} tokens/s",
        f"{metrics['speed/turns_per_s']:,.0f} turns/s",
        f"{metrics.get('memory/peak_gpu_gb', metrics['memory/peak_rss_gb']):.1f} GB",
        f"{seconds:.1f} s: " + ", ".join(f"{spent[name] / seconds:.0%} {name}" for name in most),
    )
    return "  ".join(parts)


def _evaluate(trainer: Trainer, panel: Panel, folder: Path, *, step: int) -> None:
    """Play the whole panel sampled and greedy; store both. What is stored already is kept."""
    recipe, world = trainer.recipe, trainer.world
    paths = {
        kind: folder / "episodes" / f"eval-{step:06d}-{kind}.parquet"
        for kind in ("sampled", "greedy")
    }
    if world.any(world.leads and _is_evaluated(folder, step, paths.values())):
        return
    began = time.monotonic()
    agent = replace(trainer.agent, policy_version=step)
    note: dict[str, Any] = {"phase": "eval", "at": step}
    for kind, player, size in (
        ("sampled", agent, recipe.eval.samples),
        ("greedy", greedy(agent), 1),
    ):
        groups = evaluate(trainer.pool, player, panel, seed=recipe.seed, size=size, world=world)
        if world.leads:
            what = f"evaluation at step {step}, {kind}"
            lost.store_groups(groups, paths[kind], what=what)
            note[kind] = figures(groups, panel).success
    if world.leads:
        note["seconds"] = time.monotonic() - began
        run_folder.note(folder, note)
        say(
            f"evaluation at step {step}: success {note['sampled']:.1%} sampled, "
            f"{note['greedy']:.1%} greedy, on {len(panel)} tasks of {panel.name}"
        )


def _is_evaluated(folder: Path, step: int, paths: Iterable[Path]) -> bool:
    rows = store.open(folder).metrics()
    noted = any(row.get("phase") == "eval" and row["at"] == step for row in rows)
    return noted and all(store.is_sound(path) for path in paths)


def _note_memory(world: World, folder: Path) -> None:
    """Note the memory of all processes while the pools' workers still live."""
    world.wait()
    if world.leads:
        run_folder.note(folder, {"phase": "memory", "peak_rss_gb": peak_rss_gb()})
    world.wait()
