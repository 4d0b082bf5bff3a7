"""The page in a real browser: read with the keyboard alone, on any screen, whatever is broken."""

from __future__ import annotations

import re
import shutil
import statistics
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, expect
from served import get, serving, whole_table
from viewed_runs import Runs, write_step

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[2] / ".cache" / "axe" / "package" / "axe.min.js"
S1 = "#/0/step-000001/0"
"""The worked group: searches for shoes."""
VIEWS = {
    "episodes": "#/0",
    "side": f"{S1}?member=1&turn=2",
    "turn": f"{S1}?view=turn&member=1&turn=2",
    "graph": f"{S1}?view=graph&member=1&turn=2",
    "compare": f"#/{Runs.EVALUATED:d}?view=compare&a={Runs.EVALUATED:d}:eval-000000-sampled",
    "failures": f"#/{Runs.FAILED:d}?view=failures",
    "search": "#/0?view=search&text=click",
    "provenance": "#/0?view=provenance",
    "start": f"{S1}?view=turn&member=1&turn=0",
    "house": f"#/{Runs.PICTURED:d}/eval-000000/0?view=turn&turn=3",
    "shop": f"#/{Runs.PICTURED:d}/eval-000000/1?view=turn&turn=4",
    "hits": f"#/{Runs.PICTURED:d}/eval-000000/2?view=turn&turn=2",
    "terminal": f"#/{Runs.PICTURED:d}/eval-000000/3?view=turn&turn=2",
    "calls": f"#/{Runs.PICTURED:d}/eval-000000/5?view=turn&turn=2",
    "page": f"#/{Runs.PICTURED:d}/eval-000000/6?view=turn&turn=2",
    "tokens": f"#/{Runs.PICTURED:d}/eval-000000/7?view=turn&turn=1&token=1&shade=credit",
    "apart": f"{S1}?view=graph&apart=1",
    "damaged": f"#/{Runs.DAMAGED:d}",
    "empty": f"#/{Runs.EMPTY:d}",
}
SCHEMES: dict[Literal["light", "dark"], dict[str, object]] = {
    "light": {},
    "dark": {"runOnly": ["color-contrast"]},  # no other rule looks at colours
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
    columns = whole_table(port, 0)["columns"]
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
    columns = whole_table(port, 0)["columns"]
    rows = list(zip(columns["file"], columns["turns"], columns["status"], strict=True))
    press(page, "/")
    page.keyboard.type("turns>=4 -status:infra")
    fit = [row for row in rows if row[1] >= 4 and row[2] != "infra_error"]
    expect(page.locator(".summary")).to_contain_text(f"{len(fit)} of {len(rows)} episodes")
    press(page, "Escape")
    page.get_by_role("button", name=re.compile("step-000001")).press("Enter")
    fit = [row for row in fit if row[0] == "step-000001"]
    expect(page.locator(".summary")).to_contain_text(f"{len(fit)} of {len(rows)} episodes")
    page.get_by_role("button", name="turns").press("Enter")
    expect(page).to_have_url(re.compile("sort=turns"))  # faster than this, both would be the first
    page.get_by_role("button", name="turns").press(" ")
    turns = page.locator(".row:not(.header) .cell:nth-child(8)")
    expect(turns.first).to_have_text(str(max(row[1] for row in fit)))
    page.reload()
    page.locator("[data-ready=episodes]").wait_for()
    expect(page.locator(".summary")).to_contain_text(f"{len(fit)} of {len(rows)} episodes")
    assert [int(text) for text in turns.all_inner_texts()] == sorted(
        (row[1] for row in fit), reverse=True
    )
    assert page.locator(".search input").input_value() == "turns>=4 -status:infra"


def test_ranges_are_typed_and_are_in_the_address(page: Page, port: int) -> None:
    visit(page, port, "#/0?status=failure", "episodes")
    columns = whole_table(port, 0)["columns"]
    rows = list(zip(columns["status"], columns["turns"], columns["advantage"], strict=True))
    summary = page.locator(".summary")
    press(page, "/", *["Tab"] * 11)  # over five columns
    page.keyboard.type("-2")
    press(page, "Tab")
    page.keyboard.type("-0.5")
    fit = [row for row in rows if row[0] == "failure" and row[2] and -2 <= row[2] <= -0.5]
    expect(summary).to_contain_text(f"{len(fit)} of {len(rows)} episodes")
    assert query(page, "advantage") == "-2..-0.5"
    page.get_by_label("turns from").focus()
    page.keyboard.type("3")
    fit = [row for row in fit if row[1] >= 3]
    expect(summary).to_contain_text(f"{len(fit)} of {len(rows)} episodes")
    assert query(page, "turns") == "3.."
    least = min(value for value in columns["score"] if value is not None)
    expect(page.get_by_label("score from")).to_have_attribute("placeholder", f"{least:g}")
    page.reload()
    expect(summary).to_contain_text(f"{len(fit)} of {len(rows)} episodes")
    expect(page.get_by_label("advantage to")).to_have_value("-0.5")
    press(page, "End", "Enter")
    page.locator("[data-ready=side]").wait_for()
    page.go_back()
    page.get_by_role("button", name="show all").press("Enter")
    expect(summary).to_contain_text(f"{len(rows)} episodes")
    assert page.evaluate("location.hash") == "#/0"


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
    page.locator("[data-ready=graph]").wait_for()
    press(page, "[", "Escape")
    page.locator("[data-ready=episodes]").wait_for()


def test_an_episode_plays_to_its_end_and_again_from_its_start(page: Page, port: int) -> None:
    visit(page, port, f"{S1}?view=turn&member=0&turn=2", "turn")
    play = page.get_by_role("button", name="Space")
    heading = page.locator(".turn h2")
    press(page, " ")
    expect(play).to_have_attribute("aria-pressed", "true")
    expect(heading).to_contain_text("turn 3 of 3")
    expect(play).to_have_attribute("aria-pressed", "false")
    press(page, " ")
    expect(heading).to_contain_text("before its first turn")
    press(page, " ")
    expect(play).to_have_attribute("aria-pressed", "false")


def test_credit_is_shown_as_stored_and_ticked_as_recomputed(page: Page, port: int) -> None:
    visit(page, port, f"{S1}?view=turn&member=0&turn=3", "turn")
    expect(page.locator(".tick")).to_contain_text("recomputed: difference 0 over")
    shown = get(port, "/api/runs/0/files/step-000001/groups/0")
    advantage = shown["members"][0]["advantages"][2]
    assert advantage > 0
    number = page.locator(".numbers .big .number")
    expect(number).to_have_text(f"+{advantage:.4f}")
    assert page.locator(".numbers .fill.plus").count() == 1
    outcomes = [m["score"] for m in shown["members"] if m["valid"]]
    went_in = page.get_by_label("what went in").locator("dl")
    expect(went_in).to_contain_text(f"their mean{statistics.mean(outcomes):.4g}")
    expect(went_in).to_contain_text(f"deviation (n - 1){statistics.stdev(outcomes):.4g}")
    bar = page.locator(".member.selected .bar").nth(2).locator("title")
    expect(bar).to_contain_text(f"their mean: {statistics.mean(outcomes):.4g}")
    expect(went_in).to_contain_text("averaged over this step in")
    by = page.get_by_label("credit by")
    by.focus()
    page.keyboard.type("gig")
    expect(by).to_have_value("gigpo")
    expect(page.locator(".tick")).to_contain_text("shown: gigpo; the run used salt")
    other = get(port, "/api/runs/0/files/step-000001/groups/0/credit?scheme=gigpo")
    expect(number).to_have_text(f"+{other['members']['0']['advantages'][2]:.4f}")
    assert query(page, "scheme") == "gigpo"
    expect(went_in).to_contain_text("returns from this state")


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
    press(page, "ArrowUp")
    expect(page.get_by_label("selected edge")).not_to_contain_text("click[B2]")
    page.get_by_label("selected edge").get_by_role("button", name="m0/").first.press("Enter")
    assert query(page, "member") == "0"
    edges = page.locator(".edge")
    expect(edges).to_have_count(len(visits))
    page.get_by_label("members apart").press(" ")
    expect(edges).to_have_count(sum(visits.values()))
    assert query(page, "apart") == "1"


def test_tokens_say_what_was_sampled_and_how_likely(page: Page, port: int) -> None:
    visit(page, port, f"{S1}?view=turn&member=0&turn=1", "turn")
    tokens = page.get_by_label("tokens")
    expect(tokens).to_contain_text("1 put in, 1 sampled")
    sampled = tokens.locator(".sampled .token")
    expect(sampled).to_have_attribute("title", "id 2, logprob -0.5, 60.7%")
    assert sampled.evaluate("e => e.style.getPropertyValue('--heat')") == "0.125"
    expect(tokens.locator(".unsampled span")).to_have_attribute("title", "id 1, not sampled")


def test_tokens_are_shaded_by_whatever_is_stored_of_them(page: Page, port: int) -> None:
    visit(page, port, f"#/{Runs.PICTURED:d}/eval-000000/7?view=turn&turn=1", "turn")
    tokens = page.get_by_label("tokens")
    # Drawn at temperature 2 with p ** 0.5 / kept: exp(-1) / 1, and then exp(-0.25) / 1.25.
    expect(tokens.locator(".sampled .token").nth(0)).to_have_attribute(
        "title",
        "id 2, logprob -2, 13.5%, drawn with 36.8%, ratio 0.368, advantage +1.500, critic 0.25",
    )
    press(page, ".", ".")
    expect(tokens.locator("p.facts")).to_contain_text("drawn with 62.3%, ratio 0.974")

    def heats() -> list[str]:
        found: list[str] = tokens.locator(".sampled .token").evaluate_all(
            "all => all.map(e => e.style.getPropertyValue('--heat'))"
        )
        return found

    assert heats() == ["0.500", "0.125"]
    shaded_by = tokens.get_by_label("shaded by")
    shaded_by.focus()
    for shade, expected in (
        ("ratio", ["1.000", "0.039"]),  # |log2 0.368| is above 1, |log2 0.9735| is 0.039
        ("credit", ["1.000", "0.333"]),
        ("critic", ["0.250", "1.000"]),
    ):
        press(page, "ArrowDown")
        expect(shaded_by).to_have_value(shade)
        assert (query(page, "shade"), heats()) == (shade, expected)
    shaded_by.select_option("credit")
    expect(tokens.locator(".sampled .below")).to_have_count(1)
    press(page, "Escape", "ArrowLeft")
    assert query(page, "shade") == "credit"


def test_the_house_is_drawn_from_what_the_game_said(page: Page, port: int) -> None:
    visit(page, port, f"#/{Runs.PICTURED:d}/eval-000000/0?view=turn&turn=3", "turn")
    house = page.get_by_label("House")
    expect(house).to_contain_text("at sidetable 2, holding vase 1 · to examine the vase")
    expect(house.locator(".here")).to_contain_text("desklamp 2, desklamp 1")
    expect(house.locator("li", has_text="shelf 1")).to_have_text("shelf 1 laptop 2, laptop 1")
    expect(house.locator("li", has_text="safe 1")).to_have_class("unseen")
    press(page, "ArrowRight")
    expect(house.locator(".here")).to_contain_text("lit desklamp 2")


def test_the_shop_is_a_page_with_what_was_clicked(page: Page, port: int) -> None:
    visit(page, port, f"#/{Runs.PICTURED:d}/eval-000000/1?view=turn&turn=2", "turn")
    saw = page.get_by_label("Saw")
    expect(saw.locator(".clicked")).to_have_text("B09LGPDXN4 clicked")
    expect(saw.locator("p", has=page.locator(".clicked"))).to_contain_text("$31.95 to $34.95")
    press(page, "ArrowRight", "ArrowRight")
    expect(saw.locator(".clicked")).to_have_text("x-large clicked")
    chosen = page.get_by_label("Came back").locator(".click", has_text="chosen")
    expect(chosen).to_have_text(["khaki chosen", "x-large chosen"])


def test_search_shows_hits_and_the_words_that_found_them(page: Page, port: int) -> None:
    visit(page, port, f"#/{Runs.PICTURED:d}/eval-000000/2?view=turn&turn=2", "turn")
    hits = page.get_by_label("Came back")
    expect(hits.locator(".query")).to_contain_text("Endless Marathon")
    expect(hits.locator("li")).to_have_count(3)
    expect(hits.locator("li").nth(2).locator("b")).to_have_text(["Endless", "Endless", "Marathon"])
    press(page, "End")
    expect(hits).to_have_text("Came backAnswered.")


def test_a_shell_is_a_terminal_beside_its_picture(page: Page, port: int) -> None:
    visit(page, port, f"#/{Runs.PICTURED:d}/eval-000000/3?view=turn&turn=2", "turn")
    commands = page.get_by_label("Terminal").locator(".command")
    expect(commands).to_have_text(["$ cat note", "> submit dusk"])
    image = page.get_by_label("Came back").locator("img")
    assert image.evaluate("async e => { await e.decode(); return e.naturalWidth }") == 8


def test_calls_are_a_terminal_and_edits_are_diffs(page: Page, port: int) -> None:
    visit(page, port, VIEWS["calls"], "turn")
    terminal = page.get_by_label("Terminal")
    expect(terminal.locator(".command")).to_have_text(["$ pytest -q", "> edit f.py", "> submit"])
    expect(terminal.locator(".diff")).to_have_text(" def f():\n-    return 1\n+    return 2\n")
    expect(terminal.locator("p.text").nth(1)).to_have_text("f.py was changed")
    expect(page.get_by_label("Graded")).to_contain_text("test_f: passed")
    press(page, "ArrowLeft")
    expect(page.get_by_label("Did").locator(".removed")).to_have_text("-    return 1")
    expect(page.get_by_label("Graded")).to_have_count(0)


def test_a_page_and_its_picture_show_what_was_clicked(page: Page, port: int) -> None:
    visit(page, port, VIEWS["page"], "turn")
    saw = page.get_by_label("Saw")
    expect(saw.locator(".clicked")).to_have_text('2 button "Submit" clicked')
    saw.locator(".picture img").evaluate("picture => picture.decode()")
    picture = saw.locator(".picture img").bounding_box()
    mark = saw.locator(".picture rect").bounding_box()
    assert picture and mark
    left, top = mark["x"] - picture["x"], mark["y"] - picture["y"]
    assert left / picture["width"] == pytest.approx(80 / 160, abs=0.02)
    assert top / picture["height"] == pytest.approx(90 / 120, abs=0.02)
    expect(page.get_by_label("Came back").locator(".picture svg")).to_have_count(0)
    press(page, "ArrowLeft")
    expect(saw.locator(".clicked")).to_have_text('1 textbox typed "a, b"')
    press(page, "End")
    expect(saw.locator(".clicked")).to_have_count(2)
    expect(saw.locator(".picture path")).to_have_attribute("d", "M40 20 L105 100")
    press(page, "ArrowLeft")
    expect(saw.locator(".picture circle")).to_have_attribute("cx", "40")


def test_a_diff_is_shown_as_one_wherever_it_stands(page: Page, port: int) -> None:
    visit(page, port, f"#/{Runs.PICTURED:d}/eval-000000/4?view=turn&turn=1", "turn")
    expect(page.locator(".diff .removed")).to_have_text("-    return 1")
    expect(page.locator(".diff .added")).to_have_text("+    return 2")
    expect(page.get_by_label("Saw")).to_have_text("Sawa file")


def test_a_damaged_file_is_named_while_the_rest_stays_usable(page: Page, port: int) -> None:
    visit(page, port, f"#/{Runs.DAMAGED:d}", "episodes")
    expect(page.get_by_role("alert").nth(0)).to_contain_text("episodes/step-000000.parquet")
    expect(page.get_by_role("alert").nth(1)).to_contain_text("this program reads")
    expect(page.locator(".row.cursor")).to_contain_text("step-000001")
    page.goto(f"http://127.0.0.1:{port}/#/{Runs.DAMAGED:d}/step-000000/0")
    expect(page.get_by_role("alert")).to_contain_text("Could not read group 0 of step-000000")
    press(page, "Escape")
    page.locator("[data-ready=episodes]").wait_for()
    visit(page, port, f"#/{Runs.DAMAGED:d}/step-000001/0", "side")
    expect(page.locator(".tick")).to_contain_text("recomputed: difference 0")


def test_a_run_without_episodes_says_so(page: Page, port: int) -> None:
    visit(page, port, f"#/{Runs.EMPTY:d}", "episodes")
    expect(page.locator(".empty")).to_contain_text("This run has no episodes yet")
    page.goto(f"http://127.0.0.1:{port}/#/9")
    expect(page.locator(".waiting")).to_have_text("There is no run 9; open: 7.")


def test_a_server_that_was_ended_is_named(page: Page, stored: Path) -> None:
    with serving(stored) as port:
        visit(page, port, "#/0", "episodes")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("is 'agentgym view' still running?")


def test_a_failure_of_ours_is_shown_with_its_reason(page: Page, port: int) -> None:
    visit(page, port, f"#/{Runs.FAILED:d}/step-000000/0?view=turn", "turn")
    expect(page.locator(".note").first).to_contain_text("not trained on")
    expect(page.locator(".tick")).to_contain_text("holds no run: it has no config.yaml")


def test_new_episodes_wait_for_the_reader_and_then_join_the_table(
    page: Page, port: int, growing: Path
) -> None:
    visit(page, port, f"#/{Runs.GROWING:d}", "episodes")
    expect(page.locator(".summary")).to_contain_text("1 episode")
    write_step(growing, 1)
    expect(page.locator(".fresh")).to_contain_text("1 new episode")
    expect(page.locator(".row:not(.header)")).to_have_count(1)
    press(page, "n")
    expect(page.locator(".summary")).to_contain_text("2 episodes")
    expect(page.locator(".row:not(.header)").nth(1)).to_contain_text("step-000001")
    (growing / "episodes" / "step-000000.parquet").unlink()
    expect(page.locator(".row:not(.header)")).to_have_count(1)
    shutil.rmtree(growing)
    expect(page.get_by_role("alert")).to_contain_text("growing: this run's folder was deleted")


def test_two_evaluations_are_compared_task_by_task(page: Page, port: int) -> None:
    visit(page, port, VIEWS["compare"], "compare")
    assert page.locator(".facet .value").all_inner_texts() == ["fixed", "broken", "same"]
    assert page.locator(".facet .number").all_inner_texts() == ["1", "1", "2"]
    expect(page.locator(".pairs h2")).to_have_text("task-0 fixed")
    expect(page.get_by_label("turn 1").locator("del")).to_have_text("0")
    expect(page.get_by_label("turn 1").locator("ins")).to_have_text("4")
    expect(page.get_by_label("turn 2")).to_have_class("same")
    page.get_by_role("button", name="broken").press("Enter")
    expect(page.locator(".tasks li")).to_have_text(["task-11/1 \u2192 0/1"])
    expect(page.locator(".pairs h2")).to_have_text("task-1 broken")
    page.locator(".who a").nth(1).press("Enter")
    page.locator("[data-ready=turn]").wait_for()
    expect(page.locator(".head")).to_contain_text("eval-000004-sampled/group 1")
    visit(page, port, f"#/{Runs.EVALUATED:d}?view=compare", "compare")
    sides = [page.get_by_label(name) for name in ("before", "after")]
    assert [side.input_value() for side in sides] == [
        f"{Runs.EVALUATED:d}:eval-00000{step}-sampled" for step in (0, 4)
    ]


def test_our_failures_are_told_from_the_models_and_alike_ones_are_one(
    page: Page, port: int
) -> None:
    visit(page, port, f"#/{Runs.FAILED:d}", "episodes")
    page.get_by_role("link", name="failures").press("Enter")
    page.locator("[data-ready=failures]").wait_for()
    ours = page.get_by_label("Ours").locator("tbody tr")
    expect(ours.nth(0)).to_contain_text("2 50.0%our failureWorkerDied in step: worker 12 died")
    expect(ours.nth(1)).to_contain_text("1 25.0%our failureWorkerDied in step: no space left")
    models = page.get_by_label("The model's").locator("tbody tr")
    expect(models.nth(0)).to_contain_text("1 25.0%failure")
    expect(models.nth(1)).to_contain_text("invalid turn 2 turnsno action")
    ours.nth(0).locator("a").press("Enter")
    page.locator("[data-ready=turn]").wait_for()
    expect(page.get_by_label("Ended by")).to_contain_text("worker 12 died")


def test_text_is_found_where_it_stands(page: Page, port: int) -> None:
    visit(page, port, "#/0?view=search", "search")
    page.keyboard.type("CLICK[b2]")
    press(page, "Enter")
    hits = page.locator(".hitlist li")
    expect(page.locator(".found .summary")).to_have_text("In 2 texts of 2 episodes")
    expect(hits.nth(0)).to_contain_text("step-000000 group 0 m2 turn 2")
    expect(hits.nth(0).locator("b")).to_have_text("click[B2]")
    hits.nth(0).locator("a").press("Enter")
    page.locator("[data-ready=turn]").wait_for()
    expect(page.get_by_label("Did")).to_contain_text("click[B2]")
    visit(page, port, "#/0?view=search&text=never+said", "search")
    expect(page.locator(".found .summary")).to_have_text("Nowhere in this run.")


def test_a_link_may_lead_to_a_token(page: Page, port: int) -> None:
    visit(page, port, f"{S1}?view=turn&member=0&turn=1&token=1", "turn")
    tokens = page.get_by_label("tokens")
    expect(tokens.locator(".chosen-token")).to_have_count(1)
    expect(tokens.locator("p.facts")).to_have_text("token 1: id 2, logprob -0.5, 60.7%")
    press(page, "ArrowRight")
    assert query(page, "token") is None
    press(page, "ArrowLeft", ".")
    assert query(page, "token") == "1"
    press(page, ".")
    assert query(page, "token") is None
    press(page, ",")
    expect(tokens.locator(".chosen-token")).to_have_count(1)
    tokens.locator(".sampled .token").click()
    assert query(page, "token") is None


def test_provenance_shows_the_recipe(page: Page, port: int) -> None:
    visit(page, port, "#/0?view=provenance", "provenance")
    expect(page.locator(".provenance pre").first).to_contain_text("agentgym/Corridor-v0")
    visit(page, port, f"#/{Runs.FAILED:d}?view=provenance", "provenance")
    expect(page.locator(".provenance pre")).to_have_text("there is no config.yaml")


def turn_to(page: Page, where: str) -> None:
    """Another view in the page that is open."""
    page.evaluate("location.hash = '#/9'")
    page.get_by_text("There is no run 9").wait_for()
    page.evaluate("where => { location.hash = where }", where)
    page.locator("[data-ready]").wait_for()


def test_a_phone_shows_every_view_without_scrolling_sideways(page: Page, port: int) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    visit(page, port, "#/0")
    widths = {}
    for name, where in VIEWS.items():
        turn_to(page, where)
        widths[name] = page.evaluate("document.documentElement.scrollWidth")
    assert widths == dict.fromkeys(VIEWS, 390)


def test_axe_finds_nothing_serious_in_light_and_dark(page: Page, port: int) -> None:
    if not AXE.is_file():
        pytest.skip("no axe-core in .cache/axe; `make test` fetches it")
    visit(page, port, "#/0")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    for name, where in VIEWS.items():
        turn_to(page, where)
        for scheme, rules in SCHEMES.items():
            page.emulate_media(color_scheme=scheme)
            found = page.evaluate("rules => axe.run(rules).then(found => found.violations)", rules)
            serious = [
                (each["id"], each["nodes"][0]["html"][:200])
                for each in found
                if each["impact"] in ("serious", "critical")
            ]
            assert (name, scheme, serious) == (name, scheme, [])
