"""The report in a real browser: on a desk, on a phone, on paper, in light and dark, by keyboard, without scripts."""

import pytest
from browser import CUT_OFF, OVERFLOWING, PALE, chromium, open_all, view
from reported import HEAD, LEMMA, NAMES, evidence_written, report_written

# One worker, so that one browser is started.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PAPER = 673
"""The pixels between the margins of a sheet of A4."""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    return report_written(evidence_written(folder / "evidence.json"), folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def driver():
    with chromium() as driver:
        yield driver


@pytest.fixture
def page(driver, address):
    """The report, just opened."""
    view(driver, 1100)
    driver.get("about:blank")
    driver.get(address)
    return driver


def shown(page):
    """The names of the theorems whose pages are shown."""
    return page.execute_script(
        "return [...document.querySelectorAll('article.theorem')].filter(each => each.getClientRects().length)"
        ".map(each => each.id)"
    )


def pressed(page, key):
    """What has the focus after the key."""
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(page).send_keys(key).perform()
    return page.switch_to.active_element


def test_the_console_has_no_message(page):
    assert page.get_log("browser") == []


def test_the_console_would_show_an_error(page):
    page.execute_script("console.error('seen')")
    assert len(page.get_log("browser")) == 1


@pytest.mark.parametrize("width", [320, 360, 768, 1100])
def test_nothing_sticks_out_of_the_page(page, width):
    view(page, width)
    open_all(page)
    assert page.execute_script(OVERFLOWING) == []
    assert page.execute_script("return document.documentElement.scrollWidth") == width


def test_what_sticks_out_of_the_page_is_found(page):
    view(page, 360)
    page.execute_script("document.querySelector('h1').style.width = '400px'")
    assert page.execute_script(OVERFLOWING) == ["H1."]


def test_nothing_is_cut_off_on_paper(page):
    open_all(page)
    view(page, PAPER, media="print")
    assert page.execute_script(CUT_OFF) == []


def test_what_is_cut_off_on_paper_is_found(page):
    view(page, PAPER, media="print")
    page.execute_script("document.querySelector('.matrix table').style.width = '900px'")
    assert any(each.startswith("TABLE") for each in page.execute_script(CUT_OFF))


def test_a_folded_proof_is_printed(page):
    is_seen = "return document.querySelector('.proof .step').checkVisibility()"
    assert not page.execute_script(is_seen)
    view(page, PAPER, media="print")
    assert page.execute_script(is_seen)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_a_contrast_of_four_and_a_half(page, scheme):
    view(page, 1100, scheme=scheme)
    open_all(page)
    assert page.execute_script(PALE) == []


def test_a_pale_text_is_found(page):
    page.execute_script("document.querySelector('h1').style.color = '#999'")
    assert [place for place, _ in page.execute_script(PALE)] == ["H1."]


def test_dark_is_dark_and_light_is_light(page):
    colour = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    light = page.execute_script(colour)
    view(page, 1100, scheme="dark")
    assert min(light) > 240
    assert max(page.execute_script(colour)) < 40


def test_every_link_leads_to_a_place_that_is_shown(page):
    missing = page.execute_script(
        "return [...document.querySelectorAll('a')].map(each => each.getAttribute('href')).filter(each => {"
        "const target = document.getElementById(each.slice(1));"
        "return each[0] !== '#' || !target || !target.getClientRects().length; })"
    )
    assert missing == []


def test_the_first_tab_leads_to_a_visible_link_that_skips_to_the_catalogue(page):
    from selenium.webdriver.common.keys import Keys

    first = pressed(page, Keys.TAB)
    assert first.text == "Skip to the catalogue"
    assert page.execute_script("return arguments[0].getBoundingClientRect().left >= 0", first)
    pressed(page, Keys.ENTER)
    assert page.execute_script("return location.hash") == "#catalogue"
    assert pressed(page, Keys.TAB).get_attribute("id") == "filter-text"


def test_the_focus_goes_down_the_page_and_is_seen(page):
    from selenium.webdriver.common.keys import Keys

    place = (
        "const all = [...document.querySelectorAll('a, input, summary')].filter(each => each.checkVisibility());"
        "return [all.indexOf(arguments[0]), getComputedStyle(arguments[0]).outlineStyle]"
    )
    for number in range(25):
        assert page.execute_script(place, pressed(page, Keys.TAB)) == [number, "solid"]


def test_the_filter_leaves_the_theorems_with_its_words(page):
    page.find_element("id", "filter-text").send_keys("linear attention_head takes")
    assert shown(page) == [HEAD]
    assert page.find_element("css selector", "output").text == "1 shown"
    assert len(page.find_elements("css selector", ".catalogue tr[data-theorem]:not([hidden])")) == 1


def test_the_filter_reads_the_headings_of_papers_and_the_statements(page):
    heading, statement = page.execute_script(
        "const article = document.getElementById(arguments[0]);"
        "return [article.closest('.chapter').querySelector('h2'), article.querySelector('.statement')]"
        ".map(each => each.textContent)",
        LEMMA,
    )
    for words in (heading, statement):
        page.execute_script(
            "const input = document.getElementById('filter-text'); input.value = arguments[0];"
            "input.dispatchEvent(new Event('input'))",
            words,
        )
        assert LEMMA in shown(page)
        assert len(shown(page)) < len(NAMES)


def test_the_filter_says_that_nothing_matches(page):
    page.find_element("id", "filter-text").send_keys("zebra")
    assert shown(page) == []
    assert page.find_element("css selector", "output").text == "No theorem has all of these words"


def test_a_link_to_a_theorem_that_is_filtered_out_ends_the_filter(page):
    page.find_element("id", "filter-text").send_keys("linear head")
    page.execute_script("location.hash = arguments[0]", LEMMA)
    page.execute_async_script("setTimeout(arguments[0], 50)")
    assert set(shown(page)) == set(NAMES)


def test_a_page_without_scripts_has_everything_but_the_filter(page, address):
    page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.get(address)
        assert not page.find_element("id", "filter").is_displayed()
        assert page.find_element("id", HEAD).is_displayed()
        page.find_element("css selector", f"#{HEAD} summary").click()
        assert page.find_element("css selector", f"#{HEAD} .step").is_displayed()
    finally:
        page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_a_fraction_is_drawn_as_one(page):
    above, below = page.execute_script(
        "return [...document.querySelector('.matrix mfrac').children].map(each => each.getBoundingClientRect())"
    )
    assert above["bottom"] <= below["top"]
