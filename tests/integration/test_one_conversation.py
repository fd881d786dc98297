"""One person, one conversation: what he wrote on WhatsApp is known on the telephone and the other way round."""

import json
import os
import signal
import urllib.parse
import urllib.request

import pytest
from installation import Installation
from media_client import CALL, MediaClient
from provider_farm import ACCOUNT, Farm
from support import ROOT, Process, clean_environment, program, wait_until
from test_conversation import CALLED, CALLER, Telephone
from test_conversation_faults import ANSWER, Conversation

ASKED = "יש דירה בחיפה?"
HEARD = "אני רוצה תור"  # What the farm's recogniser hears, whatever is said.


@pytest.fixture(scope="module")
def farm():
    with Farm() as running:
        yield running


def whatsapp(farm):
    """Settings with which WhatsApp goes through the farm's Twilio."""
    return {"TWILIO_API_BASE_URL": farm.url("fine"), "TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": "twilio-token",
            "TWILIO_WHATSAPP_NUMBER": CALLED, "VALIDATE_TWILIO_SIGNATURE": "false", "ADMIN_TOKEN": "test-admin-token",
            "SSL_CERT_FILE": farm.ca}


def write(installation, text, number, **more):
    """The caller writes, and has his answer."""
    form = {"MessageSid": f"SM{number}", "From": f"whatsapp:{CALLER}", "To": f"whatsapp:{CALLED}", "Body": text} | more
    base = f"http://127.0.0.1:{installation.port}"
    urllib.request.urlopen(f"{base}/webhook/whatsapp/twilio", urllib.parse.urlencode(form).encode(), timeout=30)

    def answers():
        request = urllib.request.Request(f"{base}/api/whatsapp/messages?direction=out",
                                         headers={"Authorization": "Bearer test-admin-token"})
        with urllib.request.urlopen(request, timeout=30) as reply:
            return [one["body"] for one in json.load(reply)["messages"]]

    return wait_until(lambda: len(answers()) >= number and answers(), answers, interval=0.2)[0]


def write_quietly(worker, number, **more):
    """A message to which nothing is answered."""
    form = {"MessageSid": f"SM{number}", "From": f"whatsapp:{CALLER}", "To": f"whatsapp:{CALLED}", "Body": ""} | more
    urllib.request.urlopen(f"http://127.0.0.1:{worker.port}/webhook/whatsapp/twilio",
                           urllib.parse.urlencode(form).encode(), timeout=30)
    ignored = 'agentlocator_messages_ignored_total{reason="asked_already"}'
    wait_until(lambda: worker.metrics()[ignored] == 1, worker.metrics, interval=0.2)


class Person(Conversation):
    """Who writes first and calls then."""

    def __enter__(self):
        self.installation.__enter__()
        return self

    def __exit__(self, *details):
        if hasattr(self, "client"):
            self.client.close()
        return self.installation.__exit__(*details)

    def told(self):
        """What the model was told of the conversation last, without its instructions."""
        messages = self.requests("/chat/completions")[-1]["messages"]
        return [(message["role"], message["content"]) for message in messages[1:]]

    def knows(self, times):
        """The store's answer has come: nothing waits for it, so a test must."""
        self.installation.process.wait_for("event=caller_known", count=times)


def test_what_was_written_is_known_on_the_telephone_and_back(farm, folder):
    with Person(farm, folder, "one", workers=2, **whatsapp(farm)) as person:
        assert write(person.installation, ASKED, 1) == ANSWER
        person.dial()
        person.knows(1)
        person.ask()
        assert person.told()[:2] == [("user", ASKED), ("assistant", ANSWER)]
        assert person.told()[-1] == ("user", HEARD)
        (victim,) = [worker["pid"] for worker in person.installation.serving() if worker["calls"] == 1]
        os.kill(victim, signal.SIGKILL)  # Whoever takes the call over asks the store again.
        person.knows(2)
        person.ask()
        assert person.told()[:2] == [("user", ASKED), ("assistant", ANSWER)]
        person.leave()
        show = person.installation.command
        wait_until(lambda: HEARD in show("calls", "show", CALL), lambda: show("calls", "show", CALL))
        write(person.installation, "ועכשיו?", 2)
        told = person.told()
        assert told[:2] == [("user", ASKED), ("assistant", ANSWER)] and told[-1] == ("user", "ועכשיו?")
        assert ("user", HEARD) in told[2:-1]


SAY = {"intent": "To buy, press 1.", "property_type": "Which kind?", "city": "Where?", "phone": "Call you? Press 1.",
       "confirm": "{{summary}} If this is right, press 1.", "greeting": "Hello.", "known": "I remember.",
       "close": "Goodbye."}


def short_dialogue(folder):
    script = json.loads((ROOT / "dialogues/real-estate.json").read_text())
    script["steps"] = [step for step in script["steps"] if step["name"] in SAY]
    for step in script["steps"]:
        step["offer" if step["name"] == "phone" else "prompt"]["en"] = SAY[step["name"]]
    for name in set(SAY) & set(script["texts"]):
        script["texts"][name]["en"] = SAY[name]
    path = folder / "dialogue.json"
    path.write_text(json.dumps(script))
    return path


