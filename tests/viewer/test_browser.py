"""The page in a real browser: read with the keyboard alone, on any screen, whatever is broken."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, expect
from served import get, serving
from viewed_runs import DAMAGED, EMPTY, FAILED, PICTURED

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[2] / ".cache" / "axe" / "package" / "axe.min.js"
S1 = "#/0/step-000001/0"
"""The worked group: searches for shoes."""
VIEWS = {
    "episodes": "#/0",
    "side": f"{S1}?member=1&turn=2",
    "turn": f"{S1}?view=turn&member=1&turn=2",
    "graph": f"{S1}?view=graph&member=1&turn=2",
    "shop": f"#/{PICTURED}/eval-000000/1?view=turn&turn=4",
}


def visit(page: Page, port: int, where: str, ready: str | None = None) -> None:
    page.goto(f"http://127.0.0.1:{port}/{where}")
    page.locator(f"[data-ready={ready}]" if ready else "[data-ready]").wait_for()


def query(page: Page, key: str) -> str | None:
    found: str | None = page.evaluate(
        "key => new URLSearchParams(location.hash.split('?')[1]).get(key)", key
    )
    return found


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_the_table_is_read_with_the_keyboard(page: Page, port: int) -> None:
    visit(page, port, "#/0", "episodes")
    columns = get(port, "/api/runs/0/episodes")["columns"]
    expect(page.locator(".summary")).to_contain_text(f"{len(columns['file'])} episodes")
    press(page, "j", "ArrowDown", "ArrowDown", "k")
    cursor = page.locator(".row.cursor")
    expect(cursor).to_have_attribute("aria-rowindex", "4")
    expect(cursor.locator(".cell").nth(2)).to_have_text(str(columns["member"][2]))
    press(page, "Enter")
    page.locator("[data-ready=side]").wait_for()
    assert query(page, "member") == str(columns["member"][2])


def test_filter_facets_and_order_are_in_the_address(page: Page, port: int) -> None:
    visit(page, port, "#/0", "episodes")
    columns = get(port, "/api/runs/0/episodes")["columns"]
    rows = list(zip(columns["file"], columns["turns"], columns["status"], strict=True))
    press(page, "/")
    page.keyboard.type("turns>=4 -status:infra")
    fit = [row for row in rows if row[1] >= 4 and row[2] != "infra_error"]
    expect(page.locator(".summary")).to_contain_text(f"{len(fit)} of {len(rows)} episodes")
    page.get_by_role("button", name=re.compile("step-000001")).click()
    fit = [row for row in fit if row[0] == "step-000001"]
    expect(page.locator(".summary")).to_contain_text(f"{len(fit)} of {len(rows)} episodes")
    page.get_by_role("button", name="turns").click()
    page.get_by_role("button", name="turns").click()
    turns = page.locator(".row:not(.header) .cell:nth-child(8)")
    expect(turns.first).to_have_text(str(max(row[1] for row in fit)))
    page.reload()
    page.locator("[data-ready=episodes]").wait_for()
    expect(page.locator(".summary")).to_contain_text(f"{len(fit)} of {len(rows)} episodes")
    assert [int(text) for text in turns.all_inner_texts()] == sorted(
        (row[1] for row in fit), reverse=True
    )
    assert page.locator(".search input").input_value() == "turns>=4 -status:infra"


def test_a_filter_that_means_nothing_says_why_and_hides_nothing(page: Page, port: int) -> None:
    visit(page, port, "#/0?q=colour%3Ared", "episodes")
    expect(page.locator(".complaint")).to_contain_text("there is no column 'colour'")
    visit(page, port, "#/0?q=turns%3Cmany", "episodes")
    expect(page.locator(".complaint")).to_have_text("'turns<' needs a number")
    expect(page.locator(".summary")).not_to_contain_text(" of ")


def test_members_part_where_they_first_differ(page: Page, port: int) -> None:
    visit(page, port, f"{S1}?member=0&turn=1", "side")
    rows = page.locator(".compare tbody tr")
    parting = {
        (row, column)
        for row in range(1, 5)
        for column in range(4)
        if rows.nth(row).locator("td").nth(column).locator(".parts").count()
    }
    # Against m0: m3 searches for something else, m2 clicks B2, m1 picks a size before it buys.
    assert parting == {(1, 3), (2, 2), (3, 1)}
    expect(rows.nth(2).locator("td").nth(1)).to_have_class(re.compile("same"))


def test_keys_walk_turns_members_views_and_groups(page: Page, port: int) -> None:
    visit(page, port, f"{S1}?member=0&turn=1", "side")
    press(page, "ArrowRight", "ArrowDown")
    assert (query(page, "member"), query(page, "turn")) == ("1", "2")
    press(page, "2")
    page.locator("[data-ready=turn]").wait_for()
    expect(page.locator(".turn h2")).to_contain_text("turn 2 of 4")
    expect(page.get_by_label("Did")).to_contain_text("click[B1]")
    expect(page.get_by_label("Saw")).to_contain_text("seen: R1")
    expect(page.get_by_label("Came back")).to_contain_text("seen: B1")
    press(page, "End", "ArrowRight")
    expect(page.locator(".turn h2")).to_contain_text("turn 4 of 4")
    press(page, "Home")
    expect(page.locator(".turn h2")).to_contain_text("before its first turn")
    press(page, "3")
    page.locator("[data-ready=graph]").wait_for()
    press(page, "]")
    expect(page.locator(".head")).to_contain_text("group 1")
    press(page, "[", "Escape")
    page.locator("[data-ready=episodes]").wait_for()


def test_credit_is_shown_as_stored_and_ticked_as_recomputed(page: Page, port: int) -> None:
    visit(page, port, f"{S1}?view=turn&member=0&turn=3", "turn")
    expect(page.locator(".tick")).to_contain_text("recomputed: difference 0 over")
    shown = get(port, "/api/runs/0/files/step-000001/groups/0")
    advantage = shown["members"][0]["advantages"][2]
    assert advantage > 0
    number = page.locator(".numbers .big .number")
    expect(number).to_have_text(f"+{advantage:.4f}")
    assert page.locator(".numbers .fill.plus").count() == 1
    page.get_by_label("credit by").select_option("gigpo")
    expect(page.locator(".tick")).to_contain_text("shown: gigpo; the run used salt")
    other = get(port, "/api/runs/0/files/step-000001/groups/0/credit?scheme=gigpo")
    expect(number).to_have_text(f"+{other['members']['0']['advantages'][2]:.4f}")
    assert query(page, "scheme") == "gigpo"


def test_a_click_in_the_graph_selects_the_turn_everywhere(page: Page, port: int) -> None:
    visit(page, port, f"{S1}?view=graph&scheme=gigpo&member=0&turn=1", "graph")
    graph = get(port, "/api/runs/0/files/step-000001/groups/0/graph?scheme=gigpo")
    widths = {}
    for edge in graph["edges"]:
        drawn = page.locator(f".edge[data-edge='{edge['id']}']")
        side = "plus" if edge["mean_advantage"] > 0 else "minus"
        expect(drawn).to_have_class(re.compile(side))
        widths[edge["id"]] = drawn.locator(".line").evaluate("e => parseFloat(e.style.strokeWidth)")
    visits = {edge["id"]: len(edge["turns"]) for edge in graph["edges"]}
    by_width = sorted(widths, key=lambda edge: widths[edge])
    assert [visits[edge] for edge in by_width] == sorted(visits.values())
    assert max(visits.values()) == 3
    chosen = next(edge for edge in graph["edges"] if edge["turns"] == [[2, 2]])
    page.locator(f".edge[data-edge='{chosen['id']}'] .hit").dispatch_event("click")
    assert (query(page, "member"), query(page, "turn")) == ("2", "2")
    expect(page.get_by_label("selected edge")).to_contain_text("click[B2]")
    expect(page.locator(".member.selected .name")).to_have_text("m2")


def test_tokens_say_what_was_sampled_and_how_likely(page: Page, port: int) -> None:
    visit(page, port, f"{S1}?view=turn&member=0&turn=1", "turn")
    tokens = page.get_by_label("tokens")
    expect(tokens).to_contain_text("1 put in, 1 sampled")
    sampled = tokens.locator(".sampled .token")
    expect(sampled).to_have_attribute("title", "id 2, logprob -0.5, 60.7%")
    assert sampled.evaluate("e => e.style.getPropertyValue('--heat')") == "0.125"
    expect(tokens.locator(".unsampled span")).to_have_attribute("title", "id 1, not sampled")


def test_the_house_is_drawn_from_what_the_game_said(page: Page, port: int) -> None:
    visit(page, port, f"#/{PICTURED}/eval-000000/0?view=turn&turn=3", "turn")
    house = page.get_by_label("House")
    expect(house).to_contain_text("at sidetable 2, holding vase 1 · to examine the vase")
    expect(house.locator(".here")).to_contain_text("desklamp 2, desklamp 1")
    expect(house.locator("li", has_text="shelf 1")).to_have_text("shelf 1 laptop 2, laptop 1")
    expect(house.locator("li", has_text="safe 1")).to_have_class("unseen")
    press(page, "ArrowRight")
    expect(house.locator(".here")).to_contain_text("on desklamp 2")


def test_the_shop_is_a_page_with_what_was_clicked(page: Page, port: int) -> None:
    visit(page, port, f"#/{PICTURED}/eval-000000/1?view=turn&turn=2", "turn")
    saw = page.get_by_label("Saw")
    expect(saw.locator(".clicked")).to_have_text("B09LGPDXN4 clicked")
    expect(saw.locator("p", has=page.locator(".clicked"))).to_contain_text("$31.95 to $34.95")
    press(page, "ArrowRight", "ArrowRight")
    expect(saw.locator(".clicked")).to_have_text("x-large clicked")
    chosen = page.get_by_label("Came back").locator(".click", has_text="chosen")
    expect(chosen).to_have_text(["khaki chosen", "x-large chosen"])


def test_search_shows_hits_and_the_words_that_found_them(page: Page, port: int) -> None:
    visit(page, port, f"#/{PICTURED}/eval-000000/2?view=turn&turn=2", "turn")
    hits = page.get_by_label("Came back")
    expect(hits.locator(".query")).to_contain_text("Endless Marathon")
    expect(hits.locator("li")).to_have_count(3)
    expect(hits.locator("li").nth(2).locator("b")).to_have_text(["Endless", "Endless", "Marathon"])
    press(page, "End")
    expect(hits).to_have_text("Came backAnswered.")


def test_a_shell_is_a_terminal_beside_its_picture(page: Page, port: int) -> None:
    visit(page, port, f"#/{PICTURED}/eval-000000/3?view=turn&turn=2", "turn")
    commands = page.get_by_label("Terminal").locator(".command")
    expect(commands).to_have_text(["$ cat note", "> submit dusk"])
    image = page.get_by_label("Came back").locator("img")
    assert image.evaluate("async e => { await e.decode(); return e.naturalWidth }") == 8


def test_a_diff_is_shown_as_one_wherever_it_stands(page: Page, port: int) -> None:
    visit(page, port, f"#/{PICTURED}/eval-000000/4?view=turn&turn=1", "turn")
    expect(page.locator(".diff .removed")).to_have_text("-    return 1")
    expect(page.locator(".diff .added")).to_have_text("+    return 2")
    expect(page.get_by_label("Saw")).to_have_text("Sawa file")


def test_a_damaged_file_is_named_while_the_rest_stays_usable(page: Page, port: int) -> None:
    visit(page, port, f"#/{DAMAGED}", "episodes")
    expect(page.get_by_role("alert")).to_contain_text("episodes/step-000000.parquet")
    expect(page.locator(".row.cursor")).to_contain_text("step-000001")
    page.goto(f"http://127.0.0.1:{port}/#/{DAMAGED}/step-000000/0")
    expect(page.get_by_role("alert")).to_contain_text("Could not read group 0 of step-000000")
    visit(page, port, f"#/{DAMAGED}/step-000001/0", "side")
    expect(page.locator(".tick")).to_contain_text("recomputed: difference 0")


def test_a_run_without_episodes_says_so(page: Page, port: int) -> None:
    visit(page, port, f"#/{EMPTY}", "episodes")
    expect(page.locator(".empty")).to_contain_text("This run has no episodes yet")
    page.goto(f"http://127.0.0.1:{port}/#/7")
    expect(page.locator(".waiting")).to_have_text("There is no run 7; open: 5.")


def test_a_server_that_was_ended_is_named(page: Page, stored: Path) -> None:
    with serving(stored) as port:
        visit(page, port, "#/0", "episodes")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("is 'agentgym view' still running?")


def test_a_failure_of_ours_is_shown_with_its_reason(page: Page, port: int) -> None:
    visit(page, port, f"#/{FAILED}/step-000000/0?view=turn", "turn")
    expect(page.locator(".note").first).to_contain_text("not trained on")
    expect(page.locator(".tick")).to_contain_text("Not recomputed: no recipe in")


@pytest.mark.parametrize("name", VIEWS)
def test_a_phone_shows_every_view_without_scrolling_sideways(
    page: Page, port: int, name: str
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    visit(page, port, VIEWS[name])
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("name", VIEWS)
def test_axe_finds_nothing_serious(page: Page, port: int, name: str) -> None:
    if not AXE.is_file():
        pytest.skip("no axe-core in .cache/axe; `make test` fetches it")
    visit(page, port, VIEWS[name])
    page.evaluate(AXE.read_text(encoding="utf-8"))
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        found = page.evaluate("axe.run().then(result => result.violations)")
        serious = [
            (each["id"], each["nodes"][0]["html"][:200])
            for each in found
            if each["impact"] in ("serious", "critical")
        ]
        assert (scheme, serious) == (scheme, [])
