"""The life of a conference document, as kazoo-sdk leads it."""

import kazoo
from kazoo.exceptions import KazooApiAuthenticationError, KazooApiBadDataError, KazooApiError

from life import ACCOUNT, API_KEY, BASE_URL
from life import document, envelope, equal, fails, names_field, revoke_all_tokens, same

UNKNOWN = "f" * 32


def authenticates():
    wrong = kazoo.Client(api_key="0" * 64, base_url=BASE_URL)
    fails(KazooApiAuthenticationError, "a wrong key", wrong.authenticate)
    no_key = kazoo.Client(api_key="letmein", base_url=BASE_URL)
    fails(KazooApiAuthenticationError, "what is no key", no_key.authenticate)
    client = kazoo.Client(api_key=API_KEY, base_url=BASE_URL)
    token = client.authenticate()
    equal(client.auth_data["status"], "success", "the status of an authentication")
    equal(client.auth_data["data"]["account_id"], ACCOUNT, "the account of the key")
    equal(client.authenticate(), token, "the token of a client that is authenticated")
    return client


def lists(client, wanted, what):
    found = envelope(client.get_conferences(ACCOUNT), what)
    equal(sorted((line["id"], line["name"]) for line in found), sorted(wanted), what)


def creates(client):
    lists(client, [], "the list before all")
    made = client.create_conference(ACCOUNT, document())
    same(envelope(made, "created"), document(), "created")
    identity = made["data"]["id"]
    read = client.get_conference(ACCOUNT, identity)
    same(envelope(read, "read"), document(), "read")
    equal(read["data"]["id"], identity, "the id that is read")
    equal(read["revision"], made["revision"], "the revision that is read")
    lists(client, [(identity, document()["name"])], "the list of one")
    return read["data"]


def filters(client, identity):
    other = client.create_conference(ACCOUNT, {"name": "Other"})["data"]["id"]
    path = f"/accounts/{ACCOUNT}/conferences?filter_name=Other"
    succeeded, found = client.manual_request(path)
    equal((succeeded, [line["id"] for line in found]), (True, [other]), "those of that name")
    lists(client, [(identity, document()["name"]), (other, "Other")], "the list of two")
    succeeded, answer = client.manual_request(f"/accounts/{ACCOUNT}/conferences/{UNKNOWN}")
    equal((succeeded, answer.status_code), (False, 404), "an unknown one, asked by hand")
    return other


def updates(client, read, other):
    identity = read["id"]
    changed = {**read, "name": "Changed", "max_participants": 12}
    changed["ui_metadata"] = {**read["ui_metadata"], "added": [9007199254740995]}
    kept = {key: changed[key] for key in document()}
    same(envelope(client.update_conference(ACCOUNT, identity, changed), "updated"), kept, "updated")
    same(client.get_conference(ACCOUNT, identity)["data"], kept, "read after the update")
    refused(client, identity, kept, other)
    same(client.get_conference(ACCOUNT, identity)["data"], kept, "read after what was refused")


def refused(client, identity, kept, other):
    for change, field, keyword in [
        ({"name": ""}, "name", "minLength"),
        ({"play_entry_tone": 7}, "play_entry_tone", "type"),
        ({"max_participants": "many"}, "max_participants", "type"),
        ({"member": {"pins": ["1", "12a4"]}}, "member.pins.1", "pattern"),
    ]:
        wrong = {**kept, **change}
        error = fails(KazooApiBadDataError, field, client.update_conference, ACCOUNT, identity, wrong)
        names_field(error.field_errors, field, keyword, field)
        wrong = {**change, "conference_numbers": ["777"]}
        error = fails(KazooApiBadDataError, field, client.create_conference, ACCOUNT, wrong)
        names_field(error.field_errors, field, keyword, field)
    wrong = {"name": "Other", "member": {"numbers": ["4911"]}}
    for call, arguments in [
        (client.create_conference, (ACCOUNT, wrong)),
        (client.update_conference, (ACCOUNT, other, wrong)),
    ]:
        error = fails(KazooApiBadDataError, "a number in use", call, *arguments)
        told = names_field(error.field_errors, "numbers", "unique", "a number in use")
        equal(told["cause"], "4911", "the number in use")
        if "4911" not in str(error):
            raise SystemExit(f"the exception does not tell the number: {error}")


def goes_on_without_its_token(client, identity):
    token = client.auth_token
    revoke_all_tokens(token)
    equal(client.get_conference(ACCOUNT, identity)["data"]["name"], "Changed", "read without a good token")
    if client.auth_token == token:
        raise SystemExit("the client has not authenticated again")
    client.get_conferences(ACCOUNT)


def deletes(client, identities):
    error = fails(KazooApiError, "an unknown one", client.get_conference, ACCOUNT, UNKNOWN)
    equal(error.args[2], "bad_identifier", "what is said of an unknown one")
    fails(KazooApiError, "to delete an unknown one", client.delete_conference, ACCOUNT, UNKNOWN)
    fails(KazooApiError, "another account", client.get_conferences, UNKNOWN)
    for identity in identities:
        equal(envelope(client.delete_conference(ACCOUNT, identity), "deleted")["id"], identity, "deleted")
        for call in (client.get_conference, client.delete_conference):
            error = fails(KazooApiError, "what is deleted", call, ACCOUNT, identity)
            equal(error.args[2], "bad_identifier", "what is said of what is deleted")
    lists(client, [], "the list after all")


def life():
    client = authenticates()
    read = creates(client)
    other = filters(client, read["id"])
    updates(client, read, other)
    goes_on_without_its_token(client, read["id"])
    deletes(client, [read["id"], other])


life()
