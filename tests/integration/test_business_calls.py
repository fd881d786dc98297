"""Telephone calls to the numbers of two businesses and to one that is nobody's: each is greeted and answered in the words,
the language and with the prompt of its own business; a new version counts from the next call on."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from installation import Installation
from media_client import STOP, MediaClient
from provider_farm import Farm
from support import program, wait_until
from test_conversation import CALLER, Telephone
from test_conversation_faults import Conversation, plain

FLATS, TEETH, NOBODYS = "+97233761111", "+97233762222", "+97233763333"
SET = [(1, "greeting_he", "כאן הדירות."), (1, "prompt", "PROMPT OF THE FLATS"), (1, "business_name", "Flats"),
       (2, "greeting_en", "This is {{business_name}}."), (2, "language", "en-US"), (2, "prompt", "PROMPT OF THE TEETH"),
       (2, "business_name", "Teeth")]


@pytest.fixture(scope="module")
def farm():
    with Farm() as running:
        yield running


class Call(Conversation):
    """One of several calls to one installation."""

    def __init__(self, farm, installation, called, key, number):
        self.farm, self.installation, self.called, self.key = farm, installation, called, key
        self.sid = f"CA{number:032d}"

    def __enter__(self):
        self.client = MediaClient(self.installation.port)
        self.client.begin(call=self.sid, parameters={"from": CALLER, "to": self.called})
        self.phone = Telephone(self.client)
        self.hear()
        return self

    def __exit__(self, *details):
        self.client.close()

    def leave(self):
        self.client.send(STOP)
        self.installation.process.wait_for(f"event=conversation_ended call={self.sid} ")

    def turns(self):
        """What was said, as the store has it."""
        show = json.loads(self.installation.command("calls", "show", self.sid, "--json"))
        return [plain(turn["text"]) for turn in show["turns"]], show["business_id"]


def command(place, *arguments):
    done = subprocess.run([program("agentlocator"), *arguments], env=place, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_each_number_is_answered_in_the_words_of_its_own_business(farm, place):
    command(place, "business", "add", "Flats", "--voice", FLATS)
    command(place, "business", "add", "Teeth", "--voice", TEETH)
    for business, name, value in SET:
        command(place, "business", "set", str(business), name, value, "--channel", "voice")
    key, address = "sk-test-businesses", farm.url("fine", "/v1")
    with Installation(place, workers=1, WS_MODE="AI", SSL_CERT_FILE=farm.ca, OPENAI_API_KEY=key, OPENAI_BASE_URL=address,
                      OPENAI_TTS_MODEL="tts-1", VOICE_STT_CHAIN="openai", VOICE_LLM_CHAIN="openai",
                      VOICE_TTS_CHAIN="openai", SILENCE_PROMPT_MS="60000") as installation:
        def ask_once(called, number):
            with Call(farm, installation, called, key, number) as call:
                call.ask()
                call.leave()
                return wait_until(lambda: len(call.turns()[0]) >= 3 and call.turns(), call.turns)

        with ThreadPoolExecutor() as pool:
            said = list(pool.map(ask_once, (FLATS, TEETH, NOBODYS), (1, 2, 3)))
            assert [(turns[0], business) for turns, business in said] == [
                ("כאן הדירות.", 1), ("This is Teeth.", 2), ("שלום, כאן לאה. במה אפשר לעזור?", 0)]
            call = Call(farm, installation, FLATS, key, 4)
            asked = [request["messages"][0]["content"] for request in call.requests("/chat/completions")]
            assert sorted(system[:21] for system in asked if system.startswith("PROMPT")) == [
                "PROMPT OF THE FLATS\nN", "PROMPT OF THE TEETH\nN"]
            (nobodys,) = [system for system in asked if not system.startswith("PROMPT")]
            assert "את לאה" in nobodys and "Flats" not in nobodys and "Teeth" not in nobodys
            assert sorted(line["language"] for line in farm.seen("transcribed")) == ["en", "he", "he"]

            command(place, "business", "set", "1", "greeting_he", "גרסה שתיים.", "--channel", "voice")
            for number in range(4, 40):  # Workers look every two seconds.
                with Call(farm, installation, FLATS, key, number) as newer:
                    newer.leave()
                if "גרסה שתיים." in newer.said():
                    break
            else:
                raise AssertionError("the new greeting is never said")
