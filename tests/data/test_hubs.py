"""Presets from hubs: the real clients, against servers of this machine that fail in every way that hubs do."""

import base64
import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import servers
from huggingface_hub import constants

from lib.bundle import models_and_texts
from lib.core import paths, watchdog
from lib.core.errors import UserError
from lib.data import downloads, hubs
from lib.models import memory, pretrained, stand_ins

KAGGLE = "kaggle://keras/gpt2/keras/gpt2_base_en/3"
KERAS = "hf://keras/gpt2_base_en"
OPENAI = "hf://openai-community/gpt2"
NOWHERE = "http://127.0.0.1:9"
PARAMETERS = 10672


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """An empty cache, no token, hubs that nobody serves, and little patience."""
    monkeypatch.setenv("REPORT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("KAGGLEHUB_CACHE", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "XDG_CACHE_HOME", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "home/.cache/huggingface/hub"))  # set at its import
    for name in ("https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(watchdog, "STALL_SECONDS", 4.0)
    monkeypatch.setattr(downloads, "PROBE_SECONDS", 1)
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")  # http://localhost, here through a proxy
    use_kaggle(monkeypatch, NOWHERE)
    monkeypatch.setenv("HF_ENDPOINT", NOWHERE)
    return tmp_path / "cache"


def use_kaggle(monkeypatch, address):
    monkeypatch.setenv("HTTP_PROXY", address)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(scope="module")
def keras_files(tiny_preset):
    return servers.files_of(tiny_preset)


@pytest.fixture(scope="module")
def four_times(tiny_preset, tmp_path_factory):
    """A tiny GPT-2 whose inner width is four times the outer one, as in every checkpoint of OpenAI's."""
    import keras_nlp

    preprocessor = pretrained.load_causal_lm(str(tiny_preset), sequence_length=8).preprocessor
    size = preprocessor.tokenizer.vocabulary_size()
    backbone = keras_nlp.models.GPT2Backbone(size, num_layers=2, num_heads=2, hidden_dim=16, intermediate_dim=64)
    folder = tmp_path_factory.mktemp("four") / "preset"
    keras_nlp.models.GPT2CausalLM(backbone=backbone, preprocessor=preprocessor).save_to_preset(str(folder))
    return folder


@pytest.fixture(scope="module")
def openai_files(four_times, tmp_path_factory):
    """The same as a Hugging Face checkpoint, laid out as OpenAI's own."""
    return servers.files_of(hugging_face_gpt2(four_times, tmp_path_factory.mktemp("openai")))


def hugging_face_gpt2(preset, folder):
    """Writes a Keras GPT-2 in the layout of `openai-community/gpt2`."""
    from safetensors.numpy import save_file

    backbone = pretrained.load_causal_lm(str(preset), sequence_length=8).backbone
    value = np.asarray
    weights = {
        "wte.weight": value(backbone.token_embedding.embeddings),
        "wpe.weight": value(backbone.position_embedding.position_embeddings),
        "ln_f.weight": value(backbone.layer_norm.gamma),
        "ln_f.bias": value(backbone.layer_norm.beta),
    }
    hidden = backbone.hidden_dim
    for index, layer in enumerate(backbone.transformer_layers):
        attention = layer._self_attention_layer
        three = (attention.query_dense, attention.key_dense, attention.value_dense)
        weights |= {
            f"h.{index}.{name}": value(variable)
            for name, variable in {
                "ln_1.weight": layer._self_attention_layer_norm.gamma,
                "ln_1.bias": layer._self_attention_layer_norm.beta,
                "ln_2.weight": layer._feedforward_layer_norm.gamma,
                "ln_2.bias": layer._feedforward_layer_norm.beta,
                "attn.c_proj.bias": attention.output_dense.bias,
                "mlp.c_fc.weight": layer._feedforward_intermediate_dense.kernel,
                "mlp.c_fc.bias": layer._feedforward_intermediate_dense.bias,
                "mlp.c_proj.weight": layer._feedforward_output_dense.kernel,
                "mlp.c_proj.bias": layer._feedforward_output_dense.bias,
            }.items()
        }
        weights[f"h.{index}.attn.c_proj.weight"] = value(attention.output_dense.kernel).reshape(hidden, hidden)
        weights[f"h.{index}.attn.c_attn.weight"] = np.concatenate(
            [value(dense.kernel).reshape(hidden, hidden) for dense in three], axis=1
        )
        weights[f"h.{index}.attn.c_attn.bias"] = np.concatenate([value(dense.bias).reshape(-1) for dense in three])
    save_file({name: np.ascontiguousarray(weight) for name, weight in weights.items()}, folder / "model.safetensors")
    config = {
        "model_type": "gpt2",
        "architectures": ["GPT2LMHeadModel"],
        "vocab_size": backbone.vocabulary_size,
        "n_layer": backbone.num_layers,
        "n_head": backbone.num_heads,
        "n_embd": hidden,
        "n_positions": backbone.max_sequence_length,
        "resid_pdrop": 0.0,
    }
    (folder / "config.json").write_text(json.dumps(config))
    assets = preset / "assets" / "tokenizer"
    shutil.copy(assets / "vocabulary.json", folder / "vocab.json")
    shutil.copy(assets / "merges.txt", folder / "merges.txt")
    (folder / "README.md").write_text("not wanted")
    (folder / "pytorch_model.bin").write_bytes(b"not wanted")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "config.json").write_text("{}")
    return folder


def reasons(found):
    return dict(attempt.split(": ", 1) for attempt in found.attempts)


def test_the_order_is_kaggle_hugging_face_openai_stand_in_and_each_failure_is_told(hub):
    found = pretrained.find("gpt2_base_en", "tiny_random")
    assert [(one.used, one.requested) for one in found.stand_ins] == [("tiny random GPT-2", "gpt2_base_en")]
    assert list(reasons(found)) == [KAGGLE, KERAS, OPENAI]
    assert all("cannot be reached" in reason for reason in reasons(found).values())
    with pytest.raises(UserError) as error:
        pretrained.find("gpt2_base_en")
    for part in ("preset is 'gpt2_base_en'", KAGGLE, KERAS, OPENAI, "a local preset folder", "stand_in"):
        assert part in str(error.value)
    assert "\n" not in str(error.value)


def test_kaggle_is_asked_first_and_its_preset_is_kept(hub, monkeypatch, keras_files):
    with servers.serve(servers.kaggle({"keras/gpt2/gpt2_base_en/3": keras_files})) as kaggle:
        use_kaggle(monkeypatch, kaggle.address)
        found = pretrained.find("gpt2_base_en")
    assert (found.name, found.source, found.attempts) == ("gpt2_base_en", KAGGLE, [])
    assert Path(found.handle) == hub / "kagglehub/models/keras/gpt2/keras/gpt2_base_en/3"
    assert pretrained.load(found, sequence_length=16).count_params() == PARAMETERS
    again = pretrained.find("gpt2_base_en")  # no server any more
    assert (again.handle, again.attempts) == (found.handle, [])


def test_the_same_preset_on_hugging_face_is_next(hub, monkeypatch, keras_files):
    with servers.serve(servers.hugging_face({"keras/gpt2_base_en": keras_files})) as hf:
        monkeypatch.setenv("HF_ENDPOINT", hf.address)
        found = pretrained.find("gpt2_base_en")
    assert found.source == KERAS
    assert list(reasons(found)) == [KAGGLE]
    assert Path(found.handle).is_relative_to(hub / "huggingface")
    assert pretrained.load(found, sequence_length=16).count_params() == PARAMETERS
    assert pretrained.find("gpt2_base_en").handle == found.handle


def test_openai_s_weights_are_converted_to_the_same_model(hub, monkeypatch, openai_files, four_times):
    with servers.serve(servers.hugging_face({"openai-community/gpt2": openai_files})) as hf:
        monkeypatch.setenv("HF_ENDPOINT", hf.address)
        found = pretrained.find("gpt2_base_en")
    assert found.source == OPENAI
    assert "404" in reasons(found)[KERAS]
    fetched = {file.name for file in Path(found.handle).iterdir()}
    assert fetched == {"config.json", "model.safetensors", "vocab.json", "merges.txt"}
    converted, original = (pretrained.load_causal_lm(str(place), 16) for place in (found.handle, four_times))
    inputs = {"token_ids": np.arange(12).reshape(2, 6), "padding_mask": np.ones((2, 6))}
    np.testing.assert_allclose(np.asarray(converted(inputs)), np.asarray(original(inputs)), atol=1e-6)
    assert np.asarray(converted.preprocessor.tokenizer("the trip")).tolist() == (
        np.asarray(original.preprocessor.tokenizer("the trip")).tolist()
    )


def test_the_preset_tuned_on_news_has_no_third_source(hub):
    found = pretrained.find("gpt2_base_en_cnn_dailymail", "tiny_random")
    assert list(reasons(found)) == [
        "kaggle://keras/gpt2/keras/gpt2_base_en_cnn_dailymail/3",
        "hf://keras/gpt2_base_en_cnn_dailymail",
    ]


def test_a_checkpoint_in_a_local_folder_is_converted_too(openai_files, tmp_path):
    for name, content in openai_files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    loaded = pretrained.load(pretrained.find(str(tmp_path)), sequence_length=16)
    assert loaded.count_params() == pytest.approx(memory.shape_of(tmp_path).parameters, rel=0.03)  # from the file
    assert loaded.generate("we", max_length=4)


@pytest.mark.parametrize(("status", "told"), [(403, "403"), (404, "404"), (500, "500")])
def test_a_hub_that_refuses_is_told_in_a_line(hub, monkeypatch, status, told):
    with (
        servers.serve(servers.kaggle({}, status)) as kaggle,
        servers.serve(servers.hugging_face({}, status)) as hf,
    ):
        use_kaggle(monkeypatch, kaggle.address)
        monkeypatch.setenv("HF_ENDPOINT", hf.address)
        found = pretrained.find("gpt2_base_en", "tiny_random")
    assert list(reasons(found)) == [KAGGLE, KERAS, OPENAI]
    for handle, reason in reasons(found).items():
        assert told in reason or "nothing arrived" in reason, (handle, reason)
        assert "\n" not in reason
    assert told in reasons(found)[KAGGLE]


def test_a_connection_that_hangs_is_given_up_soon(hub, monkeypatch):
    """One hub hangs at once, the other after the probe."""
    probed = servers.hugging_face({})

    def then_silent(request):
        return probed(request) if request.path == "/" else request.server.gone.wait(60)

    with (
        servers.serve(None, hangs=True) as kaggle,
        servers.serve(then_silent) as hf,
    ):
        use_kaggle(monkeypatch, kaggle.address)
        monkeypatch.setenv("HF_ENDPOINT", hf.address)
        start = time.monotonic()
        found = pretrained.find("gpt2_base_en", "tiny_random")
        seconds = time.monotonic() - start
    assert "cannot be reached" in reasons(found)[KAGGLE]
    assert "given up: nothing arrived for 4 s" in reasons(found)[KERAS]
    assert seconds < 40


def test_a_download_that_stops_in_the_middle_is_given_up_soon(hub, monkeypatch, keras_files):
    answer = servers.kaggle({"keras/gpt2/gpt2_base_en/3": big(keras_files)})
    with servers.serve(answer, sends=2000, stalls=True) as kaggle:
        use_kaggle(monkeypatch, kaggle.address)
        start = time.monotonic()
        with pytest.raises(hubs.Unavailable, match="given up: nothing arrived for 4 s"):
            hubs.fetch(KAGGLE)
    assert time.monotonic() - start < 20


def big(files, name="model.weights.h5"):
    """The files, with a part of one that is long enough to be cut."""
    assert len(files[name]) > 2000
    return files


@pytest.mark.parametrize("checksums", [True, False])
def test_a_file_that_is_cut_off_on_the_way_is_not_used_and_fetched_again(hub, monkeypatch, keras_files, checksums):
    answer = servers.kaggle({"keras/gpt2/gpt2_base_en/3": big(keras_files)}, checksums=checksums)
    with servers.serve(answer, sends=2000) as kaggle:
        use_kaggle(monkeypatch, kaggle.address)
        found = pretrained.find("gpt2_base_en", "tiny_random")
        assert found.stand_ins
        kaggle.sends = None
        found = pretrained.find("gpt2_base_en", "tiny_random")
    assert (found.source, found.stand_ins) == (KAGGLE, [])
    assert pretrained.load(found, sequence_length=16).count_params() == PARAMETERS


def test_weights_that_were_cut_on_the_server_are_not_used(hub, monkeypatch, keras_files):
    cut = {**keras_files, "model.weights.h5": keras_files["model.weights.h5"][:3000]}
    with servers.serve(servers.hugging_face({"keras/gpt2_base_en": cut})) as hf:
        monkeypatch.setenv("HF_ENDPOINT", hf.address)
        found = pretrained.find("gpt2_base_en", "tiny_random")
    assert (
        "the fetched files are incomplete or damaged: model.weights.h5 is cut off or damaged" in reasons(found)[KERAS]
    )
    assert not (hub / "huggingface" / "models--keras--gpt2_base_en").exists()


def test_a_file_that_was_damaged_in_the_cache_is_found_and_fetched_again(hub, monkeypatch, keras_files):
    with servers.serve(servers.kaggle({"keras/gpt2/gpt2_base_en/3": keras_files})) as kaggle:
        use_kaggle(monkeypatch, kaggle.address)
        first = pretrained.find("gpt2_base_en")
        weights = Path(first.handle) / "model.weights.h5"
        content = bytearray(weights.read_bytes())
        content[-100] ^= 1  # a single bit
        weights.write_bytes(content)
        again = pretrained.find("gpt2_base_en")
    assert weights.read_bytes() == keras_files["model.weights.h5"]
    assert again.attempts == [
        f"{KAGGLE}: the copy in the cache is damaged: the SHA-256 of model.weights.h5 has changed"
    ]


def test_the_user_s_caches_are_used_where_he_names_them(hub, monkeypatch, tmp_path, tiny_preset):
    """Laid out as the clients lay them out, with the tiny GPT-2 in place of the real ones."""
    kaggle = tmp_path / "k" / "models/keras/gpt2/keras/gpt2_medium_en"
    shutil.copytree(tiny_preset, kaggle / "3")
    repository = tmp_path / "h" / "hub" / "models--keras--gpt2_large_en"
    shutil.copytree(tiny_preset, repository / "snapshots" / servers.COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(servers.COMMIT)
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "k"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "h"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "h" / "hub"))
    with pytest.raises(UserError, match="none of its sources"):
        pretrained.find("gpt2_medium_en")  # kagglehub has not marked it as finished
    (kaggle / "3.complete").touch()
    assert pretrained.find("gpt2_medium_en").handle == str(kaggle / "3")
    assert pretrained.find("gpt2_large_en").source == "hf://keras/gpt2_large_en"
    assert pretrained.find("kaggle://keras/gpt2/keras/gpt2_medium_en").handle == str(kaggle / "3")  # its newest version
    assert hubs.cache_variables() == {}


