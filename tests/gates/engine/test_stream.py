"""The memory of a pass: used again by the next one, never while somebody looks at it."""

from __future__ import annotations

import numpy as np

from cytocar.gates.engine import stream


def test_memory_is_used_again_once_nobody_looks_at_it() -> None:
    first = stream._memory(1000)
    place = first.ctypes.data
    del first
    again = stream._memory(600)
    assert again.ctypes.data == place
    assert again.shape == (600,)


def test_memory_that_is_looked_at_is_left_alone() -> None:
    seen = stream._memory(1000).reshape(10, 100)[3, 5:50]
    seen[:] = 7.0
    other = stream._memory(1000)
    other[:] = 0.0
    assert not np.shares_memory(seen, other)
    assert (seen == 7.0).all()


def test_memory_of_a_large_file_is_given_back() -> None:
    large = stream._memory(stream.LARGEST_REUSED + 1)
    place = large.ctypes.data
    assert all(one.ctypes.data != place for one in stream._reused)
