"""Places as users have them."""

import pytest


@pytest.fixture(autouse=True)
def _as_users_start_them(spawned: None) -> None:
    """How long workers take to start, and what others see of them, is tested here."""
