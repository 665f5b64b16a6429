"""The corpus: bundled texts, passages, and a split that depends on the words alone."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_training.corpus import load_corpus, passages, read_source, share_of
from slipway_training.errors import ConfigInvalid


@pytest.mark.parametrize("name", ["jargon", "devil"])
def test_bundled_texts_are_clean_and_large_enough(name):
    text = read_source(f"bundled:{name}")
    assert len(text) > 300_000
    assert "00-database" not in text
    assert "dictfmt" not in text
    assert text.endswith("\n")
    found = passages(text)
    assert 1000 < len(found) < 10_000


def test_passages_keep_an_entry_together():
    text = "WORD, n.\n\n    The meaning.\n\n    More.\n\nNEXT\n line\n\nprose\n\n\n\nprose two\n"
    assert passages(text) == [
        "WORD, n.\n\n    The meaning.\n\n    More.",
        "NEXT\n line",
        "prose",
        "prose two",
    ]


@given(st.text(alphabet="ab\n \r", max_size=200))
def test_passages_lose_no_words(text):
    assert " ".join(passages(text)).split() == text.replace("\r\n", "\n").split()


def write(tmp_path, name, lines):
    path = tmp_path / name
    path.write_text("\n\n".join(lines))
    return path


def test_the_split_is_by_content_not_by_place(tmp_path):
    lines = [f"passage number {index} of this text" for index in range(400)]
    one = load_corpus([str(write(tmp_path, "one", lines))])
    two = load_corpus([write(tmp_path, "two", lines[::-1]).as_uri()])
    assert set(one.train) == set(two.train)
    assert set(one.held_out) == set(two.held_out)
    assert len(one.train) + len(one.held_out) == 400
    assert 5 < len(one.held_out) < 40
    assert one.digest != two.digest


def test_the_same_passage_twice_is_on_one_side(tmp_path):
    lines = [f"passage number {index}" for index in range(200)]
    spaced = [line.replace(" ", "  ") for line in lines]
    corpus = load_corpus([str(write(tmp_path, "x", lines)), str(write(tmp_path, "y", spaced))])
    normal = {" ".join(passage.split()) for passage in corpus.train}
    assert not normal & {" ".join(passage.split()) for passage in corpus.held_out}


@pytest.mark.parametrize("fraction", [0.001, 0.05, 0.5, 0.999])
def test_training_never_sees_what_suites_hold_out(tmp_path, fraction):
    lines = [f"passage number {index}" for index in range(500)]
    source = [str(write(tmp_path, "x", lines))]
    corpus, suite = load_corpus(source, fraction), load_corpus(source)
    assert not set(corpus.train) & set(suite.held_out)
    assert not set(corpus.train) & set(corpus.held_out)


def test_sources_may_be_compressed_and_limited(tmp_path):
    path = tmp_path / "x.txt.gz"
    path.write_bytes(gzip.compress(b"0123456789" * 100))
    assert load_corpus([str(path)], max_characters=50).train == ("0123456789" * 5,)
    both = load_corpus([str(path), str(path)], max_characters=1500)
    assert sum(map(len, both.train)) == 1500


def test_share_is_stable_across_versions():
    # A change here would put held-out text of older runs into newer trainings.
    assert share_of("slipway") == pytest.approx(0.0227943526, abs=1e-9)


def test_text_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigInvalid, match="not UTF-8"):
        load_corpus([str(tmp_path / "x")])
