"""``export``: an artifact as ONNX or TorchScript, with proof that it answers as its source does.

The exported graph takes ``input_ids`` and ``attention_mask`` (int64, batch x tokens, both sizes
free) and returns logits (float32, batch x tokens x vocabulary). It has no key-value cache.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from pydantic import Field

from slipway_contracts.artifact import ArtifactRef, hash_file
from slipway_contracts.base import Spec
from slipway_training.artifacts import open_artifact
from slipway_training.corpus import load_corpus
from slipway_training.errors import ParityFailed
from slipway_training.files import build_folder
from slipway_training.heldout import load_model
from slipway_training.tokenizer import load_tokenizer, save_tokenizer

Format = Literal["onnx", "torchscript"]
Logits = Callable[[Any, Any], Any]
FILES: dict[Format, str] = {"onnx": "model.onnx", "torchscript": "model.ts"}
REPORT = "report.json"
_PROMPTS, _GREEDY_TOKENS = 8, 16
_LENGTHS = (1, 5, 33)


class Export(Spec):
    """What to export. ``tolerance`` bounds the largest absolute difference of a logit."""

    artifact: ArtifactRef
    formats: tuple[Format, ...] = ("onnx",)
    tolerance: float = Field(default=1e-3, gt=0)
    min_greedy_agreement: float = Field(default=0.99, ge=0, le=1)


class Parity(Spec):
    """One exported file beside its source. ``greedy_agreement`` is the share of equal tokens."""

    format: Format
    file: str
    size: int
    sha256: str
    max_abs_diff: float
    greedy_agreement: float
    samples: int
    passed: bool


class ExportReport(Spec):
    """What ``report.json`` holds."""

    artifact: ArtifactRef
    passed: bool
    files: tuple[Parity, ...]


def export(order: Export, output: Path) -> ExportReport:
    """Write the files and ``report.json`` to ``output``; ParityFailed after the report is there."""
    with TemporaryDirectory(prefix="slipway-export-") as cache:
        folder, _ = open_artifact(order.artifact, Path(cache))
        return _export(order, folder, output)


def _export(order: Export, folder: Path, output: Path) -> ExportReport:
    model, tokenizer = load_model(folder).cpu(), load_tokenizer(folder)
    source = _Logits(model)
    found: list[Parity] = []

    def fill(target: Path) -> None:
        for kind in order.formats:
            path = target / FILES[kind]
            exported = _WRITERS[kind](source, path)
            found.append(_compare(order, source, exported, tokenizer=tokenizer, path=path))
        save_tokenizer(tokenizer, target)
        report = ExportReport(
            artifact=order.artifact, passed=all(item.passed for item in found), files=tuple(found)
        )
        (target / REPORT).write_text(json.dumps(report.wire(), indent=1), encoding="utf-8")

    build_folder(output, fill)
    failed = [item for item in found if not item.passed]
    if failed:
        worst = failed[0]
        raise ParityFailed(
            f"{worst.file} differs from its source: largest difference {worst.max_abs_diff:.2e}, "
            f"greedy agreement {worst.greedy_agreement:.3f}; see {output / REPORT}"
        )
    return ExportReport(artifact=order.artifact, passed=True, files=tuple(found))


def _Logits(model: Any) -> Any:  # noqa: N802  (a class whose base is imported when it is needed)
    """The model as a module of two positional tensors: what both exporters take."""
    import torch

    class Logits(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            return self.model(
                input_ids=input_ids, attention_mask=attention_mask, use_cache=False
            ).logits

    return Logits().eval()


def _example(source: Any) -> tuple[Any, Any]:
    import torch

    ids = torch.arange(2 * 9).reshape(2, 9) % source.model.config.vocab_size
    return ids, torch.ones_like(ids)


def _write_onnx(source: Any, path: Path) -> Logits:
    import onnxruntime
    import torch

    names = ("input_ids", "attention_mask")
    free = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    with _quiet(), torch.inference_mode():
        torch.onnx.export(
            source,
            _example(source),
            path,
            dynamo=True,
            verbose=False,
            input_names=list(names),
            output_names=["logits"],
            dynamic_shapes=dict.fromkeys(names, free),
            external_data=_bytes_of(source) > 1 << 30,  # protobuf ends at 2 GiB
        )
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(ids: Any, mask: Any) -> Any:
        fed = dict(zip(names, (ids.numpy(), mask.numpy()), strict=True))
        return torch.from_numpy(session.run(None, fed)[0])

    return run


def _write_torchscript(source: Any, path: Path) -> Logits:
    import torch

    with _quiet(), torch.inference_mode():
        traced = torch.jit.trace(source, _example(source), check_trace=False)
        torch.jit.save(traced, str(path))
        loaded: Logits = torch.jit.load(str(path))
    return loaded


_WRITERS: dict[Format, Callable[[Any, Path], Logits]] = {
    "onnx": _write_onnx,
    "torchscript": _write_torchscript,
}


def _compare(
    order: Export, source: Logits, exported: Logits, *, tokenizer: Any, path: Path
) -> Parity:
    import torch

    passages = load_corpus(("bundled:devil",)).held_out
    texts = [passage for passage in passages if len(passage) > 200][:_PROMPTS]
    encoded = [tokenizer(text, return_tensors="pt")["input_ids"][:, :64] for text in texts]
    with torch.inference_mode():
        differences = [
            _difference(source, exported, ids[:, :length]) for ids in encoded for length in _LENGTHS
        ]
        equal = [_greedy(source, ids[:, :12]) == _greedy(exported, ids[:, :12]) for ids in encoded]
    size, sha256 = hash_file(path)
    largest, same = max(differences), sum(equal) / len(equal)
    return Parity(
        format="onnx" if path.suffix == ".onnx" else "torchscript",
        file=path.name,
        size=size,
        sha256=sha256,
        max_abs_diff=largest,
        greedy_agreement=same,
        samples=len(differences),
        passed=largest <= order.tolerance and same >= order.min_greedy_agreement,
    )


def _difference(source: Logits, exported: Logits, ids: Any) -> float:
    """Largest difference over a padded pair: the prompt, and its second half after padding."""
    import torch

    length = ids.shape[1]
    pair = torch.cat([ids, ids])
    mask = torch.ones_like(pair)
    mask[1, : length // 2] = 0
    seen = mask.bool()
    return float((source(pair, mask) - exported(pair, mask))[seen].abs().max())


def _greedy(logits: Logits, ids: Any) -> list[int]:
    import torch

    for _ in range(_GREEDY_TOKENS):
        following = logits(ids, torch.ones_like(ids))[:, -1].argmax(-1, keepdim=True)
        ids = torch.cat([ids, following], dim=1)
    tokens: list[int] = ids[0, -_GREEDY_TOKENS:].tolist()
    return tokens


def _bytes_of(module: Any) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in module.parameters())


class _quiet(warnings.catch_warnings):  # noqa: N801
    """The exporters warn about their own internals; parity is what we judge them by."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        logging.getLogger("torch.onnx._internal").setLevel(logging.ERROR)
