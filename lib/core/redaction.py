"""Keep passwords and tokens out of parameters, notebooks, reports and logs."""

import contextlib
import html
import json
import os
import re
from pathlib import Path

SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|API_?KEY|_KEY$|^KEY$", re.IGNORECASE)
SHORTEST = 8  # characters; a shorter secret could be any word of a text
REMOVED = "[removed]"
TEXT_FILES = {".ipynb", ".html", ".json", ".csv", ".log", ".jsonl", ".svg", ".txt"}


def secrets() -> list[str]:
    """Collect the secrets: the values of environment variables with telling names, and the hubs' token files.

    Returns:
        The secrets, the longest first, so that none is removed from the middle of another.
    """
    found = {value.strip() for name, value in os.environ.items() if SECRET_NAME.search(name)}
    found |= set(re.findall(r"//[^/@\s:]*:([^/@\s]+)@", " ".join(os.environ.values())))
    hf_home = os.environ.get("HF_HOME") or f"{os.environ.get('XDG_CACHE_HOME') or '~/.cache'}/huggingface"
    kaggle = os.environ.get("KAGGLE_CONFIG_DIR") or "~/.kaggle"
    for file in (os.environ.get("HF_TOKEN_PATH") or f"{hf_home}/token", f"{kaggle}/access_token"):
        found.add(_read(file).strip())
    with contextlib.suppress(ValueError, KeyError, TypeError):
        found.add(str(json.loads(_read(f"{kaggle}/kaggle.json"))["key"]))
    # A variable may instead hold a switch, or the name of a file with the token: neither is a secret.
    return sorted((text for text in found if len(text) >= SHORTEST and not os.path.exists(text)), key=len)[::-1]


def clean(text: str) -> str:
    """Remove secrets from a text, and user names and passwords from its web addresses and headers."""
    for secret in secrets():
        text = text.replace(secret, REMOVED)
    text = re.sub(r"\b(Basic|Bearer) [\w.~+/=-]+", REMOVED, text)
    return re.sub(r"//[^/@\s]+@", "//", text)


def clean_folder(folder: Path) -> list[str]:
    """Remove secrets from the text files of a folder, recursively.

    Returns:
        The names of the files that held a secret.
    """
    hidden = [(form.encode(), REMOVED.encode()) for secret in secrets() for form in _forms(secret)]
    changed = []
    for file in sorted(path for path in Path(folder).rglob("*") if path.suffix in TEXT_FILES and path.is_file()):
        before = after = file.read_bytes()
        for secret, removed in hidden:
            after = after.replace(secret, removed)
        if after != before:
            file.write_bytes(after)
            changed.append(file.name)
    return changed


def _forms(secret: str) -> set[str]:
    """Return a secret as it appears in text, in JSON and in HTML."""
    return {secret, json.dumps(secret)[1:-1], html.escape(secret)}


def _read(file: str) -> str:
    """Return the text of a file; `""` if it does not exist, or if its path needs a home folder and there is none."""
    try:
        return Path(os.path.expanduser(file)).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
