"""Import: what may become an artifact does, and each hostile file is refused by name."""

from __future__ import annotations

import json
import os
import shutil
import struct
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from training_runs import a_train_run, an_import, carry_out

from slipway_contracts.artifact import verify_artifact
from slipway_training.errors import ConfigInvalid, SourceRefused


def folder_of(result) -> Path:
    return Path(urlsplit(result.artifact.uri).path)


@pytest.fixture
def hub(trained, tmp_path) -> Path:
    """A Hugging Face folder: the trained model without its manifest."""
    folder = tmp_path / "hub"
    shutil.copytree(folder_of(trained), folder)
    (folder / "manifest.json").unlink()
    (folder / "README.md").write_text("# a model")
    return folder


@pytest.fixture
def no_process(monkeypatch):
    """The sandbox's work in this process: what it judges, without seconds of imports."""
    import torch

    from slipway_training import import_
    from slipway_training.convert import carry_out as convert

    def in_this_process(job):
        with torch.inference_mode():
            return convert(job)

    monkeypatch.setattr(import_, "convert", in_this_process)


def bring(tmp_path, uri, **more):
    return carry_out(an_import(tmp_path, artifact={"uri": str(uri), **more}), tmp_path)


def edit_json(path: Path, **changes) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_random_weights_serve_the_same_for_the_same_seed(tmp_path):
    results = []
    for name in ("one", "two"):
        spec = an_import(tmp_path / name, random={"architecture": "micro-llama", "seed": 5})
        results.append(carry_out(spec, tmp_path / name))
    files = [verify_artifact(folder_of(r), r.artifact.digest).files for r in results]
    assert files[0] == files[1]
    assert "tokenizer.json" in {entry.path for entry in files[0]}
    assert results[0].lineage.seed == 5


def test_an_artifact_is_copied_under_its_own_digest(trained, tmp_path):
    result = bring(tmp_path, trained.artifact.uri, digest=trained.artifact.digest)
    assert result.artifact.digest == trained.artifact.digest
    assert result.lineage == trained.lineage
    verify_artifact(tmp_path / "artifact", trained.artifact.digest)


def test_an_artifact_needs_its_digest_and_the_right_one(trained, tmp_path):
    with pytest.raises(ConfigInvalid, match=trained.artifact.digest):
        bring(tmp_path, trained.artifact.uri)
    with pytest.raises(SourceRefused, match="expected sha256:0000"):
        bring(tmp_path / "b", trained.artifact.uri, digest="sha256:" + "0" * 64)


def test_a_hugging_face_folder_becomes_an_artifact(hub, trained, tmp_path):
    (hub / "chat_template.jinja").write_text("{{ messages[0]['content'] }}!")
    result = bring(tmp_path, hub)
    manifest = verify_artifact(tmp_path / "artifact", result.artifact.digest)
    assert manifest.architecture == "LlamaForCausalLM"
    assert "README.md" not in {entry.path for entry in manifest.files}
    config = json.loads((tmp_path / "artifact/tokenizer_config.json").read_text())
    assert config["chat_template"].endswith("!")
    assert result.lineage.base.startswith("sha256:")


def plain(name, content=b"x"):
    def plant(hub: Path):
        (hub / name).parent.mkdir(parents=True, exist_ok=True)
        (hub / name).write_bytes(content)

    return plant


def a_link(hub: Path):
    (hub / "vocab.txt").symlink_to("/etc/passwd")


def a_linked_folder(hub: Path):
    (hub / "more").symlink_to("/etc")


def a_pipe(hub: Path):
    os.mkfifo(hub / "vocab.json")


def custom_code(name):
    def plant(hub: Path):
        edit_json(hub / name, auto_map={"AutoModel": "modeling.Evil"})

    return plant


def nested_custom_code(hub: Path):
    edit_json(hub / "config.json", text_config={"auto_map": {"AutoModel": "modeling.Evil"}})


def a_huge_header(hub: Path):
    (hub / "model.safetensors").write_bytes(struct.pack("<Q", 1 << 40) + b"{}")


def a_lying_header(hub: Path):
    (hub / "model.safetensors").write_bytes(struct.pack("<Q", 2) + b"{}" + b"\0" * 64)


def shards_outside(hub: Path):
    index = {"weight_map": {"model.norm.weight": "../../etc/model.safetensors"}}
    plain("model.safetensors.index.json", json.dumps(index).encode())(hub)


def another_shape(hub: Path):
    edit_json(hub / "config.json", num_hidden_layers=3, intermediate_size=100)


def a_slow_template(hub: Path):
    loop = "{% for a in range(99999) %}" * 3 + "x" + "{% endfor %}" * 3
    edit_json(hub / "tokenizer_config.json", chat_template=loop)


def an_escaping_template(hub: Path):
    escape = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
    edit_json(hub / "tokenizer_config.json", chat_template=escape)


@pytest.mark.parametrize(
    ("plant", "message"),
    [
        (plain("pytorch_model.bin"), r"pytorch_model\.bin is not a file type"),
        (plain("training_args.bin"), r"training_args\.bin is not a file type"),
        (plain("model.pt2"), r"model\.pt2"),
        (plain("weights.pkl"), r"weights\.pkl"),
        (plain("modeling_evil.py"), r"modeling_evil\.py"),
        (plain("notes.txt"), r"notes\.txt"),
        (plain(".hidden.json"), "not a plain path"),
        (plain("archive.zip"), r"archive\.zip"),
        (a_link, r"vocab\.txt is a link"),
        (a_linked_folder, "more is a link"),
        (a_pipe, r"vocab\.json is a link or a device"),
        (custom_code("config.json"), "custom code"),
        (custom_code("tokenizer_config.json"), "custom code"),
        (nested_custom_code, "custom code"),
        (plain("config.json", b"{"), "not JSON"),
        (plain("config.json", b"[" * 100_000), "not JSON"),
        (a_huge_header, "safetensors header of 1099511627776 bytes"),
        (shards_outside, "points outside"),
    ],
    ids=lambda value: value.__qualname__.split(".")[0] if callable(value) else value[:24],
)
def test_hostile_folders_are_refused_before_they_are_loaded(hub, tmp_path, plant, message):
    (hub / "config.json").chmod(0o644)
    plant(hub)
    with pytest.raises(SourceRefused, match=message):
        bring(tmp_path, hub)
    assert not (tmp_path / "artifact").exists()


