"""Players of tasks that take clicks on things with names."""

from __future__ import annotations

import re

from agentgym.envs.gui.experts.reading import Scene, Thing, click, ordinal, submit

WIDGETS = {
    "text": "textbox",
    "textarea": "textarea",
    "button": "button",
    "radio": "radio",
    "checkbox": "checkbox",
}


def play_first_button(scene: Scene) -> str:
    """The only one there is."""
    return click(scene.all("button")[0])


def play_quoted(scene: Scene) -> str:
    """What the instruction quotes."""
    return click(scene.find(scene.quoted[-1]))


def play_named_button(scene: Scene) -> str:
    """Button ONE."""
    return click(scene.find(scene.match(r"button (\w+)")[0], "button"))


def play_sequence(scene: Scene) -> str:
    """Button ONE, then button TWO."""
    names = re.findall(r"button (\w+)", scene.task)
    return click(scene.find(names[min(len(scene.did), len(names) - 1)], "button"))


def play_delay(scene: Scene) -> str:
    """Button ONE, then a second a turn, then button TWO."""
    one, two = scene.find("ONE", "button"), scene.find("TWO", "button")
    if click(one) not in scene.did:
        return click(one)
    waited = len(scene.did) - scene.did.index(click(one))
    return click(two) if waited >= int(scene.match(r"wait (\d+)")[0]) else "scroll[down]"


def play_dialog(scene: Scene) -> str:
    """A button of the dialog; "x" is what closes it."""
    name = scene.quoted[-1]
    return click(scene.find("Close" if name == "x" else name, "button"))


def play_widget(scene: Scene) -> str:
    """Any thing of the kind that is asked for."""
    return click(scene.all(WIDGETS[scene.quoted[0]])[0])


def play_focus(scene: Scene) -> str:
    """A field, by its place."""
    found = re.search(r"(\d+)\w\w input", scene.task)
    return click(scene.all("textbox")[ordinal(found[1]) if found else 0])


def play_checkboxes(scene: Scene) -> str:
    """Exactly the boxes that are named."""
    names = scene.match(r"Select (.*) and click Submit")[0].split(", ")
    for box in scene.all("checkbox", "radio"):
        wanted, checked = box.name in names, box.has("checked")
        if wanted and not checked or checked and not wanted and box.role == "checkbox":
            return click(box)
    return submit(scene)


def play_collapsible(scene: Scene) -> str:
    """Open the section."""
    closed = next((each for each in scene.all("tab") if each.has("collapsed")), None)
    return submit(scene) if closed is None else click(closed)


def play_hidden_link(scene: Scene) -> str:
    """Open one section after the other until the link is there."""
    wanted = [each for each in scene.all("text", "link") if each.name == scene.quoted[-1]]
    if wanted:
        return click(wanted[-1])
    tabs = [each for each in scene.all("tab", "link") if re.match(r"Section|Tab|\d+$", each.name)]
    return click(next((each for each in tabs if click(each) not in scene.did), None))


def play_tab(scene: Scene) -> str:
    """The tab of that name."""
    return click(scene.find(scene.match(r"Click on (Tab #\d+)")[0]))


def play_menu(scene: Scene) -> str:
    """Down a path of menus."""
    names = scene.match(r"Select (.*)")[0].split(">")
    shown = [name for name in names if scene.find(name)]
    return click(scene.find(shown[-1])) if shown else "done"


def play_menu_button(scene: Scene) -> str:
    """Open the menu, then what is inside."""
    menu = scene.find("Menu", "button")
    if click(menu) not in scene.did:
        return click(menu)
    if "with the icon" in scene.task:
        (icon,) = scene.match(r"(\.ui-icon-[\w-]+)")
        offers = [each for each in scene.things if icon in each.said]
    else:
        offers = [each for each in scene.all("menuitem") if each.name == scene.quoted[-1]]
    return click(offers[0] if offers else scene.find("Playback"))


def play_ascending(scene: Scene) -> str:
    """1, and then the cards in the order in which the page has them: it hides their numbers."""
    cards = scene.all("rect")
    return click(cards[0] if cards else scene.find("1", "text"))


def play_list(scene: Scene) -> str:
    """One or more options of the list."""
    (names,) = scene.match(r"Select (.*) from the (?:scroll )?list")
    (box,) = scene.all("combobox")
    chosen = box.said.partition(" of ")[0]
    for name in names.split(", ") if "scroll list" in scene.task else [names]:
        if f'"{name}"' not in chosen:
            return f"select[{box.number}, {name}]"
    return submit(scene)


