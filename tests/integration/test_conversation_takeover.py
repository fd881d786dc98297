"""A whole conversation in AI mode, with the agent's thread and the embedded voice and recogniser, whose workers are
killed in the middle of everything: the caller hears the same words as if nothing had happened, and his lead is stored."""

import functools
import json
import os
import re
import signal
import threading

import pytest
from installation import Installation
from media_client import CALL, MediaClient
from provider_farm import Farm
from support import PATIENCE, ROOT, private_folder, wait_until
from test_conversation import CALLED, CALLER, Telephone, details, recording
from test_conversation_faults import ANSWER, Conversation, question, side_by_side
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
            victim = wait_until(lambda: [worker["pid"] for worker in installation.serving() if worker["calls"] == 1],
                                "nobody carries the call")
            os.kill(*victim, signal.SIGKILL)

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


# The services in the order in which they work for the finished utterance.
SERVICES = {"recogniser": "/audio/transcriptions", "model": "/chat/completions", "voice": "/audio/speech"}


TRIES = 4


def die_while_it_works(farm, folder, stage):
    """A service has 1.5 to 2.5 s by the clock. On a machine that is slower than that it was given up, and nothing is
    proved: then all is done again."""
    for number in range(TRIES):
        with Conversation(farm, folder, f"kill-{stage}-{number}", workers=2, AI_GREETING_HE="none",
                          **{stage: "hang-once"}) as call:
            try:
                judge_kill(farm, call, stage)
            except AssertionError:
                if number == TRIES - 1 or "class=timeout" not in call.output():
                    raise
            else:
                return


def judge_kill(farm, call, stage):
    path = SERVICES[stage]

    def is_asked(line, of):
        return line["event"] == "request" and line["path"].endswith(of) and (
            line["headers"].get("authorization") == f"Bearer {call.key}")

    def requests(of):
        return [line for line in farm.seen("request") if is_asked(line, of)]

    carrier = wait_until(lambda: [worker["pid"] for worker in call.installation.serving() if worker["calls"] == 1],
                         "nobody carries the call")

    def kill():
        farm.wait_for(lambda line: is_asked(line, path), 2 * PATIENCE)
        os.kill(*carrier, signal.SIGKILL)  # At once: a service's patience is seconds.

    killer = threading.Thread(target=kill)
    killer.start()
    call.phone.say(question())
    wait_until(lambda: not killer.is_alive() or call.phone.say(line_noise(5)), call.output, 2 * PATIENCE)
    call.hear()
    call.leave()
    # Whose answer was not remembered yet is asked once more, too: it dies at any moment.
    services = list(SERVICES)
    for name, of in SERVICES.items():
        place = services.index(name) - services.index(stage)
        assert len(requests(of)) in {-1: (1, 2), 0: (2,), 1: (1,)}[(place > 0) - (place < 0)], (name, call.output())
    if stage == "recogniser":
        first, again = requests(path)
        assert first["bytes"] == again["bytes"], "another utterance"
    assert call.output().count('cause="signal 9 (SIGKILL)') == 1 and "event=provider_failed" not in call.output()

    def record():
        show = json.loads(call.installation.command("calls", "show", CALL, "--json"))
        ended = show["end_reason"] != "" and len(show["turns"]) >= 2
        return [(turn["speaker"], turn["text"]) for turn in show["turns"]] if ended else None

    assert wait_until(record, "no record of the call") == [("caller", "אני רוצה תור"), ("agent", ANSWER)]


@pytest.fixture(scope="module")
def outcomes():
    with Farm() as farm, private_folder() as folder:
        yield side_by_side({stage: functools.partial(die_while_it_works, farm, folder, stage) for stage in SERVICES})


@pytest.mark.parametrize("stage", SERVICES)
def test_a_kill_while_a_service_works_for_the_caller_costs_no_turn(outcomes, stage):
    """The service holds its answer until whoever asked is dead. The next worker asks again, and the turn goes on."""
    if outcomes[stage]:
        raise outcomes[stage]
