"""Whole conversations with the real programs and no key: the embedded voice asks, a caller answers by keys or by a human
voice recorded for another purpose, and a lead is in the store."""

import base64
import json
import time
import wave
from pathlib import Path

from installation import Installation
from media_client import SID, STOP, MediaClient
from support import BIN, ROOT, wait_until
from test_voice import Caller, line_noise, to_mulaw

SOUNDS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")  # People speaking, Debian's asterisk-core-sounds-en-wav.
CALLER, CALLED = "+972501234567", "+97233760000"
TICK_SAMPLES = 160


def recording(name):
    with wave.open(str(SOUNDS / f"{name}.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        samples = file.readframes(file.getnframes())
    sound = bytes(to_mulaw(int.from_bytes(samples[i:i + 2], "little", signed=True)) for i in range(0, len(samples), 2))
    sound += b"\xff" * (-len(sound) % TICK_SAMPLES)
    return [base64.b64encode(sound[i:i + TICK_SAMPLES]).decode() for i in range(0, len(sound), TICK_SAMPLES)]


class Telephone(Caller):
    """As Twilio: plays what comes at the pace of the clock, and returns a mark when all before it was played or cleared."""

    def __init__(self, client):
        super().__init__(client)
        self.queue, self.taken, self.silent, self.heard, self.clears = [], 0, 0, bytearray(), 0

    def hear(self):
        super().hear()
        for _, message in self.got[self.taken:]:
            if message["event"] == "media":
                self.queue.append(base64.b64decode(message["media"]["payload"]))
            elif message["event"] == "mark":
                self.queue.append(message["mark"]["name"])
            elif message["event"] == "clear":
                self.clears += 1
                marks = [item for item in self.queue if isinstance(item, str)]
                self.queue = []
                for mark in marks:
                    self.return_mark(mark)
        self.taken = len(self.got)
        self.play()

    def play(self):
        budget = TICK_SAMPLES
        while self.queue and (budget > 0 or isinstance(self.queue[0], str)):
            item = self.queue.pop(0)
            if isinstance(item, str):
                self.return_mark(item)
                continue
            self.heard += item[:budget]
            if len(item) > budget:
                self.queue.insert(0, item[budget:])
            budget -= len(item)
        self.silent = self.silent + 1 if budget == TICK_SAMPLES else 0

    def return_mark(self, name):
        self.client.send(json.dumps({"event": "mark", "streamSid": SID, "sequenceNumber": "3", "mark": {"name": name}}))

    def press(self, keys):
        for key in keys:
            self.client.send(json.dumps({"event": "dtmf", "streamSid": SID, "sequenceNumber": "4",
                                         "dtmf": {"track": "inbound_track", "digit": key}}))
            self.say(line_noise(12))

    def listen(self, whole, seconds=60):
        """Until the agent speaks, or to the end of what it says. False: it hung up."""
        before = len(self.heard)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                self.say(line_noise(10))
            except OSError:
                return False
            said = len(self.heard) - before
            if said > 8000 if not whole else said > 0 and self.silent >= 40:
                return True
        raise AssertionError(f"the agent said {len(self.heard) - before} bytes in {seconds} s and did not stop")


def converse(place, language, answers):
    """Answers each question in turn; what was heard, and the lead that is in the store."""
    with Installation(place, workers=1, WS_MODE="AI", AGENT_LANGUAGE=language,
                      ENABLE_SPEECH_HELPER="true") as installation:
        wait_until(lambda: "event=recogniser_ready" in installation.process.output, "no recogniser")
        with MediaClient(installation.port) as client:
            client.begin(parameters={"from": CALLER, "to": CALLED})
            caller = Telephone(client)
            for answer in answers:
                keys = isinstance(answer, str)
                assert caller.listen(whole=not keys)  # Who knows the menu presses while it is being read.
                if keys:
                    caller.press(answer)
                else:
                    caller.say(answer)
            while caller.listen(whole=True):
                pass
        installation.process.wait_for("event=conversation_ended .*lead=true")

        def lead():
            leads = json.loads(installation.command("leads", "--json"))
            return leads[0] if leads and leads[0]["details"] else None

        return caller, wait_until(lead, "no lead in the store")


def details(lead):
    return json.loads(lead["details"]) if isinstance(lead["details"], str) else lead["details"]


def test_a_hebrew_caller_leaves_a_lead_by_keys(place):
    answers = ["1", "1", "4", "3*#", "2350#", "1", "#", "1"]
    caller, lead = converse(place, "he-IL", answers)
    assert lead["phone"] == CALLER
    assert details(lead) == {"intent": "buy", "property_type": "apartment", "area": "Ramat Gan", "rooms": "3.5",
                             "budget": "2350000"}
    assert len(caller.heard) > 8000 * 10
    assert caller.clears >= 7  # Keys stop a prompt.


def test_an_english_caller_leaves_a_lead_by_voice_and_keys(place):
    one, three = recording("digits/1"), recording("digits/3")
    caller, lead = converse(place, "en-US", [one, one, "2", three, "1800#", "1", "#", "1"])
    assert lead["phone"] == CALLER
    assert details(lead) == {"intent": "buy", "property_type": "apartment", "area": "Jerusalem", "rooms": "3",
                             "budget": "1800000"}
    # The caller's own voice never comes back (P2).
    said = {base64.b64decode(frame)[i:i + 24] for frame in one + three for i in range(0, 136, 8)}
    said = {part for part in said if len(set(part)) > 8}
    heard = bytes(caller.heard)
    assert said and not any(heard[i:i + 24] in said for i in range(len(heard) - 24))


def test_without_engines_and_keys_a_caller_is_greeted_and_told_that_we_call_back(place):
    """The helper as it is built where neither eSpeak NG nor pocketsphinx is installed."""
    recordings = ROOT / "worker" / "agent" / "recordings"
    with Installation(place, AGENT_LANGUAGE="he-IL", WS_MODE="AI", ENABLE_SPEECH_HELPER="true",
                      AGENTLOCATOR_SPEECH_PROGRAM=str(BIN / "test-speech-without-engines")) as installation:
        for missing, package in (("voice", "libespeak-ng-dev"), ("recogniser", "libpocketsphinx-dev")):
            installation.process.wait_for(f"event={missing}_missing .*install {package}")
        client = MediaClient(installation.port)
        client.begin(parameters={"from": CALLER, "to": CALLED})
        caller = Telephone(client)
        assert caller.listen(whole=True)
        greeting = (recordings / "greeting_he.ulaw").read_bytes()
        assert bytes(caller.heard[:len(greeting)]) == greeting
        before = len(caller.heard)
        caller.press("1")
        assert caller.listen(whole=True)
        noted = (recordings / "noted_he.ulaw").read_bytes()
        assert bytes(caller.heard[before:before + len(noted)]) == noted
        client.send(STOP)
        installation.process.wait_for("event=conversation_ended .*reason=stop")
        assert "remedy=" in installation.process.wait_for("event=provider_failed provider=none operation=speak.*")[0]
