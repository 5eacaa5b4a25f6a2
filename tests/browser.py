"""A real browser for the tests: the Chromium of the system, without a network."""

import contextlib
import functools
import os
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = "no Chromium: install chromium, or run `make browser`, or name one in CHROMIUM"
PHONE, WIDE = (390, 844), (1440, 900)


def executable() -> str | None:
    """Where a Chromium is: what `CHROMIUM` names, one of the system, or one that Playwright has fetched."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found:
        return found
    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
    return str(own) if own.is_file() else None


@contextlib.contextmanager
def opened():
    """A Chromium, for as long as the block runs."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable(), args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@functools.cache
def _context(chromium, touch: bool, script: bool):
    """One context for all pages of a kind: Chromium starts a process for each, which takes longer than the page."""
    return chromium.new_context(offline=True, has_touch=touch, java_script_enabled=script)


@contextlib.contextmanager
def page_of(chromium, file: Path, size: tuple[int, int] = WIDE, dark: bool = False, script: bool = True):
    """A page opened from disk with the network off.

    Yields:
        The page, and a list of what went wrong: errors on the console, and every request but for the page itself.
    """
    page, wrong = _context(chromium, size == PHONE, script).new_page(), []
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme="dark" if dark else "light")
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on(
        "request",
        lambda request: None if request.url.startswith(("data:", file.as_uri())) else wrong.append(request.url),
    )
    page.goto(file.as_uri())
    yield page, wrong
    page.close()


def overflow(page) -> int:
    """By how many pixels a page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
