from __future__ import annotations

from environment_contract import EnvironmentContract


class TestBaremetal(EnvironmentContract):
    runner = "baremetal"
    parted = False
    why_not_parted = "a process of the host sees the host: its files, network and variables"
