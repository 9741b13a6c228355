"""Labs of their own for tests: ports that nobody uses."""

from __future__ import annotations

import secrets
from pathlib import Path

from gardenos.lab.cluster import is_taken
from gardenos.lab.layout import Layout

BUSY_S = 15.0
"""What a machine that runs other tests may add to a write gap; the matrix is held to the targets."""


def free_base_port() -> int:
    """The first of a lab's ports, none of which is taken."""
    while True:
        layout = Layout(Path(), secrets.choice(range(19_000, 29_000)))
        listeners = [one for them in layout.listeners().values() for one in them]
        if not any(is_taken(*one) for one in (*listeners, layout.api)):
            return layout.base