def test_a_preset_that_from_preset_fetched_file_by_file_counts_as_well(hub, tmp_path, tiny_preset):
    place = tmp_path / "home" / ".cache" / "kagglehub" / "models/keras/gpt2/keras/gpt2_base_en"
    shutil.copytree(tiny_preset, place / "3")
    marks = place / ".complete" / "3"
    marks.mkdir(parents=True)
    (marks / "config.json.complete").touch()
    assert hubs.cached(KAGGLE) == (None, "")
    (marks / "model.weights.h5.complete").touch()
    assert hubs.cached(KAGGLE) == (place / "3", "")


def test_hf_hub_offline_asks_nobody(hub, monkeypatch, keras_files):
    with servers.serve(servers.hugging_face({"keras/gpt2_base_en": keras_files})) as hf:
        monkeypatch.setenv("HF_ENDPOINT", hf.address)
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        found = pretrained.find("gpt2_base_en", "tiny_random")
        assert hf.requests == []
        assert "HF_HUB_OFFLINE is set" in reasons(found)[KERAS]
        monkeypatch.delenv("HF_HUB_OFFLINE")
        pretrained.find("gpt2_base_en")
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        assert pretrained.find("gpt2_base_en").source == KERAS


def test_report_offline_asks_nobody_and_what_is_there_is_used(hub, monkeypatch, keras_files):
    with servers.serve(servers.hugging_face({"keras/gpt2_base_en": keras_files})) as hf:
        monkeypatch.setenv("HF_ENDPOINT", hf.address)
        monkeypatch.setenv(downloads.OFFLINE, "1")
        found = pretrained.find("gpt2_base_en", "tiny_random")
        assert hf.requests == []
        assert all("REPORT_OFFLINE is set" in reason for reason in reasons(found).values())
        monkeypatch.delenv(downloads.OFFLINE)
        pretrained.find("gpt2_base_en")
        monkeypatch.setenv(downloads.OFFLINE, "1")
        assert pretrained.find("gpt2_base_en").source == KERAS


