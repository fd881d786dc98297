import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import support  # noqa: E402

# pytest-xdist's processes ignore SIGINT, and so would every program started from one.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def folder():
    """A private folder for one test, with a short path."""
    with support.private_folder() as path:
        yield path


@pytest.fixture
def place(folder):
    return support.installation_environment(folder)
