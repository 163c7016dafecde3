"""A small simulated mesh: what its observers publish, record by record, and the truth about each record.

Deterministic for a seed. Tests, benchmarks, the demo and `hopscope generate` use it. Knows neither the store nor MQTT
(except `publish`, which hands the records to a broker).
"""

from hopscope.generate.pace import Pace
from hopscope.generate.stream import Record, Simulation
from hopscope.generate.truth import Truth

__all__ = ["Pace", "Record", "Simulation", "Truth"]
