import subprocess
import sys
from pathlib import Path

import pytest
import servers

from lib.core import paths
from lib.core.errors import UserError
from lib.data import cache as caches
from lib.data import downloads


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("REPORT_CACHE", str(tmp_path / "cache"))
    return paths.cache()


def writes(content: str) -> list[str]:
    """A command that leaves a file with this content in its working directory."""
    return [sys.executable, "-c", f"open('it.whl', 'w').write({content!r})"]


def left_in(cache):
    """What lies in the cache, without the empty folder for what is not done."""
    own = (".lock", caches.UNFINISHED, paths.CACHE_MARK)
    return [path for path in cache.rglob("*") if path.name not in own]


DIGEST = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"  # of "hello"


def test_a_file_is_kept_and_not_fetched_twice(cache):
    first = downloads._fetch("a.whl", "*.whl", writes("hello"), DIGEST)
    assert first == cache / "packages" / "a.whl"
    assert downloads._fetch("a.whl", "*.whl", ["false"], DIGEST) == first


def test_a_damaged_file_in_the_cache_is_fetched_again(cache):
    file = downloads._fetch("a.whl", "*.whl", writes("hello"), DIGEST)
    file.write_text("hel")
    assert downloads._fetch("a.whl", "*.whl", writes("hello"), DIGEST).read_text() == "hello"


LEAVES = """
import sys, time
from lib.data import cache as caches
from lib.data import downloads
with downloads.scratch() as folder:
    (folder / "half").touch()
    print(folder, flush=True)
    time.sleep(100)
"""


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_uses_is_not(cache):
    process = subprocess.Popen([sys.executable, "-c", LEAVES], cwd=paths.ROOT, stdout=subprocess.PIPE, text=True)
    left = Path(process.stdout.readline().strip())
    with downloads.scratch() as own:
        assert (left / "half").exists() and own.parent == left.parent == cache / caches.UNFINISHED
    assert not own.exists()
    process.kill()
    process.communicate()
    assert left.exists()
    with downloads.scratch() as own:
        assert not left.exists() and own.is_dir()


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


def test_report_offline_keeps_everyone_from_being_asked(cache, monkeypatch):
    kept = downloads._fetch("a.whl", "*.whl", writes("hello"), DIGEST)
    with servers.serve(lambda request: (200, {}, b"")) as server:
        monkeypatch.setenv(downloads.OFFLINE, "1")
        assert not downloads.reachable(server.address)
        assert server.requests == []
    assert downloads._fetch("a.whl", "*.whl", ["false"], DIGEST) == kept
    with pytest.raises(UserError, match=r"b.whl is not in the cache, and REPORT_OFFLINE is set, so touch does not"):
        downloads._fetch("b.whl", "*.whl", ["touch", str(cache / "asked")], DIGEST)
    assert not (cache / "asked").exists()


def test_reachable_asks_a_server_and_gives_up_on_none(monkeypatch):
    monkeypatch.setattr(downloads, "PROBE_SECONDS", 1)
    with servers.serve(lambda request: (403, {}, b"")) as server:
        assert downloads.reachable(server.address)
    assert not downloads.reachable(server.address)
    with servers.serve(None, hangs=True) as server:
        assert not downloads.reachable(server.address)


@pytest.fixture
def repository(tmp_path, commit):
    """A git repository with two folders, and its first commit."""
    folder = tmp_path / "repository"
    for name in ("全唐诗", "others"):
        (folder / name).mkdir(parents=True)
        (folder / name / "a.json").write_text("1")

    first = commit(folder)
    (folder / "全唐诗" / "a.json").write_text("2")
    commit(folder)
    return f"file://{folder}", first


def test_git_folder_takes_the_pinned_commit_and_the_folder_only(cache, repository):
    address, commit = repository
    folder = downloads.git_folder(address, commit, "全唐诗", "poems")
    assert (folder / "a.json").read_text() == "1"
    assert not (folder.parent / "others").exists()
    assert downloads.git_folder("file:///nowhere", commit, "全唐诗", "poems") == folder  # from the cache


def test_a_damaged_checkout_is_fetched_again(cache, repository):
    address, commit = repository
    folder = downloads.git_folder(address, commit, "全唐诗", "poems")
    (folder / "a.json").write_text("")
    assert (downloads.git_folder(address, commit, "全唐诗", "poems") / "a.json").read_text() == "1"


def test_a_git_server_that_hangs_or_refuses_is_given_up(cache, monkeypatch):
    monkeypatch.setattr(downloads, "GIT_LIMITS", downloads.GIT_LIMITS | {"GIT_HTTP_LOW_SPEED_TIME": "2"})
    with (
        servers.serve(None, hangs=True) as server,
        pytest.raises(UserError, match="git could not fetch poems") as error,
    ):
        downloads.git_folder(f"{server.address}/poems.git", "0" * 40, "全唐诗", "poems")
    assert "too slow" in str(error.value)
    with servers.serve(lambda request: (403, {}, b"")) as server, pytest.raises(UserError, match="403"):
        downloads.git_folder(f"{server.address}/poems.git", "0" * 40, "全唐诗", "poems")
    assert left_in(cache) == []


def test_git_folder_tells_what_is_missing_and_leaves_nothing(cache, repository):
    address, commit = repository
    with pytest.raises(UserError, match="git could not fetch poems at commit 000000000000"):
        downloads.git_folder(address, "0" * 40, "全唐诗", "poems")
    with pytest.raises(UserError, match="has no folder 'missing'"):
        downloads.git_folder(address, commit, "missing", "poems")
    assert left_in(cache) == []
