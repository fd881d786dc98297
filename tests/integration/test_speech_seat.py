"""The speech helper as a seat of the supervisor: it dies, hangs and is restarted, and the next sentence is spoken."""

import os
import signal
from pathlib import Path

import pytest
import speech_client
from speech_client import Closed, SpeechConnection
from support import is_alive, wait_until
from test_supervision import Supervised, problem

SENTENCE = "שָׁלוֹם, כָּאן לֵאָה. בַּמֶּה אֶפְשָׁר לַעֲזוֹר לָכֶם הַיּוֹם?"


@pytest.fixture
def speaking(place):
    place["ENABLE_SPEECH_HELPER"] = "true"
    return place


def speech(supervisor, not_pid=0):
    """The seat's document once its process serves."""

    def serving():
        seat = supervisor.status()["speech"]
        return seat if seat["state"] == "serving" and seat["pid"] != not_pid else None

    return wait_until(serving, "the speech helper is not serving")


def say(folder, number=1):
    client = SpeechConnection(folder / "run" / "speech.sock")
    try:
        client.speak(number, SENTENCE)
        return client.audio_of(number)
    finally:
        client.close()


def test_it_speaks_and_is_seen(speaking, folder):
    with Supervised(speaking, folder) as supervisor:
        seat = speech(supervisor)
        assert len(say(folder)) > 3 * 8000
        wait_until(lambda: speech(supervisor)["heartbeat_ms"] is not None, "it never beat")
        assert seat["slot"] == "speech" and seat["restarts"] == 0
        socket = folder / "run" / "speech.sock"
        assert socket.stat().st_mode & 0o777 == 0o600
        environment = Path(f"/proc/{supervisor.worker(1)['pid']}/environ").read_bytes().split(b"\0")
        assert f"AGENTLOCATOR_SPEECH_SOCKET={socket}".encode() in environment


def test_it_gets_nobodys_keys(speaking, folder):
    speaking["OPENAI_API_KEY"] = "sk-secret"
    speaking["TWILIO_AUTH_TOKEN"] = "0123456789abcdef"
    speaking["EMBEDDED_TTS_WPM"] = "170"
    with Supervised(speaking, folder) as supervisor:
        pid = speech(supervisor)["pid"]
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        assert b"secret" not in environment and b"0123456789abcdef" not in environment
        assert b"EMBEDDED_TTS_WPM=170" in environment
        descriptors = wait_until(
            lambda: {os.readlink(f"/proc/{pid}/fd/{fd}").split(":")[0] for fd in os.listdir(f"/proc/{pid}/fd")}, "fds"
        )
        assert not any("agentlocator-slab" in name or "call" in name for name in descriptors), descriptors


def test_killed_in_mid_sentence_the_next_one_is_spoken(speaking, folder):
    with Supervised(speaking, folder) as supervisor:
        pid = speech(supervisor)["pid"]
        workers = [worker["pid"] for worker in supervisor.status()["workers"]]
        client = SpeechConnection(folder / "run" / "speech.sock")
        client.speak(1, SENTENCE * 25)  # Two minutes: it is not done when the first audio is here.
        kind, _, _ = client.receive()
        assert kind == speech_client.SPEECH
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(Closed):
            while True:
                assert client.receive()[0] != speech_client.SPOKEN
        # At once: the socket is the supervisor's, so the connection waits for the next helper.
        assert len(say(folder)) > 3 * 8000
        seat = speech(supervisor, not_pid=pid)
        assert seat["restarts"] == 1 and seat["last_exit"]["signal"] == 9
        assert [worker["pid"] for worker in supervisor.status()["workers"]] == workers


def test_restart_speech(speaking, folder):
    with Supervised(speaking, folder) as supervisor:
        before = speech(supervisor)["pid"]
        say(folder)
        code, answer = supervisor.ask("POST", "/restart", {"target": "speech"})
        assert code == 200, answer
        assert speech(supervisor, not_pid=before)["last_exit"]["code"] == 0
        assert len(say(folder)) > 3 * 8000


def test_a_hang_is_ended_and_it_speaks_again(speaking, folder):
    speaking["HANG_TIMEOUT_MS"] = "1000"
    with Supervised(speaking, folder) as supervisor:
        seat = speech(supervisor)
        say(folder)
        os.kill(seat["pid"], signal.SIGSTOP)
        again = speech(supervisor, not_pid=seat["pid"])
        assert again["last_exit"]["cause"].startswith("hung: no heartbeat")
        assert len(say(folder)) > 3 * 8000


def test_a_crash_loop_is_held_and_calls_go_on_without(speaking, folder):
    with Supervised(speaking, folder, env={"AGENTLOCATOR_SPEECH_PROGRAM": "/bin/false"}) as supervisor:
        wait_until(lambda: supervisor.status()["speech"]["state"] == "held", "it is not held")
        status = supervisor.status()
        assert status["state"] == "degraded"
        assert problem(status, "speech_held")["remedy"] == "agentlocator restart speech"
        assert all(worker["state"] == "serving" for worker in status["workers"])


def test_switched_off_and_not_needed(speaking, folder):
    for setting, word in (
        ({"ENABLE_SPEECH_HELPER": "false"}, "ENABLE_SPEECH_HELPER"),
        ({"AGENTLOCATOR_SPEECH_PROGRAM": "/nowhere/speech"}, "/nowhere/speech is not there"),
    ):
        with Supervised(speaking, folder, env=setting) as supervisor:
            seat = supervisor.status()["speech"]
            assert seat["state"] == "absent" and word in seat["detail"]
            assert supervisor.status()["state"] == "running"


def test_after_the_supervisors_death_the_next_one_speaks(speaking, folder):
    with Supervised(speaking, folder) as first:
        old = speech(first)["pid"]
        say(folder)
        first.send(signal.SIGKILL)
        first.wait()
        with Supervised(speaking, folder, wait=False) as second:
            second.wait_for(r"event=supervisor_ready")
            assert speech(second, not_pid=old)
            wait_until(lambda: not is_alive(old), "two helpers live")
            assert len(say(folder)) > 3 * 8000


def test_stop_leaves_no_helper(speaking, folder):
    with Supervised(speaking, folder) as supervisor:
        pid = speech(supervisor)["pid"]
        assert supervisor.stop() == 0
        assert not is_alive(pid)