@pytest.mark.parametrize("source", [KAGGLE, KERAS])
def test_a_preset_in_a_bundle_s_cache_is_found_on_another_machine(hub, monkeypatch, keras_files, tmp_path, source):
    kaggle, hf = servers.kaggle({"keras/gpt2/gpt2_base_en/3": keras_files}), servers.hugging_face({})
    if source == KERAS:
        kaggle, hf = servers.kaggle({}, status=404), servers.hugging_face({"keras/gpt2_base_en": keras_files})
    with servers.serve(kaggle) as first, servers.serve(hf) as second:
        use_kaggle(monkeypatch, first.address)
        monkeypatch.setenv("HF_ENDPOINT", second.address)
        assert pretrained.find("gpt2_base_en").source == source
    models_and_texts.prune(hub)
    shutil.copytree(hub, tmp_path / "there")
    shutil.rmtree(hub)
    monkeypatch.setenv("REPORT_CACHE", str(tmp_path / "there"))
    monkeypatch.setenv(downloads.OFFLINE, "1")
    found = pretrained.find("gpt2_base_en")
    assert found.source == source
    assert pretrained.load(found, 8).backbone.count_params() == PARAMETERS


def test_an_interrupted_download_is_gone_on_with(hub, monkeypatch, keras_files):
    files = {**keras_files, "large.bin": b"0" * 3_000_000}
    with servers.serve(servers.kaggle({"keras/gpt2/gpt2_base_en/3": files}), sends=2_500_000) as kaggle:
        use_kaggle(monkeypatch, kaggle.address)
        with pytest.raises(hubs.Unavailable):
            hubs.fetch(KAGGLE)
        kaggle.sends, before = None, len(kaggle.requests)
        folder = hubs.fetch(KAGGLE)
        resumed = [headers["Range"] for headers in kaggle.headers_seen[before:] if "Range" in headers]
    assert "bytes=2097152-" in resumed  # the client writes a mebibyte at a time
    assert (folder / "large.bin").read_bytes() == files["large.bin"]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("config.json", None, "there is no config.json"),
        ("config.json", b'{"registered_name": ', "config.json is cut off or damaged (Expecting value"),
        ("config.json", b"[]", "config.json is cut off or damaged (not a mapping)"),
        ("tokenizer.json", None, "there is no tokenizer.json"),
        ("model.weights.h5", None, "there is no model.weights.h5"),
        ("model.weights.h5", b"\x89HDF", "model.weights.h5 is cut off or damaged"),
    ],
)
def test_a_local_folder_that_is_not_whole_is_refused_in_a_line(tiny_preset, tmp_path, name, content, problem):
    folder = shutil.copytree(tiny_preset, tmp_path / "preset")
    (folder / name).unlink()
    if content:
        (folder / name).write_bytes(content)
    assert hubs.problem_with(folder).startswith(problem)
    with pytest.raises(UserError) as error:
        pretrained.find(str(folder), "tiny_random")
    assert str(folder) in str(error.value)
    if name != "config.json" or content:
        assert problem in str(error.value)


