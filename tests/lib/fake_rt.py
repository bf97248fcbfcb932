#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""fake_rt.py - as much of Request Tracker's REST 2.0 as docs/examples/bots/rt.py
needs, and strict about it

    fake_rt.py PORT FOLDER

Writes FOLDER/asked, a line for each request, and FOLDER/tickets, the tickets as
JSON, a line each. While FOLDER/hold exists, a ticket is made and the answer is
not sent; while FOLDER/bare exists, the queue has no custom field, and one that
is given is dropped; while FOLDER/down exists, all is answered with 503.
"""
import http.server
import json
import os
import re
import sys
import time
import urllib.parse

port, folder = int(sys.argv[1]), sys.argv[2]
tickets = []

# The TicketSQL that is understood.
QUERY = re.compile(r"Queue = '([^']*)' AND \('CF\.\{tocsin\}' = '([^']*)' OR "
                   r"Subject LIKE '([^'%_]*)'\)")
FIELDS = {"Queue", "Subject", "Content", "ContentType", "CustomFields"}


def is_set(flag):
    return os.path.exists(os.path.join(folder, flag))


def tell(name, line):
    with open(os.path.join(folder, name), "a", encoding="utf-8") as file:
        file.write(line + "\n")


class RT(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, what):
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def good(self):
        tell("asked", f"{self.command} {urllib.parse.unquote_plus(self.path)}")
        if is_set("down"):
            self.answer(503, {"message": "Service Unavailable"})
        elif self.headers["Authorization"] != "token 1-23-abc":
            self.answer(401, {"message": "Unauthorized"})
        else:
            return True
        return False

    def do_GET(self):
        if not self.good():
            return
        path = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(path.query).get("query", [""])[0]
        asked = QUERY.fullmatch(query)
        if path.path != "/REST/2.0/tickets" or not asked:
            tell("asked", "refused: " + query)
            self.answer(400, {"message": "what is that?"})
            return
        queue, ours, words = asked.groups()
        items = [{"type": "ticket", "id": str(t["id"])} for t in tickets
                 if t["Queue"] == queue
                 and (t["CustomFields"].get("tocsin") == ours
                      or words.lower() in t["Subject"].lower())]
        self.answer(200, {"count": len(items), "page": 1, "per_page": 20,
                          "total": len(items), "items": items})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.good():
            return
        if (self.path != "/REST/2.0/ticket"
                or self.headers["Content-Type"] != "application/json"):
            self.answer(400, {"message": "no such thing"})
            return
        ticket = json.loads(body)
        if set(ticket) != FIELDS or "\n" in ticket["Subject"]:
            tell("asked", "refused: " + repr(ticket))
            self.answer(422, {"message": "no such ticket"})
            return
        ticket["id"] = len(tickets) + 41
        if is_set("bare"):
            ticket["CustomFields"] = {}
        tickets.append(ticket)
        tell("tickets", json.dumps(ticket))
        while is_set("hold"):
            time.sleep(0.02)
        self.answer(201, {"type": "ticket", "id": str(ticket["id"]), "_url": ""})


with http.server.ThreadingHTTPServer(("127.0.0.1", port), RT) as server:
    server.serve_forever()
