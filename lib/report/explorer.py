"""Make the sampler explorer: sliders for temperature, k and p over next-token probabilities that the page holds.

The arithmetic is in `template/explorer.js`, which runs in the reader's browser and fetches nothing.
"""

import json
import math

from lib.core.records import NextTokens, SamplerExplorer
from lib.report import escaping, html, wording
from lib.report.wording import say

PER_NAT = 1000  # logarithms are whole thousandths of a nat, which is a twentieth of a percent of a probability
# Said by the script; a value in braces is filled in there.
SCRIPT = {"place": ("place", "places"), "written": ("token", "rank"), "kept": ("count", "cut")} | {
    "beyond": ("most", "cut"),
    "row_cut": (),
    "others": ("most",),
    "drawn": ("tokens",),
    "off": (),
    "other": (),
}
LABELS = ("title", "text", "position", "temperature", "k", "p", "so_far", "caption", "token", "chance", "draw")


def block(explorer: SamplerExplorer | None, language: str) -> str:
    """Make the explorer; `""` if its records are missing. Without a script only a sentence is shown.

    Args:
        explorer: The records.
        language: The language of the page.
    """
    if explorer is None:
        return ""
    words = {name: say(f"explorer_{name}", language) for name in (*LABELS, "without_script")}
    ends = say("explorer_suppressed" if explorer.suppressed else "explorer_not_suppressed", language)
    about = say("explorer_about", language, most=explorer.most, ends=ends)
    return html.explorer(words, about, as_json(data(explorer, language)))


def data(explorer: SamplerExplorer, language: str) -> dict:
    """Return what the script needs, without a character that has no shape."""
    said = {
        name: say(f"explorer_{name}", language, **{value: f"{{{value}}}" for value in values})
        for name, values in SCRIPT.items()
    }
    return {
        "say": said,
        "percent": "%" if language == "zh" else " %",
        "most": explorer.most,
        "temperatures": explorer.temperatures,
        "vocabulary": [token_shown(token) for token in explorer.vocabulary],
        "texts": [_text(one, language) for one in explorer.texts],
    }


def _text(one: NextTokens, language: str) -> dict:
    return {
        "name": escaping.visible(
            say("explorer_name", language, label=wording.label(one.label, language), prompt=one.prompt)
        ),
        "prompt": escaping.visible(one.prompt),
        "written": [escaping.visible(text) for text in one.written],
        "tokens": one.written_tokens,
        "ranks": one.written_ranks,
        "best": one.best,
        "fall": [falls(probabilities) for probabilities in one.probabilities],
        "rest": one.rest,
    }


def falls(probabilities: list[float]) -> list[int]:
    """Return by how much the logarithm of each probability is below the one before it; below 0 for the first.

    Numbers this small take half as much of the page as the probabilities.
    """
    least = min((one for one in probabilities if one > 0), default=1.0)  # of probabilities that are 0 in the records
    logs = [round(-PER_NAT * math.log(max(one, least))) for one in probabilities]
    return [log - before for log, before in zip(logs, [0, *logs], strict=False)]


def token_shown(token: str) -> str:
    """Return a token with its spaces and line breaks as signs."""
    return escaping.visible(token).replace(" ", "␣").replace("\n", "↵").replace("\t", "⇥")


def as_json(content) -> str:
    """Return JSON that can stand in a page's script element: no character in it begins or ends markup."""
    written = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return written.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
