"""Number the tables and figures of a page, and let its text refer to them.

Prose names a figure or a table by a link, such as `[the figure](#figure-loss)` or `[the table](#table-speeds)`. On a
page the link's text becomes "Figure 3" or "Table 2"; in JupyterLab, where cells run in any order, it stays as it is.
What is folded away has no number, so that none seems to be missing.
"""

import re

from lib.report.wording import say

CAPTION = re.compile(r'<(caption|figcaption)(?: id="(?:table|figure)-([^"]*)")?>(<span>)?')
FOLDED = re.compile(r'(<details class="more-table">.*?</details>)', re.DOTALL)
REFERENCE = re.compile(r'<a href="#((?:table|figure)-[^"]*)">.*?</a>', re.DOTALL)
KINDS = {"caption": "table", "figcaption": "figure"}


def number(page: str, language: str) -> str:
    """Number the captions of a page, and put the numbers into its references.

    Args:
        page: The page, as HTML.
        language: Its language.

    Returns:
        The page. A reference to what is not there keeps its text and loses its link.
    """
    counts, numbers = dict.fromkeys(KINDS.values(), 0), {}

    def caption(found: re.Match) -> str:
        kind = KINDS[found[1]]
        counts[kind] += 1
        told, name = say(f"numbered_{kind}", language, number=counts[kind]), f"{kind}-{found[2]}"
        if not found[2] or name in numbers:  # a view may stand on a page twice; references lead to the first
            name = f"{kind}-{counts[kind]}"
        numbers[name] = told
        return f'<{found[1]} id="{name}">{found[3] or ""}<b>{told}</b> '

    def reference(found: re.Match) -> str:
        if found[1] not in numbers:
            return re.sub("<[^>]*>", "", found[0])
        return f'<a href="#{found[1]}">{numbers[found[1]].rstrip(".：")}</a>'

    parts = FOLDED.split(page)
    parts[::2] = [CAPTION.sub(caption, part) for part in parts[::2]]
    return REFERENCE.sub(reference, "".join(parts))
