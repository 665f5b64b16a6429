"""The endpoint suite: greedy requests to a served version, compared with the artifact itself.

Speaks OpenAI's completions over plain HTTP. A request that fails in any way is counted, and no
figure has a value when no request succeeded.
"""

from __future__ import annotations

import http.client
import json
import math
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from slipway_contracts.evaluation import Figure

TIMEOUT_SECONDS = 60.0
_LARGEST_ANSWER = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One request's outcome; ``text`` is None when it failed."""

    text: str | None
    milliseconds: float
    error: str = ""


def ask(url: str, model: str, *, prompt: str, max_tokens: int) -> Answer:
    """One greedy completion of ``prompt`` from the server under ``url``."""
    body = {"model": model, "prompt": prompt, "max_tokens": max_tokens, "temperature": 0}
    request = urllib.request.Request(
        url.rstrip("/") + "/v1/completions",
        data=json.dumps(body).encode(),
        headers={"content-type": "application/json"},
    )
    began = time.monotonic()
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            answer = json.loads(response.read(_LARGEST_ANSWER))
        text = answer["choices"][0]["text"]
        if not isinstance(text, str):
            raise TypeError("choices[0].text is no string")
    except (OSError, ValueError, LookupError, TypeError, http.client.HTTPException) as error:
        return Answer(text=None, milliseconds=0.0, error=f"{type(error).__name__}: {error}")
    return Answer(text=text, milliseconds=(time.monotonic() - began) * 1000)


def measure(
    ask_one: Callable[[str], Answer],
    prompts: Sequence[str],
    *,
    references: Sequence[str],
) -> dict[str, Figure]:
    """``success``, ``non_empty``, ``latency_p95_ms`` and ``prefix_agreement`` over ``prompts``.

    ``references`` are the artifact's own greedy continuations, one a prompt.
    """
    answers = [ask_one(prompt) for prompt in prompts]
    texts = [(answer.text, expected) for answer, expected in zip(answers, references, strict=True)]
    good = [(text, expected) for text, expected in texts if text is not None]
    failed = len(answers) - len(good)

    def figure(values: Sequence[float], reduce: Callable[[Sequence[float]], float]) -> Figure:
        value = reduce(values) if good and values else None
        return Figure(value=value, samples=len(answers), failed=failed)

    return {
        "success": figure([float(answer.text is not None) for answer in answers], _mean),
        "non_empty": figure([float(bool(text.strip())) for text, _ in good], _mean),
        "latency_p95_ms": figure(
            [answer.milliseconds for answer in answers if answer.text is not None], percentile_95
        ),
        "prefix_agreement": figure([agreement(text, expected) for text, expected in good], _mean),
    }


def agreement(text: str, reference: str) -> float:
    """Share of ``reference`` that ``text`` begins with, in characters; 1 when both are empty."""
    if not reference:
        return float(not text)
    same = 0
    for left, right in zip(text, reference, strict=False):
        if left != right:
            break
        same += 1
    return same / len(reference)


def percentile_95(values: Sequence[float]) -> float:
    """The nearest-rank 95th percentile of at least one value."""
    ordered = sorted(values)
    return ordered[math.ceil(0.95 * len(ordered)) - 1]


def greedy_references(
    model: Any, tokenizer: Any, prompts: Sequence[str], *, max_tokens: int
) -> list[str]:
    """What the artifact itself continues each prompt with, computed in this process."""
    import torch

    found = []
    for prompt in prompts:
        ids = tokenizer(prompt, return_tensors="pt").to(model.device)
        with torch.inference_mode():
            output = model.generate(
                input_ids=ids["input_ids"],
                attention_mask=ids["attention_mask"],
                max_new_tokens=max_tokens,
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id or tokenizer.eos_token_id,
            )
        fresh = output[0][ids["input_ids"].shape[1] :]
        found.append(tokenizer.decode(fresh, skip_special_tokens=True))
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
