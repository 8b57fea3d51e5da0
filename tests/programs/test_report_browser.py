"""The page of vis/report.py in a real browser: chromium, driven by playwright.

Without a browser these tests are skipped, but they fail if DMC_BROWSER_TEST is set, as by .ci/run.
"""

import base64
import contextlib
import io
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from metrics.maps.runs import read_run
from metrics.maps.scores import resized
from tests.fixtures.report_set import CLASSES, GREY, IN_ORDER, NAMES, make_run, maps_of, scores_of
from vis import report
from vis.overlay import STRENGTH, colorize, relative

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 375, "height": 740}
EDGE = 12  # pixels of a frame in which the rounded corners of its card lie
pytestmark = pytest.mark.slow


def unavailable(reason: str) -> None:
    """Skip, or fail if a browser is required."""
    if os.environ.get("DMC_BROWSER_TEST") == "1":
        pytest.fail(f"DMC_BROWSER_TEST=1, but {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="module")
def browser():
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        unavailable("there is no chromium: apt-get install chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        unavailable("playwright is not installed: pip install -r requirements-dev.txt")
    with sync_playwright() as playwright:
        # As root, as in containers, it starts only without its sandbox. The page is our own.
        launched = playwright.chromium.launch(executable_path=path, args=QUIET, chromium_sandbox=os.geteuid() != 0)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def written(browser, report_set, tmp_path_factory) -> Path:
    """A page with scores, curves, audio, and a missing video. Its run and data set lie beside it."""
    folder = tmp_path_factory.mktemp("report")
    data_dir = shutil.copytree(report_set, folder / "set")
    (data_dir / "video" / f"{NAMES[3]}.mp4").unlink()
    dmc_pkl = make_run(folder / "run")
    options = [str(dmc_pkl), "--data_dir", str(data_dir), "--run", str(dmc_pkl.parent)]
    assert report.main(options) == 1  # a video is missing
    return dmc_pkl.with_name("dmc.html")


@contextlib.contextmanager
def open_page(browser, written: Path, viewport: dict[str, int] = DESKTOP, **options: object):
    """The page, which has to have no error and no request to the network."""
    page = browser.new_context(viewport=viewport, offline=True, **options).new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(request.url[:100]))
    page.on("request", lambda request: request.url.startswith(("file:", "data:")) or complaints.append(request.url))
    page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
    page.goto(written.as_uri())
    yield page
    assert complaints == []
    page.context.close()


@pytest.fixture
def opened(browser, written):
    with open_page(browser, written) as page:
        yield page


@pytest.fixture
def ious(written) -> dict[str, float]:
    scores = scores_of(written.with_suffix(".pkl"), written.parents[1] / "set")
    return {key: one["iou"] for key, one in scores.items()}


def wait_until(page, condition: str, argument: object = None) -> None:
    """Poll a condition. The policy of the page forbids Playwright's own `wait_for_function`."""
    deadline = time.monotonic() + 30
    while not page.evaluate(condition, argument):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(50)


def shown(page) -> list[str]:
    """Keys of the visible frames, in their order on the page."""
    numbers = page.eval_on_selector_all(
        "#gallery > li",
        """cards => cards.filter(card => card.checkVisibility())
            .sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top
                || a.getBoundingClientRect().left - b.getBoundingClientRect().left)
            .map(card => Number(card.dataset.number))""",
    )
    return [IN_ORDER[number] for number in numbers]


def pixels_of(page, number: int) -> np.ndarray:
    """A frame with its map as the browser shows it, float [H, W, 3]."""
    with Image.open(io.BytesIO(page.locator(f"[data-number='{number}'] .frame").screenshot())) as image:
        return np.asarray(image.convert("RGB")).astype(float)


def test_all_frames_are_shown_and_sorting_reorders_them(opened, written, ious):
    assert shown(opened) == IN_ORDER and opened.title() == "What makes the sound: dmc.pkl"
    assert opened.inner_text("#shown") == "16 of 16 frames"
    scored = [key for key in IN_ORDER if key in ious]
    unscored = [key for key in IN_ORDER if key not in ious]
    for value, sign in (("score,-1", -1), ("score,1", 1)):
        opened.select_option("#sort", value)
        assert shown(opened) == [*sorted(scored, key=lambda key: sign * ious[key]), *unscored] != IN_ORDER
    distances = read_run(written.with_suffix(".pkl")).distances
    opened.select_option("#sort", "distance,1")
    assert shown(opened) == sorted(IN_ORDER, key=lambda key: distances[key][0])
    opened.select_option("#sort", "")
    assert shown(opened) == IN_ORDER
    opened.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    wait_until(opened, "[...document.images].every(image => image.complete && image.naturalWidth > 0)")


def test_filters_hide_frames_until_reset(opened, ious):
    opened.select_option("#video", label=NAMES[1])
    assert shown(opened) == [key for key in IN_ORDER if key.startswith(f"{NAMES[1]}/")]
    assert opened.inner_text("#shown") == "4 of 16 frames"
    opened.select_option("#video", "")
    label, videos = next(iter(CLASSES.items()))
    opened.select_option("#label", label=label)
    assert shown(opened) == [key for key in IN_ORDER if key.split("/")[0] in videos]
    opened.select_option("#label", "")
    lowest, highest = np.quantile(list(ious.values()), [0.3, 0.8])
    opened.fill("#lowest", f"{lowest:.3f}")
    opened.fill("#highest", f"{highest:.3f}")
    kept = [key for key in IN_ORDER if key in ious and round(lowest, 3) <= ious[key] <= round(highest, 3)]
    assert shown(opened) == kept and 0 < len(kept) < len(ious)
    opened.fill("#lowest", "0.999")
    assert shown(opened) == [] and opened.is_visible("#nothing")
    opened.click("button[type=reset]")
    wait_until(opened, "document.querySelector('#shown').textContent.startsWith('16 ')")
    assert shown(opened) == IN_ORDER and not opened.is_visible("#nothing")


def test_strength_and_boxes_change_the_overlay(opened):
    with_boxes = pixels_of(opened, 15)
    opened.uncheck("#boxes")
    assert np.abs(with_boxes - pixels_of(opened, 15)).max() > 80
    frames = {}
    for strength in (0, 30, 60, 100):
        opened.fill("#strength", str(strength))
        assert opened.inner_text("#strength-text") == f"{strength} %"
        frames[strength] = pixels_of(opened, 0)[EDGE:-EDGE, EDGE:-EDGE]
    assert np.abs(frames[0] - GREY).max() <= 3  # the plain frame
    changes = [np.abs(frames[strength] - GREY).max() for strength in (30, 60, 100)]
    assert 20 < changes[0] < changes[1] - 20 < changes[2] - 40


def test_the_overlay_of_each_cluster_is_that_of_draw_py(opened):
    opened.uncheck("#boxes")
    for cluster in (0, 1):
        heat = relative(maps_of(IN_ORDER[0])[cluster])
        opened.locator("[name=cluster]").nth(cluster).check()
        content = opened.eval_on_selector("[data-number='0'] canvas", "canvas => canvas.toDataURL()")
        with Image.open(io.BytesIO(base64.b64decode(content.partition(",")[2]))) as image:
            drawn = np.asarray(image).astype(float)  # RGBA
        opacity = drawn[..., 3:] / 255
        # Browsers keep few digits of a color that is nearly transparent, so compare its contribution.
        assert np.abs((drawn[..., :3] - colorize(heat, 96, 96)) * opacity).max() <= 4
        assert np.abs(opacity[..., 0] - resized(heat, 96, 96)).max() <= 1.1 / 255
        pixels = pixels_of(opened, 0)
        row, column = np.unravel_index(heat.argmax(), (4, 5))
        y, x = round((row + 0.5) / 4 * pixels.shape[0]), round((column + 0.5) / 5 * pixels.shape[1])
        hottest = colorize(np.ones((1, 1)), 1, 1)[0, 0]
        assert pixels[y, x] == pytest.approx(STRENGTH * hottest + (1 - STRENGTH) * GREY, abs=12)


def test_audio_lasts_a_second_and_plays_one_at_a_time(opened):
    players = opened.locator("audio")
    assert players.count() == 12  # the missing video has none
    for number in (0, 11):
        players.nth(number).scroll_into_view_if_needed()
        wait_until(opened, "number => document.querySelectorAll('audio')[number].readyState >= 1", number)
        assert players.nth(number).evaluate("audio => audio.duration") == pytest.approx(1, abs=0.1)
    for number in (10, 11):  # browsers play only after a key is pressed
        players.nth(number).evaluate("audio => { audio.loop = true; audio.focus(); }")
        opened.keyboard.press("Space")
        wait_until(opened, "number => !document.querySelectorAll('audio')[number].paused", number)
    wait_until(opened, "document.querySelectorAll('audio')[10].paused")
    opened.set_viewport_size({"width": 375, "height": 300})  # cards far from the window hold no audio
    opened.evaluate("window.scrollTo(0, 0)")
    wait_until(opened, "document.querySelectorAll('audio[src]').length < 6")


def test_the_page_can_be_used_by_keyboard(opened):
    reached = []
    while "audio" not in reached and len(reached) < 40:
        opened.keyboard.press("Tab")
        reached.append(opened.evaluate("document.activeElement.id || document.activeElement.localName"))
    filters = ["sort", "video", "label", "lowest", "highest"]
    assert [name for name in reached if name in filters] == filters
    assert {"a", "summary", "button", "strength", "boxes", "audio"} <= set(reached)
    opened.focus("#strength")
    opened.keyboard.press("ArrowRight")
    assert opened.inner_text("#strength-text") == f"{round(100 * STRENGTH) + 5} %"
    opened.focus("[name=cluster]:checked")
    opened.keyboard.press("ArrowRight")
    assert opened.input_value("[name=cluster]:checked") == "1"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_readable_on_a_phone_in_both_color_schemes(browser, written, scheme):
    red_of = "([selector, name]) => +getComputedStyle(document.querySelector(selector))[name].match(/\\d+/)[0]"
    with open_page(browser, written, PHONE, color_scheme=scheme, is_mobile=True) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert page.evaluate("window.innerWidth") == PHONE["width"]  # nothing has widened the page
        lefts = page.eval_on_selector_all("#gallery > li", "all => all.map(one => one.getBoundingClientRect().left)")
        assert len(set(lefts)) == 1  # one column
        ground = page.evaluate(red_of, ["body", "backgroundColor"])
        inks = [page.evaluate(red_of, args) for args in (["body", "color"], [".panel text", "fill"])]
    assert (min(inks) > 200 > 60 > ground) if scheme == "dark" else (max(inks) < 60 < 200 < ground)
