import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from lib import downloads, paths
from lib.errors import UserError


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("REPORT_CACHE", str(tmp_path / "cache"))
    return paths.cache()


def writes(content: str) -> list[str]:
    """A command that leaves a file with this content in its working directory."""
    return [sys.executable, "-c", f"open('it.whl', 'w').write({content!r})"]


DIGEST = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"  # of "hello"


def test_a_file_is_kept_and_not_fetched_twice(cache):
    first = downloads._fetch("a.whl", "*.whl", writes("hello"), DIGEST)
    assert first == cache / "packages" / "a.whl"
    assert downloads._fetch("a.whl", "*.whl", ["false"], DIGEST) == first


def test_a_damaged_file_in_the_cache_is_fetched_anew(cache):
    file = downloads._fetch("a.whl", "*.whl", writes("hello"), DIGEST)
    file.write_text("hel")
    assert downloads._fetch("a.whl", "*.whl", writes("hello"), DIGEST).read_text() == "hello"


def test_another_file_than_the_pinned_one_is_refused_and_not_kept(cache):
    with pytest.raises(UserError, match="another file"):
        downloads._fetch("a.whl", "*.whl", writes("hullo"), DIGEST)
    assert list((cache / "packages").iterdir()) == []


def test_a_missing_tool_is_named(cache, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="npm is not installed"):
        downloads.npm_tarball("chinese-poetry", "2.0.1", DIGEST)


def test_a_registry_that_cannot_be_reached_is_told_without_its_password(cache, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://user:secret@127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_NO_INDEX", "0")
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match="pip could not fetch") as error:
        downloads.pypi_wheel("no-such-package-anywhere", "1.0", DIGEST)
    assert "secret" not in str(error.value)


def test_an_npm_registry_that_refuses_is_told(cache, monkeypatch):
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    with pytest.raises(UserError, match="npm could not fetch"):
        downloads.npm_tarball("chinese-poetry", "2.0.1", DIGEST)


def test_without_secrets():
    assert downloads.without_secrets("at https://me:pw@host/x and http://host") == "at https://host/x and http://host"


def test_reachable_asks_a_server_and_gives_up_on_none():
    class Refuses(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_error(403)

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Refuses)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    assert downloads.reachable(address)
    server.shutdown()
    server.server_close()
    assert not downloads.reachable(address)


@pytest.fixture
def repository(tmp_path):
    """A git repository with two folders, and its first commit."""
    folder = tmp_path / "repository"
    for name in ("全唐诗", "others"):
        (folder / name).mkdir(parents=True)
        (folder / name / "a.json").write_text("1")

    def git(*arguments):
        command = ["git", "-C", str(folder), "-c", "user.name=test", "-c", "user.email=test@localhost", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    git("config", "uploadpack.allowFilter", "true")
    git("config", "uploadpack.allowAnySHA1InWant", "true")
    git("add", ".")
    git("commit", "--quiet", "-m", "first")
    first = git("rev-parse", "HEAD")
    (folder / "全唐诗" / "a.json").write_text("2")
    git("commit", "--quiet", "-am", "second")
    return f"file://{folder}", first


def test_git_folder_takes_the_pinned_commit_and_the_folder_only(cache, repository):
    address, commit = repository
    folder = downloads.git_folder(address, commit, "全唐诗", "poems")
    assert (folder / "a.json").read_text() == "1"
    assert not (folder.parent / "others").exists()
    assert downloads.git_folder("file:///nowhere", commit, "全唐诗", "poems") == folder  # from the cache


def test_git_folder_tells_what_is_missing_and_leaves_nothing(cache, repository):
    address, commit = repository
    with pytest.raises(UserError, match="git could not fetch poems at commit 000000000000"):
        downloads.git_folder(address, "0" * 40, "全唐诗", "poems")
    with pytest.raises(UserError, match="has no folder 'missing'"):
        downloads.git_folder(address, commit, "missing", "poems")
    assert list(cache.iterdir()) == []
