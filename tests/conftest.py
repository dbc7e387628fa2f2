"""What all tests share: where logs lie, and how hard hypothesis tries."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.browser.tabs import chromium, tab  # noqa: F401  # one Chromium for all tests

ROOT = Path(__file__).resolve().parent.parent

# No deadlines: other work on the machine must not make a test fail.
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    max_examples=60,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("dev", deadline=None, max_examples=60)
settings.register_profile("thorough", deadline=None, max_examples=2000)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
)


@pytest.fixture(scope="session")
def shared_logs() -> Path:
    """Real logs with the truth beside them, kept outside the project."""
    folder = ROOT.parent / "shared" / "logs"
    if not folder.is_dir():
        reason = f"no shared logs at {folder}"
        if os.environ.get("LOGPARSE_REQUIRE_SHARED") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def sample_logs() -> Path:
    """The small real logs that come with the project."""
    return ROOT / "sample_logs"
