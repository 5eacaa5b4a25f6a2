"""Escape generated text, which is untrusted: a page shows it as visible text, never as markup or as a command."""

import html
import re

# Characters without a shape, or that move the text around them: controls except tab and line feed, marks of the
# writing direction (Unicode Standard Annex 9), separators of lines and paragraphs, halves of surrogate pairs.
UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\ud800-\udfff]"
)
# What is markup anywhere (an underscore is none inside a word), what is markup at the beginning of a line, and what
# turns an address into a link.
MARKDOWN = re.compile(r"[\\`*\[\]|~<>&$]|(?<![^\W_])_|_(?![^\W_])|^\s+|^\s*[#+=-]|^\s*\d+[.)]|:(?=//)|(?<=www)\.|@")


def visible(text: str) -> str:
    """Make every character of a text visible.

    Args:
        text: Any text, lone surrogates included.

    Returns:
        The text, with control characters as their Unicode symbols (`␛`), and other characters without a shape as their
        number (`[U+202E]`).
    """
    return UNSEEN.sub(_sign, text.replace("\r\n", "\n"))


def as_html(text: str) -> str:
    """Format a text as HTML: visible, escaped, with a line break for every line feed."""
    return html.escape(visible(text)).replace("\n", "<br>")


def attribute(text: str) -> str:
    """Format a text as the value of an attribute: visible and escaped."""
    return html.escape(visible(text))


def as_markdown(text: str) -> str:
    """Format a line as Markdown that shows it literally: visible, and with character references for markup."""
    return MARKDOWN.sub(lambda sign: "".join(f"&#{ord(character)};" for character in sign[0]), visible(text))


def _sign(match: re.Match) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"[U+{code:04X}]"
