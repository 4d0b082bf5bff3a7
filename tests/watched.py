"""Hostile texts, a run that is made of them, and a watch on what a page tries."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Dialog, Page, Request
from scored import episode, turn
from small_runs import small_recipe

from agentgym import store
from agentgym.tools import Call
from agentgym.trainers import config
from agentgym.types import Episode, EpisodeId, ErrorInfo, Observation, Status

RUN = "(window.hits=window.hits||[]).push(1)"
RUN_ABOVE = RUN.replace("window", "parent")
PAYLOADS = (
    f"<script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    f"<svg onload={RUN}>",
    f"<svg><script>{RUN}</script></svg>",
    f"<body onload={RUN}>",
    f"<iframe srcdoc='<script>{RUN_ABOVE}</script>'></iframe>",
    f"<iframe src=javascript:{RUN_ABOVE}></iframe>",
    f"<a href=javascript:{RUN} autofocus>x</a>",
    f"<input autofocus onfocus={RUN}>",
    f"<details open ontoggle={RUN}>",
    f"<video><source onerror={RUN}></video>",
    f"<math><mi xlink:href=javascript:{RUN}>x</mi></math>",
    "<style>@import 'http://127.0.0.1:1/x';*{background:url(http://127.0.0.1:1/y)}</style>",
    "<link rel=stylesheet href=http://127.0.0.1:1/z>",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:1/'>",
    "<base href=http://127.0.0.1:1/><form action=/x><button autofocus>",
    f"\"'><img src=x onerror={RUN}>",
    f"</title></textarea></script><script>{RUN}</script>",
    f"javascript:{RUN}",
    f"{{{{constructor.constructor('{RUN}')()}}}}",
    "<object data=http://127.0.0.1:1/o></object><embed src=http://127.0.0.1:1/e>",
    "<img src=http://127.0.0.1:1/beacon>",
    "\u202e\u0000\u2028</script>",
)


def hostile(payload: str, member: int) -> Episode:
    """An episode with this text in every field that holds text."""
    seen = Observation(text=payload, choices=(payload, payload), key=payload, state=payload)
    did = replace(
        turn("x", "y"),
        text=payload,
        action=payload,
        observation=seen,
        channels={payload: 1.0},
        prompt_ids=(member,),
        action_ids=(member,),
    )
    failed = replace(did, action=None, invalid=payload)
    return replace(
        episode([did, failed], 0.5),
        id=EpisodeId(step=0, group=0, member=member),
        task_id=payload,
        panel_hash=payload,
        env=payload,
        system_prompt=payload,
        first=seen,
        error=ErrorInfo(
            type=payload, phase=payload, message=payload, action=payload, trace=payload
        ),
        advantages=(0.5, -0.5),
        status=Status.FAILURE,
        facts={payload: payload, "each": {payload: payload}, "all": [payload]},
    )


def drawn() -> list[Episode]:
    """For each environment with a picture of its own, a turn that has all of them in it."""
    passages = "\n".join(
        f'Doc {number}(Title: "{payload}") {payload}' for number, payload in enumerate(PAYLOADS)
    )
    hits = f"<information>{passages}</information>"
    lines = (
        f"[{number}] button {json.dumps(payload)} {payload}"
        for number, payload in enumerate(PAYLOADS)
    )
    shop = " [SEP] ".join(("Instruction:", *PAYLOADS))
    clicks = tuple(f"click[{payload.lower()}]" for payload in PAYLOADS)
    house = f"Looking quickly around you, you see a box 1.\n\nYour task is to: {''.join(PAYLOADS)}."
    calls = [Call(name="bash", arguments={"command": payload}) for payload in PAYLOADS]
    edit = Call(
        name="edit", arguments={"path": "x", "old": "\n".join(PAYLOADS), "new": PAYLOADS[0]}
    )
    answers = "\n".join(f"<tool_response>\n{payload}\n</tool_response>" for payload in PAYLOADS)
    told = {
        "agentgym/ALFWorld-v0": (house, "look"),
        "agentgym/Search-v0": (hits, f"<search>{PAYLOADS[0]}</search>"),
        "agentgym/WebShop-v0": (shop, clicks[1]),
        "agentgym/Box-v0": (answers, f"run {''.join(PAYLOADS)}"),
        "agentgym/SWE-v0": (answers, "\n".join(map(str, (*calls, edit)))),
        "agentgym/GUI-v0": ("\n".join(lines), f"type[1, {PAYLOADS[1]}]"),
    }
    made = []
    for group, (env, (text, action)) in enumerate(told.items(), 1):
        seen = Observation(text=text, choices=clicks)
        done = replace(turn(action, ""), observation=seen)
        whole = replace(episode([done, done], 0.5), env=env, first=seen)
        made.append(replace(whole, id=EpisodeId(step=0, group=group, member=0)))
    return made


def write_hostile(parent: Path) -> Path:
    """A run whose name, recipe, tokens and episodes are all hostile; its folder."""
    from tokenizers import Tokenizer, models

    name = "<img src=x onerror=window.hits=1>"
    folder = parent / name
    episodes = [hostile(payload, number) for number, payload in enumerate(PAYLOADS)]
    store.write_episodes(folder / "episodes" / "step-000000.parquet", [*episodes, *drawn()])
    again = [replace(each, id=replace(each.id, step=1)) for each in episodes]
    store.write_episodes(folder / "episodes" / "step-000001.parquet", again)
    odd = folder / "episodes" / f"{name}.parquet"
    odd.write_bytes(b"not a Parquet file")
    recipe = small_recipe("tiny", title="\n".join(PAYLOADS))
    store.write_text(folder / "config.yaml", config.dump(recipe))
    vocabulary = {payload: number for number, payload in enumerate(PAYLOADS)}
    checkpoint = folder / "checkpoints" / "step-000000"
    checkpoint.mkdir(parents=True)
    Tokenizer(models.WordLevel(vocabulary, unk_token=PAYLOADS[0])).save(
        str(checkpoint / "tokenizer.json")
    )
    return folder


class Watch:
    """What a page tried that no text of an episode may make it try."""

    def __init__(self, page: Page, own: str) -> None:
        """Watch from now on; `own` is where everything may come from."""
        self.outside: list[str] = []
        self.dialogs: list[str] = []
        self._page = page
        self._own = own
        page.on("request", self._on_request)
        page.on("dialog", self._on_dialog)
        page.add_init_script(
            "window.violations = []; document.addEventListener('securitypolicyviolation',"
            "event => window.violations.push(event.violatedDirective + ' ' + event.blockedURI))"
        )

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((self._own, "data:image/png;base64,")):
            self.outside.append(request.url)

    def _on_dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def found(self) -> dict[str, object]:
        """Everything at once, so that a failure shows all of it."""
        return {
            "hits": self._page.evaluate("window.hits ?? null"),
            "violations": self._page.evaluate("window.violations"),
            "outside": self.outside,
            "dialogs": self.dialogs,
        }


NOTHING: dict[str, object] = {"hits": None, "violations": [], "outside": [], "dialogs": []}


def until(page: Page, expression: str) -> None:
    """Wait for an expression to be true. Playwright's own way is `eval`, which policies forbid."""
    for _ in range(250):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"never true: {expression}")
