"""JSON that may have been changed by anybody: the object in it, or one kind of error for all that can be wrong."""

from __future__ import annotations

import json
from typing import Any


def json_object(content: bytes) -> dict[str, Any]:
    """Return the object that a JSON text holds.

    Raises
    ------
    ValueError
        If it is not UTF-8, not JSON, no object, nested beyond what anybody writes, or holds half a character
        (``\\ud800``), which could not be written again.

    Examples
    --------
    >>> json_object(b'{"day": 9}')
    {'day': 9}
    """
    try:
        read = json.loads(content.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(read, dict):
        raise ValueError("it holds no object")  # noqa: TRY004 -- one error for all that can be wrong
    if b"\\u" in content:
        json.dumps(read, ensure_ascii=False).encode()  # a UnicodeEncodeError is a ValueError
    return read
