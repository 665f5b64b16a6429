"""`status` and `top`: from samples to a screen, without a process or a network."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cli_fakes import Cli
from rich.console import Console

from slipway_cli.live.figures import of_version, processes, queues
from slipway_cli.live.picture import Order, picture
from slipway_cli.live.scraping import Scrape, parse, read_targets, window_of
from slipway_cli.live.screen import number, screen, seconds, share
from slipway_cli.live.window import Alert, Sample, Window, quantile, series_names
from slipway_cli.resources import Kind, parse_resource
from slipway_contracts.metrics import CATALOGUE
from slipway_contracts.metrics.gateway import INFERENCE_REQUESTS, TTFT

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PAGE = """\
# HELP inference_requests_total Attempts
# TYPE inference_requests_total counter
inference_requests_total{model="m",version="v1",outcome="ok"} %d
inference_requests_total{model="m",version="v1",outcome="error"} %d
# TYPE slipway_time_to_first_token_seconds histogram
slipway_time_to_first_token_seconds_bucket{le="0.1",model="m",version="v1"} %d
slipway_time_to_first_token_seconds_bucket{le="0.5",model="m",version="v1"} %d
slipway_time_to_first_token_seconds_bucket{le="+Inf",model="m",version="v1"} %d
slipway_requests_in_flight{model="m",version="v1"} 3.0
slipway_gateway_connected 1.0
slipway_routes_revision 7.0
slipway_log_pending_rows 12.0
slipway_candidates_fenced 0.0
ray_something_else{a="b"} 1
"""
BEFORE, AFTER = PAGE % (100, 0, 50, 60, 60), PAGE % (118, 2, 60, 80, 80)


def scraped(*pages: str, at: float) -> Scrape:
    values = {}
    for number_, page in enumerate(pages):
        values |= parse(page, {"process": f"gateway-{number_}"})
    return Scrape(at=at, values=values, silent=("worker",))


@pytest.fixture
def window() -> Window:
    """Two gateways that did the same in ten seconds."""
    return window_of(scraped(BEFORE, BEFORE, at=0), scraped(AFTER, AFTER, at=10))


def objects() -> list:
    def body(kind: str, name: str, spec: dict, status: dict) -> dict:
        return {"kind": kind, "metadata": {"name": name}, "spec": spec, "status": status}

    version = {"model": "m", "source": {"random": {}}}
    rollout = {"plan": [10], "step": 0, "weightDesired": 50, "weightObserved": 10}
    return [
        parse_resource(body("Model", "m", {}, {"stable": "v1", "routesRevision": 2})),
        parse_resource(
            body("ModelVersion", "v1", version, {"phase": "Canary", "rollout": rollout})
        ),
        parse_resource(body("ModelVersion", "v0", version, {"phase": "Rejected"})),
    ]


def drawn(found: object, width: int = 300) -> str:
    console = Console(width=width, file=io.StringIO())
    with console.capture() as captured:
        console.print(found)
    return captured.get()


def test_names_are_the_catalogues() -> None:
    known = {metric.name for metric in CATALOGUE}
    for name in series_names():
        assert name.removesuffix("_bucket") in known or name.startswith("ray_vllm_"), name


def test_rates_are_differences_over_all_gateways(window: Window) -> None:
    found = of_version(window, "m", "v1")
    assert found.requests == pytest.approx(4.0)
    assert found.errors == pytest.approx(0.4)
    assert found.error_share == pytest.approx(0.1)
    assert found.in_flight == 6
    assert found.ttft_p95 == pytest.approx(0.46)
    assert found.p95 is None
    assert of_version(window, "m", "v9").requests is None


def test_the_first_scrape_has_values_and_no_rates() -> None:
    window = window_of(None, scraped(AFTER, at=0))
    assert of_version(window, "m", "v1").requests is None
    assert of_version(window, "m", "v1").in_flight == 3


def test_a_counter_that_fell_began_anew() -> None:
    window = window_of(scraped(AFTER, at=0), scraped(BEFORE, at=10))
    assert window.total(INFERENCE_REQUESTS, outcome="ok") == pytest.approx(10.0)


def test_processes(window: Window) -> None:
    gateway, other, worker = processes(window)
    assert (gateway.name, gateway.healthy, gateway.log_pending) == ("gateway-0", True, 12)
    assert gateway.says == "connected, routes 7"
    assert other.name == "gateway-1"
    assert (worker.name, worker.says) == ("worker", "does not answer")


def test_what_is_wrong_with_a_process_is_said() -> None:
    page = AFTER.replace("connected 1.0", "connected 0.0").replace("fenced 0.0", "fenced 1.0")
    (found, _worker) = processes(window_of(None, scraped(page, at=0)))
    assert not found.healthy
    assert found.says.startswith("PostgreSQL does not answer it, candidates are fenced")


def test_every_worker_tells_the_whole_queue() -> None:
    page = (
        'slipway_jobs{kind="batch",state="waiting"} 4\nslipway_jobs{kind="batch",state="dead"} 1\n'
        'slipway_jobs_oldest_seconds{kind="batch"} 61\nslipway_worker_connected 1\n'
    )
    (queue,) = queues(window_of(None, scraped(page, page, at=0)))
    assert (queue.waiting, queue.running, queue.dead, queue.oldest) == (4, 0, 1, 61)


@pytest.mark.parametrize(
    ("buckets", "found"),
    [
        ({}, None),
        ({1.0: 0, float("inf"): 0}, None),
        ({1.0: 10, float("inf"): 10}, 0.95),
        ({1.0: 0, 2.0: 10, float("inf"): 10}, 1.95),
        ({1.0: 1, float("inf"): 10}, 1.0),
    ],
)
def test_quantiles(buckets: dict[float, float], found: float | None) -> None:
    assert quantile(0.95, buckets) == (pytest.approx(found) if found is not None else None)


def test_a_broken_page_is_an_empty_one() -> None:
    assert parse("slipway_gateway_connected{ 1", {}) == {}
    assert parse("<html>", {}) == {}


def test_targets(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(
        json.dumps([{"targets": ["127.0.0.1:1"], "labels": {"job": "j", "process": "gateway-0"}}])
    )
    (tmp_path / "b.json").write_text("[]")
    (tmp_path / "c.json").write_text('[{"targe')
    (found,) = read_targets(tmp_path)
    assert (found.address, found.name) == ("127.0.0.1:1", "gateway-0")
    assert read_targets(tmp_path / "none") == []


def test_the_screen(window: Window) -> None:
    alert = Alert(name="Burn", state="firing", severity="page", about="m v1", summary="[red]x")
    watched = Window(
        samples=window.samples, source="here", seconds=10, silent=("worker",), alerts=(alert,)
    )
    text = drawn(screen(picture(objects(), watched, now=NOW)))
    for word in ("10 → 50 %", "Canary 1/1", "4.0", "10%", "460 ms", "Burn", "[red]x", "gateway-1"):
        assert word in text, word
    assert "1 version that has ended: --all" in text
    assert "Rejected" not in text
    assert "Rejected" in drawn(screen(picture(objects(), watched, now=NOW, every=True)))


def test_the_screen_without_anything() -> None:
    text = drawn(screen(picture([], None, now=NOW, note="No metrics from here")))
    assert "No models yet" in text
    assert "No metrics from here" in text
    assert "No alert" not in text
    watched = Window(source="p", alerts=())
    assert "No alert." in drawn(screen(picture([], watched, now=NOW)))


def test_versions_are_sorted_inside_their_model() -> None:
    version = {"kind": "ModelVersion", "spec": {"model": "m", "source": {"random": {}}}}
    found = [
        parse_resource(
            version
            | {"metadata": {"name": name}, "status": {"rollout": {"weightObserved": weight}}}
        )
        for name, weight in (("a", 5), ("b", 95))
    ]
    rates = [
        Sample(labels={"model": "m", "version": name, "outcome": "ok"}, value=rate)
        for name, rate in (("a", 9.0), ("b", 1.0))
    ]
    window = Window(samples={INFERENCE_REQUESTS.name: rates}, source="")

    def order(by: Order) -> list[str]:
        return [line.name for line in picture(found, window, now=NOW, order=by).versions]

    assert order(Order.WEIGHT) == ["b", "a"]
    assert order(Order.RATE) == ["a", "b"]
    assert {tuple(order(by)) for by in (Order.NAME, Order.P95, Order.ERRORS)} == {("a", "b")}


def test_figures_in_words() -> None:
    assert [number(v) for v in (None, 0.0, 12.34, 1234.5)] == ["-", "0.0", "12.3", "1234"]
    assert [share(v) for v in (None, 0.004, 0.25)] == ["-", "0.4 %", "25%"]
    assert [seconds(v) for v in (None, 0.0846, 1.25, 400)] == ["-", "85 ms", "1.2 s", "6m40s"]
    assert TTFT.buckets


def test_the_verbs_in_a_pipe(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    cli.objects.put(Kind.MODEL, "m", {}, {"stable": "v1"})
    cli.objects.put(Kind.VERSION, "v1", {"model": "m", "source": {"random": {}}})
    for verb in (["status"], ["top", "--interval", "0.5"]):
        ran = cli.run(*verb)
        assert ran.code == 0, ran.err
        assert "No process tells where its /metrics are" in ran.out
        assert not any(line.endswith(" ") for line in ran.out.splitlines())
    body = json.loads(cli.run("status", "--json").out)
    assert [model["name"] for model in body["models"]] == ["m"]
    cli.running = False
    assert cli.run("status").code == 3
