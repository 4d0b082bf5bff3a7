"""Players of tasks about figures, colours and places."""

from __future__ import annotations

import math
import re

from agentgym.envs.gui.experts.reading import Scene, Thing, click, submit

FORMS = {"circle": "circle", "rect": "rectangle", "text": "letter"}
SAME = {"aqua": "cyan", "fuchsia": "magenta"}
"""Colours with two names."""
SIDES = {"up": (0, -45), "down": (0, 45), "left": (-45, 0), "right": (45, 0)}


def play_color(scene: Scene) -> str:
    """The box of that colour."""
    (color,) = scene.match(r"Click on the (\w+) colored box")
    return click(next((each for each in scene.things if each.has(color)), None))


def play_shades(scene: Scene) -> str:
    """Every box where that part of the colour is the largest."""
    which = ("red", "green", "blue").index(scene.match(r"shades of (\w+)")[0])
    for box in scene.things:
        found = re.search(r"#([0-9a-f]{6})", box.said)
        if found is None:
            continue
        parts = [int(found[1][place : place + 2], 16) for place in (0, 2, 4)]
        if (
            parts[which] == max(parts)
            and sorted(parts)[-2] < parts[which]
            and click(box) not in scene.did
        ):
            return click(box)
    return submit(scene)


def figures(scene: Scene) -> list[Thing]:
    """What is drawn."""
    return scene.all("circle", "rect", "polygon", "text")


def is_figure(figure: Thing, words: list[str]) -> bool:
    """Whether words such as "small", "red", "letter" all fit; a single character is itself."""
    for word in words:
        if word in ("small", "large"):
            # A letter is a third as wide as a figure, and as high.
            height = figure.size[1]
            is_large = height > (16 if figure.role == "text" else 15)
            fits = is_large == (word == "large")
        elif word == "item":
            fits = True
        elif word == "shape":
            fits = figure.role != "text"
        elif word in ("circle", "rectangle"):
            fits = FORMS.get(figure.role) == word
        elif word == "triangle":
            fits = figure.role == "polygon"
        elif word == "letter":
            fits = figure.role == "text" and figure.name.isalpha()
        elif word in ("digit", "number"):
            fits = figure.role == "text" and figure.name.isdigit()
        elif len(word) == 1:
            fits = figure.name == word
        else:
            fits = figure.has(SAME.get(word, word))
        if not fits:
            return False
    return True


def play_shape(scene: Scene) -> str:
    """A figure by its description."""
    words = scene.match(r"Click on an? (.*)")[0].split()
    return click(next((each for each in figures(scene) if is_figure(each, words)), None))


def play_count(scene: Scene) -> str:
    """How many figures fit a description."""
    (text,) = scene.match(r"How many (.*) are there")
    words = [word if len(word) == 1 else re.sub(r"s$", "", word) for word in text.split()]
    count = sum(is_figure(each, words) for each in figures(scene))
    return click(scene.find(str(count), "button"))


def play_identify(scene: Scene) -> str:
    """The word for the figure."""
    figure = figures(scene)[0]
    names = {"circle": "Circle", "rect": "Rectangle", "polygon": "Triangle"}
    name = names.get(figure.role) or ("Number" if figure.name.isdigit() else "Letter")
    return click(scene.find(name, "button"))


