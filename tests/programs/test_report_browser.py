"""The page about a run in a real browser, as a person uses it: Debian's chromium, driven by playwright.

Where there is no browser these tests are skipped, except where DMC_BROWSER_TEST is set, as by .ci/run.
"""

import base64
import io
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from metrics.annotations import parse_frame, read_annotations
from metrics.evaluate import score_run
from metrics.runs import read_run
from metrics.scores import resized
from tests.fixtures.report_set import CLASSES, KEYS, NAMES, make_report_set, make_run, maps_of
from vis import report
from vis.overlay import STRENGTH, heat_picture, relative

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 375, "height": 740}
EDGE = 12  # pixels of a picture in which the card's rounded corners lie
IN_ORDER = sorted(KEYS, key=parse_frame)


def unavailable(reason: str) -> None:
    """Skip, or fail where a browser has to be there."""
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
        # As root, as in containers, it starts without its sandbox only; the page is our own.
        launched = playwright.chromium.launch(executable_path=path, args=QUIET, chromium_sandbox=os.geteuid() != 0)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def written(browser, tmp_path_factory) -> Path:
    """A page with everything; its run and data set lie beside it."""
    folder = tmp_path_factory.mktemp("report")
    make_report_set(folder / "set")
    (folder / "set" / "video" / f"{NAMES[3]}.mp4").unlink()
    dmc_pkl = make_run(folder / "run")
    options = [str(dmc_pkl), "--data_dir", str(folder / "set"), "--run", str(dmc_pkl.parent)]
    assert report.main(options) == 1  # as a video is gone
    return dmc_pkl.with_name("dmc.html")


def open_page(browser, written: Path, viewport: dict[str, int] = DESKTOP, **options: object):
    """The page, and a list into which everything goes that the browser complains of or asks for elsewhere."""
    page = browser.new_context(viewport=viewport, offline=True, **options).new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(request.url[:100]))
    page.on("request", lambda request: request.url.startswith(("file:", "data:")) or complaints.append(request.url))
    page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
    page.goto(written.as_uri())
    return page, complaints


@pytest.fixture
def opened(browser, written):
    page, complaints = open_page(browser, written)
    yield page
    assert complaints == []
    page.context.close()


def wait_until(page, condition: str, argument: object = None) -> None:
    """Ask again and again; the page's own policy forbids what Playwright's `wait_for_function` does after the first."""
    deadline = time.monotonic() + 30
    while not page.evaluate(condition, argument):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(50)


def shown(page) -> list[str]:
    """Keys of the pictures that can be seen, in the order in which they are."""
    numbers = page.eval_on_selector_all(
        "#gallery > li",
        """cards => cards.filter(card => card.checkVisibility())
            .sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top
                || a.getBoundingClientRect().left - b.getBoundingClientRect().left)
            .map(card => Number(card.dataset.number))""",
    )
    return [IN_ORDER[number] for number in numbers]


def scores_of(written: Path) -> dict[str, float]:
    maps = read_run(written.with_suffix(".pkl"))
    annotations = read_annotations(written.parents[1] / "set" / "boxes.json")
    return {key: one["iou"] for key, one in score_run(maps.maps, 1, annotations).by_frame().items()}


