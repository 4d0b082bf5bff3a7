"""The README's pictures of the viewer: `python tests/screenshots.py runs/quickstart`."""

from __future__ import annotations

import argparse
import re
from io import BytesIO
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import ViewportSize, expect, sync_playwright
from served import serving

from agentgym.sandboxes.chromium import find_chromium

DOCS = Path(__file__).parents[1] / "docs"
GROUP = "0/step-000032/14?member=2&turn=3"
VIEWS = {
    "episodes": "0?q=step%3E0&turns=12..",
    "group": GROUP,
    "turn": f"{GROUP}&view=turn",
    "graph": f"{GROUP}&view=graph",
    "compare": "0?view=compare",
}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SIZE: ViewportSize = {"width": 1280, "height": 800}
COLOURS = 128
PATIENCE_MS = 120_000
UNDER_WAY = re.compile("reading|recomputing", re.IGNORECASE)
LIGHT_ALONE = ("compare",)


def main() -> None:
    """Take each view in light and dark, when all of it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    run = parser.parse_args().run
    with serving(run) as port, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        for scheme in SCHEMES:
            page = browser.new_page(viewport=SIZE, color_scheme=scheme)
            page.set_default_timeout(PATIENCE_MS)
            for name, where in VIEWS.items():
                if scheme == "dark" and name in LIGHT_ALONE:
                    continue
                page.goto(f"http://127.0.0.1:{port}/#/{where}")
                page.locator("[data-ready]").wait_for()
                expect(page.get_by_text(UNDER_WAY)).to_have_count(0, timeout=PATIENCE_MS)
                suffix = "-dark" if scheme == "dark" else ""
                image = Image.open(BytesIO(page.screenshot())).convert("RGB")
                few = image.quantize(COLOURS, dither=Image.Dither.NONE)  # a third of the bytes
                few.save(DOCS / f"viewer-{name}{suffix}.png", optimize=True)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
