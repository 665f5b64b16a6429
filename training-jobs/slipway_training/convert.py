"""The sandboxed child: reads an untrusted checkpoint, folder or adapter, writes safetensors.

Run as ``python -m slipway_training.convert JOB OUTCOME``. Refusals go to OUTCOME; anything else is
a crash, which the parent reports.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from slipway_training.architectures import ARCHITECTURES
from slipway_training.errors import SourceRefused, TrainingFailure
from slipway_training.memory import is_out_of_memory
from slipway_training.sandbox import Job, Outcome

_CLONE_NEWNET, _CLONE_NEWUSER = 0x40000000, 0x10000000
_TEMPLATE_SECONDS = 10
_TEMPLATE_OUTPUT = 1 << 16
_SHOWN = 6
# A wrapper's prefix: DistributedDataParallel's and torch.compile's.
_PREFIXES = ("module.", "_orig_mod.")
# Where training scripts keep the weights inside a checkpoint.
_WEIGHT_KEYS = ("model_state_dict", "state_dict", "model")


def main(arguments: list[str]) -> int:
    """Do the job named on the command line."""
    order, answer = (Path(argument) for argument in arguments)
    job = Job.model_validate_json(order.read_bytes())
    leave_network()  # before torch starts threads: the kernel allows it to a single thread only
    import torch
    import transformers

    transformers.logging.set_verbosity(transformers.logging.CRITICAL)
    transformers.logging.disable_progress_bar()
    confine(job)
    try:
        with torch.inference_mode():
            outcome = Outcome(architecture=carry_out(job))
    except TrainingFailure as error:
        outcome = Outcome(refused=str(error))
    answer.write_text(json.dumps(outcome.wire()), encoding="utf-8")
    return 0


def confine(job: Job) -> None:
    """Limits for the rest of this process."""
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    ceiling = used * resource.getpagesize() + job.memory_bytes
    for limit, value in (
        (resource.RLIMIT_AS, ceiling),
        (resource.RLIMIT_CPU, job.cpu_seconds),
        (resource.RLIMIT_FSIZE, job.memory_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 512),
    ):
        resource.setrlimit(limit, (value, value))


def leave_network() -> None:
    """A network namespace of its own, where the kernel gives one; elsewhere nothing changes."""
    mine = _CLONE_NEWNET if os.geteuid() == 0 else _CLONE_NEWNET | _CLONE_NEWUSER
    ctypes.CDLL(None).unshare(mine)


def carry_out(job: Job) -> str:
    """The architecture's name; SourceRefused says why not."""
    source, target = Path(job.source), Path(job.target)
    match job.kind:
        case "folder":
            return check_folder(source)
        case "checkpoint":
            return convert_checkpoint(source, target)
        case "adapter":
            return merge_adapter(Path(job.base or ""), source, target)


