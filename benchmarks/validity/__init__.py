"""How well the data-driven gates do where the truth is known, on simulations that they were not tuned on.

``shapes`` and ``tubes`` simulate, unlike ``cytocar.simulate`` and with other shapes; ``car`` measures shares of CAR+ T
cells, ``gates`` every other gate on whole tubes, ``spikes`` both on real files, ``odd`` what is reported about tubes in
which something is absent or wrong, ``runs`` what is said about a run over time. Run ``python -m benchmarks.validity``.
"""
