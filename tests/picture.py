"""Takes the picture of a report that the READMEs show: `make picture`."""

import browser

from lib.core import paths

REPORT = "03_greedy_vs_top_k"
SIZE = (1200, 860)


def main() -> None:
    """Writes `outputs/cpu/report.png`."""
    folder = paths.outputs() / "cpu"
    with browser.opened() as chromium, browser.page_of(chromium, folder / REPORT / "report.html", SIZE) as (page, _):
        page.screenshot(path=folder / "report.png")


if __name__ == "__main__":
    main()
