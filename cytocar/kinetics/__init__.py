"""Cellular kinetics of one course: peak, exposure, half-life, models of expansion and decline."""

from cytocar.kinetics.curve import Point
from cytocar.kinetics.parameters import Kinetics, noncompartmental

__all__ = ["Kinetics", "Point", "noncompartmental"]
