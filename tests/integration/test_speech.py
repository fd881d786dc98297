"""The speech helper: its commands, and the process behind its socket."""

import json
import os
import signal
import struct
import subprocess
import wave

import pytest
import speech_client
from speech_client import SpeechConnection
from support import PATIENCE, Process, clean_environment, program, wait_until

SENTENCE = "שָׁלוֹם, כָּאן לֵאָה. בַּמֶּה אֶפְשָׁר לַעֲזוֹר לָכֶם הַיּוֹם?"


def run(*arguments, stdin=None, **settings):
    return subprocess.run(
        [program("agentlocator"), *map(str, arguments)],
        env=clean_environment(**settings),
        capture_output=True,
        timeout=PATIENCE,
        input=stdin,
    )


@pytest.fixture
def helper(folder):
    with Process([program("agentlocator-speech"), "--socket", folder / "s"], env=clean_environment()) as process:
        wait_until((folder / "s").exists, "the helper's socket")
        process.socket = folder / "s"
        yield process


# ---- agentlocator say, agentlocator hear ----


def test_say_writes_what_a_caller_hears(folder):
    done = run("say", SENTENCE, "--out", folder / "a.wav", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert 3 < summary["seconds"] < 6
    assert -30 < summary["level_dbfs"] < -12
    data = (folder / "a.wav").read_bytes()
    assert data[:4] == b"RIFF" and struct.unpack("<H", data[20:22])[0] == 7  # mu-law
    assert abs(len(data) - 58 - summary["seconds"] * 8000) <= 1


def test_say_to_stdout_is_heard_again():
    spoken = run("say", "goodbye", "--language", "en", "--out", "-")
    assert spoken.returncode == 0
    assert spoken.stdout[:4] == b"RIFF"  # Nothing but the file.
    heard = run("hear", "-", "--language", "en", "--phrases", "haifa,goodbye,jerusalem", stdin=spoken.stdout)
    assert heard.returncode == 0, heard.stderr
    assert heard.stdout.decode().strip() == "goodbye"


def test_hear_takes_any_rate(folder):
    spoken = run("say", "goodbye", "-l", "en", "-o", folder / "a.wav")
    assert spoken.returncode == 0
    # 16-bit PCM at 16 kHz: every sample twice is crude, and good enough to be understood.
    raw = (folder / "a.wav").read_bytes()[58:]
    with wave.open(str(folder / "b.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(b"".join(struct.pack("<h", mulaw(code)) * 2 for code in raw))
    heard = run("hear", folder / "b.wav", "-l", "en", "--json")
    assert json.loads(heard.stdout)["heard"] == "goodbye", heard.stdout


def mulaw(code):
    code = ~code & 0xFF
    value = (((code & 0x0F) << 3) + 132 << ((code >> 4) & 7)) - 132
    return -value if code & 0x80 else value


def test_hear_rejects_what_is_none_of_the_phrases():
    spoken = run("say", "yesterday morning it rained", "-l", "en", "-o", "-")
    heard = run("hear", "-", "-l", "en", "--phrases", "seven,tel aviv", "--json", stdin=spoken.stdout)
    assert heard.returncode == 1
    assert json.loads(heard.stdout)["rejected"] is True


def test_hebrew_yes_and_no():
    for word in ("כֵּן", "לֹא"):
        spoken = run("say", word, "-l", "he", "-o", "-")
        heard = run("hear", "-", "-l", "he", stdin=spoken.stdout)
        assert heard.stdout.decode().strip() == word


@pytest.mark.parametrize(
    "arguments, code, text",
    [
        (["say"], 64, "TEXT|text"),
        (["say", "x", "--language", "fr"], 64, "valid: he, en"),
        (["say", "...", "-l", "en"], 1, "nothing to be spoken"),
        (["say", "hi", "-l", "en", "--out", "/nowhere/a.wav"], 1, "/nowhere/a.wav: No such file"),
        (["hear", "/nowhere/a.wav"], 1, "/nowhere/a.wav: No such file"),
        (["hear", "/etc/passwd", "-l", "en"], 1, "not a RIFF WAVE file"),
        (["hear", "/", "-l", "en"], 1, "is it a file"),
        (["hear", "-", "-l", "en", "--phrases", "x" * 200], 64, "at most"),
    ],
)
def test_errors_say_what_is_wrong(arguments, code, text):
    done = run(*arguments, stdin=b"")
    assert done.returncode == code, done.stderr
    assert any(part in done.stderr.decode() for part in text.split("|")), done.stderr


def test_help_has_examples():
    for command in ("say", "hear"):
        done = run(command, "--help")
        assert done.returncode == 0
        assert f"agentlocator {command} " in done.stdout.decode()


def test_say_without_the_helper_program(folder):
    """An installation that lacks it says so; nothing hangs."""
    alone = folder / "bin"
    alone.mkdir()
    os.symlink(program("agentlocator"), alone / "unused")
    (alone / "agentlocator").write_bytes(open(program("agentlocator"), "rb").read())
    (alone / "agentlocator").chmod(0o755)
    done = subprocess.run([alone / "agentlocator", "say", "x"], env=clean_environment(), capture_output=True, timeout=30)
    assert done.returncode == 127
    assert b"agentlocator-speech" in done.stderr


# ---- The service ----


def test_a_sentence_and_what_it_can_do(helper):
    client = SpeechConnection(helper.socket)
    assert client.abilities["speaks"] == ["he", "en"]
    client.speak(1, SENTENCE)
    audio = client.audio_of(1)
    assert 3 * 8000 < len(audio) < 6 * 8000
    assert len(set(audio)) > 50  # Speech, not silence.


def test_32_sentences_at_once(helper):
    clients = [SpeechConnection(helper.socket) for _ in range(4)]
    for client in clients:
        for number in range(1, 9):
            client.speak(number, f"{number} {SENTENCE}")
    for client in clients:
        lengths = {}
        finished = set()
        while len(finished) < 8:
            kind, number, payload = client.receive()
            if kind == speech_client.SPEECH:
                assert number not in finished
                lengths[number] = lengths.get(number, 0) + len(payload)
            else:
                assert kind == speech_client.SPOKEN
                finished.add(number)
        assert all(length > 3 * 8000 for length in lengths.values())


def test_cancel_stops_a_sentence_and_leaves_the_others(helper):
    client = SpeechConnection(helper.socket)
    client.speak(1, SENTENCE * 30)
    client.send(speech_client.CANCEL, 1)
    client.speak(2, SENTENCE)
    heard = b""
    while True:
        kind, number, payload = client.receive()
        if number == 2 and kind == speech_client.SPOKEN:
            break
        assert not (number == 1 and kind == speech_client.SPOKEN)
        heard += payload if number == 1 else b""
    assert len(heard) < 30 * 8000  # Of about two minutes.


def test_an_utterance_as_it_comes(helper):
    client = SpeechConnection(helper.socket)
    client.speak(1, "goodbye", "en")
    audio = client.audio_of(1)
    client.listen(2, ["haifa", "goodbye", "jerusalem"])
    for at in range(0, len(audio), 160):
        client.send(speech_client.AUDIO, 2, audio[at : at + 160])
    client.send(speech_client.FINISH, 2)
    kind, text = client.answer_to(2)
    assert (kind, text.decode()) == (speech_client.HEARD, "goodbye")


def test_an_utterance_without_audio_is_nothing_heard(helper):
    client = SpeechConnection(helper.socket)
    client.listen(1, ["yes", "no"])
    client.send(speech_client.FINISH, 1)
    assert client.answer_to(1) == (speech_client.HEARD, b"")


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff" * 4096,
        struct.pack("<III", 65537, 2, 1),  # One byte more than a frame may have.
        struct.pack("<III", 0, 99, 1),  # No such kind.
        struct.pack("<III", 0, speech_client.SPEECH, 1),  # Not for a client to send.
        struct.pack("<III", 1, speech_client.HELLO, 0) + b"1",  # A second hello.
        struct.pack("<III", 2, speech_client.SPEAK, 0) + b"{}",  # No id.
    ],
)
def test_garbage_costs_its_own_connection_alone(helper, garbage):
    good = SpeechConnection(helper.socket)
    bad = SpeechConnection(helper.socket)
    bad.socket.sendall(garbage)
    assert bad.is_closed()
    good.speak(1, SENTENCE)
    assert len(good.audio_of(1)) > 3 * 8000


def test_a_frame_before_hello_is_refused(helper):
    client = SpeechConnection(helper.socket, hello=False)
    client.speak(1, SENTENCE)
    kind, number, _ = client.receive()
    assert (kind, number) == (speech_client.FAILED, 0)
    assert client.is_closed()


@pytest.mark.parametrize(
    "request_, word",
    [
        ({"text": "a" * 4097, "language": "en"}, "4096"),
        ({"text": "a", "language": "fr"}, "fr"),
        ({"text": 1, "language": "en"}, "text"),
        ({"language": "en"}, "text"),
    ],
)
def test_a_bad_sentence_is_refused_and_the_next_is_spoken(helper, request_, word):
    client = SpeechConnection(helper.socket)
    client.send(speech_client.SPEAK, 1, json.dumps(request_).encode())
    kind, payload = client.answer_to(1)
    assert kind == speech_client.FAILED
    assert word in json.loads(payload)["message"]
    client.speak(2, "a" * 4096, "en")
    assert client.audio_of(2)


def test_words_nobody_can_pronounce_are_refused(helper):
    client = SpeechConnection(helper.socket)
    client.listen(1, ["xqzzt"])
    client.send(speech_client.FINISH, 1)
    kind, payload = client.answer_to(1)
    assert kind == speech_client.FAILED
    assert "xqzzt" in json.loads(payload)["message"]


def test_a_peer_that_reads_nothing_holds_up_nobody(helper):
    lazy = SpeechConnection(helper.socket)
    for number in range(1, 41):
        lazy.speak(number, SENTENCE * 8)  # Half an hour of speech, 12 MB.
    busy = SpeechConnection(helper.socket)
    busy.speak(1, SENTENCE)
    assert len(busy.audio_of(1)) > 3 * 8000
    total = 0
    for number in range(1, 41):  # What it asked for still comes once it reads.
        total += len(lazy.audio_of(number)) if number == 1 else 0
    assert total > 3 * 8000


def test_it_ends_on_sigterm(helper):
    client = SpeechConnection(helper.socket)
    client.speak(1, SENTENCE)
    assert helper.stop() == 0
    assert not helper.socket.exists()
