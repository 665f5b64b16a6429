"""YAML to resources: what is read, and how each mistake is told."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from slipway_cli.errors import InvalidInput
from slipway_cli.manifests import read_manifests
from slipway_contracts.model import Model
from slipway_contracts.model_version import ModelVersion

MODEL = """\
apiVersion: slipway.dev/v1alpha1
kind: Model
metadata: {name: m}
"""
VERSION = """\
apiVersion: slipway.dev/v1alpha1
kind: ModelVersion
metadata: {name: v1}
spec:
  model: m
  source: {random: {}}
"""


BOMB = "a0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
)


def read(tmp_path: Path, text: str) -> list[Model | ModelVersion]:
    path = tmp_path / "m.yaml"
    path.write_text(text)
    return read_manifests([str(path)])


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        read(tmp_path, text)
    return str(caught.value).replace(f"{tmp_path}/", "")


def test_several_documents(tmp_path: Path) -> None:
    found = read(tmp_path, f"---\n{MODEL}---\n\n---\n# nothing\n---\n{VERSION}")
    assert [(r.kind, r.metadata.name) for r in found] == [("Model", "m"), ("ModelVersion", "v1")]


def test_a_list_as_kubectl_prints_it(tmp_path: Path) -> None:
    items = "".join(
        "- " + VERSION.replace("\n", "\n  ").rstrip().replace("v1}", f"v{n}}}") + "\n"
        for n in (1, 2)
    )
    found = read(tmp_path, f"apiVersion: v1\nkind: List\nitems:\n{items}")
    assert [r.metadata.name for r in found] == ["v1", "v2"]


def test_json_is_yaml(tmp_path: Path) -> None:
    text = '{"apiVersion": "slipway.dev/v1alpha1", "kind": "Model", "metadata": {"name": "m"}}'
    assert read(tmp_path, text)[0].metadata.name == "m"


def test_a_folder_is_read_by_name_and_other_files_are_left(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(MODEL)
    (tmp_path / "a.yml").write_text(VERSION)
    (tmp_path / "notes.txt").write_text("{")
    assert [r.metadata.name for r in read_manifests([str(tmp_path)])] == ["v1", "m"]


def test_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(MODEL))
    assert read_manifests(["-"])[0].metadata.name == "m"


def test_a_status_and_what_a_server_adds_may_stay_in(tmp_path: Path) -> None:
    text = MODEL + "status: {stable: v1, nonsense: 1}\n"
    text = text.replace("{name: m}", "{name: m, uid: u, managedFields: [], resourceVersion: '3'}")
    model = read(tmp_path, text)[0]
    assert isinstance(model, Model)
    assert model.status.stable is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            ("model: m", "modle: m"),
            "m.yaml:5: ModelVersion v1: spec.modle: unknown field; did you mean model?",
        ),
        (
            ("model: m", "model: M"),
            "m.yaml:5: ModelVersion v1: spec.model: must be lower-case letters, digits and inner",
        ),
        (("  model: m\n", ""), "m.yaml:5: ModelVersion v1: spec.model: is required; add it"),
        (
            ("{random: {}}", "{}"),
            "spec.source: needs exactly one of training, artifact, adapter, random; got none",
        ),
        (
            ("{random: {}}", "{random: {seed: x}}"),
            "m.yaml:6: ModelVersion v1: spec.source.random.seed: must be a whole number; got 'x'",
        ),
        (
            ("{random: {}}", "{training: {data: {sources: [a]}, bf16: on}}"),
            "must be one of auto, on, off; quote it: YAML takes a bare on for true",
        ),
        (
            ("{random: {}}", "{training: {data: {sources: [a]}, learningRate: .nan}}"),
            "m.yaml:6: ModelVersion v1: spec.source.training.learningRate: must be a finite",
        ),
        (
            ("{random: {}}", "{training: {data: {sources: []}}}"),
            "spec.source.training.data.sources: must not be empty",
        ),
        (
            (
                "{random: {}}",
                "{random: {}}\n  rollout:\n    steps:\n    - weight: 10\n    - weight: 0",
            ),
            "m.yaml:10: ModelVersion v1: spec.rollout.steps[1].weight: must be at least 1; got 0",
        ),
        (
            ("{random: {}}", "{random: {}}\n  rollout: {max_duration: 1h}"),
            "spec.rollout.max_duration: unknown field; did you mean maxDuration?",
        ),
        (
            ("{random: {}}", "{random: {}}\n  rollout: {maxDuration: 1 day}"),
            "maxDuration: '1 day' is not a duration; write it like '90s', '10m' or '1h30m'",
        ),
        (
            ("{random: {}}", "{random: {}}\n  rollout: {analysis: {alpha: 0.5}}"),
            "spec.rollout.analysis.alpha: must be below 0.5; got 0.5",
        ),
        (
            ("{random: {}}", "{random: {}}\n  rollout: {zzz: 1}"),
            "spec.rollout.zzz: unknown field; fields here are analysis, autoPromote,",
        ),
        (
            ("{random: {}}", "{random: {}}\n  desiredState: paused"),
            "spec.desiredState: must be one of Active, Paused, Aborted, Retired; got 'paused'",
        ),
        (
            ("{random: {}}", "{random: {}}\n  rollout: {autoPromote: 'yes'}"),
            "spec.rollout.autoPromote: must be true or false; got 'yes'",
        ),
        (
            ("{random: {}}", "{random: {}}\n  retry: {id: " + "x" * 65 + "}"),
            "spec.retry.id: is too long: at most 64 characters",
        ),
        (
            ("{name: v1}", "{name: v1, lables: {}}"),
            "m.yaml:3: ModelVersion v1: metadata.lables: unknown field; did you mean labels?",
        ),
        (
            ("{name: v1}", "{name: v1, namespace: prod}"),
            "metadata.namespace: local mode has the namespace default only; leave it out",
        ),
        (
            ("{name: v1}", ""),
            "m.yaml:3: ModelVersion: metadata: must be a mapping of fields; got nothing",
        ),
        (
            ("ModelVersion", "ModelVersoin"),
            "m.yaml:2: ModelVersoin v1: kind: must be Model or ModelVersion; got ModelVersoin",
        ),
        (
            ("v1alpha1", "v1"),
            "apiVersion: must be slipway.dev/v1alpha1; got slipway.dev/v1",
        ),
        (("  model: m\n", "  model: m\n  model: n\n"), "m.yaml:6: model is given twice; keep one"),
        (("{random: {}}", "{random: {"), "is not YAML"),
    ],
    ids=lambda value: str(value[1])[:40] if isinstance(value, tuple) else "",
)
def test_a_mistake_is_told_with_line_field_and_fix(
    tmp_path: Path, change: tuple[str, str], expected: str
) -> None:
    told = refusal(tmp_path, VERSION.replace(*change))
    assert expected in told
    assert "Traceback" not in told
    assert "Value error" not in told
    assert "pydantic" not in told


def test_every_mistake_of_every_document_is_told_at_once(tmp_path: Path) -> None:
    one = MODEL + "spec: {servng: {}, task: x}\n"
    two = VERSION.replace("model: m", "modle: m")
    told = refusal(tmp_path, f"{one}---\n- a list\n---\n{two}")
    for part in ("servng", "spec.task", "must be a mapping with apiVersion", "modle", "spec.model"):
        assert part in told
    assert told.endswith("nothing was applied")


def test_the_same_object_twice(tmp_path: Path) -> None:
    told = refusal(tmp_path, f"{MODEL}---\n{MODEL}")
    assert "m.yaml:5: Model m is already in m.yaml:1; keep one of the two" in told


@pytest.mark.parametrize("text", ["", "---\n---\n", "# only a comment\n"])
def test_nothing_to_apply(tmp_path: Path, text: str) -> None:
    assert "holds no document" in refusal(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        read_manifests([str(tmp_path / "none.yaml")])


def test_a_folder_without_manifests(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="holds no file that ends in"):
        read_manifests([str(tmp_path)])


def test_bytes_that_are_not_text(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match="not UTF-8"):
        read_manifests([str(tmp_path / "m.yaml")])


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system [id]",
        "a: &a [*a]",
        "? [a]\n: b",
        "'\\x00': 1",
        "\t",
        BOMB,
        "[" * 5000,
    ],
)
def test_hostile_yaml_is_refused_and_nothing_else(tmp_path: Path, text: str) -> None:
    refusal(tmp_path, text)
