"""The command line."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agentgym import commands
from agentgym.errors import AgentGymError, UsageError
from agentgym.reading_verbs import add_json, add_reading_verbs
from agentgym.registry import load

USAGE_EXIT = 2
FAILURE_EXIT = 1


class Parser(argparse.ArgumentParser):
    """Argument errors in one line. No option may be shortened: keys of recipes are options."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> Any:
        """Print the error and leave with code 2."""
        self.exit(USAGE_EXIT, f"agentgym: {message}\n")


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; the exit code.

    2 stands for the user's input, 1 for a failure of the run or a failed check, 130 for Ctrl-C.
    """
    sys.path.insert(0, "")  # `module:Class` is looked for in the working folder, too
    parser = build_parser()
    options, rest = parser.parse_known_args(words)
    if rest and not getattr(options, "overrides", False):
        parser.error(f"unknown option '{rest[0]}'; see 'agentgym {options.verb} --help'")
    try:
        code = int(options.run(options, rest) or 0)
        sys.stdout.flush()  # a reader that left is noticed here, not at exit
        return code
    except UsageError as error:
        print(f"agentgym: {' '.join(str(error).split())}", file=sys.stderr)
        return USAGE_EXIT
    except AgentGymError as error:
        print(f"agentgym: {type(error).__name__}: {error}", file=sys.stderr)
        return FAILURE_EXIT
    except BrokenPipeError:
        # The reader left. What is buffered goes nowhere, or Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"agentgym: {error}", file=sys.stderr)
        return FAILURE_EXIT
    except KeyboardInterrupt:
        print("agentgym: interrupted", file=sys.stderr)
        return commands.INTERRUPTED_EXIT


def build_parser() -> Parser:
    """All verbs and their options."""
    parser = Parser(prog="agentgym", description="Gym and trainer for agents that act in turns.")
    version = importlib.metadata.version("agentgym-lab")
    parser.add_argument("--version", action="version", version=f"agentgym {version}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    _add_train(verbs)
    _add_plan(verbs)
    _add_eval(verbs)
    _add_export_model(verbs)
    _add_env_verbs(verbs)
    add_reading_verbs(verbs)
    _add_serve_search(verbs)
    _add_serve_webshop(verbs)
    _add_sandbox(verbs)
    _add_swe(verbs)
    doctor = verbs.add_parser("doctor", help="what this machine has, and what is missing")
    add_json(doctor)
    doctor.set_defaults(run=lambda options, _: commands.doctor(as_json=options.json))
    return parser


def _add_train(verbs: Any) -> None:
    parser = verbs.add_parser(
        "train",
        help="run a recipe: warm start, training, evaluation, report",
        description="Any key of the recipe is an option: --train.steps 20, --credit.name grpo.",
    )
    parser.add_argument("recipe", nargs="?", help="a shipped recipe, or a YAML file")
    parser.add_argument("--out", type=Path, help="the run's folder; default runs/RECIPE")
    parser.add_argument("--resume", action="store_true", help="go on with what the folder holds")
    parser.add_argument("--force", action="store_true", help="delete what the folder holds")
    parser.add_argument(
        "--control", action="store_true", help="also imitate for as long as RL took, to compare"
    )
    parser.add_argument(
        "--print-config", action="store_true", help="print the resolved recipe, run nothing"
    )
    parser.set_defaults(run=_train, overrides=True)


def _train(options: argparse.Namespace, rest: list[str]) -> int:
    if options.recipe is None:
        return commands.list_recipes()
    if options.print_config:
        return commands.print_config(options.recipe, rest)
    return commands.train(
        options.recipe,
        rest,
        out=options.out,
        resume=options.resume,
        force=options.force,
        control=options.control,
    )


def _add_plan(verbs: Any) -> None:
    parser = verbs.add_parser(
        "plan",
        help="the memory and the seconds that a recipe needs, without weights or a GPU",
        description="Any key of the recipe is an option, as for train.",
    )
    parser.add_argument("recipe", help="a shipped recipe, or a YAML file")
    parser.add_argument("--memory", metavar="SIZE", help="of the GPU, such as 24GB: does it fit?")
    parser.add_argument("--control", action="store_true", help="of a run with a control")
    add_json(parser)
    parser.set_defaults(
        run=lambda options, rest: load("agentgym.trainers.show_plan:plan")(
            options.recipe,
            rest,
            memory=options.memory,
            control=options.control,
            as_json=options.json,
        ),
        overrides=True,
    )


def _add_eval(verbs: Any) -> None:
    parser = verbs.add_parser("eval", help="play a panel with a run's model")
    parser.add_argument("folder", type=Path, metavar="RUN")
    parser.add_argument("--split", help="default: the split that the run was judged on")
    parser.add_argument("--tasks", type=count, help="only the first so many tasks")
    parser.add_argument("--samples", type=count, help="sampled episodes per task; default: 1")
    parser.add_argument("--greedy", action="store_true", help="always the likeliest token")
    add_json(parser)
    parser.set_defaults(
        run=lambda options, _: commands.evaluate(
            options.folder,
            split=options.split,
            tasks=options.tasks,
            samples=options.samples,
            greedy=options.greedy,
            as_json=options.json,
        )
    )


def _add_export_model(verbs: Any) -> None:
    parser = verbs.add_parser(
        "export-model", help="a run's newest model as an ordinary model folder"
    )
    parser.add_argument("folder", type=Path, metavar="RUN")
    parser.add_argument("out", type=Path, metavar="FOLDER", help="where it goes; must not exist")
    parser.set_defaults(run=lambda options, _: commands.export_model(options.folder, options.out))


def _add_env_verbs(verbs: Any) -> None:
    envs = verbs.add_parser("envs", help="the registered environments")
    add_json(envs)
    envs.set_defaults(run=lambda options, _: commands.list_envs(as_json=options.json))

    check = verbs.add_parser("check", help="check an environment against the contract")
    check.add_argument("env", help="an id, or module:Class")
    add_json(check)
    check.set_defaults(run=lambda options, _: commands.check(options.env, as_json=options.json))

    play = verbs.add_parser("play", help="play an environment yourself")
    play.add_argument("env", help="an id, or module:Class")
    play.add_argument("--split", help="default: the environment's own")
    play.add_argument("--task", help="a task id; default: the first")
    play.set_defaults(
        run=lambda options, _: commands.play(options.env, split=options.split, task=options.task)
    )


def _add_serve_search(verbs: Any) -> None:
    parser = verbs.add_parser(
        "serve-search",
        help="a search engine for agents, over HTTP",
        description="Answers POST /retrieve as Search-R1's retrieval servers do.",
    )
    parser.add_argument("corpus", help="a JSONL file of passages, or gen1, or real1")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    parser.add_argument("--topk", type=count, default=3, help="where a request does not say")
    parser.add_argument("--retriever", default="bm25s", help="a name, or {name: ..., SETTING: ...}")
    parser.set_defaults(
        run=lambda options, _: commands.serve_search(
            options.corpus,
            host=options.host,
            port=options.port,
            topk=options.topk,
            retriever=options.retriever,
        )
    )


def _add_serve_webshop(verbs: Any) -> None:
    parser = verbs.add_parser(
        "serve-webshop",
        help="WebShop in a browser, for people and for agents that see pages",
        description="Serves the shop to this machine alone; every visit is its own.",
    )
    parser.add_argument("--split", default="gen1/test", help="whose tasks can be chosen")
    parser.add_argument("--shop", default="small", help="small, medium, large, or a number")
    parser.add_argument("--port", type=int, default=8766, help="0 takes a free one")
    parser.add_argument("--no-open", action="store_true", help="open no browser")
    parser.set_defaults(
        run=lambda options, _: load("agentgym.envs.webshop.shopfront:serve_webshop")(
            options.split,
            shop=int(options.shop) if options.shop.isdecimal() else options.shop,
            port=options.port,
            open_browser=not options.no_open,
        )
    )


def _add_sandbox(verbs: Any) -> None:
    parser = verbs.add_parser(
        "sandbox",
        help="the sandboxes of this machine, and what dead programs left of theirs",
        description="prune removes only what belonged to a process that provably runs no more.",
    )
    parser.add_argument("what", choices=("list", "prune"))
    add_json(parser)
    parser.set_defaults(run=lambda options, _: commands.sandbox(options.what, as_json=options.json))


def _add_swe(verbs: Any) -> None:
    parser = verbs.add_parser(
        "swe",
        help="tasks from real repositories for agentgym/SWE-v0",
        description="Fetches pinned releases by pip, puts bugs in, keeps those that tests find. "
        "What was tried is kept in the cache folder, so that it goes on where it was stopped.",
    )
    parser.add_argument("what", choices=("build",))
    parser.add_argument("repository", nargs="*", help="such as inflection-0.5.1; default: all")
    parser.add_argument("--tasks", type=count, default=60, help="of each repository, at most")
    parser.set_defaults(
        run=lambda options, _: load("agentgym.envs.swe.mined.command:build_all")(
            options.repository, tasks=options.tasks
        )
    )


def count(text: str) -> int:
    """A whole number, at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number
