"""Small parts: memory, launcher codes, figures, files, names; no torch in this tier."""

from __future__ import annotations

import json
import math
from datetime import timedelta

import pytest

from slipway_contracts.artifact import ArtifactRefused, Lineage, check_file, verify_artifact
from slipway_contracts.training import Tracking, Training
from slipway_training.architectures import ARCHITECTURES
from slipway_training.arguments import steps_of, whole_numbers
from slipway_training.artifacts import publish, reference
from slipway_training.checkpoints import latest, seal
from slipway_training.endpoint import Answer, agreement, measure, percentile_95
from slipway_training.environment import Environment
from slipway_training.errors import ConfigInvalid, OutOfMemory, SourceRefused
from slipway_training.files import build_folder, write_atomically
from slipway_training.launch import exit_code
from slipway_training.lineage import code_revision, config_digest
from slipway_training.memory import is_out_of_memory, largest_batch, naming_the_remedy
from slipway_training.progress import ProgressLog
from slipway_training.run import parse_spec
from slipway_training.sources import stage
from slipway_training.tracking import reporters


def environment(**changes):
    values = {
        "rank": 0,
        "processes": 1,
        "launched": False,
        "has_wandb_key": False,
        "has_mlflow_address": False,
    }
    return Environment(**values | changes)


@pytest.mark.parametrize(
    ("room", "limit", "found"),
    [(1, 64, 1), (5, 64, 4), (64, 64, 64), (1000, 64, 64), (1000, 48, 32)],
)
def test_largest_batch_is_the_last_that_fits(room, limit, found):
    tried = []

    def fits(size):
        tried.append(size)
        return size <= room

    assert largest_batch(fits, limit) == found
    assert max(tried) <= 2 * found


def test_no_batch_fits_at_all():
    with pytest.raises(OutOfMemory, match="blockSize"):
        largest_batch(lambda size: False, 8)


