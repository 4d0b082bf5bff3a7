"""WebShop's turns: grammar, observations, what leads where, scores, players."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import Any

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import example, given, settings
from hypothesis import strategies as st

import agentgym  # noqa: F401  registers the environments
from agentgym.demonstrate import demonstrate
from agentgym.envs.webshop.env import WebShop
from agentgym.envs.webshop.pages import done_page
from agentgym.envs.webshop.product import Product
from agentgym.envs.webshop.prompt import parse_action, read_action
from agentgym.envs.webshop.reading import read_wish
from agentgym.envs.webshop.session import Place, Session
from agentgym.envs.webshop.shop import Shop, terms
from agentgym.envs.webshop.tasks import SPLITS, load_panel
from agentgym.errors import UsageError
from agentgym.pool import InlinePool
from agentgym.types import Observation, Outcome, Parsed, Task
from oracles import bm25, webshop_action


@cache
def a_task() -> Task:
    """Not drawn when the tests are collected, which every process of a parallel run does."""
    return load_panel("gen1/test").tasks[0]


@cache
def fuzzed() -> WebShop:
    """One for all examples: to start costs more than to play."""
    return started()


def started(**settings: Any) -> WebShop:
    env = WebShop(**settings)
    env.reset(options={"task": a_task()})
    return env


def lamp(number: int, **fields: Any) -> Product:
    usual: dict[str, Any] = {
        "asin": f"B00000000{number}", "title": f"Lamp {number}", "description": "Gives light.",
        "bullets": ("Bright", "Small"), "price": 10.0 + number, "price_text": f"${10.0 + number}",
        "category": "garden", "product_category": "Home \u203a Lamps", "query": "table lamp",
        "options": {"color": ("red", "blue"), "size": ("small", "large")}, "attributes": ("led",),
    }  # fmt: skip
    return Product(**usual | fields)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A visit to a shop of 12 lamps, whose titles all fit "lamp"."""
    monkeypatch.setenv("AGENTGYM_CACHE", str(tmp_path))
    products = [lamp(number, asin=f"B{number:09d}") for number in range(12)]
    return Session(Shop(products), "a lamp", seed="s", show_attributes=True)


TOP = "Instruction: [SEP] a lamp [SEP] Back to Search"


def test_a_visit_begins_on_the_search_page(session: Session) -> None:
    assert session.page.plain == "WebShop [SEP] Instruction: [SEP] a lamp [SEP] Search"
    assert list(session.page.clickables) == ["search"]


def test_results_come_ten_a_page_and_there_is_always_a_next_one(session: Session) -> None:
    session.search("lamp")
    lines = " [SEP] ".join(f"B{n:09d} [SEP] Lamp {n} [SEP] ${10.0 + n}" for n in range(10))
    assert session.page.plain == (
        f"{TOP} [SEP] Page 1 (Total results: 12) [SEP] Next > [SEP] {lines}"
    )
    assert list(session.page.clickables)[:3] == ["back to search", "next >", "b000000000"]
    session.click("next >")
    assert session.page.plain == (
        f"{TOP} [SEP] Page 2 (Total results: 12) [SEP] < Prev [SEP] Next > [SEP] B000000010 [SEP] "
        "Lamp 10 [SEP] $20.0 [SEP] B000000011 [SEP] Lamp 11 [SEP] $21.0"
    )
    session.click("next >")
    assert session.page.plain == (
        f"{TOP} [SEP] Page 3 (Total results: 12) [SEP] < Prev [SEP] Next >"
    )
    session.click("< prev")
    assert session.number == 2


