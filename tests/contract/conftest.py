"""Put this folder and the shared helpers where tests and plug-ins are imported from."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

for folder in (Path(__file__).parents[1], Path(__file__).parent):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
pytest.register_assert_rewrite("services_support", "bench", "environment_contract")
