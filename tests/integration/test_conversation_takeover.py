"""A whole conversation in AI mode, with the agent's thread and the embedded voice and recogniser, whose workers are
killed in the middle of everything: the caller hears the same words as if nothing had happened, and his lead is stored."""

import json
import os
import re
import signal

from installation import Installation
from media_client import CALL, MediaClient
from support import ROOT, wait_until
from test_conversation import CALLED, CALLER, Telephone, details, recording
from test_voice import line_noise

SAY = {"greeting": "Hello.", "intent": "To buy, press 1.", "noted": "Noted.",
       "phone": "Call you? Press 1.", "confirm": "If this is right, press 1.", "close": "Thank you. Goodbye."}


def short_dialogue(folder):
    """The one that is built in, with fewer and shorter questions."""
    script = json.loads((ROOT / "dialogues/real-estate.json").read_text())
    script["steps"] = [step for step in script["steps"] if step["name"] in ("intent", "phone", "confirm")]
    for step in script["steps"]:
        step["offer" if step["name"] == "phone" else "prompt"]["en"] = SAY[step["name"]]
    for name in ("greeting", "noted", "close"):
        script["texts"][name]["en"] = SAY[name]
    path = folder / "dialogue.json"
    path.write_text(json.dumps(script))
    return path


def hear(caller, samples):
    """That much of what the agent says next."""
    before = len(caller.heard)
    for _ in range(3000):
        caller.say(line_noise(1))
        if len(caller.heard) - before >= samples:
            return
    raise AssertionError("the agent is silent")


def test_kills_in_the_middle_of_everything_change_no_word(place, folder):
    with Installation(place, workers=2, WS_MODE="AI", AGENT_LANGUAGE="en-US", ENABLE_SPEECH_HELPER="true",
                      DIALOGUE_FILE=str(short_dialogue(folder))) as installation:
        wait_until(lambda: "event=recogniser_ready" in installation.process.output, "no recogniser")

        def kill():
            (victim,) = [worker["pid"] for worker in installation.serving() if worker["calls"] == 1]
            os.kill(victim, signal.SIGKILL)

        one = recording("digits/1")
        with MediaClient(installation.port) as client:
            client.begin(parameters={"from": CALLER, "to": CALLED})
            caller = Telephone(client)
            hear(caller, 3000)
            kill()  # In the middle of a sentence.
            assert caller.listen(whole=True)
            caller.say(one[:len(one) // 2])
            kill()  # Of an utterance.
            caller.say(one[len(one) // 2:])
            assert caller.listen(whole=True)
            caller.press("1")
            kill()  # Of thinking.
            assert caller.listen(whole=True)
            caller.press("1")
            hear(caller, 3000)
            kill()  # Of the last words.
            while caller.listen(whole=True):
                pass
        output = installation.process.wait_for("event=conversation_ended .*lead=true") and installation.process.output
        (lead,) = wait_until(lambda: json.loads(installation.command("leads", "--json")), "no lead")
        assert lead["phone"] == CALLER and details(lead)["intent"] == "buy"
        assert output.count('cause="signal 9 (SIGKILL)') == 4
        # All that was said was heard, and once: what each sentence had of audio, in whole frames, adds up.
        said = [int(size) // 2 for size in re.findall(r"TTS_LEN_BYTES (\d+)", output)]
        assert len(said) >= 6 and len(caller.heard) == sum(-(-samples // 160) * 160 for samples in said), (
            said, len(caller.heard))
        show = json.loads(installation.command("calls", "show", CALL, "--json"))
        spoken = " ".join(turn["text"] for turn in show["turns"] if turn["speaker"] == "agent")
        for text in SAY.values():
            assert spoken.count(text) == 1, (text, spoken)
