"""The YAML verbs, export with its parity report, and the flags that override the file."""

from __future__ import annotations

import json

import pytest
import yaml
from training_runs import a_training

from slipway_contracts.training import EXIT_INVALID
from slipway_training import export as export_module
from slipway_training.__main__ import main
from slipway_training.errors import ParityFailed


@pytest.fixture
def config(tmp_path, trained):
    """A file with every section, about the shared artifact."""
    artifact = trained.artifact.wire()

    def write(**changes):
        content = {
            "version": "v1",
            "training": a_training(maxSteps=2),
            "import": {"random": {"architecture": "micro-llama"}},
            "evaluation": {
                "candidate": {"version": "v1", "artifact": artifact},
                "suites": [{"name": "heldout", "kind": "heldout", "sources": ["bundled:devil"]}],
            },
            "export": {"artifact": artifact, "formats": ["onnx", "torchscript"]},
        } | changes
        path = tmp_path / "run.yaml"
        path.write_text(yaml.safe_dump(content))
        return str(path)

    return write


@pytest.fixture(autouse=True)
def signals():
    """main() installs handlers; tests get their own back."""
    import signal

    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def test_train_evaluate_import_from_one_file(config, tmp_path, capsys):
    out = tmp_path / "out"
    flags = ["--batch-size", "4", "--grad-accum", "2", "--run-name", "x", "--bf16", "off"]
    assert main(["train", "--config", config(), "--output", str(out), *flags]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["metrics"]["batch_size"] == 4
    assert (out / "artifact/manifest.json").exists()
    assert main(["evaluate", "--config", config(), "--output", str(tmp_path / "e")]) == 0
    assert json.loads(capsys.readouterr().out)["report"]["suites"]
    assert main(["import", "--config", config(), "--output", str(tmp_path / "i")]) == 0
    assert (tmp_path / "i/artifact/manifest.json").exists()


def test_a_base_by_path_takes_the_digest_that_lies_there(config, tmp_path, trained):
    training = a_training(method="full", base={"uri": trained.artifact.uri}, maxSteps=1)
    path = config(training=training)
    assert main(["train", "--config", path, "--output", str(tmp_path / "out"), "--dry-run"]) == 0


@pytest.mark.parametrize(
    ("changes", "verb", "message"),
    [
        ({"training": a_training(optimiser="adamw")}, "train", "training.optimiser"),
        ({"training": None}, "train", "no section 'training'"),
        ({"extra": 1}, "train", "extra"),
        ({"evaluation": None}, "evaluate", "no section 'evaluation'"),
        ({"export": None}, "export", "no section 'export'"),
        ({"import": {}}, "import", "exactly one of"),
    ],
)
def test_wrong_files_exit_78_and_name_the_field(config, tmp_path, capsys, changes, verb, message):
    code = main([verb, "--config", config(**changes), "--output", str(tmp_path / "out")])
    assert code == EXIT_INVALID
    assert message in capsys.readouterr().err


def test_a_wrong_flag_is_checked_as_the_file_is(config, tmp_path, capsys):
    flags = ["--output", str(tmp_path / "out"), "--batch-size", "0"]
    assert main(["train", "--config", config(), *flags]) == EXIT_INVALID
    assert "batch_size" in capsys.readouterr().err


def test_exports_answer_as_their_source(config, tmp_path, capsys):
    assert main(["export", "--config", config(), "--output", str(tmp_path / "out")]) == 0
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report == json.loads(capsys.readouterr().out)
    assert [item["format"] for item in report["files"]] == ["onnx", "torchscript"]
    for item in report["files"]:
        assert item["passed"]
        assert item["maxAbsDiff"] < 1e-4
        assert item["greedyAgreement"] == 1.0
        assert item["samples"] == 24
        assert (tmp_path / "out" / item["file"]).stat().st_size == item["size"]


def test_a_failed_parity_exits_nonzero_and_leaves_the_report(config, tmp_path, capsys, monkeypatch):
    def distorted(source, path):
        exported = export_module._write_torchscript(source, path)
        return lambda ids, mask: exported(ids, mask).roll(1, dims=-1)

    monkeypatch.setitem(export_module._WRITERS, "torchscript", distorted)
    code = main(["export", "--config", config(), "--output", str(tmp_path / "out")])
    assert code == ParityFailed.exit_code == 1
    assert "model.ts differs" in capsys.readouterr().err
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert [item["passed"] for item in report["files"]] == [True, False]
    assert not report["passed"]