def test_a_checkpoint_whose_weights_are_cut_is_refused(openai_files, tmp_path):
    for name in ("config.json", "vocab.json", "merges.txt"):
        (tmp_path / name).write_bytes(openai_files[name])
    (tmp_path / "model.safetensors").write_bytes(openai_files["model.safetensors"][:-10])
    assert hubs.problem_with(tmp_path).startswith("model.safetensors is cut off or damaged")
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": {"wte.weight": "model-1.safetensors"}}')
    assert hubs.problem_with(tmp_path) == "there is no model-1.safetensors"


def test_a_token_reaches_the_hub_but_no_message(hub, monkeypatch, capfd):
    monkeypatch.setenv("HF_TOKEN", "hf_FakeTokenThatNobodyMaySee")
    monkeypatch.setenv("KAGGLE_USERNAME", "somebody")
    monkeypatch.setenv("KAGGLE_KEY", "0123456789fakekaggle")

    def echo(request):
        """Answers with what it was told, as a careless server may."""
        secret = request.headers.get("Authorization", "")
        return (200, {}, b"") if request.command == "HEAD" else (418, {}, f"no {secret} {request.path}".encode())

    with servers.serve(echo) as hf:
        monkeypatch.setenv("HF_ENDPOINT", hf.address)
        use_kaggle(monkeypatch, hf.address)
        attempts = pretrained.find("gpt2_base_en", "tiny_random").attempts
        seen = [value for headers in hf.headers_seen for value in headers.values()]
        assert "Bearer hf_FakeTokenThatNobodyMaySee" in seen
        assert "Basic " + base64.b64encode(b"somebody:0123456789fakekaggle").decode() in seen
        monkeypatch.setenv("HF_ENDPOINT", hf.address.replace("//", "//user:password1@"))
        attempts += pretrained.find("gpt2_base_en", "tiny_random").attempts
    told = "".join(attempts) + "".join(capfd.readouterr())
    assert "418" in told
    for secret in ("hf_FakeToken", "fakekaggle", "password1", "Basic ", base64.b64encode(b"user:password1").decode()):
        assert secret not in told


