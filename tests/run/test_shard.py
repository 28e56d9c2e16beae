"""Shards: every sample is in one of them, and only parts of one run are merged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cytocar.errors.tree import UsageError
from cytocar.run.shard import Shard


@given(names=st.lists(st.text(min_size=1), unique=True), of=st.integers(1, 12))
def test_every_sample_is_in_exactly_one_shard(names: list[str], of: int) -> None:
    shards = [Shard(number, of).of_samples(names) for number in range(1, of + 1)]
    assert sorted(name for shard in shards for name in shard) == sorted(names)


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/0", "-1/2", "1/2/3"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not I/N"):
        Shard.parse(text)
