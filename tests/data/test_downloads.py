import subprocess
import sys
from pathlib import Path

import pytest
import servers

from lib.core import paths
from lib.core.errors import UserError
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
    return [path for path in cache.rglob("*") if path.name not in (".lock", downloads.UNFINISHED)]


DIGEST = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"  # of "hello"


def test_a_file_is_kept_and_not_fetched_twice(cache):
    first = downloads._fetch("a.whl", "*.whl", writes("hello"), DIGEST)
    assert first == cache / "packages" / "a.whl"
    assert downloads._fetch("a.whl", "*.whl", ["false"], DIGEST) == first


def test_a_damaged_file_in_the_cache_is_fetched_anew(cache):
    file = downloads._fetch("a.whl", "*.whl", writes("hello"), DIGEST)
    file.write_text("hel")
    assert downloads._fetch("a.whl", "*.whl", writes("hello"), DIGEST).read_text() == "hello"


LEAVES = """
import sys, time
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
        assert (left / "half").exists() and own.parent == left.parent == cache / downloads.UNFINISHED
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


def test_reachable_asks_a_server_and_gives_up_on_none(monkeypatch):
    monkeypatch.setattr(downloads, "PROBE_SECONDS", 1)
    with servers.serve(lambda request: (403, {}, b"")) as server:
        assert downloads.reachable(server.address)
    assert not downloads.reachable(server.address)
    with servers.serve(None, hangs=True) as server:
        assert not downloads.reachable(server.address)


CONTENT = bytes(range(256)) * 10_000  # 2.56 MB


def test_a_file_from_the_web_is_fetched_whole(tmp_path):
    with servers.serve(lambda request: (200, {}, CONTENT)) as server:
        file = downloads.web_file(f"{server.address}/a", tmp_path / "new" / "a")
    assert file.read_bytes() == CONTENT
    assert [path.name for path in file.parent.iterdir()] == ["a"]


def test_a_fetch_that_breaks_off_is_gone_on_with(tmp_path, monkeypatch):
    """The server drops the connection after 1.2 MB each time."""
    monkeypatch.setattr(downloads, "ATTEMPTS", 2)
    with servers.serve(lambda request: (200, {}, CONTENT), sends=1_200_000) as server:
        with pytest.raises(UserError, match="goes on where it stopped"):
            downloads.web_file(f"{server.address}/a", tmp_path / "a")
        assert not (tmp_path / "a").exists()
        done = (tmp_path / "a.part").stat().st_size
        assert done >= 2**20
        server.sends = None
        downloads.web_file(f"{server.address}/a", tmp_path / "a")
        assert server.headers_seen[-1]["Range"] == f"bytes={done}-"
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_a_fetch_that_stalls_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "STALL_SECONDS", 1)
    monkeypatch.setattr(downloads, "ATTEMPTS", 1)
    with servers.serve(lambda request: (200, {}, CONTENT), sends=10, stalls=True) as server:  # noqa: SIM117
        with pytest.raises(UserError, match="Read timed out"):
            downloads.web_file(f"{server.address}/a", tmp_path / "a")


def test_a_whole_part_and_a_part_of_another_file_are_told_apart(tmp_path):
    with servers.serve(lambda request: (200, {}, CONTENT)) as server:
        (tmp_path / "a.part").write_bytes(CONTENT)
        assert downloads.web_file(f"{server.address}/a", tmp_path / "a").read_bytes() == CONTENT
        (tmp_path / "b.part").write_bytes(CONTENT + b"more")
        assert downloads.web_file(f"{server.address}/b", tmp_path / "b").read_bytes() == CONTENT


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_refusal_is_told_with_its_status_and_without_a_password(tmp_path, monkeypatch, status):
    monkeypatch.setattr(downloads, "ATTEMPTS", 1)
    with servers.serve(lambda request: (status, {}, b"")) as server:
        address = server.address.replace("//", "//me:topsecret@")
        with pytest.raises(UserError, match=f"answers {status}") as error:
            downloads.web_file(f"{address}/a", tmp_path / "a")
    assert "topsecret" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_sealed_folder_shows_what_is_missing_cut_or_changed(cache, tmp_path):
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    file = folder / "inner" / "春.json"
    for change, told in (
        (lambda: file.unlink(), "inner/春.json is missing"),
        (lambda: file.write_text("1"), "inner/春.json has 1 bytes, not 2"),
        (lambda: file.write_text("13"), "inner/春.json is not what was fetched"),
    ):
        file.write_text("12")
        downloads.seal(folder)
        assert downloads.damage(folder) == ""
        change()
        assert downloads.damage(folder).startswith(told)
        assert downloads.damage(folder) == ""  # a seal that does not fit is broken


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


def test_a_damaged_checkout_is_fetched_anew(cache, repository):
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
