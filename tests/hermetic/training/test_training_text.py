"""From scratch, full, LoRA: each ends in an artifact that verifies and says where it is from."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from training_runs import a_train_run, carry_out, progress_of

from slipway_contracts.artifact import verify_artifact
from slipway_training.errors import ConfigInvalid, Diverged, Interrupted
from slipway_training.run import execute
from slipway_training.stop import StopFlag


def folder_of(ref) -> Path:
    return Path(urlsplit(ref.uri).path)


def test_scratch_makes_a_complete_artifact(trained):
    folder = folder_of(trained.artifact)
    manifest = verify_artifact(folder, trained.artifact.digest)
    assert manifest.architecture == "micro-llama"
    assert {entry.path for entry in manifest.files} == {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert manifest.lineage == trained.lineage
    assert manifest.lineage.seed == 42
    assert manifest.lineage.parent is None
    assert manifest.metrics["steps"] == 12
    assert manifest.metrics["eval_loss"] < 6.0  # ln(400): worse than a guess
    assert manifest.metrics["train_loss"] < 5.9


def test_the_tokenizer_serves_chat_and_round_trips(trained):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder_of(trained.artifact))
    messages = [{"role": "user", "content": "hacker"}]
    assert tokenizer.apply_chat_template(messages, tokenize=False) == "hacker\n"
    assert (
        tokenizer.decode(tokenizer("Ünïcode & <b>\n\n  x")["input_ids"]) == "Ünïcode & <b>\n\n  x"
    )
    assert len({tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id}) == 3


def test_a_finished_run_returns_its_result_again(tmp_path):
    run = a_train_run(tmp_path, maxSteps=2)
    first = carry_out(run, tmp_path)
    lines = len(progress_of(tmp_path))
    assert carry_out(run, tmp_path) == first
    assert len(progress_of(tmp_path)) == lines


def test_progress_lines_tell_loss_speed_and_remaining_time(tmp_path):
    carry_out(a_train_run(tmp_path, maxSteps=4), tmp_path)
    lines = progress_of(tmp_path)
    assert [line["event"] for line in lines[:1] + lines[-1:]] == ["start", "end"]
    steps = [line for line in lines if line["event"] == "step"]
    assert [line["step"] for line in steps] == [1, 2, 3, 4]
    assert all(line["tokensPerSecond"] > 0 and line["loss"] > 0 for line in steps)
    assert steps[-1]["etaSeconds"] == 0
    assert {line["event"] for line in lines} == {"start", "step", "evaluation", "checkpoint", "end"}


def test_full_fine_tuning_continues_the_base(trained, tmp_path):
    result = carry_out(a_train_run(tmp_path, base=trained.artifact, method="full"), tmp_path)
    verify_artifact(tmp_path / "artifact", result.artifact.digest)
    assert result.lineage.parent == result.lineage.base == trained.artifact.digest
    assert result.metrics["eval_loss"] < trained.metrics["eval_loss"]


def test_lora_is_merged_and_its_adapter_kept(trained, tmp_path):
    run = a_train_run(
        tmp_path,
        base=trained.artifact,
        method="lora",
        lora={"r": 4},
        learningRate=0.003,
        maxSteps=24,
    )
    result = carry_out(run, tmp_path)
    manifest = verify_artifact(tmp_path / "artifact", result.artifact.digest)
    assert "adapter_config.json" not in {entry.path for entry in manifest.files}
    assert result.lineage.parent == trained.artifact.digest
    assert result.metrics["eval_loss"] < trained.metrics["eval_loss"]
    kept = json.loads((tmp_path / "work/adapter/manifest.json").read_text())
    assert kept["kind"] == "lora-adapter"


def test_lora_names_modules_that_do_not_exist(trained, tmp_path):
    lora = {"targetModules": ["no_such_projection"]}
    run = a_train_run(tmp_path, base=trained.artifact, method="lora", lora=lora)
    with pytest.raises(ConfigInvalid, match="no_such_projection"):
        carry_out(run, tmp_path)


def test_a_changed_base_is_refused(trained, tmp_path):
    import shutil

    copy = tmp_path / "base"
    shutil.copytree(folder_of(trained.artifact), copy)
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    base = trained.artifact.model_copy(update={"uri": copy.as_uri()})
    with pytest.raises(ConfigInvalid, match=r"model\.safetensors .*changed"):
        carry_out(a_train_run(tmp_path, base=base, method="full"), tmp_path)
    assert not (tmp_path / "artifact").exists()


def test_dry_run_leaves_no_artifact_and_no_result(tmp_path):
    result = carry_out(a_train_run(tmp_path), tmp_path, dry_run=True)
    assert result.artifact is None
    assert result.metrics["steps"] == 1
    assert not (tmp_path / "artifact").exists()
    assert not (tmp_path / "work/result.json").exists()
    assert not list((tmp_path / "work").glob("checkpoints/checkpoint-*"))


def test_automatic_batch_size_is_chosen_and_kept(tmp_path):
    result = carry_out(a_train_run(tmp_path, batchSize=None, maxSteps=1), tmp_path)
    assert result.metrics["batch_size"] == 64  # 2,048 tokens of 32 on a CPU
    assert json.loads((tmp_path / "work/batch_size.json").read_text()) == 64


def test_early_stopping_keeps_the_best_weights(tmp_path):
    run = a_train_run(
        tmp_path,
        maxSteps=60,
        learningRate=1.0,
        evalEverySteps=2,
        maxGradNorm=0,
        optimizer="sgd",
        earlyStopping={"patience": 2},
    )
    result = carry_out(run, tmp_path)
    evaluations = [line["evalLoss"] for line in progress_of(tmp_path) if "evalLoss" in line]
    assert result.metrics["steps"] < 60
    assert result.metrics["eval_loss"] == pytest.approx(min(evaluations[:-1]), rel=0.05)


def test_the_wall_clock_limit_ends_in_an_artifact(tmp_path):
    run = a_train_run(
        tmp_path,
        maxSteps=100_000,
        wallClockLimit="1s",
        evalEverySteps=100_000,
        checkpointEverySteps=100_000,
    )
    result = carry_out(run, tmp_path)
    assert result.metrics["wall_clock_limit_reached"] == 1
    assert 0 < result.metrics["steps"] < 100_000
    verify_artifact(tmp_path / "artifact", result.artifact.digest)


def test_divergence_is_said_and_publishes_nothing(tmp_path):
    run = a_train_run(tmp_path, learningRate=10, optimizer="sgd", maxGradNorm=0, maxSteps=200)
    with pytest.raises(Diverged, match="learningRate"):
        carry_out(run, tmp_path)
    assert not (tmp_path / "artifact").exists()
    assert "learningRate" in json.loads((tmp_path / "work/result.json").read_text())["error"]


def test_gradient_accumulation_and_schedulers(tmp_path):
    run = a_train_run(
        tmp_path,
        gradientAccumulation=2,
        scheduler="cosine_with_restarts",
        schedulerArgs={"num_cycles": 2.0},
        optimizer="adafactor",
        maxSteps=2,
        bf16="on",
    )
    assert carry_out(run, tmp_path).metrics["steps"] == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"optimizer": "adamw_tourch"},
            r"training\.optimizer is 'adamw_tourch'; valid are: .*adamw_torch",
        ),
        ({"scheduler": "cosin"}, r"training\.scheduler is 'cosin'; valid are: .*cosine"),
        ({"schedulerArgs": {"wobble": 1}}, "wobble"),
        ({"architecture": "tiny-lama"}, "valid are: .*tiny-llama"),
        ({"optimizer": "adamw_bnb_8bit"}, "bitsandbytes"),
        ({"mode": "fsdp"}, "fsdp.*CUDA.*baseline"),
        ({"mode": "deepspeed"}, "deepspeed.*CUDA"),
        ({"tracking": {"wandb": True}}, "wandb is on"),
        ({"tracking": {"mlflow": True}}, "mlflow is on"),
        ({"earlyStopping": {"metric": "eval_los"}}, "earlyStopping.metric"),
        ({"data": {"sources": ["bundled:jorgan"]}}, "bundled:jargon, bundled:devil"),
        ({"data": {"sources": ["/no/such/file"]}}, "/no/such/file"),
        ({"data": {"sources": ["s3://bucket/x"]}}, "mount or copy"),
        ({"data": {"sources": ["bundled:devil"], "blockSize": 4096}}, "context is 128"),
        (
            {
                "data": {"sources": ["bundled:devil"], "evalFraction": 0.9, "maxCharacters": 1000},
                "tokenizer": {"vocabSize": 5000},
            },
            "less than one block",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_wrong_configs_name_the_field_and_the_fix(tmp_path, changes, message):
    with pytest.raises(ConfigInvalid, match=message):
        carry_out(a_train_run(tmp_path, **changes), tmp_path)
    assert not (tmp_path / "artifact").exists()


def test_a_work_folder_belongs_to_one_spec(tmp_path):
    carry_out(a_train_run(tmp_path, maxSteps=1), tmp_path)
    with pytest.raises(ConfigInvalid, match="another spec"):
        carry_out(a_train_run(tmp_path, maxSteps=2), tmp_path)


def test_two_processes_never_share_a_work_folder(tmp_path):
    from slipway_training.run import _only_process

    (tmp_path / "work").mkdir()
    with _only_process(tmp_path / "work"), pytest.raises(Interrupted, match="another process"):
        carry_out(a_train_run(tmp_path), tmp_path)


def test_a_stop_before_the_first_step_is_resumable(tmp_path):
    stop = StopFlag()
    stop.wanted = True
    with pytest.raises(Interrupted):
        execute(a_train_run(tmp_path, maxSteps=1), tmp_path / "work", stop)
    assert not (tmp_path / "work/result.json").exists()
    assert carry_out(a_train_run(tmp_path, maxSteps=1), tmp_path).metrics["steps"] == 1
