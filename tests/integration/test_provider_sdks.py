"""The fakes of the provider farm, judged by the vendors' own client libraries: each drives its fake over TLS through
every path our adapters use, streams included, and must raise its own error for each fault. Where one disagrees, the fake
is wrong."""

import json
import subprocess

import pytest

from provider_farm import Farm
from support import clean_environment
from vendor_libraries import NODE_FOLDER, node_modules

VENDORS = sorted(path.stem for path in (NODE_FOLDER / "sdk").glob("*.mjs") if path.stem != "harness")
SECONDS_MAX = 240  # Of all checks of a vendor; each is cut after a minute (harness.mjs).


@pytest.fixture(scope="module")
def farm():
    with Farm() as running:
        yield running


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_vendors_library_accepts_the_fake(farm, vendor):
    environment = clean_environment(FARM=f"https://127.0.0.1:{farm.port}", ORACLE_MODULES=node_modules(),
                                    NODE_EXTRA_CA_CERTS=farm.ca, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=farm.ca)
    done = subprocess.run(["node", str(NODE_FOLDER / "sdk" / f"{vendor}.mjs")], env=environment, capture_output=True,
                          text=True, timeout=SECONDS_MAX)
    # The libraries, too, may write to standard output.
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    checks = [line for line in lines if "check" in line]
    assert not [line for line in checks if not line["ok"]], done.stderr
    assert done.returncode == 0 and checks and lines[-1] == {"event": "end", "checks": len(checks)}, done.stdout + done.stderr
    assert not farm.seen("farm_fault")


def test_every_fake_has_a_judge():
    """Who adds a vendor adds its library."""
    assert VENDORS == ["anthropic", "azure_speech", "deepgram", "elevenlabs", "google", "openai", "openai_clones", "twilio"]
