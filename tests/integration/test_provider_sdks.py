"""The fakes of the provider farm, judged by the vendors' own client libraries: each drives its fake over TLS through
every path our adapters use, streams included, and must raise its own error for each fault. Where one disagrees, the fake
is wrong."""

import json
import subprocess

import pytest

from provider_farm import Farm, only, probe
from support import clean_environment
from vendor_libraries import NODE_FOLDER, node_modules

VENDORS = sorted(path.stem for path in (NODE_FOLDER / "sdk").glob("*.mjs") if path.stem != "harness")
SECONDS_MAX = 240  # Of all checks of a vendor; each is cut after a minute (harness.mjs).


@pytest.fixture(scope="module")
def farm():
    with Farm() as running:
        yield running


def run_node(script, farm, **options):
    environment = clean_environment(FARM=f"https://127.0.0.1:{farm.port}", ORACLE_MODULES=node_modules(),
                                    NODE_EXTRA_CA_CERTS=farm.ca, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=farm.ca)
    return subprocess.run(["node", str(NODE_FOLDER / script)], env=environment, capture_output=True, text=True,
                          timeout=SECONDS_MAX, **options)


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_vendors_library_accepts_the_fake(farm, vendor):
    done = run_node(f"sdk/{vendor}.mjs", farm)
    # The libraries, too, may write to standard output.
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    checks = [line for line in lines if "check" in line]
    assert not [line for line in checks if not line["ok"]], done.stderr
    assert done.returncode == 0 and checks and lines[-1] == {"event": "end", "checks": len(checks)}, done.stdout + done.stderr
    assert not farm.seen("farm_fault")


def test_every_fake_has_a_judge():
    """Who adds a vendor adds its library."""
    assert VENDORS == ["anthropic", "azure_speech", "deepgram", "elevenlabs", "google", "openai", "openai_clones", "twilio"]


@pytest.mark.parametrize("version, wanted", [
    ("v1", {"streamingConfig": {
        "config": {"encoding": "MULAW", "sampleRateHertz": 8000, "languageCode": "he-IL", "model": "latest_long",
                   "enableAutomaticPunctuation": True, "speechContexts": [{"phrases": ["תור", "yes"]}]},
        "interimResults": True}}),
    ("v2", {"recognizer": "projects/example-project/locations/global/recognizers/_", "streamingConfig": {
        "config": {"explicitDecodingConfig": {"encoding": "MULAW", "sampleRateHertz": 8000, "audioChannelCount": 1},
                   "model": "latest_long", "languageCodes": ["iw-IL"]},
        "streamingFeatures": {"interimResults": True}}}),
])
def test_googles_library_reads_our_messages(farm, folder, version, wanted):
    sound = folder / "caller.ulaw"
    sound.write_bytes(b"\x55" * 16_000)
    more = {"GOOGLE_STT_API": version, "GOOGLE_CLOUD_PROJECT": "example-project", "GOOGLE_STT_MODEL": "latest_long"}
    with probe(farm, "fine", **more) as run:
        events = run.ask(do="hear", provider="google", file=str(sound), phrases=["תור", "yes"])
    assert only(events, "done")["text"] == "שמעתי 16000"
    done = run_node("google_request.mjs", farm, input=f"{version} {farm.seen('grpc_config')[-1]['hex']}\n")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == wanted