@pytest.mark.parametrize(
    ("plant", "message"),
    [
        (a_lying_header, "does not load"),
        (another_shape, r"LlamaForCausalLM; tensors missing: model\.layers\.2.*mismatched: .*mlp"),
        (an_escaping_template, "chat template cannot be rendered.*unsafe"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_what_loading_finds_is_reported(hub, tmp_path, no_process, plant, message):
    plant(hub)
    with pytest.raises(SourceRefused, match=message):
        bring(tmp_path, hub)
    assert not (tmp_path / "artifact").exists()


def test_a_template_that_never_ends_is_stopped_in_the_sandbox(hub, tmp_path, monkeypatch):
    a_slow_template(hub)
    with pytest.raises(SourceRefused, match=r"cannot be rendered.*10 s|ended with exit code"):
        bring(tmp_path, hub)


def test_the_sandbox_has_no_keys_and_limits(tmp_path, monkeypatch):
    from slipway_training.environment import scrubbed

    monkeypatch.setenv("HF_TOKEN", "secret")
    assert "secret" not in scrubbed(str(tmp_path)).values()
    assert scrubbed(str(tmp_path))["HOME"] == str(tmp_path)


def save_checkpoint(hub: Path, wrap) -> Path:
    import torch
    from safetensors.torch import load_file

    torch.save(wrap(load_file(hub / "model.safetensors")), hub / "checkpoint.pt")
    (hub / "model.safetensors").unlink()
    return hub / "checkpoint.pt"


def test_a_checkpoint_becomes_the_same_model(hub, trained, tmp_path, no_process):
    wrapped = save_checkpoint(
        hub, lambda state: {"epoch": 3, "model": {f"module.{k}": v for k, v in state.items()}}
    )
    (hub / "config.json").unlink()  # recognised by its shapes
    result = bring(tmp_path, wrapped)
    manifest = verify_artifact(tmp_path / "artifact", result.artifact.digest)
    assert manifest.architecture == "micro-llama"
    from safetensors.torch import load_file

    before = load_file(folder_of(trained) / "model.safetensors")
    after = load_file(tmp_path / "artifact/model.safetensors")
    assert all((after[name] == tensor).all() for name, tensor in before.items())


def test_a_checkpoint_of_no_known_architecture_names_its_tensors(hub, tmp_path, no_process):
    import torch

    save_checkpoint(hub, lambda state: state | {"odd.weight": torch.zeros(2)})
    (hub / "config.json").unlink()
    with pytest.raises(SourceRefused, match=r"nearest is micro-llama.*odd\.weight"):
        bring(tmp_path, hub)


class Evil:
    def __reduce__(self):
        return os.system, ("touch evil-was-here",)


def test_a_pickle_that_runs_code_does_not_run(hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_checkpoint(hub, lambda state: {"model": state, "extra": Evil()})
    with pytest.raises(SourceRefused, match="weights_only"):
        bring(tmp_path, hub / "checkpoint.pt")
    assert not list(tmp_path.rglob("evil-was-here"))


def test_an_adapter_is_merged_into_its_base(trained, tmp_path, no_process):
    trainer = tmp_path / "lora"
    run = a_train_run(trainer, base=trained.artifact, method="lora", maxSteps=4)
    merged = carry_out(run, trainer)
    base = trained.artifact.wire()
    spec = an_import(tmp_path, adapter={"base": base, "uri": str(trainer / "work/adapter")})
    result = carry_out(spec, tmp_path)
    assert result.lineage.parent == trained.artifact.digest
    from safetensors.torch import load_file

    one = load_file(folder_of(merged) / "model.safetensors")
    two = load_file(folder_of(result) / "model.safetensors")
    assert one.keys() == two.keys()
    assert all((one[name] - two[name]).abs().max() < 1e-6 for name in one)


def test_an_adapter_that_names_code_is_refused(trained, tmp_path):
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    mapping = {"base_model_class": "system", "parent_library": "os"}
    (adapter / "adapter_config.json").write_text(json.dumps({"auto_mapping": mapping}))
    spec = an_import(tmp_path, adapter={"base": trained.artifact.wire(), "uri": str(adapter)})
    with pytest.raises(SourceRefused, match="custom code"):
        carry_out(spec, tmp_path)


@pytest.mark.parametrize(
    ("uri", "revision", "message"),
    [
        ("hf://owner/name", None, "not pinned"),
        ("hf://owner/name@main", None, "'main' may move"),
        ("hf://owner/name", "v1.0", "'v1.0' may move"),
        ("hf://owner", None, "hf://OWNER/NAME@COMMIT"),
        ("s3://bucket/model", None, "no credentials"),
        ("/no/such/folder", None, "nothing is there"),
    ],
)
def test_uris_that_cannot_be_pinned_or_read(tmp_path, uri, revision, message):
    with pytest.raises(ConfigInvalid, match=message):
        bring(tmp_path, uri, revision=revision)


def test_a_download_that_fails_says_what_to_check(tmp_path, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigInvalid, match="was not downloaded"):
        bring(tmp_path, "hf://owner/name@" + "a" * 40)