def play_ticket(scene: Scene) -> str:
    """The offer with the least or most of something."""
    wanted = scene.match(r"the (cheapest|shortest|most expensive|longest)")[0]
    worth: list[tuple[int, Thing]] = []
    for offer in scene.all("button"):
        hours = re.findall(r"(\d+)h (\d+)m", "\n".join(scene.lines[: offer.line]))[-1]
        length = 60 * int(hours[0]) + int(hours[1])
        cost = int(offer.name.partition("$")[2])
        worth.append((cost if wanted in ("cheapest", "most expensive") else length, offer))
    choose = min if wanted in ("cheapest", "shortest") else max
    return click(choose(worth, key=lambda pair: pair[0])[1])


def play_odd_or_even(scene: Scene) -> str:
    """The word for each number."""
    buttons = [each for each in scene.all("button") if each.name in ("Odd", "Even")]
    for odd, even in zip(buttons[::2], buttons[1::2], strict=True):
        between = scene.lines[odd.line : even.line + 1]
        text = " ".join(re.sub(r"\[\d+\]", "", line) for line in between)
        number = int(re.findall(r"-?\d+", text)[0])
        wanted = odd if number % 2 else even
        if click(wanted) not in scene.did:
            return click(wanted)
    return submit(scene)


def play_stock(scene: Scene) -> str:
    """Wait until the price is low enough."""
    limit = float(scene.match(r"less than \$([\d.]+\d)")[0])
    price = re.search(r"Stock price: *\n? *\$([\d.]+)", "\n".join(scene.lines))
    if price and float(price[1]) < limit:
        return click(scene.find("Buy", "button"))
    return "scroll[down]"


def play_greatest(scene: Scene) -> str:
    """The card with the greatest number, turned over or not."""
    cards = [each for each in scene.all("box", "text") if re.fullmatch(r"\d+", each.name)]
    best = max(cards, key=lambda each: int(each.name))
    return submit(scene) if click(best) in scene.did else click(best)


def play_generate(scene: Scene) -> str:
    """Generate numbers until one will do."""
    numbers = [int(line) for line in scene.lines if re.fullmatch(r"-?\d+", line)]
    good = {
        "an even": lambda number: number % 2 == 0,
        "an odd": lambda number: number % 2 == 1,
        "greater": lambda number: number > int(scene.match(r"than (-?\d+)")[0]),
        "less": lambda number: number < int(scene.match(r"than (-?\d+)")[0]),
    }
    (wanted,) = scene.match(r"(an even|an odd|greater|less)")
    if numbers and good[wanted](numbers[0]):
        return submit(scene)
    return click(scene.find("Generate", "button"))


def play_tree(scene: Scene) -> str:
    """Open folders until the name is there."""
    wanted = scene.find(scene.quoted[-1])
    if wanted is not None:
        return click(wanted)
    folders = [each for each in scene.all("text") if each.name]
    return click(next((each for each in folders if click(each) not in scene.did), None))


def play_phone_book(scene: Scene) -> str:
    """Turn the pages until the name is there."""
    name, what = scene.match(r"Find (.*) in the contact book and click on their (.*)\.")
    if name in scene.lines:
        label = {"phone number": "Phone:", "email": "Email:", "address": "Address:"}[what]
        return click(next((each for each in scene.all("link") if each.before == label), None))
    return click(scene.find(">", "link"))


def play_food(scene: Scene) -> str:
    """The dishes that are asked for, once each."""
    plus = [each for each in scene.things if each.name == "+"]
    wanted = []
    for dish in plus:
        above = [line for line in scene.lines[: dish.line] if line and not line.startswith("[")]
        images = [each.name for each in scene.all("image") if each.line == dish.line - 1]
        wanted.append((above[-1], images, dish))
    if "one of each item" in scene.task:
        names = scene.match(r"item: (.*)")[0].split(", ")
        chosen = [dish for name, _, dish in wanted if name in names]
    else:
        count, kind = scene.match(r"Order (\d+) items? that (?:are|is|contains?) (.*)")
        chosen = [dish for _, images, dish in wanted if kind in images][: int(count)]
    for dish in chosen:
        if click(dish) not in scene.did:
            return click(dish)
    return submit(scene)
