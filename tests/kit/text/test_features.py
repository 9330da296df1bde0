import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.kit.text.features import SPACE, WIDTHS, encode


def features(text: str) -> set[int]:
    return set(encode([text])[0].tolist()) - {0}


def test_golden_ids() -> None:
    """The ids that models were trained on. When this fails, raise FEATURES_VERSION and train again."""
    assert encode(["fin lfactura ?"])[0, :6].tolist() == [103041, 119878, 120483, 71529, 64490, 21639]
    assert int(encode(["السلام عليكم، أين فاتورتي؟"]).sum()) == 9755108


def test_another_process_gives_the_same_ids() -> None:
    program = "from servers.kit.text.features import encode; print(encode(['bghit nchouf']).sum())"
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert int(printed) == int(encode(["bghit nchouf"]).sum())


@given(st.lists(st.text(st.characters(codec=None), max_size=60), min_size=1, max_size=6))
def test_a_text_has_the_same_features_alone_and_among_others(texts: list[str]) -> None:
    together = encode(texts)
    assert together.dtype == np.int32
    assert together.shape[0] == len(texts)
    assert together.shape[1] in WIDTHS
    assert 0 <= together.min() <= together.max() <= SPACE
    for text, row in zip(texts, together, strict=True):
        assert sorted(row[row > 0].tolist()) == sorted(filter(None, encode([text])[0].tolist()))


def test_no_texts_no_rows() -> None:
    assert encode([]).shape == (0, WIDTHS[0])


def test_spellings_in_both_scripts_share_features() -> None:
    assert len(features("bghit") & features("بغيت")) >= 3


def test_long_texts_keep_a_sample_that_similar_texts_share() -> None:
    words = [f"kalima{number} jdida" for number in range(400)]
    one, other = encode([" ".join(words), " ".join(words[:-1])])
    assert one.shape == (WIDTHS[-1],)
    assert np.count_nonzero(one) == WIDTHS[-1]
    assert len(np.intersect1d(one, other)) > 0.95 * WIDTHS[-1]


@pytest.mark.parametrize("text", ["", " ", "\x00\x01", "،؛", "\ud800"])
def test_texts_without_words_have_no_features(text: str) -> None:
    assert not encode([text]).any()
