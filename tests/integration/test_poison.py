"""A call whose bytes kill whoever handles it is closed at the second death; nobody else notices (poison calls)."""

import base64
import re
import urllib.request

from installation import Installation, disturbed_summary
from media_client import MediaClient, media
from support import ROOT, wait_until

CALLS = 20
POISON = re.search(r'poison_payload = "([^"]*)"', (ROOT / "common/crash_point.hpp").read_text()).group(1)


def poison_call(port, number):
    """A call that speaks a while and then says the word. Its close code."""
    with MediaClient(port) as client:
        client.begin(sid=f"MZ{number:032d}", call=f"CA{number:032d}")
        client.send(media(sid=f"MZ{number:032d}"))
        assert client.message()["event"] == "clear"
        assert client.message()["event"] == "media"
        client.send(media(base64.b64encode(POISON.encode() + bytes(100)).decode(), sid=f"MZ{number:032d}"))
        return client.close_code()


def test_poison_calls_are_closed_and_every_other_call_lives(place):
    poisons = 6  # Twelve deaths; five ordinary crashes would hold a slot.
    with Installation(place, workers=2, CRASH_LIMIT="5") as installation:
        with installation.load(seconds=8, calls=CALLS) as load:
            wait_until(lambda: installation.status()["calls"]["live"] == CALLS, "all calls live")
            assert installation.status()["calls"]["poisoned"] == 0
            for number in range(poisons):
                assert poison_call(installation.port, number) == 1011
                wait_until(lambda: len(installation.serving()) == 2, "both workers serve again")
            disturbed_summary(load)
        status = installation.status()
        assert status["calls"]["poisoned"] == poisons
        assert sum(worker["restarts"] for worker in status["workers"]) == 2 * poisons
        assert "with a call in hand" in status["workers"][0]["last_exit"]["cause"]
        (problem,) = [problem for problem in status["problems"] if problem["code"] == "call_poisoned"]
        assert problem["cause"].startswith(f"{poisons} calls were closed with 1011")
        with urllib.request.urlopen(f"http://127.0.0.1:{installation.port}/metrics", timeout=30) as page:
            assert f"\nagentlocator_poisoned_calls_total {poisons}\n" in page.read().decode()
        assert f"{poisons} poison" in installation.command("status")
        lines = installation.process.output
        for number in range(poisons):
            assert lines.count(f"WS_DONE sid=MZ{number:032d} ") == 1


def test_the_only_worker_and_a_poison_call(place):
    with Installation(place, workers=1) as installation, installation.load(seconds=4, calls=5) as load:
        wait_until(lambda: installation.status()["calls"]["live"] == 5, "all calls live")
        assert poison_call(installation.port, 1) == 1011
        disturbed_summary(load)
