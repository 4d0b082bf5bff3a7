"""A tour of a page of MiniWoB: every type of action, whatever the page makes of it."""

from __future__ import annotations

from agentgym.envs.gui.env import GUI
from agentgym.envs.gui.experts.reading import Scene
from agentgym.types import Task

Sight = tuple[str, float, bool]
"""What the page showed, the reward, and whether that was the end."""


def miniwob(kind: str, seed: int) -> Task:
    """One of MiniWoB's tasks."""
    public = {"site": "miniwob", "type": kind}
    return Task(id=f"{kind}-{seed}", split="mine", seed=seed, public=public)


def tour(env: GUI, kind: str, seed: int) -> list[Sight]:
    """What is seen on the way; where the task is over it begins anew, until all was done."""
    begin = {"task": miniwob(kind, seed)}
    seen: list[Sight] = [(env.reset(options=begin)[0].text, 0.0, False)]
    over = False
    for number in range(len(_offers(env))):
        if over:
            seen.append((env.reset(options=begin)[0].text, 0.0, False))
        observation, reward, over, _, _ = env.step(_offers(env)[number])
        seen.append((observation.text, reward, over))
    return seen


def _offers(env: GUI) -> list[str]:
    """One action of every type, for the page as it stands; what is left of it may be tried."""
    scene = Scene(text=env.shown, did=env.did)
    numbers = [thing.number for thing in scene.things] or [1]
    field = [thing.number for thing in scene.all("textbox", "textarea", "spinbutton")] or numbers
    box = scene.all("combobox")
    option = box[0].options[-1] if box and box[0].options else "nothing"
    return [
        "press[Tab]",
        "scroll[down]",
        f"scroll[{numbers[-1]}, up]",
        f"type[{field[0]}, Two words]",
        "press[x]",
        f"select[{box[0].number if box else numbers[0]}, {option}]",
        "drag[30 80, 90 120]",
        f"drag[{numbers[0]}, {numbers[-1]}]",
        "click_at[80, 120]",
        f"click[{numbers[0]}]",
        f"click[{numbers[-1]}]",
        "back",
        "done",
    ]