def test_the_dialogue_without_a_model_does_not_ask_again_what_was_written(farm, place, folder):
    with Installation(place, workers=1, WS_MODE="AI", AGENT_LANGUAGE="en-US", ENABLE_SPEECH_HELPER="true",
                      DIALOGUE_FILE=str(short_dialogue(folder)), **whatsapp(farm)) as installation:
        wait_until(lambda: "event=recogniser_ready" in installation.process.output, "no recogniser")
        for number, (text, answer) in enumerate([("buy", SAY["property_type"]), ("a flat", SAY["city"]), ("Haifa", "Call you?")], 1):
            assert answer in write(installation, text, number)
        with MediaClient(installation.port) as client:
            client.begin(parameters={"from": CALLER, "to": CALLED})
            caller = Telephone(client)
            assert caller.listen(whole=False)
            installation.process.wait_for("event=caller_known")
            for _ in range(2):  # The wish is asked; kind and place are known; the number.
                caller.press("1")
                assert caller.listen(whole=False)
            caller.press("1")  # All of it is right.
            while caller.listen(whole=True):
                pass
        installation.process.wait_for("event=conversation_ended .*lead=true")

        def lead():
            leads = json.loads(installation.command("leads", "--json"))
            return leads[0]["details"]

        wait_until(lambda: "Haifa" in str(lead()), lead)
        assert json.loads(lead() if isinstance(lead(), str) else json.dumps(lead())) == {
            "intent": "buy", "property_type": "apartment", "area": "Haifa"}
        show = json.loads(installation.command("calls", "show", CALL, "--json"))
        spoken = " ".join(turn["text"] for turn in show["turns"] if turn["speaker"] == "agent")
        assert "Goodbye." in spoken  # He did not hear the rest to its end, but its beginnings.
        assert "Which" not in spoken and "Where" not in spoken, spoken


class Written:
    """A worker alone, with the farm's services: enough for who writes."""

    def __init__(self, farm, folder, name, **settings):
        self.process = Process([program("agentlocator-worker"), "--port", "0"], env=clean_environment(
            AGENTLOCATOR_DATA_DIR=folder, ENABLE_WA_BAILEYS="false", OPENAI_API_KEY=f"sk-test-{name}",
            OPENAI_BASE_URL=farm.url("fine", "/v1"), **whatsapp(farm) | settings))

    def __enter__(self):
        self.process.__enter__()
        self.port = int(self.process.wait_for(r"event=worker_ready port=(\d+)").group(1))
        return self

    def __exit__(self, *details):
        return self.process.__exit__(*details)

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as answer:
            lines = [line.split() for line in answer.read().decode().splitlines() if not line.startswith("#")]
        return {line[0]: float(line[-1]) for line in lines if "message" in line[0] or "voice_notes" in line[0]}


def attached(farm, media, mime="audio/ogg"):
    return {"NumMedia": "1", "MediaContentType0": mime, "MessageType": mime.partition("/")[0],
            "MediaUrl0": f"{farm.url('fine')}/2010-04-01/Accounts/{ACCOUNT}/Messages/MM{'0' * 32}/Media/{media}"}


def test_a_voice_note_is_understood_and_what_cannot_be_is_asked_for_once(farm, folder):
    with Written(farm, folder, "voice-note", VOICE_STT_CHAIN="openai", VOICE_LLM_CHAIN="openai") as worker:
        note, gone = "ME1" + "0" * 31, "ME2" + "0" * 31
        assert write(worker, "", 1, **attached(farm, note)) == ANSWER
        (heard,) = [line for line in farm.seen("transcribed") if line["key"] == "Bearer sk-test-voice-note"]
        assert heard["file"] == "voice.ogg" and heard["bytes"] == 2004
        asked = [json.loads(line["body"])["messages"] for line in farm.seen("request")
                 if line["path"].endswith("/chat/completions")][-1]
        assert asked[-1] == {"role": "user", "content": HEARD}
        # One that is gone, and a picture: words are asked for, once for both. A caption is words.
        assert "לכתוב" in write(worker, "", 2, **attached(farm, gone))
        worker.process.wait_for("event=voice_note_not_understood .*cause=")
        write_quietly(worker, 3, **attached(farm, note, "image/jpeg"))
        assert write(worker, "המטבח שלנו", 3, MessageSid="SM4", **attached(farm, note, "image/jpeg")) == ANSWER
        told = [json.loads(line["body"])["messages"] for line in farm.seen("request")
                if line["path"].endswith("/chat/completions")][-1]
        said = [(message["role"], message["content"]) for message in told[1:]]
        assert ("user", HEARD) in said and ("user", "[voice note]") in said and ("user", "[picture]") in said
        assert said[-1] == ("user", "המטבח שלנו")
        # An answer is counted when it is in the store, so it may be seen there before; its time is counted last.
        wait_until(lambda: worker.metrics()["agentlocator_message_answer_seconds_count"] == 3, worker.metrics, interval=0.2)
        counted = worker.metrics()
        assert counted["agentlocator_messages_received_total"] == 4
        assert counted['agentlocator_messages_answered_total{by="model"}'] == 2
        assert counted['agentlocator_messages_answered_total{by="sentence"}'] == 1
        assert counted['agentlocator_messages_ignored_total{reason="asked_already"}'] == 1
        assert counted['agentlocator_voice_notes_total{result="understood"}'] == 1
        assert counted['agentlocator_voice_notes_total{result="asked_for_text"}'] == 1