def test_an_item_shows_its_options_and_what_else_there_is(session: Session) -> None:
    session.search("lamp")
    session.click("b000000003")
    assert session.page.plain == (
        f"{TOP} [SEP] < Prev [SEP] color [SEP] red [SEP] blue [SEP] size [SEP] small [SEP] large "
        "[SEP] Lamp 3 [SEP] Price: $13.0 [SEP] Rating: N.A. [SEP] Description [SEP] Features "
        "[SEP] Reviews [SEP] Attributes [SEP] Buy Now"
    )
    assert list(session.page.clickables) == [
        "back to search", "< prev", "description", "features", "reviews", "attributes", "buy now",
        "red", "blue", "small", "large",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("description", " [SEP] Gives light."),
        ("features", " [SEP] Bright [SEP] Small"),
        ("reviews", ""),
        ("attributes", " [SEP] led [SEP] garden [SEP] table lamp [SEP] Home \u203a Lamps"),
    ],
)
def test_sub_pages_lead_back_to_the_item_with_its_options(
    session: Session, name: str, texts: str
) -> None:
    session.search("lamp")
    session.click("b000000003")
    item = session.page.plain
    session.click("blue")
    session.click(name)
    assert session.page.plain == f"{TOP} [SEP] < Prev{texts}"
    assert list(session.page.clickables) == ["back to search", "< prev"]
    session.click("< prev")
    assert session.page.plain == item
    assert session.options == {"color": "blue"}


def test_one_value_is_chosen_per_option(session: Session) -> None:
    session.search("lamp")
    session.click("b000000003")
    for value in ("blue", "large", "red"):
        session.click(value)
    assert session.options == {"color": "red", "size": "large"}


def test_going_back_to_the_results_forgets_the_item_and_its_options(session: Session) -> None:
    session.search("lamp")
    session.click("next >")
    session.click("b000000010")
    session.click("blue")
    session.click("< prev")
    assert (session.place, session.number) == (Place.RESULTS, 2)
    assert (session.product, session.options) == (None, {})


def test_a_search_works_from_any_page_and_forgets_item_and_options(session: Session) -> None:
    session.search("lamp")
    session.click("b000000003")
    session.click("blue")
    session.click("features")
    session.search("red lamp")
    assert (session.place, session.number) == (Place.RESULTS, 1)
    assert (session.product, session.options) == (None, {})
    assert session.keywords == ("red", "lamp")


def test_back_to_search_forgets_all_but_the_goal(session: Session) -> None:
    first = session.state
    session.search("lamp")
    session.click("b000000003")
    session.click("blue")
    session.click("back to search")
    assert session.state == first
    session.search("lamp")
    assert "clicked" not in session.page.rich  # visits are forgotten as well


@pytest.mark.parametrize(
    ("words", "total"),
    [
        ("<r>", 12),
        ("<r> anything", 12),
        ("<a> led", 12),
        ("<a> dim", 0),
        ("<c> garden", 12),
        ("<c> beauty", 0),
        ("<c>", 0),
        ("<q> table lamp", 12),
        ("<q> lamp", 0),
        ("xyzzy", 0),
        (" ", 0),
        ("s", 0),  # nothing would be left of it if it were stemmed
        ("\ud800", 0),
    ],
)
def test_special_first_words_list_instead_of_searching(
    session: Session, words: str, total: int
) -> None:
    session.search(words)
    assert f"Page 1 (Total results: {total})" in session.page.plain


def test_products_at_random_are_the_same_after_the_same_actions(session: Session) -> None:
    pages = []
    for _ in range(2):
        visit = Session(session.shop, "a lamp", seed="s")
        for act in (visit.search, visit.search, visit.click):
            act("<r>" if act == visit.search else "next >")
            pages.append(visit.page.plain)
    assert pages[:3] == pages[3:]
    assert pages[0] != pages[1]  # every page is drawn anew


def test_a_search_finds_at_most_fifty() -> None:
    env = started()
    text = env.step("search[for]")[0].text
    assert "Page 1 (Total results: 0)" in text  # a stop word
    assert "Page 1 (Total results: 50)" in env.step("search[women]")[0].text
    for _ in range(5):
        observation = env.step("click[Next >]")[0]
    assert observation.text.endswith("Page 6 (Total results: 50) [SEP] < Prev [SEP] Next >")


