"""Episodes of a run as one HTML file: the page, and what the server would have answered."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from agentgym import store
from agentgym.errors import AgentGymError, UsageError
from agentgym.viewer.app import STATIC, as_json
from agentgym.viewer.credit import credit, graph
from agentgym.viewer.failures import failures
from agentgym.viewer.runs import OpenRun, is_png

RUN = "/api/runs/0"
PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>agentgym</title>
<style>{style}</style>
</head>
<body>
<div id="page"></div>
<noscript>This page needs JavaScript.</noscript>
<script type="application/json" id="archive">{archive}</script>
<script type="module">{script}</script>
</body>
</html>
"""
POLICY = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; "
    "base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Nothing can be fetched, and no script runs but the one whose digest is named."""


def export(folder: Path, file: Path, wanted: Mapping[str, Any]) -> int:
    """Write the chosen episodes, each with its whole group, as one HTML file.

    Args:
        wanted: column -> the value that an episode must have there.

    Raises:
        UsageError: there is no such run, nothing passes, or the file cannot be written.
    """
    opened = OpenRun(store.open(folder))
    table = _selected(opened, wanted)
    try:
        store.write_text(file, page(opened, table))
    except OSError as error:
        raise UsageError(f"'{file}' cannot be written: {error}") from error
    for problem in table["problems"]:
        print(f"left out: {problem}")
    size = file.stat().st_size / 1e6
    print(f"{file}: {len(table['columns']['file'])} episodes, {size:.1f} MB; open it in a browser")
    return 0


def _selected(opened: OpenRun, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The table of a run with the chosen rows alone."""
    table = opened.table()
    columns = table["columns"]
    rows = [
        row
        for row in range(len(columns["file"]))
        if all(columns[name][row] == value for name, value in wanted.items())
    ]
    if not rows:
        asked = ", ".join(f"{name} {value}" for name, value in wanted.items()) or "any"
        raise UsageError(
            f"'{opened.run.folder}' has no episode to export (asked for: {asked}); "
            "`agentgym episodes` lists what there is"
        )
    chosen = {name: [cells[row] for row in rows] for name, cells in columns.items()}
    return table | {"columns": chosen}


def page(opened: OpenRun, table: dict[str, Any]) -> str:
    """The HTML file for a table of a run's episodes."""
    script = (STATIC / "app.js").read_text(encoding="utf-8")
    style = (STATIC / "app.css").read_text(encoding="utf-8")
    assert "</script" not in script and "<!--" not in script, "it would end the element it is in"
    # In an element of data nothing ends the element but its end tag; escaped, there is none.
    archive = json.dumps(_archive(opened, table), separators=(",", ":")).replace("<", "\\u003c")
    policy = POLICY.format(script=_digest(script), style=_digest(style))
    return PAGE.format(policy=policy, style=style, archive=archive, script=script)


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _archive(opened: OpenRun, table: dict[str, Any]) -> dict[str, dict[str, str]]:
    """What the page asks for, by address: answers, reasons why there is none, pictures."""
    about = opened.about()
    about["replay"] = (
        f"agentgym replay {shlex.quote(about['name'])}"  # the folder's place is nobody's business
    )
    columns = table["columns"]
    places = list(dict.fromkeys(zip(columns["file"], columns["group"], strict=True)))
    answers = {
        "/api/runs": _packed([about]),
        f"{RUN}/episodes": _packed(table),
        f"{RUN}/failures": _packed(failures(opened, set(_triples(columns)))),
    }
    errors: dict[str, str] = {}
    pictures: dict[str, str] = {}
    for name, group in places:
        address = f"{RUN}/files/{_in_address(name)}/groups/{group}"
        shown = opened.group(name, group)
        shown["groups"] = [number for file, number in places if file == name]
        answers[address] = _packed(shown)
        pictures |= _pictures(opened, name, group, address)
        computed: dict[str, Callable[..., Any]] = {"credit": credit, "graph": graph}
        for what, find in computed.items():
            try:
                answers[f"{address}/{what}"] = _packed(find(opened, name, group, scheme=None))
            except (AgentGymError, OSError) as error:
                errors[f"{address}/{what}"] = opened.here(str(error))
    return {"answers": answers, "errors": errors, "pictures": pictures}


def _triples(columns: dict[str, list[Any]]) -> Iterator[tuple[str, int, int]]:
    return zip(columns["file"], columns["group"], columns["member"], strict=True)


def _in_address(name: str) -> str:
    """A file's name as JavaScript's encodeURIComponent writes it."""
    return quote(name, safe="!'()*")


def _packed(value: Any) -> str:
    # Without a time in it, the same run gives the same file.
    return base64.b64encode(gzip.compress(bytes(as_json(value).body), mtime=0)).decode()


def _pictures(opened: OpenRun, name: str, group: int, address: str) -> dict[str, str]:
    _, found = opened.find_group(name, group)
    pictures = {}
    for episode in found.episodes:
        seen = [episode.first, *(turn.observation for turn in episode.turns)]
        for turn, observation in enumerate(seen):
            if observation is not None and is_png(observation.image):
                data = base64.b64encode(observation.image).decode()
                where = f"{address}/pictures/{episode.id.member}/{turn}"
                pictures[where] = f"data:image/png;base64,{data}"
    return pictures
