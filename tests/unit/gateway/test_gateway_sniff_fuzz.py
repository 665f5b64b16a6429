"""Fuzz of the stream sniffer: bytes out are bytes in, nothing raises, splits change nothing.

Streams are built from fragments that meet at every border the format has. Thousands of examples
here, tens of thousands with SLIPWAY_SOAK=1; ``fuzz_sniffer`` does the same led by coverage.
"""

from __future__ import annotations

import os
import subprocess
import sys

import fuzz_sniffer
import pytest
from fuzz_sniffer import FRAGMENTS, check
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = 20_000 if os.environ.get("SLIPWAY_SOAK") else 2_000
fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
fragments = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=8), max_size=40)
cuts = st.lists(st.integers(min_value=0, max_value=2000), max_size=12)


@fuzzed
@given(fragments.map(b"".join), cuts)
def test_streams_of_fragments(data, cuts):
    check(data, cuts)


@fuzzed
@given(st.binary(max_size=300), cuts)
def test_streams_of_any_bytes(data, cuts):
    check(data, cuts)


def test_every_single_cut_of_one_stream():
    data = b"".join(FRAGMENTS)
    for cut in range(len(data)):
        check(data, [cut])


@pytest.mark.skipif(not os.environ.get("SLIPWAY_SOAK"), reason="SLIPWAY_SOAK=1 runs it")
@pytest.mark.timeout(1800)
def test_led_by_coverage(tmp_path):
    command = [sys.executable, fuzz_sniffer.__file__, "-runs=300000", "-max_len=96"]
    done = subprocess.run([*command, f"-artifact_prefix={tmp_path}/"], capture_output=True)
    assert done.returncode == 0, done.stderr[-3000:].decode("utf-8", "replace")
