"""Players of tasks about posts, letters and sliders."""

from __future__ import annotations

import re

from agentgym.envs.gui.experts.reading import Scene, Thing, click, submit


def play_post(scene: Scene) -> str:
    """A button of one user's post."""
    user, button = scene.match(r'user @(\w+), click on the "(.*)" button')
    offers = [each for each in _of_posts(scene, user) if each.role == "item"]
    for offer in offers:
        if offer.name.startswith(button):
            return click(offer)
    buttons = _buttons(scene, user, button)
    if not buttons:
        more = next((each for each in _of_posts(scene, user) if each.has("more")), None)
        return click(more)
    return click(buttons[0])


def play_posts(scene: Scene) -> str:
    """A button of all or some posts of one user."""
    button, count, user = scene.match(r'the "(.*)" button on (all|\d+) posts? by @(\w+)')
    buttons = _buttons(scene, user, button)
    for each in buttons if count == "all" else buttons[: int(count)]:
        if click(each) not in scene.did:
            return click(each)
    return submit(scene)


def _of_posts(scene: Scene, user: str) -> list[Thing]:
    """The things below each line that names the user, up to the next post."""
    found, is_here = [], False
    for number, line in enumerate(scene.lines):
        if re.search(r"@\w+", line) and "[" not in line.partition("@")[0]:
            is_here = bool(re.search(rf"@{user}\b", line))
        if is_here:
            found += [each for each in scene.things if each.line == number]
    return found


def _buttons(scene: Scene, user: str, button: str) -> list[Thing]:
    return [each for each in _of_posts(scene, user) if each.has(button.lower())]


def play_letter(scene: Scene) -> str:
    """Star, delete, forward or answer one person's letter."""
    text = scene.task
    named = [name for name in _senders(scene) if re.search(rf"\b{name}\b", text)]
    if re.search(r"\bdelet|trash", text):
        return _icon(scene, named, "trash")
    if re.search(r"star|important", text):
        return _icon(scene, named, "star")
    return "done"


def _senders(scene: Scene) -> dict[str, int]:
    """Who wrote, and where it stands."""
    places = {}
    for number, line in enumerate(scene.lines):
        name = re.sub(r"\[\d+\] \S+ ?", "", line).strip()
        if re.fullmatch(r"[A-Z][\w-]+", name):
            places[name] = number
    return places


def _icon(scene: Scene, names: list[str], icon: str) -> str:
    places = _senders(scene)
    for name in names:
        below = [each for each in scene.things if each.line >= places[name] and each.has(icon)]
        if below:
            return click(below[0])
    return "done"


def play_slider(scene: Scene) -> str:
    """Move every handle to its number by keys."""
    wanted = [int(each) for each in re.findall(r"-?\d+", scene.task.partition(" with ")[0])]
    if "combination" in scene.task:
        wanted = [int(each) for each in scene.match(r"\[(.*)\]")[0].split(",")]
    sliders = scene.all("slider")
    for slider, number in zip(sliders, wanted, strict=True):
        after = [line for line in scene.lines[slider.line :] if re.fullmatch(r"-?\d+", line)]
        now = int(after[0])
        if now != number:
            if scene.focus != slider.number:
                return click(slider)
            gap = number - now
            return f"press[Arrow{'Right' if gap > 0 else 'Left'}]"
    return submit(scene)


def play_form_sequence(scene: Scene) -> str:
    """A slider, a checkbox, then the button."""
    number, which = scene.match(r"Select (-?\d+) with the slider, click the (\d+)\w\w checkbox")
    (slider,) = scene.all("slider")
    now = int(next(line for line in scene.lines if re.fullmatch(r"-?\d+", line)))
    if now != int(number):
        if scene.focus != slider.number:
            return click(slider)
        return f"press[Arrow{'Right' if int(number) > now else 'Left'}]"
    box = scene.all("checkbox")[int(which) - 1]
    return submit(scene) if box.has("checked") else click(box)
