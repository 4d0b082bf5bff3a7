"""Players of tasks about posts, letters and sliders."""

from __future__ import annotations

import re

from agentgym.envs.gui.experts.reading import Scene, Thing, click, fill, submit


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
    task = scene.task
    found = re.search(r"\b(?:by|from) ([A-Z][\w-]*\w)", task) or re.search(
        r"([A-Z][\w-]*)'s\b", task
    )
    sender = found[1] if found else "nobody"
    if re.search(r"[Dd]elete|trash", task):
        return _icon(scene, sender, "trash")
    if re.search(r"\bstar\b|important", task):
        return _icon(scene, sender, "star")
    areas = scene.all("textarea")
    if areas:
        return _write_letter(scene, areas[0], sender)
    is_answer = bool(scene.quoted)
    button = scene.find("Reply" if is_answer else "Forward", "text")
    if button is not None:
        return click(button)
    line = _senders(scene).get(sender)
    boxes = [each for each in scene.all("box") if line is not None and each.line < line]
    return click(boxes[-1] if boxes else None)


def _write_letter(scene: Scene, area: Thing, sender: str) -> str:
    """Fill in what is asked for, and send it."""
    if scene.quoted:
        action = fill(area, scene.quoted[-1])
    else:
        names = re.findall(r"\b(?:to|email|for) ([A-Z][\w-]*\w)", scene.task)
        to = next((name for name in names if name != sender), "nobody")
        action = fill(scene.all("textbox")[0], to)
    send = next((each for each in scene.all("text") if "send" in each.said), None)
    return action or click(send)


def _senders(scene: Scene) -> dict[str, int]:
    """Who wrote, and where it stands."""
    places = {}
    for number, line in enumerate(scene.lines):
        name = re.sub(r"\[\d+\] \S+ ?", "", line).strip()
        if re.fullmatch(r"[A-Z][\w-]+", name):
            places[name] = number
    return places


def _icon(scene: Scene, sender: str, icon: str) -> str:
    line = _senders(scene).get(sender)
    below = [each for each in scene.things if each.has(icon)]
    return click(next((each for each in below if line is not None and each.line >= line), None))


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
