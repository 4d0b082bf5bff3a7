"""The command line's verbs that read a run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from agentgym import commands
from agentgym.listing import Filter
from agentgym.registry import load
from agentgym.types import Status


def add_reading_verbs(verbs: Any) -> None:
    """From one episode's turns to what credit a run would have got."""
    _add_replay(verbs)
    _add_episodes(verbs)
    _add_view(verbs)
    _add_export(verbs)
    _add_credit(verbs)
    _add_graph(verbs)


def add_json(parser: argparse.ArgumentParser) -> None:
    """The option of every verb that only reads."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_replay(verbs: Any) -> None:
    replay = verbs.add_parser("replay", help="read an episode turn by turn")
    replay.add_argument("folder", type=Path, metavar="RUN")
    replay.add_argument("--file", help="an episode file, such as eval-000000-greedy")
    replay.add_argument("--step", type=int, help="a train step; default: the last")
    replay.add_argument("--group", type=int, default=0)
    replay.add_argument("--member", type=int, default=0)
    add_json(replay)
    replay.set_defaults(
        run=lambda options, _: commands.replay(
            options.folder,
            file=options.file,
            step=options.step,
            group=options.group,
            member=options.member,
            as_json=options.json,
        )
    )


def _add_episodes(verbs: Any) -> None:
    episodes = verbs.add_parser(
        "episodes",
        help="tables of a run's episodes",
        description="A row per file; filtered, a row per episode; with --sql, any DuckDB query "
        "over the views `episodes` and `turns`.",
    )
    episodes.add_argument("folder", type=Path, metavar="RUN")
    _add_filter(episodes)
    example = "SELECT status, count(*) FROM episodes GROUP BY 1"
    episodes.add_argument("--sql", help=f'such as "{example}"')
    add_json(episodes)
    episodes.set_defaults(
        run=lambda options, _: commands.episodes(
            options.folder,
            _filter(options),
            sql=options.sql,
            as_json=options.json,
        )
    )


def _add_filter(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--step", type=int, help="what this train step and evaluations at it played"
    )
    parser.add_argument("--status", choices=list(map(str, Status)), metavar="STATUS")
    parser.add_argument("--task", help="a task id")


def _filter(options: argparse.Namespace) -> Filter:
    return Filter(step=options.step, status=options.status, task=options.task)


def _add_view(verbs: Any) -> None:
    parser = verbs.add_parser(
        "view",
        help="read runs in the browser: groups, turns, tokens, credit, graphs",
        description="Serves the runs to this machine alone, and changes nothing in them.",
    )
    parser.add_argument("folders", type=Path, metavar="RUN", nargs="+")
    parser.add_argument("--port", type=int, default=8765, help="0 takes a free one")
    parser.add_argument("--no-open", action="store_true", help="open no browser")
    parser.set_defaults(
        run=lambda options, _: load("agentgym.viewer.server:view")(
            options.folders, port=options.port, open_browser=not options.no_open
        )
    )


def _add_export(verbs: Any) -> None:
    parser = verbs.add_parser(
        "export",
        help="episodes of a run as one HTML file, to read anywhere",
        description="The viewer's page with the episodes in it: all, or those that pass a filter, "
        "each with its whole group. It needs no server and no network.",
    )
    parser.add_argument("folder", type=Path, metavar="RUN")
    parser.add_argument("--html", type=Path, required=True, metavar="FILE", help="what to write")
    _add_filter(parser)
    parser.set_defaults(
        run=lambda options, _: load("agentgym.viewer.export:export")(
            options.folder, options.html, _filter(options).chosen
        )
    )


def _add_credit(verbs: Any) -> None:
    parser = verbs.add_parser(
        "credit",
        help="recompute credit on a run's episodes, with any scheme and no model",
        description="Without --with or --compare: the run's own scheme, which must differ by 0.",
    )
    parser.add_argument("folder", type=Path, metavar="RUN")
    _add_scheme(parser)
    parser.add_argument(
        "--compare", type=names, default=(), metavar="A,B", help="several schemes, side by side"
    )
    parser.add_argument("--step", type=int, help="only this train step")
    add_json(parser)
    parser.set_defaults(
        run=lambda options, _: load("agentgym.trainers.show_credit:credit")(
            options.folder,
            name=options.name,
            compare=options.compare,
            settings=options.set,
            step=options.step,
            as_json=options.json,
        )
    )


def _add_graph(verbs: Any) -> None:
    parser = verbs.add_parser(
        "graph", help="the graph that credit sees in a group: states, edges, scores, turns"
    )
    parser.add_argument("folder", type=Path, metavar="RUN")
    parser.add_argument("--step", type=int, help="a train step; default: the last")
    parser.add_argument("--group", type=int, default=0)
    _add_scheme(parser)
    add_json(parser)
    parser.set_defaults(
        run=lambda options, _: load("agentgym.trainers.show_credit:graph")(
            options.folder,
            name=options.name,
            settings=options.set,
            step=options.step,
            group=options.group,
            as_json=options.json,
        )
    )


def _add_scheme(parser: Any) -> None:
    parser.add_argument("--with", dest="name", metavar="NAME", help="default: the run's own scheme")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of that scheme"
    )


def names(text: str) -> tuple[str, ...]:
    """What stands between commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
