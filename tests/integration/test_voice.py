"""Turn-taking of the real worker, in AI mode without services: the recorded prompts speak."""

import base64
import functools
import json
import math
import os
import random
import signal
import time

import pytest
from installation import Installation
from media_client import FRAME, MediaClient, media
from support import wait_until
from test_worker_faults import Worker

FRAME_S = 0.02


def to_mulaw(sample):
    """G.711, from the definition."""
    sign, magnitude = (0x80, -sample) if sample < 0 else (0, sample)
    magnitude = min(magnitude, 32635) + 132
    exponent = max(0, magnitude.bit_length() - 8)
    return ~(sign | exponent << 4 | (magnitude >> (exponent + 3)) & 15) & 0xFF


def talk(seconds, level=6000, seed=1):
    """Frames of something like a voice: a gliding buzz under moving formants, in syllables."""
    chance = random.Random(seed)
    phase, frames, frame = 0.0, [], []
    for i in range(int(seconds * 8000)):
        t = i / 8000
        pitch = 120 + 25 * math.sin(4.4 * t)
        phase += 2 * math.pi * pitch / 8000
        low, high = 500 + 200 * math.sin(12.6 * t), 1600 + 500 * math.sin(18.8 * t)
        value = sum((math.exp(-(((k * pitch) - low) / 150) ** 2) + 0.5 * math.exp(-(((k * pitch) - high) / 200) ** 2)) *
                    math.sin(k * phase) for k in range(2, 18))
        frame.append(to_mulaw(int(level * max(0.1, math.sin(25 * t) + 0.5) * value + chance.gauss(0, 20))))
        if len(frame) == 160:
            frames.append(base64.b64encode(bytes(frame)).decode())
            frame = []
    return frames


@functools.cache
def line_noise(frames, seed=2):
    chance = random.Random(seed)
    return [base64.b64encode(bytes(to_mulaw(int(chance.gauss(0, 25))) for _ in range(160))).decode()
            for _ in range(frames)]


class Caller:
    """Sends a frame each 20 ms and keeps what comes, with the number of frames sent before it."""

    def __init__(self, client):
        self.client, self.sent, self.got = client, 0, []
        self.next = time.monotonic()

    def hear(self):
        self.client.socket.setblocking(False)
        try:
            while True:
                data = self.client.socket.recv(65536)
                if not data:
                    break
                self.client.buffer += data
        except BlockingIOError:
            pass
        finally:
            self.client.socket.setblocking(True)
        while len(self.client.buffer) >= 4:
            size = self.client.buffer[1]
            head = 2
            if size == 126:
                size, head = int.from_bytes(self.client.buffer[2:4], "big"), 4
            if len(self.client.buffer) < head + size:
                break
            payload = self.client.buffer[head:head + size]
            if self.client.buffer[0] & 15 == 1:
                self.got.append((self.sent, json.loads(payload)))
            self.client.buffer = self.client.buffer[head + size:]

    def say(self, frames):
        self.next = max(self.next, time.monotonic())
        for frame in frames:
            self.client.send(media(frame))
            self.sent += 1
            self.next += FRAME_S
            time.sleep(max(0, self.next - time.monotonic()))
            self.hear()

    def events(self):
        return [message["event"] for _, message in self.got]

    def audio(self):
        return b"".join(base64.b64decode(m["media"]["payload"]) for _, m in self.got if m["event"] == "media")


def test_barge_in_clears_within_the_configured_frames_and_nothing_of_the_prompt_follows():
    with Worker(WS_MODE="AI", BACKCHANNEL_MS="0") as worker, worker.connect() as client:
        client.begin()
        caller = Caller(client)
        voice = talk(0.6)
        caller.say(line_noise(45))  # The greeting is 2.5 s; its grace is over.
        assert "clear" not in caller.events()
        before = caller.sent
        caller.say(voice)
        clear = next(at for at, message in caller.got if message["event"] == "clear")
        # 5 of 8 frames, two until the syllable is loud, and a frame for the two clocks.
        assert clear - before <= 8 + 3
        behind = caller.events()[caller.events().index("clear") + 1:]
        assert "media" not in behind
        caller.say(line_noise(50))
        # The utterance is over and its answer comes: after the clear, and once.
        assert caller.events().count("clear") == 1
        assert "media" in caller.events()[caller.events().index("clear") + 1:]


def test_a_key_clears_before_anything_else():
    with Worker(WS_MODE="AI") as worker, worker.connect() as client:
        client.begin()
        caller = Caller(client)
        caller.say(line_noise(20))
        seen = len(caller.got)
        client.send(json.dumps({"event": "dtmf", "streamSid": "MZ" + "4" * 32, "sequenceNumber": "9",
                                "dtmf": {"track": "inbound_track", "digit": "1"}}))
        caller.say(line_noise(20))
        after = caller.events()[seen:]
        assert after.index("clear") <= 10  # Frames that were due before the key arrived: one or two ticks.
        assert after[after.index("clear") + 1] == "media"


def test_caller_noise_never_comes_back():
    chance = random.Random(5)
    frames = [base64.b64encode(chance.randbytes(160)).decode() for _ in range(150)]
    with Worker(WS_MODE="AI") as worker, worker.connect() as client:
        client.begin()
        caller = Caller(client)
        caller.say(frames)
        said = {base64.b64decode(frame)[i:i + 16] for frame in frames for i in range(0, 144, 16)}
        heard = caller.audio()
        assert len(heard) > 8000
        assert not any(heard[i:i + 16] in said for i in range(0, len(heard) - 16))


@pytest.mark.parametrize("moment", [0.4, 2.9], ids=["sentence", "utterance"])
def test_a_worker_killed_in_the_middle_changes_nothing_of_the_greeting_that_is_heard(place, moment):
    def whole(kill):
        with Installation(place, WS_MODE="AI") as installation:
            with MediaClient(installation.port) as client:
                client.begin()
                caller = Caller(client)
                script = line_noise(145) + talk(1) + line_noise(150)
                at = int(moment / FRAME_S)
                caller.say(script[:at])
                if kill:
                    (victim,) = [w["pid"] for w in installation.serving() if w["calls"] == 1]
                    os.kill(victim, signal.SIGKILL)
                caller.say(script[at:])
                return caller.audio()

    # The greeting, in which it is killed, sample for sample; silence between sentences is a matter of timing, and so is
    # what the agent, who has no voice here, apologises for next.
    greeting = 25_000
    spoken = [whole(kill).replace(b"\xff", b"")[:greeting] for kill in (True, False)]
    assert len(spoken[0]) == greeting
    assert spoken[0] == spoken[1]
