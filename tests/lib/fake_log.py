#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""fake_log.py - a receiver of RFC 5424, and strict about it

    fake_log.py SOCKET FILE

Reads lines from a unix datagram socket, judges each by the grammar of section 6
(printable ASCII, no byte besides), and writes it to FILE, or `bad: ` and what
came.
"""
import re
import socket
import sys

PARAM = r' [!-<>-\\^-~]{1,32}="(?:[^"\\\]]|\\["\\\]])*"'
LINE = re.compile(
    r"<\d{1,3}>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ [!-~]{1,255} [!-~]{1,48} "
    r"[!-~]{1,128} [!-~]{1,32} \[[!-<>-\\^-~]{1,32}(?:" + PARAM +
    r")*\] [ -~]*")

log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind(sys.argv[1])
with open(sys.argv[2], "a", encoding="ascii", buffering=1) as out:
    while True:
        came = log.recv(65536).decode("latin-1")
        good = LINE.fullmatch(came) and len(came) <= 2048
        out.write((came if good else "bad: " + ascii(came)) + "\n")
