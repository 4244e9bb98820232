"""A headless Chromium, and what is looked for in a page that it shows."""

import shutil
from contextlib import contextmanager

OVERFLOWING = """
const width = document.documentElement.clientWidth;
const own = element => element.closest('.scroll, .formula, dd, pre, svg, .heard, .skip');
return [...document.querySelectorAll('body *')]
    .filter(element => element.getBoundingClientRect().right > width + 0.5 && !own(element))
    .map(element => `${element.tagName}.${element.className}`);
"""
"""What sticks out of the page on the right, unless it scrolls in a box of its own."""

CUT_OFF = """
const width = document.documentElement.clientWidth;
return [...document.querySelectorAll('math, table, svg, pre, p, dd')]
    .filter(element => !element.closest('[hidden], .heard') && element.getBoundingClientRect().right > width + 0.5)
    .map(element => `${element.tagName}.${element.className}: ${element.textContent.slice(0, 60)}`);
"""
"""What sticks out of a sheet of paper; nothing scrolls there."""

PALE = """
const channel = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const luminance = ([r, g, b]) => 0.2126 * channel(r / 255) + 0.7152 * channel(g / 255) + 0.0722 * channel(b / 255);
const rgb = colour => colour.match(/[\\d.]+/g).map(Number);
const behind = element => {
    for (let at = element; at; at = at.parentElement) {
        const colour = rgb(getComputedStyle(at).backgroundColor);
        if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
};
const found = new Map();
for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (!own || element.closest('[hidden], script, style, desc, title, .heard')) continue;
    const style = getComputedStyle(element);
    const front = rgb(element.closest('svg') ? style.fill : style.color);
    const [a, b] = [luminance(front), luminance(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.set(`${element.tagName}.${element.className.baseVal ?? element.className}`, ratio);
}
return [...found];
"""
"""The texts whose contrast with what is behind them is below 4.5, as WCAG counts it."""


@contextmanager
def chromium():
    """A driver of a headless Chromium without a sandbox, which root does not have."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def view(driver, width, height=900, scheme="light", media="screen"):
    """Shows the page in a window of that size, in light or dark, on the screen or as printed."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


def open_all(driver):
    """Unfolds everything."""
    driver.execute_script("for (const each of document.querySelectorAll('details')) each.open = true")