def check_folder(folder: Path) -> str:
    """Whether tensors, configuration and tokenizer of ``folder`` belong together."""
    from transformers import AutoConfig, AutoModelForCausalLM

    from slipway_training.tokenizer import load_tokenizer

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        name = (config.architectures or [config.model_type])[0]
        if getattr(config, "quantization_config", None) is None:
            _, report = AutoModelForCausalLM.from_pretrained(
                folder,
                config=config,
                device_map="meta",  # names and shapes only: no weight is read
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
            refuse_mismatch(report, name)
    except TrainingFailure:
        raise
    except Exception as error:  # loaders raise whatever the files make them raise
        if is_out_of_memory(error):
            raise
        raise SourceRefused(f"{folder.name} does not load as a language model: {error}") from error
    check_chat_template(load_tokenizer(folder))
    return str(name)


def refuse_mismatch(report: dict[str, Any], architecture: str) -> None:
    """SourceRefused with the names of the tensors by which weights and configuration differ."""
    lines = []
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        names = sorted(item if isinstance(item, str) else str(item[0]) for item in report[kind])
        if names:
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            lines.append(f"{kind.split('_')[0]}: {', '.join(names[:_SHOWN])}{more}")
    if lines:
        raise SourceRefused(
            f"the weights are not of architecture {architecture}; tensors {'; '.join(lines)}"
        )


def check_chat_template(tokenizer: Any) -> None:
    """Refuse a template that cannot be rendered in bounded time and size."""
    if not tokenizer.chat_template:
        return
    messages = [{"role": "user", "content": "Hello"}]

    def too_slow(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"it ran longer than {_TEMPLATE_SECONDS} s")

    signal.signal(signal.SIGALRM, too_slow)
    signal.alarm(_TEMPLATE_SECONDS)
    try:
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    except Exception as error:  # jinja raises whatever the template makes it raise
        raise SourceRefused(f"the chat template cannot be rendered: {error}") from error
    finally:
        signal.alarm(0)
    if len(text) > _TEMPLATE_OUTPUT:
        raise SourceRefused(f"the chat template makes {len(text)} characters of one word")


def convert_checkpoint(source: Path, target: Path) -> str:
    """``checkpoint.pt`` (weights only) beside its config.json → safetensors in ``target``."""
    import torch
    from safetensors.torch import save_file

    try:
        loaded = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler raises what the file makes it raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SourceRefused(
            f"{source.name} does not load with weights_only: {reason}; save the state dict alone"
        ) from error
    tensors = state_dict_of(loaded, source.name)
    name = ""
    if not (target / "config.json").exists():
        name, config = bundled_match(tensors)
        config.save_pretrained(target)
    save_file(
        {key: value.detach().contiguous().clone() for key, value in tensors.items()},
        target / "model.safetensors",
        metadata={"format": "pt"},
    )
    return name or check_folder(target)


def state_dict_of(loaded: Any, name: str) -> dict[str, Any]:
    """The tensors by name, out of the wrappings that training scripts use."""
    import torch

    for key in _WEIGHT_KEYS:
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
            break
    if not isinstance(loaded, dict) or not loaded:
        raise SourceRefused(f"{name} holds no state dict")
    wrong = [str(key) for key, value in loaded.items() if not isinstance(value, torch.Tensor)]
    if wrong:
        raise SourceRefused(f"{name} holds no plain state dict: {wrong[0]} is no tensor")
    for prefix in _PREFIXES:
        if all(str(key).startswith(prefix) for key in loaded):
            loaded = {key[len(prefix) :]: value for key, value in loaded.items()}
    return dict(loaded)


def bundled_match(tensors: dict[str, Any]) -> tuple[str, Any]:
    """The bundled architecture with exactly these names and shapes, and its configuration."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    given = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    embeddings = [
        shape[0] for name, shape in given.items() if name.endswith(("tokens.weight", "wte.weight"))
    ]
    nearest: tuple[int, str, set[str]] | None = None
    for name, shape in ARCHITECTURES.items():
        config = AutoConfig.for_model(
            shape.model_type, vocab_size=embeddings[0] if embeddings else 4096, **shape.settings
        )
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
        wanted = {key: tuple(value.shape) for key, value in model.state_dict().items()}
        if given.keys() | {"lm_head.weight"} == wanted.keys() | {"lm_head.weight"}:
            differing = {key for key in given if given[key] != wanted[key]}
        else:
            differing = given.keys() ^ wanted.keys()
        if not differing:
            config.architectures = [type(model).__name__]
            return name, config
        if nearest is None or len(differing) < nearest[0]:
            nearest = len(differing), name, set(differing)
    assert nearest is not None
    shown = ", ".join(sorted(nearest[2])[:_SHOWN])
    raise SourceRefused(
        f"the checkpoint is of no bundled architecture, and no config.json lies beside it; nearest "
        f"is {nearest[1]}, {nearest[0]} tensors differ: {shown}"
    )


def merge_adapter(base: Path, adapter: Path, target: Path) -> str:
    """A LoRA adapter added into its base's weights, saved in ``target``."""
    from peft import PeftModel

    from slipway_training.heldout import load_model
    from slipway_training.tokenizer import load_tokenizer, save_tokenizer

    model = load_model(base, dtype="auto")
    try:
        merged = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        first = str(error).splitlines()[0]
        raise SourceRefused(f"the adapter does not fit its base: {first}") from error
    merged.save_pretrained(str(target))
    save_tokenizer(load_tokenizer(base), target)
    return str(merged.config.architectures[0])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
