"""Players of tasks that take text in fields."""

from __future__ import annotations

import re

from agentgym.envs.gui.experts.reading import Scene, Thing, click, fill, ordinal, submit


def fields(scene: Scene) -> list[Thing]:
    """Where text may be written in one line."""
    return scene.all("textbox", "searchbox", "spinbutton")


def play_quoted_text(scene: Scene) -> str:
    """The first quoted text, in the case that is asked for."""
    text = scene.quoted[0]
    if "upper case" in scene.task:
        text = text.upper()
    elif "lower case" in scene.task:
        text = text.lower()
    return fill(fields(scene)[0], text) or submit(scene)


def play_password(scene: Scene) -> str:
    """The same word into every field."""
    steps = [fill(field, scene.quoted[0]) for field in fields(scene)]
    return next(filter(None, steps), None) or submit(scene)


def play_date(scene: Scene) -> str:
    """A date in the browser's own field."""
    month, day, year = scene.match(r"Enter (\d+)/(\d+)/(\d+)")
    return fill(fields(scene)[0], f"{year}-{month}-{day}") or submit(scene)


def play_time(scene: Scene) -> str:
    """A time in the browser's own field."""
    hours, minutes, half = scene.match(r"Enter (\d+):(\d+) (AM|PM)")
    number = int(hours) % 12 + (12 if half == "PM" else 0)
    return fill(fields(scene)[0], f"{number:02}:{minutes}") or submit(scene)


def play_copy(scene: Scene) -> str:
    """What one of the areas says, into the field."""
    found = re.search(r"(\d+)\w\w text area", scene.task)
    source = scene.all("textarea")[ordinal(found[1]) if found else 0]
    return fill(fields(scene)[0], source.value) or submit(scene)


def play_word(scene: Scene) -> str:
    """One word of the paragraph, without its marks."""
    words = " ".join(line for line in scene.lines if "[" not in line).split()
    word = words[ordinal(scene.match(r"the (\d+)\w\w word")[0])].strip(".,")
    return fill(fields(scene)[0], word) or submit(scene)


def play_table(scene: Scene) -> str:
    """What stands beside each label in the table."""
    rows = dict(line.split(" | ") for line in scene.lines if line.count(" | ") == 1)
    if "value of" in scene.task:
        return fill(fields(scene)[0], rows[scene.match(r"value of (.*) into")[0]]) or submit(scene)
    for field in fields(scene):
        label = field.name or field.before or scene.lines[field.line - 1]
        action = fill(field, rows[label.rstrip(":")])
        if action:
            return action
    return submit(scene)


def play_login(scene: Scene) -> str:
    """A name and a password."""
    pairs = zip(fields(scene), scene.quoted, strict=False)
    for name in ("No, thanks", "Cancel", "Exit"):
        if len(scene.all("button")) > 1 and scene.find(name, "button"):
            return click(scene.find(name, "button"))
    return next(filter(None, (fill(field, text) for field, text in pairs)), None) or submit(scene)


def play_algebra(scene: Scene) -> str:
    """Solve for x by trying."""
    text = next(line for line in scene.lines if "=" in line and "x" in line)
    left, right = re.sub(r"\[\d+\].*", "", text).split("=")
    for x in range(-300, 301):
        if _worth(left.replace("x", f"({x})")) == _worth(right.replace("x", f"({x})")):
            return fill(fields(scene)[0], str(x)) or submit(scene)
    return "done"


def play_arithmetic(scene: Scene) -> str:
    """The right-hand side."""
    text = next(line for line in scene.lines if "=" in line).partition("=")[0]
    return fill(fields(scene)[0], str(_worth(text))) or submit(scene)


def _worth(text: str) -> int:
    """The value of a sum or a product of two whole numbers."""
    text = text.replace("(", "").replace(")", "").replace(" ", "")
    found = re.fullmatch(r"(-?\d+)(?:([-+x*])(-?\d+))?", text)
    assert found, f"not a sum: {text}"
    first, sign, second = int(found[1]), found[2], int(found[3] or 0)
    values = {"+": first + second, "-": first - second, "*": first * second, "x": first * second}
    return values.get(sign, first)


