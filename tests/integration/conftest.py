import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import support  # noqa: E402


@pytest.fixture
def folder():
    """A private folder for one test, with a short path."""
    with support.private_folder() as path:
        yield path


@pytest.fixture
def place(folder):
    """The environment of an installation of its own: lock, runtime files, data and port apart from every other."""
    return support.clean_environment(
        AGENTLOCATOR_LOCK=folder / "lock",
        AGENTLOCATOR_RUNTIME_DIR=folder / "run",
        AGENTLOCATOR_DATA_DIR=folder / "data",
        PORT=support.free_port(),
        ENABLE_WA_BAILEYS="false",
        ENABLE_SPEECH_HELPER="false",  # Of no use to most; those who talk turn it on.
    )
