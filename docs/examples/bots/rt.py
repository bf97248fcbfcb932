#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""rt.py - a ticket in Request Tracker for each ticket of others

    tocsin watch --reader rt --apply --attempts 1000000 \
        --exec docs/examples/bots/rt.py URL QUEUE TOKENFILE MEMBER

URL is RT's, like https://rt.mycert.example; RT's REST 2.0 is below it (in RT
from 5.0 on, an extension of 4.4). TOKENFILE has an authentication token of a
user who may create tickets in QUEUE and see its custom fields. MEMBER is our
own, like mycert@my: RT's number is told to our own desks and to nobody else.

A handler of `tocsin watch --exec --apply`: what it prints is done in one change
with the step to the next message, so the number is noted once. What it does in
RT cannot be part of that change. So before it opens a ticket it looks for one
that has the id of ours: in the custom field `tocsin`, or, if the queue has no
such field, in the subject. A handler that is killed when RT has made the ticket,
and before anybody here knows of it, is started again and finds it.

(One gap stays: it is killed, and RT is still at work on what it had asked for
when the next one looks. RT takes no key that would close it.)
"""
import base64
import http.client
import json
import sys
import urllib.parse
import urllib.request

# What may be shown to everybody who uses this RT, if that is our organisation
# alone. Of a narrower label RT gets the id, and no word of the ticket.
SHOWN = ("CLEAR", "GREEN", "AMBER", "AMBER+STRICT")
OPENS = ("report", "request", "query", "escalate", "share")  # kinds
FIELD = "tocsin"  # the custom field, "Enter one value"
SECONDS = 20


class Stay(urllib.request.HTTPRedirectHandler):
    """A redirection would take the token to another host."""

    def redirect_request(self, *_):
        return None


class RT:
    def __init__(self, url, token):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "https" and parts.hostname != "127.0.0.1":
            sys.exit(f"rt: {url} would show the token to the network: https")
        self.base = url.rstrip("/") + "/REST/2.0/"
        self.head = {"Authorization": "token " + token}
        self.opener = urllib.request.build_opener(
            Stay, urllib.request.ProxyHandler({}))

    def ask(self, path, what=None):
        head, data = dict(self.head), None
        if what is not None:
            head["Content-Type"] = "application/json"
            data = json.dumps(what).encode()
        request = urllib.request.Request(self.base + path, data, head)
        with self.opener.open(request, timeout=SECONDS) as answer:
            return json.load(answer)

    def find(self, queue, message):
        """The number of the ticket that has our id, or None."""
        query = (f"Queue = '{queue}' AND "
                 f"('CF.{{{FIELD}}}' = '{message['thread']}' OR "
                 f"Subject LIKE '{short(message)}')")
        query = urllib.parse.urlencode({"query": query, "orderby": "id"})
        items = self.ask("tickets?" + query)["items"]
        return min((int(item["id"]) for item in items), default=None)

    def make(self, queue, message):
        subject, text = words(message)
        made = self.ask("ticket", {
            "Queue": queue, "Subject": subject,
            "Content": text, "ContentType": "text/plain",
            "CustomFields": {FIELD: message["thread"]}})
        return int(made["id"])


def short(message):
    """The short id of the ticket that the message is of: 12 times 5 bits."""
    bits = int.from_bytes(base64.b64decode(message["thread"])[:8], "big") >> 4
    letters = "0123456789abcdefghjkmnpqrstvwxyz"
    word = "".join(letters[bits >> at & 31] for at in range(55, -5, -5))
    return f"{word[:4]}-{word[4:8]}-{word[8:]}"


def words(message):
    label = message["allowed"] or message["tlp"]
    mark = f"EXERCISE {message['exercise']} " if message["exercise"] else ""
    subject, text = "read it at the desk", ""
    if label in SHOWN:
        subject = "".join(c if c.isprintable() else " "
                          for c in (message["subject"] or "")[:200])
        text = f"{message['from']} writes:\n\n{message['text'] or ''}\n\n"
    return (f"TLP:{label} {mark}{subject} [{short(message)}]",
            f"TLP:{label}\n{mark}\n{text}"
            f"tocsin show {short(message)}\nTLP:{label}\n")


def main():
    url, queue, token, member = sys.argv[1:]
    message = json.load(sys.stdin)
    if message["kind"] not in OPENS or message["from"].startswith(member + "/"):
        return
    with open(token, encoding="ascii") as file:
        rt = RT(url, file.readline().strip())
    number = rt.find(queue, message) or rt.make(queue, message)
    print(json.dumps({"do": "note", "to": [member], "text": f"RT #{number}",
                      "once": "rt/" + message["thread"]}))


try:
    main()
except (OSError, http.client.HTTPException, ValueError, KeyError) as why:
    sys.exit(f"rt: {type(why).__name__}: {why}")