def play_guess(scene: Scene) -> str:
    """Halve the range by what was said of each guess."""
    (field,) = fields(scene)
    if scene.did and scene.did[-1].startswith("type"):
        return submit(scene)
    said = [int(each.partition(",")[2].rstrip("]")) for each in scene.did if each[:4] == "type"]
    low, high = 0, 9
    for number, following in zip(said, [*said[1:], None], strict=False):
        is_higher = "higher" in scene.text if following is None else following > number
        low, high = (number + 1, high) if is_higher else (low, number - 1)
    return f"type[{field.number}, {(low + high) // 2}]"


def play_transform(scene: Scene) -> str:
    """Letters that are drawn apart."""
    text = scene.lines[0].replace(" ", "")
    return fill(fields(scene)[0], text) or submit(scene)


def play_last_word(scene: Scene) -> str:
    """The end of a long text."""
    word = scene.all("textarea")[0].value.split()[-1].strip(".,")
    return fill(fields(scene)[0], word) or submit(scene)


def play_scroll(scene: Scene) -> str:
    """To one end of the area."""
    (area,) = scene.all("textarea")
    way = "down" if "bottom" in scene.task else "up"
    if "Note: nothing scrolls" in scene.text:
        return submit(scene)
    return f"scroll[{area.number}, {way}]"


def play_spinner(scene: Scene) -> str:
    """A number, by keys."""
    (field,) = fields(scene)
    gap = int(scene.match(r"Select (-?\d+)")[0]) - int(field.value or "0")
    if not gap:
        return submit(scene)
    if scene.focus != field.number:
        return click(field)
    return f"press[Arrow{'Up' if gap > 0 else 'Down'}]"


def play_autocomplete(scene: Scene) -> str:
    """Write the beginning, then take what has the end."""
    (field,) = fields(scene)
    begin, end = scene.quoted[0], scene.quoted[1] if len(scene.quoted) > 1 else ""
    if field.value.startswith(begin) and field.value.endswith(end) and field.value != begin:
        return submit(scene)
    offers = [each for each in scene.things if each.role in ("item", "menuitem", "box", "text")]
    for offer in offers:
        if offer.name.startswith(begin) and offer.name.endswith(end):
            return click(offer)
    return f"type[{field.number}, {begin}]"


def play_search(scene: Scene) -> str:
    """Search, then the result of that number, three on a page."""
    which = ordinal(scene.match(r"the (\d+)\w\w search result")[0])
    action = fill(fields(scene)[0], scene.quoted[0])
    if action:
        return action
    button = scene.find("Search", "button")
    if click(button) not in scene.did:
        return click(button)
    turned = scene.did[len(scene.did) - scene.did[::-1].index(click(button)) :]
    page = which // 3
    if page and not turned:
        return click(scene.find(str(page + 1), "link"))
    results = [
        each
        for each in scene.all("link", "text")
        if not re.fullmatch(r"[<>]|\d+|.{0,2}", each.name)
    ]
    return click(results[which % 3])


def play_movies(scene: Scene) -> str:
    """Three fields, whatever their order."""
    genre, director, year = scene.match(r"Search for (.*) movies directed by (.*) from year (\d+)")
    wanted = {"genre": genre, "director": director, "year": year}
    written = fields(scene)
    # Labels without a link to their field stand above it, or all of them below.
    step = -1 if written[0].line and _words(scene.lines[written[0].line - 1]) & wanted.keys() else 1
    for field in written:
        label = _words(field.name or field.before or scene.lines[field.line + step])
        for word in wanted.keys() & label:
            action = fill(field, wanted[word])
            if action:
                return action
    return submit(scene)


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.lower().replace("released", "year")))


def play_form_sequence_2(scene: Scene) -> str:
    """A radio button and a field, by their places."""
    which, text, where = scene.match(
        r'the (\d+)\w\w radio button and enter the number "(.*)" into the (\d+)'
    )
    radio = scene.all("radio")[int(which) - 1]
    if not radio.has("checked"):
        return click(radio)
    return fill(fields(scene)[int(where) - 1], text) or submit(scene)


def play_form_sequence_3(scene: Scene) -> str:
    """An option, then a button."""
    option, button = scene.match(
        r'Choose (.*) from the dropdown, then click the button labeled "(.*)"'
    )
    (box,) = scene.all("combobox")
    if box.value != option:
        return f"select[{box.number}, {option}]"
    return click(scene.find(button, "button"))
