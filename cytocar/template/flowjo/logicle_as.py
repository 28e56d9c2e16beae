"""How a workspace says a logicle scale; apart from the writer, so that help is shown without loading it."""

from __future__ import annotations

from enum import StrEnum


class LogicleAs(StrEnum):
    """FlowJo's element for a logicle scale.

    ``LOGICLE`` carries T, W, M and A, and every program computes the same scale from them. ``BIEX`` is FlowJo's
    biexponential of the same shape, which programs read from a table of 4096 steps and some versions of FlowJo need.
    """

    LOGICLE = "logicle"
    BIEX = "biex"
