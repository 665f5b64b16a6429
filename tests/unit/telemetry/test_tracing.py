"""When there are traces, what a span tells the next process, and that nothing of it is a text."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from slipway_operator.tracing import traced
from slipway_telemetry import tracing
from slipway_telemetry.line import Service
from slipway_telemetry.trace import CURRENT, TraceContext, ids_now
from slipway_telemetry.tracing import Kind, Tracer, TracingSettings, open_tracing
from slipway_worker.kinds import Job
from slipway_worker.tracing import job_trace, trace_headers

ASKED = TraceContext(trace_id="a" * 32, span_id="b" * 16, sampled=True, state="x=1")


@pytest.fixture
def kept() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(kept: InMemorySpanExporter) -> Iterator[Tracer]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    made = Tracer(provider)
    yield made
    made.stop()


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, False),
        ({"exporter_otlp_endpoint": "http://c:4318"}, True),
        ({"exporter_otlp_traces_endpoint": "http://c:4318/v1/traces"}, True),
        ({"exporter_otlp_endpoint": "http://c:4318", "sdk_disabled": True}, False),
        ({"exporter_otlp_endpoint": "http://c:4318", "traces_exporter": "none"}, False),
    ],
)
def test_traces_are_an_option(given: dict[str, object], wanted: bool) -> None:
    assert TracingSettings.model_validate(given).wanted is wanted


def test_without_an_endpoint_nothing_is_imported() -> None:
    code = (
        "import sys; from slipway_telemetry.tracing import TracingSettings, open_tracing\n"
        "from slipway_telemetry.line import Service\n"
        "assert open_tracing(Service.GATEWAY, TracingSettings()) is None\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={})
    assert done.returncode == 0, done.stderr


def test_without_the_packages_it_says_so_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def absent(service: Service) -> TracerProvider:
        raise ModuleNotFoundError("No module named 'opentelemetry'", name="opentelemetry")

    monkeypatch.setattr(tracing, "_provider", absent)
    settings = TracingSettings.model_validate({"exporter_otlp_endpoint": "http://c:4318"})
    with caplog.at_level(logging.ERROR):
        assert open_tracing(Service.WORKER, settings) is None
    (said,) = caplog.messages
    assert "opentelemetry is not installed" in said
    assert "slipway-telemetry[traces]" in said


def test_children_carry_the_trace_on(tracer: Tracer, kept: InMemorySpanExporter) -> None:
    server = tracer.begin("s", Kind.SERVER, parent=ASKED)
    client = tracer.begin("c", Kind.CLIENT, parent=server)
    assert (client.context.trace_id, client.context.state) == (ASKED.trace_id, "x=1")
    client.end(error="Broken")
    client.end()
    server.end()
    spans = {span.name: span for span in kept.get_finished_spans()}
    assert f"{spans['s'].parent.span_id:016x}" == ASKED.span_id
    assert f"{spans['c'].parent.span_id:016x}" == server.context.span_id
    assert not spans["c"].status.is_ok
    assert dict(spans["c"].attributes) == {"error.type": "Broken"}
    assert len(kept.get_finished_spans()) == 2


def test_an_error_is_its_type_never_its_words(tracer: Tracer, kept: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="a prompt"), tracer.during("x", Kind.INTERNAL):
        assert ids_now() is not None
        raise ValueError("a prompt")
    (span,) = kept.get_finished_spans()
    assert ids_now() is None
    assert span.attributes == {"error.type": "ValueError"}
    assert (span.events, span.status.description) == ((), None)


def test_attributes_that_are_none_are_none(tracer: Tracer, kept: InMemorySpanExporter) -> None:
    span = tracer.begin("x", Kind.SERVER, attributes={"a": None, "b": 1})
    span.tell({"c": None, "d": "e"})
    span.rename("y")
    span.end()
    (found,) = kept.get_finished_spans()
    assert (found.name, dict(found.attributes)) == ("y", {"b": 1, "d": "e"})


def _job(trace: str) -> Job:
    return Job(id=1, tenant="acme", payload=b'{"question": 1, "trace": "%b"}' % trace.encode())


@pytest.mark.parametrize("payload", [b"1", b"{}", b'{"trace": null}', b'{"trace": "bad"}'])
def test_a_job_that_nobody_traced(payload: bytes) -> None:
    with job_trace(None, "question", Job(id=1, tenant="", payload=payload)):
        assert trace_headers() == {}


def test_a_job_passes_on_what_its_asker_sent() -> None:
    with job_trace(None, "question", _job(ASKED.parent_header())):
        assert trace_headers() == {"traceparent": ASKED.parent_header()}
    assert CURRENT.get() is None


def test_a_job_is_a_span_of_its_askers_trace(tracer: Tracer, kept: InMemorySpanExporter) -> None:
    with job_trace(tracer, "question", _job(ASKED.parent_header())):
        assert ASKED.trace_id in trace_headers()["traceparent"]
        assert ASKED.span_id not in trace_headers()["traceparent"]
    (span,) = kept.get_finished_spans()
    assert span.name == "job question"
    assert dict(span.attributes) == {
        "slipway.job": 1,
        "slipway.tenant": "acme",
        "slipway.attempt": 1,
    }


async def test_a_pass_is_a_span(tracer: Tracer, kept: InMemorySpanExporter) -> None:
    async def reconcile(model: str) -> float | None:
        assert ids_now() is not None
        return 2.0

    assert traced(reconcile, None) is reconcile
    assert await traced(reconcile, tracer)("m") == 2.0
    (span,) = kept.get_finished_spans()
    assert (span.name, dict(span.attributes)) == ("reconcile", {"slipway.model": "m"})