def visit_item(product: Product) -> Session:
    session = Session(Shop([product]), "x", seed="s")
    session.search(product.title)
    session.click(product.asin.lower())
    return session


def test_a_value_of_two_options_is_the_last_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTGYM_CACHE", str(tmp_path))
    session = visit_item(lamp(1, options={"bulb": ("small", "large"), "shade": ("small",)}))
    session.click("small")
    session.click("large")
    assert session.options == {"shade": "small", "bulb": "large"}


def test_a_value_that_says_what_a_button_says_acts_as_the_button(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTGYM_CACHE", str(tmp_path))
    values = ("features", "attributes", "next >", "buy now")
    session = visit_item(lamp(1, options={"kind": values}))
    session.click("next >")  # a button of results only
    assert session.options == {"kind": "next >"}
    session.click("attributes")  # though the shop does not show attributes
    assert session.place is Place.SUB
    session.click("< prev")
    session.click("buy now")
    assert (session.place, session.options) == (Place.DONE, {"kind": "next >"})


def test_rich_pages_mark_what_can_be_and_what_was_clicked(session: Session) -> None:
    assert session.page.rich == "WebShop\nInstruction: \na lamp\n[button] Search [button_]\n"
    session.search("lamp")
    session.click("b000000001")
    session.click("red")
    session.click("large")
    assert session.page.rich == (
        "You have clicked large.\nYou have clicked red.\nInstruction:\na lamp\n"
        "[button] Back to Search [button_]\n[button] < Prev [button_]\ncolor\n"
        "  [clicked button] red [clicked button_]\n  [button] blue [button_]\nsize\n"
        "  [button] small [button_]\n  [clicked button] large [clicked button_]\nLamp 1\n"
        "Price: $11.0\nRating: N.A.\n[button] Description [button_]\n[button] Features [button_]\n"
        "[button] Reviews [button_]\n[button] Attributes [button_]\n[button] Buy Now [button_]\n"
    )
    session.click("features")
    assert session.page.rich.endswith("[button] < Prev [button_]\n Bright\n Small\n")
    session.search("lamp")
    assert "\n\n[button] B000000000 [button_]\nLamp 0\n$10.0\n" in session.page.rich
    assert "\n\n[clicked button] B000000001 [clicked button_]\nLamp 1\n" in session.page.rich


def test_a_value_in_quotes_in_the_search_passes_for_chosen(session: Session) -> None:
    session.search('"red" lamp')
    session.click("b000000001")
    assert session.page.rich.startswith("You have clicked red.\n")
    assert session.options == {}


@pytest.mark.parametrize(
    ("text", "shown"),
    [("", []), (" \n ", []), ("  ", [""]), (" a ", ["a"]), ("a\nb", ["a\nb"])],
)
def test_white_space_is_what_a_browser_makes_of_it(
    text: str, shown: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTGYM_CACHE", str(tmp_path))
    session = visit_item(lamp(1, description=text))
    session.click("description")
    assert session.page.plain.split(" [SEP] ")[4:] == shown


def test_the_end_shows_the_purchase_and_nothing_of_the_target() -> None:
    assert done_page("B01", {"size": "men's <8>", "color": "a&b"}, 2 / 3).plain == (
        "Thank you for shopping with us! [SEP] Your code: [SEP] None [SEP] (Paste it in your MTurk "
        'interface.) [SEP] Purchased [SEP] asin [SEP] B01 [SEP] options [SEP] {"color": '
        '"a\\u0026b", "size": "men\\u0027s \\u003c8\\u003e"} [SEP] attrs [SEP] None [SEP] category '
        "[SEP] None [SEP] query [SEP] None [SEP] product category [SEP] None [SEP] Target [SEP] "
        "asin [SEP] options [SEP] attrs [SEP] price upper [SEP] instuction text [SEP] category "
        "[SEP] product category [SEP] query [SEP] Goal [SEP] None [SEP] Reward [SEP] Your score "
        "(min 0.0, max 1.0) [SEP] 0.6666666666666666 [SEP] Reward Details [SEP] None"
    )


@settings(max_examples=500)
@given(st.text("a[]\n \u2028", max_size=12) | st.text())
def test_reading_an_action_equals_webshops_expression(text: str) -> None:
    assert parse_action(text) == webshop_action.parse(text)


@pytest.mark.parametrize("piece", ["[", "]", "[]", "a[", "search[", "x[a]"])
def test_a_megabyte_is_parsed_in_linear_time(piece: str) -> None:
    began = time.perf_counter()
    read_action(piece * (1_000_000 // len(piece)))
    assert time.perf_counter() - began < 2.0  # linear: about 0.01 s; quadratic: hours


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("search[Red Lamp]", Parsed(action="search[red lamp]")),
        (" search[a] ", Parsed(action="search[a]")),
        ("<think>so</think><action>search[a]</action>", Parsed(action="search[a]")),
        ("search[a] now", Parsed(action="search[a]")),
        ("search[a]]", Parsed(action="search[a]]")),
        ("search[]", Parsed(invalid="no_action")),
        ("i search[a]", Parsed(invalid="no_action")),
        ("Search[a]", Parsed(invalid="no_action")),
        ("buy[a]", Parsed(invalid="no_action")),
        ("click[search]", Parsed(invalid="not_admissible")),
        ("click[buy now]", Parsed(invalid="not_admissible")),
        ("", Parsed(invalid="no_action")),
    ],
)
def test_an_action_is_read_out_of_a_models_text(text: str, parsed: Parsed) -> None:
    assert started().parse(text) == parsed


def test_what_means_nothing_changes_nothing() -> None:
    env = started()
    before = env.step("search[lip gloss]")[0]
    for action in ("click[buy now]", "hm", "click[search]", "search[]"):
        assert env.step(action) == (before, 0.0, False, False, {})


def test_choices_are_what_can_be_clicked_and_a_click_knows_no_case() -> None:
    env = started()
    assert env.reset(options={"task": a_task()})[0].choices == ()  # there is only the search bar
    observation = env.step("search[lip gloss]")[0]
    assert observation.choices is not None
    assert observation.choices[:2] == ("click[back to search]", "click[next >]")
    assert len(observation.choices) == 12
    assert all(env.parse(choice).action == choice for choice in observation.choices)
    assert env.parse(observation.choices[2].upper().replace("CLICK", "click")).action


def test_chosen_options_are_in_the_state_and_not_in_plain_pages() -> None:
    env = started()
    for action in ("search[lip gloss]", "", "", ""):
        observation = env.step(action)[0]
    item = env.step((observation.choices or ())[2])[0]
    value = (item.choices or ())[-1]
    chosen = env.step(value)[0]
    assert chosen.text == item.text
    assert chosen.key == item.key
    assert chosen.state != item.state
    assert env.step(value)[0].state == chosen.state


def bought(env: WebShop, *, last: str = "click[buy now]") -> tuple[Observation, float, bool]:
    """The insider's episode, but for its last action."""
    env.reset(options={"task": a_task()})
    while (action := env.expert_action()) != "click[buy now]":
        env.step(action)
    observation, reward, terminated, _, _ = env.step(last)
    return observation, reward, terminated


def test_buying_ends_the_episode_with_the_score_and_its_parts() -> None:
    env = started()
    assert env.outcome() == Outcome(score=0.0, success=False)
    observation, reward, terminated = bought(env)
    assert (reward, terminated) == (1.0, True)
    assert "Your score (min 0.0, max 1.0) [SEP] 1.0 [SEP]" in observation.text
    assert observation.choices == ()
    assert env.outcome() == Outcome(score=1.0, success=True)
    with pytest.raises(UsageError, match="call reset"):
        env.step("search[a]")


def test_less_than_all_is_a_score_and_no_success() -> None:
    env = started()
    env.reset(options={"task": a_task()})
    env.step(env.expert_action())
    env.step(env.expert_action())
    _, reward, terminated, _, info = env.step("click[buy now]")  # no option chosen
    goal = env.goal
    asked = len(goal.attributes) + len(goal.options) + 1
    assert goal.options
    assert reward == pytest.approx((asked - len(goal.options)) / asked)
    assert terminated
    assert (info["reward"], info["r_option"], info["r_att"], info["r_price"]) == (reward, 0, 1, 1)
    assert env.outcome() == Outcome(score=reward, success=False)


@pytest.mark.parametrize("split", SPLITS)
def test_the_insider_buys_the_right_thing(split: str) -> None:
    env = WebShop()
    for task in load_panel(split).tasks[:500]:
        env.reset(options={"task": task})
        turns, terminated = 0, False
        while not terminated:
            _, reward, terminated, _, _ = env.step(env.expert_action())
            turns += 1
        assert reward == 1.0, task.id
        assert turns <= 5


def shop_around(env: WebShop, task: Any) -> tuple[Outcome, int]:
    """How the shopper's episode ends, and after how many turns."""
    shopper, over, turns = env.demonstrator(seed=0), False, 0
    observation, _ = env.reset(options={"task": task})
    shopper.reset(observation)
    while not over and turns < 15:
        action = shopper.act()
        observation, _, over, _, _ = env.step(action)
        shopper.observe(action, observation)
        turns += 1
    return env.outcome(), turns


@pytest.mark.parametrize("mode", ["text", "text_rich", "html"])
def test_the_shopper_mostly_succeeds_on_what_it_reads(mode: Any) -> None:
    env = WebShop(mode=mode)
    outcomes = [shop_around(env, task)[0] for task in load_panel("gen1/test")]
    assert sum(outcome.score for outcome in outcomes) / len(outcomes) >= 0.96
    assert sum(outcome.success for outcome in outcomes) / len(outcomes) >= 0.85


def test_a_shopper_with_little_patience_buys_unread_and_still_mostly_succeeds() -> None:
    env = WebShop(patience=5)
    episodes = [shop_around(env, task) for task in load_panel("gen1/test")]
    assert max(turns for _, turns in episodes) == 5
    assert 0.7 <= sum(outcome.success for outcome, _ in episodes) / len(episodes) < 0.85


def test_the_shopper_understands_every_instruction() -> None:
    env = WebShop()
    for task in load_panel("gen1/test"):
        wish = read_wish(env.reset(options={"task": task})[0])
        assert sorted(wish.traits) == sorted(env.goal.attributes), task.id
        assert sorted(wish.options.values()) == sorted(map(str, env.goal.options)), task.id
        assert wish.limit == env.goal.price_limit


def test_slips_never_end_an_episode() -> None:
    tasks = load_panel("gen1/train").tasks[:150]
    pool = InlinePool("agentgym/WebShop-v0", max_turns=15)
    found = list(demonstrate(pool, tasks, seed=1, mistakes=0.2))
    slips = [turn for each in found for turn in each.turns if turn.is_mistake]
    assert len(found) > 60  # only successes are kept
    assert len(slips) > 60
    assert not any("Thank you" in turn.observation.text for turn in slips)


def test_search_is_bm25_over_the_documents_stems() -> None:
    env = started()
    products = env.session.shop.products
    documents = [terms(product.document) for product in products]
    query = "non-slip women's running shoes in army green"
    wanted = bm25.scores(terms(query), documents, k1=0.9, b=0.4)
    found = env.session.shop.search(tuple(query.split(" ")), seed="")
    scores = [wanted[products.index(product)] for product in found]
    assert len(found) == 50
    assert scores == pytest.approx(sorted(wanted, reverse=True)[:50], rel=1e-5)


def test_tantivy_searches_too(session: Session, tmp_path: Path) -> None:
    """By BM25 with constants of its own; of equal scores, the first product's comes first."""
    pytest.importorskip("tantivy", reason="install the extra 'tantivy'")
    texts = ("lamp lamp for a desk", "a lamp", "a chair", "a lamp")
    products = [lamp(number, title=text, options={}) for number, text in enumerate(texts)]
    shop = Shop(products, engine="tantivy")
    documents = [terms(product.document) for product in products]
    scores = bm25.scores(["desk", "chair", "red"], documents, k1=1.2, b=0.75)
    order = sorted(range(4), key=lambda row: -scores[row])
    found = shop.search(("chair", "desks", "red"), seed="")
    assert found == tuple(products[row] for row in order if scores[row] > 0)
    assert shop.search(("lamp",), seed="")[0] is products[0]
    assert len(list((tmp_path / "webshop").glob("tantivy-*"))) == 1
    again = Shop(products, engine="tantivy")
    assert again.search(("lamp",), seed="") == shop.search(("lamp",), seed="")


def test_an_index_is_kept_by_what_it_was_made_from(session: Session, tmp_path: Path) -> None:
    kept = tmp_path / "webshop"
    first = session.shop.search(("lamp",), seed="")
    assert len(list(kept.iterdir())) == 1
    assert Shop(session.shop.products).search(("lamp",), seed="") == first
    assert len(list(kept.iterdir())) == 1
    Shop([lamp(1)])
    assert len(list(kept.iterdir())) == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "htm"}, "mode must be one of text, text_rich, html, not 'htm'"),
        ({"shop": "smal"}, "unknown size of shop 'smal'; did you mean 'small'"),
        ({"shop": 0}, "from 1 to 1000000 products, not 0"),
        ({"engine": "bm26s"}, "unknown search engine .bm26s."),
        ({"shop": 8}, "wants a product that a shop of 8 lacks"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        started(**settings)


def test_the_same_tasks_can_be_done_in_a_larger_shop() -> None:
    env = WebShop(shop=1500)
    assert bought(env)[1] == 1.0


def test_gymnasiums_checker_passes() -> None:
    check_env(gymnasium.make("agentgym/WebShop-v0").unwrapped)


def test_the_turn_limit_is_fifteen() -> None:
    env = gymnasium.make("agentgym/WebShop-v0", disable_env_checker=True)
    env.reset(options={"task": a_task()})
    ends = [env.step("hm")[2:4] for _ in range(15)]
    assert ends[13:] == [(False, False), (False, True)]


@settings(max_examples=2000)
@given(
    st.text(st.characters()) | st.binary().map(lambda raw: raw.decode("latin-1")),
    st.sampled_from(["{}", "search[{}]", "click[{}]", "<action>search[{}]</action>"]),
    st.lists(st.integers(0, 20), max_size=4),
)
@example("\0", "search[{}]", [])
@example("\ud800\udfff", "search[{}]", [3])
@example("lamp " * 100_000, "search[{}]", [3, 2])
def test_every_string_is_a_legal_action(text: str, form: str, clicks: list[int]) -> None:
    """On whatever page; what is no action leaves the page as it is."""
    before, _ = fuzzed().reset(options={"task": a_task()})
    for place in clicks:
        choices = [c for c in before.choices or () if c != "click[buy now]"]
        before = fuzzed().step(choices[place % len(choices)] if choices else "search[lamp]")[0]
    action = form.replace("{}", text)
    parsed = fuzzed().parse(action)
    observation, reward, terminated, truncated, info = fuzzed().step(action)
    assert terminated == (parsed.action == "click[buy now]")
    assert parsed.action is not None or observation == before
    assert not truncated
    assert terminated or (reward, info) == (0.0, {})
