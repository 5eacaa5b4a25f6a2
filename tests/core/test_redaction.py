import json
import pwd

import pytest

from lib.core import redaction


@pytest.fixture
def secrets(monkeypatch, tmp_path):
    """Fake tokens wherever a user may keep one."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("HF_HOME", "HF_TOKEN_PATH", "KAGGLE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_TOKEN", "hf_fakeFromEnvironment")
    monkeypatch.setenv("MY_API_KEY", 'quoted"&secret')
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:passwordInAddress@host/simple")
    (tmp_path / ".cache" / "huggingface").mkdir(parents=True)
    (tmp_path / ".cache" / "huggingface" / "token").write_text("hf_fakeFromFile\n")
    (tmp_path / ".kaggle").mkdir()
    (tmp_path / ".kaggle" / "kaggle.json").write_text(json.dumps({"username": "me", "key": "0123fakekaggle"}))
    (tmp_path / ".kaggle" / "access_token").write_text("KGAT_fakeaccess")
    return ["hf_fakeFromEnvironment", "passwordInAddress", "hf_fakeFromFile", "0123fakekaggle", "KGAT_fakeaccess"]


def test_tokens_of_environment_and_files_are_taken_out(secrets):
    for secret in secrets:
        assert redaction.clean(f"at {secret}!") == "at [removed]!"


def test_tokens_are_found_where_the_hubs_clients_look_for_them(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", "~/kaggle")
    monkeypatch.setenv("XDG_CACHE_HOME", "~/cache")
    for name in ("HF_HOME", "HF_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    for name in ("kaggle/access_token", "cache/huggingface/token", "hf/token", "file"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"secret of {name}")
    assert redaction.clean("secret of kaggle/access_token") == "[removed]"
    assert redaction.clean("secret of cache/huggingface/token") == "[removed]"
    monkeypatch.setenv("HF_HOME", "~/hf")
    assert redaction.clean("secret of hf/token") == "[removed]"
    monkeypatch.setenv("HF_TOKEN_PATH", "~/file")
    assert redaction.clean("secret of file") == "[removed]"


def test_without_a_home_folder_only_the_environment_has_secrets(secrets, monkeypatch):
    def unknown(uid):
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.delenv("HOME")
    assert redaction.clean(f"at {secrets[0]}!") == "at [removed]!"
    assert redaction.clean(f"at {secrets[2]}!") == f"at {secrets[2]}!"


def test_so_are_passwords_in_addresses_and_headers():
    assert redaction.clean("at https://me:pw@host/x and http://host") == "at https://host/x and http://host"
    assert redaction.clean("Authorization: Basic dXNlcjpw, Bearer abc.def") == "Authorization: [removed], [removed]"


def test_words_switches_and_paths_are_left(monkeypatch, tmp_path):
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    monkeypatch.setenv("SSL_KEY", str(tmp_path))
    text = f"a false token in {tmp_path}, the KEY of it all"
    assert redaction.clean(text) == text


def test_every_text_file_of_a_folder_is_cleaned_in_whatever_form_it_holds_a_secret(secrets, tmp_path):
    folder = tmp_path / "out"
    (folder / "figures").mkdir(parents=True)
    (folder / "notebook.ipynb").write_text(json.dumps({"a": 'quoted"&secret hf_fakeFromFile'}))
    (folder / "report.html").write_text("quoted&quot;&amp;secret")
    (folder / "samples.csv").write_text("nothing here")
    (folder / "figures" / "a.png").write_bytes(b"\x89PNG hf_fakeFromFile")
    assert redaction.clean_folder(folder) == ["notebook.ipynb", "report.html"]
    assert json.loads((folder / "notebook.ipynb").read_text()) == {"a": "[removed] [removed]"}
    assert (folder / "report.html").read_text() == "[removed]"
    assert (folder / "figures" / "a.png").read_bytes().startswith(b"\x89PNG hf")  # a picture is not text
