"""The store over its two databases: SQLite in the unit tests, PostgreSQL here, with the very same tests."""

import re
import subprocess

import pytest
from postgres_server import postgres_server
from support import clean_environment, program


@pytest.fixture(scope="module")
def postgres():
    with postgres_server() as server:
        yield server


def test_the_stores_own_tests_pass_on_postgresql(postgres):
    run = subprocess.run(
        [program("unit_store"), "--no-colors=true"],
        env=clean_environment(STORE_TEST_DATABASE_URL=postgres.url),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-8000:]
    cases = int(re.search(r"test cases:\s+(\d+)", run.stdout).group(1))
    assert cases >= 20, run.stdout
