"""The shop in a real browser: without a script, by keyboard, and for people who cannot see it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from shop_server import serving

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[2] / ".cache" / "axe" / "package" / "axe.min.js"


@pytest.fixture(scope="module")
def shop() -> Iterator[int]:
    with serving("gen1/test") as port:
        yield port


def assert_accessible(page: Page) -> None:
    if AXE.is_file():  # `make test` fetches it
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run().then(result => result.violations)")
        assert [(each["id"], each["nodes"][0]["html"][:200]) for each in found] == []


def test_a_visit_from_the_list_of_tasks_to_the_score(page: Page, shop: int) -> None:
    page.goto(f"http://127.0.0.1:{shop}/")
    assert_accessible(page)
    page.get_by_role("button", name="lip gloss").first.press("Enter")
    assert_accessible(page)
    page.keyboard.type("lip gloss")  # the search has the focus
    page.keyboard.press("Enter")
    expect(page.get_by_text("Total results")).to_be_visible()
    assert_accessible(page)
    page.locator("ol button").first.click()
    value = page.locator("fieldset button").first
    value.click()
    expect(page.locator("fieldset button").first).to_have_attribute("aria-pressed", "true")
    assert_accessible(page)
    page.get_by_role("button", name="Features").click()
    page.get_by_role("button", name="< Prev").click()
    page.get_by_role("button", name="Buy Now").click()
    expect(page.get_by_text("Your score")).to_be_visible()
    expect(page.get_by_text("Purchased")).to_be_hidden()
    assert_accessible(page)