def test_a_snapshot_that_another_program_has_begun_is_left_alone_and_completed(hub, monkeypatch, keras_files):
    """As `transformers` leaves it, which fetches file by file."""
    repository = hub / "huggingface" / "models--keras--gpt2_base_en"
    begun = repository / "snapshots" / servers.COMMIT
    begun.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(servers.COMMIT)
    (begun / "config.json").write_bytes(keras_files["config.json"])
    assert hubs.cached(KERAS) == (None, "")
    with servers.serve(servers.hugging_face({"keras/gpt2_base_en": keras_files})) as hf:
        monkeypatch.setenv("HF_ENDPOINT", hf.address)
        assert hubs.fetch(KERAS) == begun
        assert not any(request.endswith("config.json") for request in hf.requests)
    assert hubs.cached(KERAS) == (begun, "")


def test_a_handle_that_names_no_repository_is_in_no_cache(hub):
    assert hubs.cached("hf://keras/gpt2/base") == (None, "")


def test_the_cache_is_the_project_s_own_unless_the_user_names_another(hub):
    assert hubs.cache_variables() == {
        "KAGGLEHUB_CACHE": str(paths.cache() / "kagglehub"),
        "HF_HUB_CACHE": str(paths.cache() / "huggingface"),
    }
    assert stand_ins.folder("tiny_random").is_relative_to(hub)
