"""The report as a browser sees it: nothing is loaded, nothing complains, everything is drawn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from headless_chromium import Page, chromium, find
from told_lives import a_rolled_back_life

from slipway_cli.report.page import page as html

pytestmark = pytest.mark.skipif(find() is None, reason="no chromium here (Debian: chromium)")

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
DRAWN = """[...document.querySelectorAll('main figure')].map(figure => {
    const shapes = [...figure.querySelectorAll('path, rect.bar')];
    const boxes = shapes.map(shape => shape.getBoundingClientRect());
    return [figure.id, boxes.length, Math.max(...boxes.map(box => box.width)),
            Math.max(...boxes.map(box => box.height))];
})"""

EVERY_PATH_HAS_A_LENGTH = (
    "[...document.querySelectorAll('path')].every(path => path.getTotalLength() > 0)"
)


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Page]:
    async with chromium(tmp_path / "profile") as opened:
        yield opened


async def test_every_plot_is_drawn_and_nothing_is_loaded(tab: Page, tmp_path: Path) -> None:
    file = tmp_path / "v3.html"
    file.write_text(html(a_rolled_back_life()))
    await tab.open(file.as_uri())
    drawn = {name: figures for name, *figures in await tab.value(DRAWN)}
    assert set(drawn) == {"timeline", "training", "metric-0", "metric-1", "traffic"}
    for name, (shapes, width, height) in drawn.items():
        assert shapes >= 2, name
        assert width > 100, name
        assert height > 5, name
    assert await tab.value(EVERY_PATH_HAS_A_LENGTH)
    assert tab.said == []
    assert [url for url in tab.requested if not url.startswith(("file:", "data:"))] == []
    light = await tab.value("getComputedStyle(document.body).backgroundColor")
    await tab.dark(True)
    assert await tab.value("getComputedStyle(document.body).backgroundColor") != light
    shot = tmp_path / "v3.png"
    await tab.screenshot(shot)
    assert shot.stat().st_size > 20_000
    # Nothing runs over the page's edge on a telephone either.
    await tab.screenshot(shot, width=380)
    assert await tab.value("document.documentElement.scrollWidth") <= 380


async def test_hostile_text_is_text(tab: Page, tmp_path: Path) -> None:
    file = tmp_path / "hostile.html"
    file.write_text(html(a_rolled_back_life(name=HOSTILE, said=HOSTILE)))
    await tab.open(file.as_uri())
    assert await tab.value("document.title") == "v3 of chat: RolledBack"
    assert await tab.value("document.querySelectorAll('script, img, iframe').length") == 0
    assert HOSTILE in await tab.value("document.querySelector('#events').textContent")
    assert tab.said == []
