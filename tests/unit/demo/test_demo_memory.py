"""Whose memory is counted, and how it is read."""

from __future__ import annotations

import os

import pytest

from slipway_cli.demo.memory import MemorySampler, family, parse_pss

# 1 ← 10 ← 11 ← 12; 1 ← 20 (a daemon that left the tree)
PARENTS = {10: 1, 11: 10, 12: 11, 20: 1, 1: 0}


@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        ([], set()),
        ([12], {12}),
        ([10], {10, 11, 12}),
        ([10, 20], {10, 11, 12, 20}),
        ([11, 10], {10, 11, 12}),
        ([99], {99}),
    ],
)
def test_family(ours, expected):
    assert family(PARENTS, ours) == expected


def test_a_reused_pid_that_is_its_own_ancestor_ends():
    assert family({1: 2, 2: 1}, [1]) == {1, 2}


def test_parse_pss():
    assert parse_pss("Rss:  900 kB\nPss:                 512 kB\nPss_Dirty: 7 kB\n") == 512 * 1024
    assert parse_pss("") == 0


def test_this_process_is_counted_and_the_peak_stays():
    sampler = MemorySampler(marks=("no process carries this mark",), roots=(os.getpid(),))
    first = sampler.sample()
    assert first > 1 << 20
    sampler.roots = ()
    assert sampler.sample() == 0
    assert sampler.peak_bytes == first
