"""Evaluation: held-out figures, the endpoint suite, and figures without value where nothing was."""

from __future__ import annotations

import json
import math
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from training_runs import a_train_run, an_import, carry_out

from slipway_contracts.run import EvaluateRun, RunResult
from slipway_training.endpoint import greedy_references
from slipway_training.errors import ConfigInvalid
from slipway_training.heldout import load_model
from slipway_training.tokenizer import load_tokenizer

HELDOUT = {"name": "heldout", "kind": "heldout", "sources": ["bundled:devil"], "maxSamples": 16}
PROMPTS = ["ABASEMENT, n.", "The king", "A dog is", "Of all the"]
ENDPOINT = {"name": "served", "kind": "endpoint", "prompts": PROMPTS, "maxTokens": 6}


def evaluate(folder, candidate, *suites, baseline=None) -> RunResult:
    run = {"candidate": candidate, "baseline": baseline, "suites": suites}
    return carry_out(EvaluateRun.model_validate(run), folder)


def target(result, endpoint=None, version="v2"):
    return {
        "version": version,
        "artifact": result.artifact.wire(),
        "endpoint": endpoint,
        "servedModel": "jargon",
    }


class Engine:
    """An OpenAI-compatible server on loopback that answers by a function of the prompt."""

    def __init__(self, answer):
        self.bodies = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.bodies.append((self.path, body))
                status, text = answer(body)
                self.send_response(status)
                self.send_header("content-length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v2"

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def completion(text):
    return 200, json.dumps({"choices": [{"text": text}]})


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("untrained")
    return carry_out(an_import(folder, random={"architecture": "micro-llama", "seed": 3}), folder)


def test_heldout_figures_of_candidate_and_baseline(trained, untrained, tmp_path):
    result = evaluate(tmp_path, target(trained), HELDOUT, baseline=target(untrained, version="v1"))
    [suite] = result.report.suites
    assert (result.report.version, result.report.baseline) == ("v2", "v1")
    loss = suite.candidate["loss"]
    assert (loss.samples, loss.failed) == (16, 0)
    assert suite.candidate["perplexity"].value == pytest.approx(math.exp(loss.value))
    assert loss.value < suite.baseline["loss"].value
    assert 0 < suite.candidate["bits_per_byte"].value < 8
    # A random model is as good as a uniform guess over its own vocabulary.
    assert suite.baseline["loss"].value == pytest.approx(math.log(4096), rel=0.02)


def test_weights_that_are_no_numbers_fail_every_sample(trained, tmp_path):
    from safetensors.torch import load_file, save_file

    from slipway_contracts.artifact import Lineage
    from slipway_training.artifacts import publish

    source = Path(urlsplit(trained.artifact.uri).path)

    def fill(folder):
        for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
            (folder / name).write_bytes((source / name).read_bytes())
        weights = load_file(source / "model.safetensors")
        weights["model.norm.weight"][0] = float("nan")
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    broken = publish(tmp_path / "broken", fill, architecture="x", lineage=Lineage(), metrics={})
    result = evaluate(tmp_path, target(RunResult(artifact=broken)), HELDOUT)
    for figure in result.report.suites[0].candidate.values():
        assert (figure.value, figure.samples, figure.failed) == (None, 16, 16)


def test_endpoint_that_serves_the_artifact_agrees_with_it(trained, tmp_path):
    folder = Path(urlsplit(trained.artifact.uri).path)
    model, tokenizer = load_model(folder), load_tokenizer(folder)

    def answer(body):
        [text] = greedy_references(
            model, tokenizer, [body["prompt"]], max_tokens=body["max_tokens"]
        )
        return completion(text)

    with Engine(answer) as engine:
        result = evaluate(tmp_path, target(trained, engine.url), ENDPOINT)
    figures = result.report.suites[0].candidate
    assert figures["success"].value == figures["prefix_agreement"].value == 1.0
    assert figures["latency_p95_ms"].value > 0
    assert all((figure.samples, figure.failed) == (4, 0) for figure in figures.values())
    path, body = engine.bodies[0]
    assert path == "/v2/v1/completions"
    expected = {"model": "jargon", "prompt": PROMPTS[0], "max_tokens": 6, "temperature": 0}
    assert body == expected


def test_failed_requests_are_counted(trained, tmp_path):
    def answer(body):
        if body["prompt"] == PROMPTS[0]:
            return 400, "{}"
        if body["prompt"] == PROMPTS[1]:
            return 200, "<html>"
        return completion("" if body["prompt"] == PROMPTS[2] else "something else")

    with Engine(answer) as engine:
        result = evaluate(tmp_path, target(trained, engine.url), ENDPOINT)
    figures = result.report.suites[0].candidate
    assert figures["success"].value == 0.5
    assert figures["non_empty"].value == 0.5
    assert figures["prefix_agreement"].value < 0.5
    assert all((figure.samples, figure.failed) == (4, 2) for figure in figures.values())


def test_zero_successes_have_no_value(trained, tmp_path):
    with Engine(lambda body: (500, "")) as engine:
        result = evaluate(tmp_path, target(trained, engine.url), ENDPOINT)
    for figure in result.report.suites[0].candidate.values():
        assert (figure.value, figure.samples, figure.failed) == (None, 4, 4)


def test_an_endpoint_that_is_not_there_fails_and_a_missing_one_has_no_samples(trained, tmp_path):
    result = evaluate(
        tmp_path, target(trained, "http://127.0.0.1:1"), ENDPOINT, baseline=target(trained)
    )
    [suite] = result.report.suites
    assert suite.candidate["success"].failed == 4
    assert suite.candidate["success"].value is None
    assert suite.baseline["success"].samples == 0


def test_the_stored_report_reads_back(trained, tmp_path):
    result = evaluate(tmp_path, target(trained), ENDPOINT)
    stored = RunResult.model_validate_json((tmp_path / "work/result.json").read_bytes())
    assert stored == result


def test_an_evaluation_with_another_endpoint_measures_again(trained, tmp_path):
    assert evaluate(tmp_path, target(trained), ENDPOINT).report.version == "v2"
    again = evaluate(tmp_path, target(trained, "http://127.0.0.1:1"), ENDPOINT)
    assert again.report.suites[0].candidate["success"].failed == 4


def test_a_suite_without_text_is_a_config_error(trained, tmp_path):
    with pytest.raises(ConfigInvalid, match="heldout holds out no text"):
        evaluate(tmp_path, target(trained), {"name": "heldout", "kind": "heldout"})


def test_a_run_trains_on_nothing_that_a_suite_asks(tmp_path):
    # A run that holds out less than suites do still never sees what suites ask.
    from slipway_training.corpus import load_corpus

    small = load_corpus(("bundled:devil", "bundled:jargon"), 0.001)
    suites = load_corpus(("bundled:jargon",))
    assert not set(small.train) & set(suites.held_out)
    assert a_train_run(tmp_path).training.data.eval_fraction == 0.05
