"""Leads what schemathesis makes up to what there is."""

import os
import random
import urllib.parse

import requests
import schemathesis
from schemathesis.generation.meta import TestPhase

ACCOUNT = f"{os.environ['CONVENED_TEST_URL']}/v2/accounts/{os.environ['CONVENED_TEST_ACCOUNT']}/conferences"
TOKEN = os.environ["CONVENED_TEST_TOKEN"]
# Of ten requests so many are for what is there.
THERE = 7

dice = random.Random(int(os.environ["CONVENED_TEST_SEED"]))
session = requests.Session()
session.trust_env = False


def listed(path=""):
    answer = session.get(ACCOUNT + path, headers={"X-Auth-Token": TOKEN}, timeout=40)
    return answer.json()["data"] if answer.ok else []


@schemathesis.hook
def before_call(context, case, kwargs):
    # Links say themselves what they are for.
    if case.meta is not None and case.meta.phase.name != TestPhase.STATEFUL:
        lead(case.path_parameters)


def lead(path):
    if not path or "C" not in path or dice.randrange(10) >= THERE:
        return
    # Of those that were made up most are empty: the demo's own come first.
    names = [conference["id"] for conference in listed() if conference["members"] + conference["admins"] > 0]
    if not names:
        return
    path["C"] = dice.choice(names)
    if "P" in path:
        people = listed(f"/{urllib.parse.quote(path['C'], safe='')}/participants")
        if people:
            path["P"] = str(dice.choice(people)[dice.choice(["participant_id", "call_id"])])
