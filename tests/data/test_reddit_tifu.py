"""reddit_tifu through TFDS's real code, against servers of this machine in place of Google Drive and Hugging Face."""

import gzip
import json
import random
import subprocess
import sys
import time

import pytest
import reddit_stand_in
import servers

from lib.core import paths, watchdog
from lib.core.errors import UserError
from lib.data import downloads, hubs, reddit_tifu

DATA = reddit_stand_in.content(reddit_stand_in.STORIES, summaries={1, 4})
NOWHERE = "http://127.0.0.1:9"
IN_OWN_PROCESS = reddit_tifu._run_tfds
FIRST_HERE = ("went out", "going")  # TFDS mixes the stories; among these five another one comes first


@pytest.fixture
def place(monkeypatch, tmp_path):
    """An empty data folder, hosts that nobody serves, and little patience. The real addresses are out of reach."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", NOWHERE)
    monkeypatch.setattr(downloads, "PROBE_SECONDS", 1)
    monkeypatch.setattr(watchdog, "STALL_SECONDS", 8.0)
    return tmp_path


def in_this_process(config):
    """What `_run_tfds` does, without a process that imports TFDS once more."""
    try:
        reddit_tifu._prepare_here(config)
    except Exception as error:
        raise watchdog.Failure(f"{type(error).__name__}: {' '.join(str(error).split())}") from None


@pytest.fixture
def own_process(monkeypatch, drive):
    """TFDS runs in a process of its own, as it does for users."""
    monkeypatch.setattr(reddit_tifu, "_run_tfds", IN_OWN_PROCESS)


@pytest.fixture
def drive(monkeypatch, place):
    """Google Drive, served by `answer`."""
    undo = []
    monkeypatch.setattr(reddit_tifu, "_run_tfds", in_this_process)

    def serve_at(address, data=DATA):
        description = reddit_stand_in.describe(data, f"{address}/uc")
        monkeypatch.setenv("REDDIT_STAND_IN", description)
        monkeypatch.setattr(reddit_tifu, "DRIVE", address)
        monkeypatch.setattr(reddit_tifu, "COMMAND", [sys.executable, reddit_stand_in.__file__])
        undo.append(reddit_stand_in.put_in_place(description, reddit_tifu.FILE))

    yield serve_at
    for step in reversed(undo):
        step()


def mirror(data=DATA):
    return packed_mirror(gzip.compress(data))


def packed_mirror(packed):
    dataset, name = reddit_tifu.MIRROR
    return servers.hugging_face({f"datasets/{dataset}": {name: packed}})


def test_google_drive_is_asked_by_tfds_and_its_file_checked(drive, own_process, place, monkeypatch):
    with servers.serve(lambda request: (200, {}, DATA)) as server:
        drive(server.address)
        monkeypatch.setitem(reddit_tifu.FIRST, "short", FIRST_HERE)
        pairs, source, attempts = reddit_tifu.examples("short")
    assert sorted(pairs) == sorted(story for story in reddit_stand_in.STORIES if story[0])
    assert (source, attempts) == ("TensorFlow Datasets reddit_tifu/short/1.1.2", [])
    assert reddit_tifu.prepare("short") == []  # no server any more


def test_long_gives_summaries_for_the_stories_that_have_one(drive, place):
    reddit_tifu.place().parent.mkdir(parents=True)
    reddit_tifu.place().write_bytes(DATA)
    drive(NOWHERE)
    pairs, source, _ = reddit_tifu.examples("long")
    assert sorted(pairs) == [("lost my keys.", "in short: losing keys"), ("went out.", "in short: going")]
    assert source == "TensorFlow Datasets reddit_tifu/long/1.1.2"
    assert len(reddit_tifu.examples("long", num_examples=1)[0]) == 1
    assert len(reddit_tifu.examples("long", num_examples=100)[0]) == 2  # all that there are


HTML = b"<html><title>Google Drive - Quota exceeded</title>Too many users have viewed this file.</html>"


@pytest.mark.parametrize(
    ("answer", "options", "told"),
    [
        (lambda request: (200, {"Content-Type": "text/html"}, HTML), {}, "wrong checksum"),
        (lambda request: (403, {}, b""), {}, "HTTP code: 403"),
        (lambda request: (404, {}, b""), {}, "HTTP code: 404"),
        (lambda request: (200, {}, DATA), {"sends": 100}, "Google Drive"),
        (None, {"hangs": True}, "cannot be reached"),
    ],
    ids=["quota page", "403", "404", "cut off", "hangs"],
)
def test_where_google_drive_fails_the_mirror_is_taken(drive, place, monkeypatch, answer, options, told):
    the_mirror_is_taken(drive, place, monkeypatch, answer, options, told)


def test_where_google_drive_stalls_tfds_is_ended_and_the_mirror_taken(drive, own_process, place, monkeypatch):
    stalls = {"sends": 100, "stalls": True}
    told = "nothing arrived for 8 s"
    the_mirror_is_taken(drive, place, monkeypatch, lambda request: (200, {}, DATA), stalls, told)


def the_mirror_is_taken(drive, place, monkeypatch, answer, options, told):
    with servers.serve(answer, **options) as server, servers.serve(mirror()) as hf:
        drive(server.address)
        monkeypatch.setenv("HF_ENDPOINT", hf.address)
        start = time.monotonic()
        attempts = reddit_tifu.prepare("short")
        assert time.monotonic() - start < 60
    (attempt,) = attempts
    assert attempt.startswith("Google Drive: ")
    assert told in attempt
    assert "\n" not in attempt
    assert reddit_tifu.builder("short").data_path.exists()
    assert not list((place / "downloads").glob("*.tmp.*"))


def test_where_all_fail_the_command_and_the_place_for_the_file_are_told(drive, place):
    drive(NOWHERE)
    with pytest.raises(UserError) as error:
        reddit_tifu.examples("short")
    message = str(error.value)
    for part in (
        "Google Drive: http://127.0.0.1:9 cannot be reached",
        "the mirror: ",
        "curl -L https://huggingface.co/datasets/ctr4si/reddit_tifu/resolve/main/data/",
        "| gunzip > tifu_all_tokenized_and_filtered.json",
        f"mv {reddit_tifu.FILE} '{place}/downloads/manual'",
        "dataset_stand_in: brown_fiction",
    ):
        assert part in message
    assert "\n" not in message


def test_what_is_advised_really_works(drive, place, tmp_path):
    """The second command of the message, run by a shell, puts the file where TFDS finds it."""
    drive(NOWHERE)
    command = reddit_tifu.advice().split("`")[3]
    (tmp_path / reddit_tifu.FILE).write_bytes(DATA)
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    assert reddit_tifu.prepare("short") == []


def test_a_wrong_file_placed_by_hand_is_put_aside_and_told(drive, place, monkeypatch):
    reddit_tifu.place().parent.mkdir(parents=True)
    reddit_tifu.place().write_bytes(DATA[:-1])
    with servers.serve(mirror()) as hf:
        drive(NOWHERE)
        monkeypatch.setenv("HF_ENDPOINT", hf.address)
        attempts = reddit_tifu.prepare("short")
    assert attempts[0].startswith("a file placed by hand: tifu_all_tokenized_and_filtered.json is not the file")
    assert reddit_tifu.place().read_bytes() == DATA
    assert reddit_tifu.place().with_suffix(".wrong").read_bytes() == DATA[:-1]


def test_another_file_on_the_mirror_is_refused_and_not_kept(drive, place, monkeypatch):
    with servers.serve(mirror(DATA + b"\n")) as hf:
        drive(NOWHERE)
        monkeypatch.setenv("HF_ENDPOINT", hf.address)
        with pytest.raises(UserError, match="It was not kept"):
            reddit_tifu.fetch_mirror()
    assert list(reddit_tifu.place().parent.iterdir()) == []


RANDOM = random.Random(1).randbytes(2_500_000)  # which gzip does not make smaller


def test_a_connection_that_breaks_off_is_made_again_and_the_download_continues(drive, place, monkeypatch):
    with servers.serve(mirror(RANDOM), sends=1_200_000) as hf:
        drive(NOWHERE, RANDOM)
        monkeypatch.setenv("HF_ENDPOINT", hf.address)
        assert reddit_tifu.fetch_mirror().read_bytes() == RANDOM
        assert [headers["Range"] for headers in hf.headers_seen if "Range" in headers] == [
            f"bytes={done * hubs.CHUNK_BYTES}-" for done in (1, 2)
        ]
    assert list(reddit_tifu.place().parent.iterdir()) == [reddit_tifu.place()]


def test_a_download_that_stalls_is_given_up_and_continues_in_the_next_run(drive, place, monkeypatch, tmp_path):
    monkeypatch.setattr(watchdog, "STALL_SECONDS", 4.0)
    unfinished = reddit_tifu.place().with_name(f"{reddit_tifu.FILE}.gz.part")
    with servers.serve(mirror(RANDOM), sends=1_200_000, stalls=True) as hf:
        drive(NOWHERE, RANDOM)
        monkeypatch.setenv("HF_ENDPOINT", hf.address)
        with pytest.raises(
            UserError, match=r"nothing arrived for 4 s\..* run again: an interrupted download continues"
        ):
            reddit_tifu.fetch_mirror()
        assert unfinished.stat().st_size == hubs.CHUNK_BYTES
        hf.sends = None
        monkeypatch.setenv("REPORT_PROGRESS", str(tmp_path / "progress.jsonl"))
        assert reddit_tifu.fetch_mirror().read_bytes() == RANDOM
        assert hf.headers_seen[-1]["Range"] == f"bytes={hubs.CHUNK_BYTES}-"
    steps = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    assert {"done": 2, "total": 2, "text": "fetching", "unit": "MB"} in steps


@pytest.mark.parametrize("more", [b"", b"more"])
def test_what_is_there_of_another_version_is_fetched_again_and_a_complete_download_is_not(
    drive, place, monkeypatch, more
):
    packed = gzip.compress(DATA)
    unfinished = reddit_tifu.place().with_name(f"{reddit_tifu.FILE}.gz.part")
    unfinished.parent.mkdir(parents=True)
    unfinished.write_bytes(packed + more)
    with servers.serve(packed_mirror(packed)) as hf:
        drive(NOWHERE)
        monkeypatch.setenv("HF_ENDPOINT", hf.address)
        assert reddit_tifu.fetch_mirror().read_bytes() == DATA
        assert sum(request.startswith("GET /datasets/") for request in hf.requests) == bool(more)


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_mirror_that_refuses_is_told_with_its_status_and_without_a_password(drive, place, monkeypatch, status):
    with servers.serve(servers.hugging_face({}, status)) as hf:
        drive(NOWHERE)
        monkeypatch.setenv("HF_ENDPOINT", hf.address.replace("//", "//me:topsecret@"))
        with pytest.raises(UserError, match=f"cannot be fetched from Hugging Face: .*{status}") as error:
            reddit_tifu.fetch_mirror()
    assert "topsecret" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_token_goes_to_the_mirror(drive, place, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_FakeTokenThatNobodyMaySee")
    with servers.serve(mirror()) as hf:
        drive(NOWHERE)
        monkeypatch.setenv("HF_ENDPOINT", hf.address)
        reddit_tifu.fetch_mirror()
        sent = [headers.get("authorization") for headers in map(lower, hf.headers_seen)]
    assert sent[-1] == "Bearer hf_FakeTokenThatNobodyMaySee"


def lower(headers):
    return {name.lower(): value for name, value in headers.items()}


def test_an_archive_that_is_damaged_is_fetched_again(drive, place, monkeypatch):
    packed = bytearray(gzip.compress(DATA))
    packed[30] ^= 0xFF
    with servers.serve(packed_mirror(bytes(packed))) as hf:
        drive(NOWHERE)
        monkeypatch.setenv("HF_ENDPOINT", hf.address)
        with pytest.raises(UserError, match="cannot be unpacked"):
            reddit_tifu.fetch_mirror()
        assert list(reddit_tifu.place().parent.iterdir()) == []
        hf.answer = mirror()
        assert reddit_tifu.fetch_mirror().read_bytes() == DATA
        requests = len(hf.requests)
        reddit_tifu.fetch_mirror()
        assert len(hf.requests) == requests  # it lies there already


def test_prepared_stories_that_were_damaged_are_prepared_again(drive, place, monkeypatch):
    reddit_tifu.place().parent.mkdir(parents=True)
    reddit_tifu.place().write_bytes(DATA)
    drive(NOWHERE)
    monkeypatch.setitem(reddit_tifu.FIRST, "short", FIRST_HERE)
    reddit_tifu.examples("short")
    (shard,) = reddit_tifu.builder("short").data_path.glob("*.tfrecord*")
    content = bytearray(shard.read_bytes())
    content[20] ^= 1
    shard.write_bytes(content)
    pairs, _, attempts = reddit_tifu.examples("short")
    assert len(pairs) == 4
    assert attempts == ["the prepared stories were damaged, and were prepared again"]


def test_stories_that_are_not_the_known_ones_are_refused(drive, place):
    reddit_tifu.place().parent.mkdir(parents=True)
    reddit_tifu.place().write_bytes(DATA)
    drive(NOWHERE)
    with pytest.raises(UserError, match="first story begins 'went out"):
        reddit_tifu.examples("short")


def test_make_data_puts_the_file_in_its_place_and_prepares_both(drive, own_process, place, monkeypatch, capfd):
    with servers.serve(mirror()) as hf:
        drive(NOWHERE)
        monkeypatch.setenv("HF_ENDPOINT", hf.address)
        assert reddit_tifu.main([]) == 0
    told = capfd.readouterr()
    assert "fetching tifu_all_tokenized_and_filtered.json.gz" in told.err
    assert (
        f"{place}/downloads/manual/{reddit_tifu.FILE} is the file that TensorFlow Datasets has registered." in told.out
    )
    assert reddit_tifu.builder("short").data_path.exists()
    assert reddit_tifu.builder("long").data_path.exists()


def test_hf_hub_offline_keeps_the_mirror_from_being_asked(drive, place, monkeypatch):
    with servers.serve(mirror()) as hf:
        drive(NOWHERE)
        monkeypatch.setenv("HF_ENDPOINT", hf.address)
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        with pytest.raises(UserError, match="HF_HUB_OFFLINE is set"):
            reddit_tifu.fetch_mirror()
        assert hf.requests == []


def test_make_data_tells_a_failure_in_a_line_and_status_2(drive, place, capfd):
    drive(NOWHERE)
    assert reddit_tifu.main([]) == 2
    error = capfd.readouterr().err.splitlines()[-1]
    assert error == (
        "error: tifu_all_tokenized_and_filtered.json.gz cannot be fetched from Hugging Face: http://127.0.0.1:9 cannot "
        "be reached. Check the network and HF_ENDPOINT, and run again: an interrupted download continues."
    )


def test_what_tfds_has_registered_is_what_the_readme_s_commands_fetch():
    """The real file's size and SHA-256, as TFDS's package has them."""
    registered = reddit_tifu._registered()
    assert int(registered.size) == 670607856
    assert registered.checksum == "f175cafe348e0521c2424cd419c934d10c6af613ed8cbe8eaa8cfbaa06377f1a"


def test_tfds_keeps_its_data_where_the_user_says_or_has_them_or_in_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "named"))
    assert reddit_tifu.data_folder() == tmp_path / "named"
    monkeypatch.delenv("TFDS_DATA_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert reddit_tifu.data_folder() == paths.cache() / "tensorflow_datasets"
    (tmp_path / "tensorflow_datasets" / "reddit_tifu").mkdir(parents=True)
    assert reddit_tifu.data_folder() == tmp_path / "tensorflow_datasets"
