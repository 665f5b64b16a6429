"""What the engine refuses before it loads a byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from engine_artifact import CHAT_TEMPLATE, plain_artifact, write_manifest

from slipway_contracts.artifact import ArtifactRef
from slipway_contracts.backend import parse_failure
from slipway_contracts.conditions import Reason
from slipway_engine.errors import Refused
from slipway_engine.verify import chat_templates, check_template, folder_of, verified


def refusal(artifact: ArtifactRef) -> tuple[Reason, str]:
    with pytest.raises(Refused) as caught:
        verified(artifact, "text-generation")
    told = parse_failure(f"Traceback\n{type(caught.value).__name__}: {caught.value}\nmore")
    assert told is not None
    assert told[0] is caught.value.reason
    return told


def test_a_good_artifact(tmp_path: Path) -> None:
    artifact = plain_artifact(tmp_path / "a")
    folder, manifest = verified(artifact, "text-generation")
    assert folder == tmp_path / "a"
    assert manifest.kind == "text-generation"


def test_a_changed_byte_is_a_digest_mismatch(tmp_path: Path) -> None:
    artifact = plain_artifact(tmp_path / "a")
    path = tmp_path / "a" / "model.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    reason, message = refusal(artifact)
    assert reason is Reason.DIGEST_MISMATCH
    assert "model.safetensors" in message


def test_another_digest_is_a_mismatch(tmp_path: Path) -> None:
    artifact = plain_artifact(tmp_path / "a")
    other = ArtifactRef(uri=artifact.uri, digest="sha256:" + "0" * 64)
    assert refusal(other)[0] is Reason.DIGEST_MISMATCH


@pytest.mark.parametrize("name", ["model.bin", "pytorch_model.pt", "model.pt2", "run.py", "x.zip"])
def test_files_that_could_run_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / name).write_bytes(b"x")
    reason, message = refusal(plain_artifact(tmp_path / "a"))
    assert reason is Reason.ARTIFACT_REFUSED
    assert name in message


def test_a_file_beside_the_manifest_is_refused(tmp_path: Path) -> None:
    artifact = plain_artifact(tmp_path / "a")
    (tmp_path / "a" / "generation_config.json").write_text("{}")
    assert refusal(artifact)[0] is Reason.ARTIFACT_REFUSED


def test_a_link_is_refused(tmp_path: Path) -> None:
    artifact = plain_artifact(tmp_path / "a")
    path = tmp_path / "a" / "model.safetensors"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert refusal(artifact)[0] is Reason.ARTIFACT_REFUSED


@pytest.mark.parametrize("name", ["config__json", "tokenizer_config__json"])
def test_remote_code_is_refused(tmp_path: Path, name: str) -> None:
    asks = json.dumps({"auto_map": {"AutoModel": "modeling.Evil"}})
    reason, message = refusal(plain_artifact(tmp_path / "a", **{name: asks}))
    assert reason is Reason.ARTIFACT_REFUSED
    assert "auto_map" in message


def test_another_kind_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    plain_artifact(folder)
    reason, message = refusal(write_manifest(folder, kind="lora-adapter"))
    assert reason is Reason.ARTIFACT_REFUSED
    assert "lora-adapter" in message


@pytest.mark.parametrize("uri", ["s3://bucket/a", "hf://org/name", "/a", "file://host/a"])
def test_only_local_folders_are_served(uri: str) -> None:
    with pytest.raises(Refused, match="import it first"):
        folder_of(uri)


def test_an_absent_folder_is_refused(tmp_path: Path) -> None:
    artifact = ArtifactRef(uri=(tmp_path / "no").as_uri(), digest="sha256:" + "0" * 64)
    assert refusal(artifact)[0] is Reason.ARTIFACT_REFUSED


def test_a_uri_with_escapes(tmp_path: Path) -> None:
    artifact = plain_artifact(tmp_path / "a folder")
    assert "%20" in artifact.uri
    assert verified(artifact, "text-generation")[0] == tmp_path / "a folder"


def test_usual_templates_pass() -> None:
    check_template(CHAT_TEMPLATE)
    check_template("{% generation %}{{ messages[0].content | trim }}{% endgeneration %}")
    check_template("{%- for m in messages %}{% if loop.last %}{% break %}{% endif %}{% endfor %}")


@pytest.mark.parametrize(
    "template",
    [
        pytest.param("{{ ''.__class__.__mro__ }}", id="attribute"),
        pytest.param("{{ ''['__class__'] }}", id="item"),
        pytest.param("{{ ''|attr('__class__') }}", id="filter"),
        pytest.param("{% include 'x' %}", id="include"),
        pytest.param("{% import 'x' as y %}", id="import"),
        pytest.param("{% extends 'x' %}", id="extends"),
        pytest.param("{% for %}", id="broken"),
        pytest.param("x" * 200_000, id="huge"),
    ],
)
def test_hostile_templates_are_refused(tmp_path: Path, template: str) -> None:
    text = json.dumps({"chat_template": template})
    artifact = plain_artifact(tmp_path / "a", tokenizer_config__json=text)
    assert refusal(artifact)[0] is Reason.ARTIFACT_REFUSED


def test_templates_by_name_are_all_looked_at(tmp_path: Path) -> None:
    named = [{"name": "default", "template": "ok"}, {"name": "tool", "template": "{{ x.__y__ }}"}]
    text = json.dumps({"chat_template": named})
    artifact = plain_artifact(tmp_path / "a", tokenizer_config__json=text)
    assert chat_templates(tmp_path / "a") == ["ok", "{{ x.__y__ }}"]
    assert refusal(artifact)[0] is Reason.ARTIFACT_REFUSED
