"""A user's own WebShop files: what is read, what is left out and said, and the split."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from agentgym.checker import check_env
from agentgym.envs.left_out import OfficialDataWarning
from agentgym.envs.webshop.env import WebShop
from agentgym.envs.webshop.goal import NO_LIMIT
from agentgym.envs.webshop.official import load_official
from agentgym.errors import UsageError


def item(asin: str, **fields: Any) -> dict[str, Any]:
    """A record as WebShop's files have it."""
    return {
        "asin": asin, "name": f"Lamp {asin}", "full_description": "Gives light.",
        "small_description": ["Bright", "Small"], "pricing": "$877.80", "images": ["x.jpg"],
        "category": "garden", "product_category": "Home \u203a Lamps", "query": " Table LAMP ",
        "customization_options": {"Color": [{"value": " Red/Blue ", "image": None}], "Size": None},
        "brand": "ignored", "average_rating": "",
    } | fields  # fmt: skip


def asked(**fields: Any) -> dict[str, Any]:
    return {
        "instruction": "find me a lamp.", "instruction_attributes": ["led"],
        "instruction_options": ["red | blue"],
    } | fields  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two good products and 1,502 instructions for the first."""
    monkeypatch.setenv("AGENTGYM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AGENTGYM_WEBSHOP_DATA", str(tmp_path))
    many = [asked(instruction=f"lamp {n}.") for n in range(1502)]
    write(tmp_path, items=[item("B000000001"), item("B000000002")], human={"B000000001": many})
    return tmp_path


def write(folder: Path, *, items: Any, human: Any, notes: Any = None) -> None:
    notes = {"B000000001": {"attributes": ["led", "dim"]}} if notes is None else notes
    for name, content in (
        ("items_shuffle_1000", items), ("items_ins_v2_1000", notes), ("items_human_ins", human),
    ):  # fmt: skip
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")


def test_a_product_is_read_as_webshop_reads_it(folder: Path) -> None:
    first, second = load_official(folder).products
    assert (first.title, first.query, first.price, first.price_text) == (
        "Lamp B000000001", "table lamp", 877.8, "$877.8",
    )  # fmt: skip
    assert first.options == {"color": ("red | blue",)}
    assert (first.attributes, second.attributes) == (("led", "dim"), ("DUMMY_ATTR",))
    assert first.document == "lamp b000000001 gives light. bright color: red | blue"


@pytest.mark.parametrize(
    ("pricing", "low", "high", "text"),
    [
        ("$10.00$20.00", 10.0, 20.0, "$10.0 to $20.0"),
        ("$1,234.50", 1234.5, 1234.5, "$1234.5"),
        ("", 100.0, 100.0, "$100.0"),
        (None, 100.0, 100.0, "$100.0"),
    ],
)
def test_prices_are_one_or_a_range_or_a_hundred(
    folder: Path, pricing: str | None, low: float, high: float, text: str
) -> None:
    write(folder, items=[item("B000000001", pricing=pricing)], human={})
    (product,) = load_official(folder).products
    assert low <= product.price <= high
    assert product.price_text == text


def test_bullet_points_may_be_one_text(folder: Path) -> None:
    write(folder, items=[item("B000000001", small_description="Bright")], human={})
    assert load_official(folder).products[0].bullets == ("Bright",)


def test_what_is_left_out_is_said_by_name_and_count(folder: Path) -> None:
    bad = [
        item("B000000001", name="another"), item("B0000000001"), {"asin": "B000000003"}, "no row",
        item("B000000004", pricing="10"), item("B000000005", name=7),
    ]  # fmt: skip
    human = {"B000000001": [asked(), asked(instruction_attributes=[]), {"instruction": "x"}]}
    write(folder, items=[item("B000000001"), *bad], human=human)
    with pytest.warns(OfficialDataWarning) as caught:
        official = load_official(folder)
    said = "\n".join(str(warning.message) for warning in caught)
    assert len(official.products) == len(official.instructions) == 1
    assert "1 records: an asin that was there before (B000000001)" in said
    assert "1 records: an asin of more than 10 characters, or none (B0000000001)" in said
    assert "4 records: no product with all its fields (B000000003, row 4, B000000004, ...)" in said
    assert "1 records: an instruction without attributes (B000000001 instruction 1)" in said
    assert "1 records: no instruction with all its fields (B000000001 instruction 2)" in said


def test_goals_are_shuffled_and_split_as_is_the_convention(folder: Path) -> None:
    order = list(range(1502))
    random.seed(233)  # as WebShop does
    random.shuffle(order)
    texts = [
        str(task.public["instruction"]).partition(",")[0]
        for split in ("official/test", "official/dev", "official/train")
        for task in WebShop.panel(split)
    ]
    assert texts == [f"lamp {n}" for n in order]
    assert [len(WebShop.panel(split)) for split in WebShop.splits()[3:]] == [500, 1000, 2]
    assert WebShop.splits()[3:] == ("official/test", "official/dev", "official/train")


def test_a_split_without_goals_is_not_there(folder: Path) -> None:
    write(folder, items=[item("B000000001")], human={"B000000001": [asked()]})
    assert WebShop.splits()[3:] == ("official/test",)
    with pytest.raises(UsageError, match="'official/dev' has no goals: there are 1 in all"):
        WebShop.panel("official/dev")
    with pytest.raises(UsageError, match="did you mean 'official/dev'"):
        WebShop.panel("official/devv")


def test_to_name_the_splits_no_product_is_read(folder: Path) -> None:
    (folder / "items_shuffle_1000.json").write_text("{", encoding="utf-8")
    assert WebShop.splits()[3:] == ("official/test", "official/dev", "official/train")
    with pytest.raises(UsageError, match="cannot read .*items_shuffle_1000"):
        WebShop.panel("official/test")


def test_a_limit_is_in_the_text_or_there_is_none(folder: Path) -> None:
    items = [item("B000000001", pricing="$35"), item("B000000002", pricing="$2000")]
    write(folder, items=items, human={"B000000001": [asked()], "B000000002": [asked()]})
    for instruction in load_official(folder).instructions:
        if instruction.goal.product.asin == "B000000002":
            assert (instruction.text, instruction.goal.price_limit) == ("find me a lamp", NO_LIMIT)
        else:
            limit = instruction.goal.price_limit
            assert instruction.text == f"find me a lamp, and price lower than {limit:.2f} dollars"
            assert 40.0 < limit <= 70.0


def test_prices_and_goals_hang_on_no_order_and_no_seed(folder: Path) -> None:
    items = [item(f"B00000000{n}", pricing="$10$90") for n in range(5)]
    human = {f"B00000000{n}": [asked()] for n in range(5)}
    told = []
    for place, shown in enumerate((items, items[::-1])):
        inner = folder / str(place)
        inner.mkdir()
        write(inner, items=shown, human=human)
        random.seed(place)
        official = load_official(inner)
        prices = {product.asin: product.price for product in official.products}
        texts = {each.goal.product.asin: each.text for each in official.instructions}
        told.append((prices, texts))
    assert told[0] == told[1]


def test_official_tasks_are_played_like_any_other(folder: Path) -> None:
    env = WebShop()
    env.reset(options={"task": WebShop.panel("official/test").tasks[0]})
    terminated = False
    while not terminated:
        observation, reward, terminated, _, _ = env.step(env.expert_action())
    assert reward == 1.0
    assert "B000000001" in observation.text
    results = check_env("agentgym/WebShop-v0")
    assert [(check.name, check.reason) for check in results if not check.ok] == []


def test_a_task_of_other_files_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = WebShop.panel("official/test").tasks[0]
    other = folder / "other"
    other.mkdir()
    write(other, items=[item("B000000001")], human={"B000000001": [asked()]})
    monkeypatch.setenv("AGENTGYM_WEBSHOP_DATA", str(other))
    with pytest.raises(UsageError, match="task 'official/test/00000' was made from other files"):
        WebShop().reset(options={"task": task})


def test_files_that_cannot_be_read_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "items_human_ins.json"
    file.write_text('{"B000000001": [', encoding="utf-8")
    with pytest.raises(UsageError, match=r"cannot read '.*items_human_ins.json': Expecting"):
        load_official(folder)
    write(folder, items=[], human={})
    with pytest.raises(UsageError, match="has no products"):
        load_official(folder)
    write(folder, items={}, human={})
    with pytest.raises(UsageError, match=r"items_shuffle_1000.json' must hold a JSON list"):
        load_official(folder)
    (folder / "items_shuffle.json").write_text("[]", encoding="utf-8")
    with pytest.raises(UsageError, match=r"must have one file items_shuffle\*.json, not 2"):
        load_official(folder)
    monkeypatch.delenv("AGENTGYM_WEBSHOP_DATA")
    assert len(WebShop.splits()) == 3
    with pytest.raises(UsageError, match="set AGENTGYM_WEBSHOP_DATA to the folder"):
        WebShop.panel("official/test")