@pytest.mark.parametrize(
    ("error", "yes"),
    [
        (MemoryError(), True),
        (RuntimeError("CUDA out of memory. Tried to allocate"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("shape mismatch"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_out_of_memory_is_recognised(error, yes):
    assert is_out_of_memory(error) is yes
    expected = OutOfMemory if yes else type(error)
    with pytest.raises(expected) as caught, naming_the_remedy("training", 8):
        raise error
    if yes:
        assert "training.batchSize (now 8)" in str(caught.value)
        assert "gradientAccumulation" in str(caught.value)
        assert caught.value.exit_code == 77


@pytest.mark.parametrize(
    ("codes", "expected"),
    [([0, 0], 0), ([75, 75], 75), ([77, -15], 77), ([-9, 1], 1), ([-9, -15], 1), ([0, 78], 78)],
)
def test_the_launchers_exit_code(codes, expected):
    assert exit_code(codes) == expected


def training(**changes):
    return Training.model_validate({"data": {"sources": ["bundled:devil"]}} | changes)


@pytest.mark.parametrize(
    ("changes", "processes", "steps"),
    [
        ({"maxSteps": 7}, 1, 7),
        ({"epochs": 2}, 1, 25),
        ({"epochs": 2, "gradientAccumulation": 5}, 1, 5),
        ({"epochs": 2}, 2, 12),
        ({"epochs": 0.001}, 1, 1),
    ],
)
def test_steps(changes, processes, steps):
    found = steps_of(training(**changes), samples=100, batch_size=8, processes=processes)
    assert found == steps


def test_whole_numbers_become_integers():
    assert whole_numbers({"num_cycles": 2.0, "power": 0.5}) == {"num_cycles": 2, "power": 0.5}
    assert isinstance(whole_numbers({"num_cycles": 2.0})["num_cycles"], int)


@pytest.mark.parametrize(
    ("package", "ready"), [("wandb", "has_wandb_key"), ("mlflow", "has_mlflow_address")]
)
def test_trackers_are_loud_about_packages_and_keys(monkeypatch, package, ready):
    tracking = Tracking.model_validate({package: True})
    monkeypatch.setattr("slipway_training.tracking.find_spec", lambda name: None)
    with pytest.raises(ConfigInvalid, match=f"package {package} is not installed"):
        reporters(tracking, environment())
    monkeypatch.setattr("slipway_training.tracking.find_spec", lambda name: object())
    with pytest.raises(ConfigInvalid, match="is not set"):
        reporters(tracking, environment())
    assert reporters(tracking, environment(**{ready: True})) == [package]
    assert reporters(Tracking(), environment()) == []


def test_agreement_is_the_share_of_the_reference():
    assert agreement("abcdef", "abcd") == 1.0
    assert agreement("abXd", "abcd") == 0.5
    assert agreement("", "abcd") == 0.0
    assert agreement("", "") == 1.0
    assert agreement("x", "") == 0.0


def test_percentile_is_nearest_rank():
    assert percentile_95([3.0]) == 3.0
    assert percentile_95(list(range(1, 101))) == 95


def test_figures_without_a_success_have_no_value():
    failed = Answer(text=None, milliseconds=0.0, error="HTTPError")
    figures = measure(lambda prompt: failed, ["a", "b"], references=["x", "y"])
    assert {name: (f.value, f.samples, f.failed) for name, f in figures.items()} == dict.fromkeys(
        ("success", "non_empty", "latency_p95_ms", "prefix_agreement"), (None, 2, 2)
    )
    nothing = measure(lambda prompt: failed, [], references=[])
    assert all((f.value, f.samples) == (None, 0) for f in nothing.values())


def test_a_folder_is_built_whole_or_not_at_all(tmp_path):
    target = tmp_path / "a" / "artifact"

    def broken(folder):
        (folder / "x.json").write_text("{}")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        build_folder(target, broken)
    assert not target.exists()
    build_folder(target, lambda folder: (folder / "y.json").write_text("{}"))
    assert [path.name for path in target.parent.iterdir()] == ["artifact"]
    assert [path.name for path in target.iterdir()] == ["y.json"]


def test_publishing_writes_a_manifest_that_verifies(tmp_path):
    def fill(folder):
        (folder / "config.json").write_text("{}")

    ref = publish(tmp_path / "x", fill, architecture="a", lineage=Lineage(seed=1), metrics={"m": 1})
    manifest = verify_artifact(tmp_path / "x", ref.digest)
    assert manifest.lineage.seed == 1
    assert ref == reference(tmp_path / "x")
    with pytest.raises(ConfigInvalid, match="exists already"):
        publish(tmp_path / "x", fill, architecture="a", lineage=Lineage(), metrics={})


def test_publishing_refuses_what_the_engine_would(tmp_path):
    def fill(folder):
        (folder / "weights.bin").write_bytes(b"")

    with pytest.raises(SourceRefused, match=r"weights\.bin"):
        publish(tmp_path / "x", fill, architecture="a", lineage=Lineage(), metrics={})
    assert not (tmp_path / "x").exists()


def artifact(folder):
    def fill(target):
        (target / "config.json").write_text("{}")
        (target / "merges.txt").write_text("a b")

    return publish(folder, fill, architecture="a", lineage=Lineage(), metrics={})


def change(folder):
    (folder / "merges.txt").write_text("a c")


def lengthen(folder):
    (folder / "merges.txt").write_text("a bb")


def remove(folder):
    (folder / "merges.txt").unlink()


def add(folder):
    (folder / "vocab.txt").write_text("a")


def link(folder):
    (folder / "merges.txt").rename(folder.parent / "elsewhere")
    (folder / "merges.txt").symlink_to(folder.parent / "elsewhere")


def change_manifest(folder):
    path = folder / "manifest.json"
    path.write_bytes(path.read_bytes() + b" ")


@pytest.mark.parametrize("damage", [change, lengthen, remove, add, link, change_manifest])
def test_every_change_to_an_artifact_is_seen(tmp_path, damage):
    ref = artifact(tmp_path / "x")
    verify_artifact(tmp_path / "x", ref.digest)
    damage(tmp_path / "x")
    with pytest.raises(ArtifactRefused):
        verify_artifact(tmp_path / "x", ref.digest)


def test_a_linked_artifact_folder_is_refused(tmp_path):
    ref = artifact(tmp_path / "x")
    (tmp_path / "y").symlink_to(tmp_path / "x")
    with pytest.raises(ArtifactRefused, match="not a folder"):
        verify_artifact(tmp_path / "y", ref.digest)


@pytest.mark.parametrize(
    "path",
    ["../x.json", "/etc/x.json", "a//b.json", "a/../b.json", "a\\b.json", "-x.json", "", "x .json"],
)
def test_paths_that_leave_or_hide_are_refused(tmp_path, path):
    with pytest.raises(ArtifactRefused, match="plain path"):
        check_file(tmp_path, path)


def test_a_manifest_that_lists_a_path_outside_is_refused(tmp_path):
    import hashlib

    artifact(tmp_path / "x")
    path = tmp_path / "x/manifest.json"
    content = json.loads(path.read_text())
    content["files"][0]["path"] = "../config.json"
    path.write_text(json.dumps(content))
    digest = "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(ArtifactRefused):
        verify_artifact(tmp_path / "x", digest)


def test_only_sealed_checkpoints_count(tmp_path):
    for step in (5, 10, 15):
        (tmp_path / f"checkpoint-{step}").mkdir()
    assert latest(tmp_path / "none") is None
    seal(tmp_path / "checkpoint-5")
    seal(tmp_path / "checkpoint-10")
    assert latest(tmp_path) == tmp_path / "checkpoint-10"
    assert not (tmp_path / "checkpoint-15").exists()


def test_progress_ends_a_torn_line_and_leaves_out_what_is_no_number(tmp_path):
    (tmp_path / "progress.jsonl").write_text('{"torn')
    log = ProgressLog(tmp_path)
    log.write("step", step=1, max_steps=2, loss=math.nan, tokens_per_second=10.0)
    torn, line = (tmp_path / "progress.jsonl").read_text().splitlines()
    assert torn == '{"torn'
    content = json.loads(line)
    assert content.pop("at") > 0
    assert content == {"event": "step", "step": 1, "maxSteps": 2, "tokensPerSecond": 10.0}


def test_digests_depend_on_values_only():
    one, two = training(maxSteps=7, seed=1), training(seed=1, maxSteps=7)
    assert config_digest(one) == config_digest(two)
    assert config_digest(one) != config_digest(training(maxSteps=8, seed=1))
    assert code_revision().startswith("slipway-training 0.")


def test_specs_are_refused_with_every_wrong_field():
    spec = {"verb": "train", "version": "v1", "artifactDir": "/x", "training": {"dta": {}}}
    with pytest.raises(ConfigInvalid) as caught:
        parse_spec(json.dumps(spec))
    assert "training.data: Field required" in str(caught.value)
    assert "training.dta" in str(caught.value)


def test_atomic_writes_replace(tmp_path):
    write_atomically(tmp_path / "x", b"1")
    write_atomically(tmp_path / "x", b"2")
    assert (tmp_path / "x").read_bytes() == b"2"
    assert len(list(tmp_path.iterdir())) == 1


def test_staging_copies_what_serves_and_names_what_does_not(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "config.json").write_text("{}")
    (source / "LICENSE.md").write_text("")
    stage(source, tmp_path / "staged")
    assert [path.name for path in (tmp_path / "staged").iterdir()] == ["config.json"]
    (source / "run.sh").write_text("")
    with pytest.raises(SourceRefused, match=r"run\.sh"):
        stage(source, tmp_path / "staged")


def test_every_bundled_shape_is_consistent():
    for shape in ARCHITECTURES.values():
        context = shape.settings.get("max_position_embeddings", shape.settings.get("n_positions"))
        assert context == shape.context
        width = shape.settings.get("hidden_size", shape.settings.get("n_embd"))
        heads = shape.settings.get("num_attention_heads", shape.settings.get("n_head"))
        assert width // heads == 64  # a head size of vLLM's CPU kernels


def test_help_needs_no_torch():
    import subprocess
    import sys

    code = (
        "import sys; from slipway_training.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "exit codes: 0 done" in done.stdout.lower()


def test_durations_are_seconds_in_the_loop():
    assert training(wallClockLimit="1m30s").wall_clock_limit == timedelta(seconds=90)