def test_the_page_opens_without_a_complaint_or_a_question_to_the_network(browser, written):
    page, complaints = open_page(browser, written)
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    wait_until(page, "[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert complaints == [] and shown(page) == IN_ORDER
    assert page.title() == "What makes the sound: dmc.pkl"
    assert page.inner_text("#shown") == "16 of 16 pictures"
    page.context.close()


def test_sorting_reorders(opened, written):
    scores = scores_of(written)
    scored = [key for key in IN_ORDER if key in scores]
    unscored = [key for key in IN_ORDER if key not in scores]
    for value, sign in (("score,-1", -1), ("score,1", 1)):
        opened.select_option("#sort", value)
        assert shown(opened) == [*sorted(scored, key=lambda key: sign * scores[key]), *unscored] != IN_ORDER
    distances = read_run(written.with_suffix(".pkl")).distances
    opened.select_option("#sort", "distance,1")
    assert shown(opened) == sorted(KEYS, key=lambda key: distances[key][0])
    opened.select_option("#sort", "")
    assert shown(opened) == IN_ORDER


def test_filters_hide(opened, written):
    opened.select_option("#video", label=NAMES[1])
    assert shown(opened) == [key for key in IN_ORDER if key.startswith(f"{NAMES[1]}/")]
    assert opened.inner_text("#shown") == "4 of 16 pictures"
    opened.select_option("#video", "")
    label, videos = next(iter(CLASSES.items()))
    opened.select_option("#label", label=label)
    assert shown(opened) == [key for key in IN_ORDER if key.split("/")[0] in videos]
    opened.select_option("#label", "")
    scores = scores_of(written)
    lowest, highest = np.quantile(list(scores.values()), [0.3, 0.8])
    opened.fill("#lowest", f"{lowest:.3f}")
    opened.fill("#highest", f"{highest:.3f}")
    kept = [key for key in IN_ORDER if key in scores and round(lowest, 3) <= scores[key] <= round(highest, 3)]
    assert shown(opened) == kept and 0 < len(kept) < len(scores)
    opened.fill("#lowest", "0.999")
    assert shown(opened) == [] and opened.is_visible("#nothing")
    opened.click("button[type=reset]")
    wait_until(opened, "document.querySelector('#shown').textContent.startsWith('16 ')")
    assert shown(opened) == IN_ORDER and not opened.is_visible("#nothing")


def picture_of(page, number: int) -> np.ndarray:
    """What the browser shows of a frame and its map, float [H, W, 3]."""
    with Image.open(io.BytesIO(page.locator(f"[data-number='{number}'] .picture").screenshot())) as picture:
        return np.asarray(picture.convert("RGB")).astype(float)


def test_the_slider_changes_the_overlay(opened):
    opened.uncheck("#boxes")
    pictures = {}
    for strength in (0, 30, 60, 100):
        opened.fill("#strength", str(strength))
        assert opened.inner_text("#strength-text") == f"{strength} %"
        pictures[strength] = picture_of(opened, 0)[EDGE:-EDGE, EDGE:-EDGE]
    assert np.abs(pictures[0] - 100).max() <= 3  # the grey frame alone
    changes = [np.abs(pictures[strength] - 100).max() for strength in (30, 60, 100)]
    assert 20 < changes[0] < changes[1] - 20 < changes[2] - 40


def test_the_overlay_is_that_of_draw_py_and_the_switch_changes_its_cluster(opened):
    opened.uncheck("#boxes")
    key = KEYS.index(IN_ORDER[0])
    for cluster in (0, 1):
        opened.locator("[name=cluster]").nth(cluster).check()
        content = opened.eval_on_selector("[data-number='0'] canvas", "canvas => canvas.toDataURL()")
        with Image.open(io.BytesIO(base64.b64decode(content.partition(",")[2]))) as picture:
            drawn = np.asarray(picture).astype(float)  # RGBA
        expected = heat_picture(relative(maps_of(key)[cluster]), 96, 96).astype(float)
        opacity = drawn[..., 3:] / 255
        # Where it is nearly transparent, browsers keep few digits of a colour: what counts is what is added.
        assert np.abs(drawn[..., :3] - expected)[opacity[..., 0] > 0.5].max() <= 8
        assert np.abs((drawn[..., :3] - expected) * opacity).max() <= 4
        assert np.abs(opacity[..., 0] - resized(relative(maps_of(key)[cluster]), 96, 96)).max() <= 1.1 / 255
        shown_picture = picture_of(opened, 0)
        height, width = shown_picture.shape[:2]
        hot = np.unravel_index(maps_of(key)[cluster].argmax(), (4, 5))
        y, x = round((hot[0] + 0.5) / 4 * height), round((hot[1] + 0.5) / 5 * width)
        find_peak = heat_picture(np.ones((1, 1)), 1, 1)[0, 0]
        assert shown_picture[y, x] == pytest.approx(STRENGTH * find_peak + (1 - STRENGTH) * 100, abs=12)


def test_boxes_can_be_switched_off(opened):
    with_boxes = picture_of(opened, 15)
    opened.uncheck("#boxes")
    assert np.abs(with_boxes - picture_of(opened, 15)).max() > 80


def test_sounds_have_a_duration_and_play_one_at_a_time(opened):
    sounds = opened.locator("audio")
    assert sounds.count() == 12  # of the video that is gone there are none
    for number in range(12):
        sounds.nth(number).scroll_into_view_if_needed()
        sounds.nth(number).evaluate(
            """audio => new Promise((resolve, reject) => {
                if (audio.readyState >= 1) resolve();
                audio.onloadedmetadata = resolve;
                audio.onerror = () => reject(audio.error?.message);
            })"""
        )
        assert sounds.nth(number).evaluate("audio => audio.duration") == pytest.approx(1, abs=0.1)
    for number in (10, 11):  # as browsers want it, by a key that a person presses
        sounds.nth(number).evaluate("audio => { audio.loop = true; audio.focus(); }")
        opened.keyboard.press("Space")
        wait_until(opened, "number => !document.querySelectorAll('audio')[number].paused", number)
    wait_until(opened, "document.querySelectorAll('audio')[10].paused")  # told to once the other one plays


def test_a_gallery_that_is_far_away_holds_no_players(opened):
    opened.set_viewport_size({"width": 375, "height": 300})
    opened.evaluate("window.scrollTo(0, 0)")
    wait_until(opened, "document.querySelectorAll('audio[src]').length < 6")


def test_everything_can_be_reached_and_used_by_keyboard(opened):
    reached = []
    for _ in range(40):
        opened.keyboard.press("Tab")
        reached.append(opened.evaluate("document.activeElement.id || document.activeElement.localName"))
        if reached[-1] == "audio":
            break
    assert [name for name in reached if name in ("sort", "video", "label", "lowest", "highest")] == [
        "sort",
        "video",
        "label",
        "lowest",
        "highest",
    ]
    assert {"a", "summary", "button", "strength", "boxes", "audio"} <= set(reached)
    opened.focus("#strength")
    opened.keyboard.press("ArrowRight")
    assert opened.inner_text("#strength-text") == f"{round(100 * STRENGTH) + 5} %"
    opened.focus("[name=cluster]:checked")
    opened.keyboard.press("ArrowRight")
    assert opened.input_value("[name=cluster]:checked") == "1"


def test_it_can_be_read_on_a_phone_and_in_the_dark(browser, written):
    grounds = {}
    for scheme in ("light", "dark"):
        page, complaints = open_page(browser, written, PHONE, color_scheme=scheme, is_mobile=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert page.evaluate("window.innerWidth") == PHONE["width"]  # nothing has widened the page
        lefts = page.eval_on_selector_all("#gallery > li", "all => all.map(one => one.getBoundingClientRect().left)")
        assert len(set(lefts)) == 1  # one column
        grounds[scheme] = page.evaluate(
            """() => ['backgroundColor', 'color'].map(name =>
                getComputedStyle(document.body)[name].match(/\\d+/g).map(Number)[0])"""
        )
        assert complaints == []
        page.context.close()
    assert grounds["light"][0] > 200 > 60 > grounds["light"][1]
    assert grounds["dark"][0] < 60 < 200 < grounds["dark"][1]
