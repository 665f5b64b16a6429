"""Lengths, shares and conversations of the demo's clients."""

from __future__ import annotations

import random
from collections import Counter

from slipway_cli.demo.prompts import LENGTHS, Conversations, draw


def test_lengths_and_shares():
    rng = random.Random(1)
    asks = [draw(rng, long_share=0.25) for _ in range(2000)]
    kinds = Counter(ask.kind for ask in asks)
    assert 0.2 < kinds["long"] / len(asks) < 0.3
    assert kinds["short"] > 1.5 * kinds["medium"]
    for ask in asks:
        low, high = LENGTHS[ask.kind]
        assert low <= len(ask.text) <= high
        assert 16 <= ask.max_tokens <= 32


def test_a_seed_gives_the_same_prompts():
    one, two = random.Random(3), random.Random(3)
    assert [draw(one, long_share=0.3) for _ in range(50)] == [
        draw(two, long_share=0.3) for _ in range(50)
    ]


def test_most_conversations_are_fresh_and_some_return():
    conversations = Conversations(random.Random(2))
    seen = Counter(conversations.next() for _ in range(3000))
    assert len(seen) > 1500
    assert sum(count for count in seen.values() if count > 1) > 600
    assert max(seen.values()) < 100