def play_grid(scene: Scene) -> str:
    """A point of the grid: the axes cross in its middle."""
    x, y = (int(each) for each in scene.match(r"\((-?\d+),(-?\d+)\)"))
    points = scene.all("circle")
    columns = sorted({each.place[0] for each in points})
    rows = sorted({each.place[1] for each in points}, reverse=True)
    wanted = columns[len(columns) // 2 + x], rows[len(rows) // 2 + y]
    return click(next((each for each in points if each.place == wanted), None))


def play_circle_center(scene: Scene) -> str:
    """The middle of the only circle."""
    if scene.did:
        return submit(scene)
    circle = max(scene.all("circle"), key=lambda each: each.size)
    return f"click_at[{circle.place[0]}, {circle.place[1]}]"


def play_midpoint(scene: Scene) -> str:
    """Between the two."""
    if scene.did:
        return submit(scene)
    (a, b), (c, d) = (each.place for each in scene.all("circle")[:2])
    return f"click_at[{(a + c) / 2:g}, {(b + d) / 2:g}]"


def play_right_angle(scene: Scene) -> str:
    """A third point, at a right angle to the line at its blue end."""
    if scene.did:
        return submit(scene)
    points = scene.all("circle")
    corner = next(each for each in points if each.has("blue"))
    other = next(each for each in points if each is not corner)
    (cx, cy), (ox, oy) = corner.place, other.place
    return _at_distance(cx, cy, cy - oy, ox - cx)


def play_bisect(scene: Scene) -> str:
    """A point on the line that halves the angle at the blue point."""
    if scene.did:
        return submit(scene)
    points = scene.all("circle")
    corner = next(each for each in points if each.has("blue"))
    cx, cy = corner.place
    x = y = 0.0
    for other in points:
        if other is not corner:
            dx, dy = other.place[0] - cx, other.place[1] - cy
            x, y = x + dx / math.hypot(dx, dy), y + dy / math.hypot(dx, dy)
    return _at_distance(cx, cy, x, y)


def _at_distance(x: float, y: float, dx: float, dy: float) -> str:
    """A click in a direction, as far away as stays inside the picture."""
    length = math.hypot(dx, dy) or 1.0
    for far in (60, 50, 40, 30, 20, -30, -40):
        place = x + far * dx / length, y + far * dy / length
        if 4 < place[0] < 150 and 56 < place[1] < 176:
            return f"click_at[{place[0]:.1f}, {place[1]:.1f}]"
    return "done"


def play_line(scene: Scene) -> str:
    """A line through the dot."""
    if scene.did:
        return submit(scene)
    x, y = scene.all("circle")[0].place
    if "vertical" in scene.task:
        return f"drag[{x} {y - 20}, {x} {y + 20}]"
    return f"drag[{x - 20} {y}, {x + 20} {y}]"


def play_drag_box(scene: Scene) -> str:
    """The small box into the large one."""
    small, large = (scene.find(name) for name in ("s", "L"))
    assert small and large
    if scene.did:
        return submit(scene)
    return f"drag[{small.number}, {large.number}]"


def play_drag_side(scene: Scene) -> str:
    """One figure to a side."""
    if scene.did:
        return submit(scene)
    figure = figures(scene)[0]
    dx, dy = SIDES[scene.match(r"(up|down|left|right) then")[0]]
    x, y = figure.place
    return f"drag[{figure.number}, {min(max(x + dx, 5), 155)} {min(max(y + dy, 55), 180)}]"


def play_drag_shapes(scene: Scene) -> str:
    """All figures of a kind into the box."""
    (kind,) = scene.match(r"Drag all (\w+?)s into")
    shapes = figures(scene)
    box = max(shapes, key=lambda each: each.size)
    for place, figure in enumerate(
        each for each in shapes if each.size[0] < 25 and is_figure(each, [kind])
    ):
        if not _inside(figure, box):
            return f"drag[{figure.number}, {box.place[0] - 25 + 12 * (place % 5)} {box.place[1]}]"
    return submit(scene)


def play_drag_shapes_2(scene: Scene) -> str:
    """One kind into the left box, all else into the right one."""
    kind, side = scene.match(r"Drag all (\w+?)s? (?:shapes )?into the (left|right) box")
    shapes = figures(scene)
    boxes = sorted((each for each in shapes if each.size[0] > 25), key=lambda each: each.place)
    if side == "right":
        boxes.reverse()
    for place, figure in enumerate(each for each in shapes if each.size[0] <= 25):
        box = boxes[0] if is_figure(figure, [kind]) else boxes[1]
        if not _inside(figure, box):
            return f"drag[{figure.number}, {box.place[0] - 20 + 10 * (place % 5)} {box.place[1]}]"
    return submit(scene)


def _inside(figure: Thing, box: Thing) -> bool:
    return all(
        abs(a - b) <= size / 2 for a, b, size in zip(figure.place, box.place, box.size, strict=True)
    )
