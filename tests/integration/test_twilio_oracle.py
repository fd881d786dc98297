"""Our signature check against Twilio's own library: same verdict on random requests, intact and damaged, both ways."""

import collections
import json
import os
import subprocess

import pytest

from support import clean_environment, program
from vendor_libraries import NODE_FOLDER, node_modules

COUNT = 3000
SEED = int(os.environ.get("ORACLE_SEED") or int.from_bytes(os.urandom(4), "big"))


@pytest.fixture(scope="module")
def modules():
    return node_modules()


def oracle(modules, *arguments, text=""):
    argv = ["node", str(NODE_FOLDER / "twilio_oracle.cjs"), *map(str, arguments)]
    done = subprocess.run(argv, input=text, env=clean_environment(ORACLE_MODULES=modules), capture_output=True,
                          text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def ours(requests):
    text = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run([program("test-signature-verdict")], input=text, env=clean_environment(),
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(verdicts) == len(requests)
    return verdicts


@pytest.fixture(scope="module")
def requests(modules):
    print(f"ORACLE_SEED={SEED}")
    made = oracle(modules, "make", SEED, COUNT)
    assert len(made) == COUNT
    return made


def test_same_verdict_as_twilios_library(requests):
    wrong = [(request, verdict) for request, verdict in zip(requests, ours(requests))
             if verdict["accepted"] != request["official"]]
    assert not wrong, f"ORACLE_SEED={SEED}: {len(wrong)} of {COUNT} differ, first {wrong[0]}"


def test_the_requests_are_worth_judging(requests):
    """Every kind is accepted intact, and every damage is refused somewhere: otherwise the test above proves little."""
    intact = collections.Counter(r["kind"] for r in requests if r["damage"] == "none" and r["official"])
    assert set(intact) == {"form", "get", "json", "stream"}
    refused = collections.Counter(r["damage"] for r in requests if not r["official"])
    harmless = {"none", "repeat"}  # A repeated pair is signed once.
    assert {r["damage"] for r in requests} - set(refused) <= harmless
    assert not [r for r in requests if r["damage"] == "none" and not r["official"]]


def test_twilios_library_accepts_what_we_sign(modules, requests):
    signed = [{**request, "signature": verdict["signature"]} for request, verdict in zip(requests, ours(requests))]
    # A JSON body that was damaged does not fit its hash, whoever signs.
    signed = [r for r in signed if not (r["kind"] == "json" and r["damage"] in ("body", "trimmed"))]
    assert len(signed) > COUNT * 0.9
    text = "".join(json.dumps(request) + "\n" for request in signed)
    verdicts = oracle(modules, "judge", text=text)
    wrong = [request for request, verdict in zip(signed, verdicts) if not verdict["accepted"]]
    assert not wrong, f"ORACLE_SEED={SEED}: {len(wrong)} refused, first {wrong[0]}"
