"""A report's page in a browser without network, at the widths of a desk and of a phone."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from rllib_citylearn.evaluation.comparison import Comparison
from rllib_citylearn.evaluation.report import write_report
from tests.made_up import Town, evaluation, no_control

pytestmark = pytest.mark.browser

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")

# Added to a copy of the page: the page itself has no script.
MEASURE = """
<script>
addEventListener("load", async () => {
  const images = [...document.images];
  await Promise.all(images.map((image) => image.decode()));
  const beyond = [...document.querySelectorAll("body *")].filter(
    (one) => !one.closest(".scroll, pre") && one.getBoundingClientRect().right > innerWidth + 1);
  const found = {
    width: innerWidth,
    page: document.documentElement.scrollWidth,
    beyond: beyond.map((one) => one.tagName),
    images: images.map((image) => [image.naturalWidth, image.getBoundingClientRect().width]),
    fetched: performance.getEntriesByType("resource").map((one) => one.name).filter((name) => !name.startsWith("data:")),
  };
  parent.postMessage(JSON.stringify(found), "*");
});
</script>
</body>"""

# Browsers have no window as narrow as a phone's screen, but a frame can be.
FRAME = """<!DOCTYPE html><title>frame</title><body>
<script>addEventListener("message", (event) => document.body.setAttribute("data-found", event.data));</script>
<iframe src="{page}" width="{width}" height="900" style="border: 0"></iframe>"""


@pytest.fixture(scope="module")
def browser() -> str:
    """The path of a browser."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    return found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a report's page that measures itself; names are long, and a table has many columns."""
    folder = tmp_path_factory.mktemp("report")
    town = Town(days=190, vehicles=60, buildings=14)
    names = ("plug-in", "bau", "mpc", "foresight", "a" * 300, "/a/very/long/path/to/a/run/" + "b" * 80)
    comfort = {"discomfort": 0.2, "cold": 0.2, "hot": 0.0}
    contenders = [evaluation(name, town, keep=0.9 - 0.05 * k, comfort=comfort) for k, name in enumerate(names)]
    command = "rllib-citylearn compare " + "word " * 60
    report = write_report(folder, Comparison.of([no_control(town), *contenders]), command=command, data="d" * 300)
    copy = folder / "copy.html"
    copy.write_text(report.read_text(encoding="utf-8").replace("</body>", MEASURE), encoding="utf-8")
    return copy


def measure(browser: str, page: Path, width: int, folder: Path) -> dict[str, Any]:
    """What the page says of itself in a frame of that width, with no way to any server."""
    frame = folder / "frame.html"
    frame.write_text(FRAME.format(page=page.as_uri(), width=width))
    command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    command += ["--proxy-server=127.0.0.1:9", "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=20000"]
    command += ["--window-size=1400,1000", "--dump-dom", frame.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'data-found="([^"]*)"', done.stdout)
    assert found, done.stderr[-2000:]
    measured: dict[str, Any] = json.loads(unescape(found[1]))
    return measured


@pytest.mark.parametrize("width", [1280, 768, 390])
def test_nothing_is_wider_than_the_window_and_every_picture_is_there(
    browser: str, page: Path, width: int, tmp_path: Path
) -> None:
    found = measure(browser, page, width, tmp_path)
    assert found["width"] == width
    assert found["page"] <= width
    assert found["beyond"] == []
    assert found["fetched"] == []
    assert len(found["images"]) == 8
    for natural, shown in found["images"]:
        assert natural > 0
        assert shown > 300
        # On a phone the narrow pictures are shown, about as large as they were drawn, so that their text can be read.
        assert natural == pytest.approx(358 if width <= 640 else 960, abs=2)
        assert shown / natural > 0.7


@pytest.mark.parametrize("width", [1280, 500])
def test_paper_cuts_no_picture_into_pages_whatever_the_window(browser: str, page: Path, width: int, tmp_path: Path) -> None:
    """From a narrow window narrow pictures are printed, which are tall: at the width of paper each would take pages."""
    paper = tmp_path / "report.pdf"
    command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command += [f"--window-size={width},1000", f"--print-to-pdf={paper}", page.as_uri()]
    subprocess.run(command, capture_output=True, timeout=120, check=True)
    pages = len(re.findall(rb"/Type /Page\b(?!s)", paper.read_bytes()))
    assert 8 <= pages <= 14
