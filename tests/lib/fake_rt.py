#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""fake_rt.py - as much of Request Tracker's REST 2.0 as docs/examples/bots/rt.py
needs, and strict about it

    fake_rt.py PORT FOLDER

Writes FOLDER/asked, a line for each request, FOLDER/tickets, the tickets as
JSON, a line each, and FOLDER/history, a line for each comment and each status
that a ticket got. While FOLDER/hold exists, a ticket or a comment is made, or a
status set, and the answer is not sent; while FOLDER/bare exists, the queue has
no custom field, and one that is given is dropped; while FOLDER/down exists, all
is answered with 503; while FOLDER/stiff exists, no status may change, which RT
says with 200.
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
COMMENT = {"Subject", "Content", "ContentType"}
PER_PAGE = 2  # RT has 100 at most: two, so that there are pages
MOVES = {("new", "open"), ("new", "resolved"), ("open", "resolved"),
         ("stalled", "resolved"), ("resolved", "open")}
FIELDS = {"Queue", "Subject", "Content", "ContentType", "CustomFields"}


def is_set(flag):
    return os.path.exists(os.path.join(folder, flag))


def tell(name, line):
    with open(os.path.join(folder, name), "a", encoding="utf-8") as file:
        file.write(line + "\n")


def by_number(number):
    return next((t for t in tickets if t["id"] == int(number)), None)


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
        one = re.fullmatch(r"/REST/2.0/ticket/(\d+)(/attachments)?", path.path)
        if one:
            self.answer_of(one, urllib.parse.parse_qs(path.query))
            return
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

    def answer_of(self, asked, query):
        ticket = by_number(asked[1])
        if ticket is None or bool(asked[2]) != bool(query):
            self.answer(404, {"message": "Not Found"})
        elif not asked[2]:
            self.answer(200, {"id": ticket["id"], "type": "ticket",
                              "Status": ticket["Status"]})
        elif query.get("fields") != ["Subject"] or "per_page" not in query:
            tell("asked", "refused: " + repr(query))
            self.answer(400, {"message": "what is that?"})
        else:
            page = int(query["page"][0])
            subjects = [ticket["Subject"]] + ticket["comments"]
            size = min(PER_PAGE, int(query["per_page"][0]))
            items = [{"type": "attachment", "id": "1", "Subject": subject}
                     for subject in subjects[(page - 1) * size:page * size]]
            self.answer(200, {"count": len(items), "page": page,
                              "per_page": size, "total": len(subjects),
                              "items": items})

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        one = re.fullmatch(r"/REST/2.0/ticket/(\d+)", self.path)
        if not self.good():
            return
        ticket, what = by_number(one[1]) if one else None, json.loads(body)
        if ticket is None or set(what) != {"Status"}:
            tell("asked", "refused: " + repr(what))
            self.answer(404, {"message": "Not Found"})
            return
        said = "Permission Denied"
        if not is_set("stiff") and (ticket["Status"], what["Status"]) in MOVES:
            said = f"Status changed to '{what['Status']}'"
            ticket["Status"] = what["Status"]
            tell("history", json.dumps({"ticket": ticket["id"], **what}))
        while is_set("hold"):
            time.sleep(0.02)
        self.answer(200, [f"Ticket {ticket['id']}: {said}"])

    def add_comment(self, number, body):
        ticket, comment = by_number(number), json.loads(body)
        if (ticket is None or set(comment) != COMMENT
                or "\n" in comment["Subject"]
                or comment["ContentType"] != "text/plain"):
            tell("asked", "refused: " + repr(comment))
            self.answer(400, {"message": "no such comment"})
            return
        ticket["comments"].append(comment["Subject"])
        tell("history", json.dumps({"ticket": ticket["id"], **comment}))
        while is_set("hold"):
            time.sleep(0.02)
        self.answer(201, ["Comments added"])

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.good():
            return
        one = re.fullmatch(r"/REST/2.0/ticket/(\d+)/comment", self.path)
        if one and self.headers["Content-Type"] == "application/json":
            self.add_comment(one[1], body)
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
        tell("tickets", json.dumps(ticket))
        ticket["Status"], ticket["comments"] = "new", []
        tickets.append(ticket)
        while is_set("hold"):
            time.sleep(0.02)
        self.answer(201, {"type": "ticket", "id": str(ticket["id"]), "_url": ""})


with http.server.ThreadingHTTPServer(("127.0.0.1", port), RT) as server:
    server.serve_forever()
