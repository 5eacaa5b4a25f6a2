"""Packages and git repositories made on this machine, in place of the real ones."""

import io
import subprocess
import tarfile

import pytest


@pytest.fixture
def pack(tmp_path):
    """Writes a tarball with these files, by their path inside it."""

    def write(files):
        tarball = tmp_path / "package.tgz"
        with tarfile.open(tarball, "w:gz") as archive:
            for path, content in files.items():
                info = tarfile.TarInfo(path)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return tarball

    return write


@pytest.fixture
def commit():
    """Commits what lies in a folder, of which it makes a git repository if need be; returns the commit's id."""

    def run(folder):
        def git(*arguments):
            command = ["git", "-C", str(folder), "-c", "user.name=test", "-c", "user.email=test@localhost", *arguments]
            return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

        git("init", "--quiet")
        git("config", "uploadpack.allowFilter", "true")
        git("config", "uploadpack.allowAnySHA1InWant", "true")
        git("add", ".")
        git("commit", "--quiet", "-m", "test")
        return git("rev-parse", "HEAD")

    return run
