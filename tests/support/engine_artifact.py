"""Artifacts for engine tests: a folder with a manifest, with or without a model in it."""

from __future__ import annotations

from pathlib import Path

from slipway_contracts.artifact import ArtifactFile, ArtifactRef, Manifest, hash_file

CHAT_TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
# A safetensors file without tensors: the length of its header, then the header.
EMPTY_SAFETENSORS = (2).to_bytes(8, "little") + b"{}"


def write_manifest(folder: Path, *, kind: str = "text-generation") -> ArtifactRef:
    """Seal what lies in ``folder``."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "manifest.json")
    files = []
    for path in paths:
        size, sha256 = hash_file(path)
        name = path.relative_to(folder).as_posix()
        files.append(ArtifactFile(path=name, sha256=sha256, size=size))
    manifest = Manifest.model_validate(
        {
            "kind": kind,
            "architecture": "LlamaForCausalLM",
            "files": files,
            "created_at": "2026-01-01T00:00:00Z",
        }
    )
    (folder / "manifest.json").write_bytes(manifest.canonical())
    return ArtifactRef(uri=folder.as_uri(), digest=manifest.digest())


def plain_artifact(folder: Path, **files: str) -> ArtifactRef:
    """No weights, but all that verification looks at. ``files``: name (dots as ``__``) → text."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(EMPTY_SAFETENSORS)
    (folder / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return write_manifest(folder)


def tiny_llama(folder: Path, *, seed: int = 0) -> ArtifactRef:
    """Random weights of about a million parameters, with a tokenizer and a chat template."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        special_tokens=["<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["the quick brown fox jumps over the lazy dog"] * 4, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|end|>",
        pad_token="<|end|>",
        chat_template=CHAT_TEMPLATE,
    )
    fast.save_pretrained(folder, save_jinja_files=False)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=256,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return write_manifest(folder)
