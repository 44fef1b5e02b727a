"""These tests talk to the simulator as any client does."""

from tests.simulator import simulator, simulator_server

__all__ = ["simulator", "simulator_server"]
