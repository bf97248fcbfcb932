#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Need to know is exact: of what two nations say to one another, the third gets
# no frame, and its store has no byte. Its port is behind a tap that sees each
# message, so this does not rest on what a broker says of itself.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

fed_begin
fed_authorities aa bb cc
fed_broker sg
fed_broker my
tap=$(free_port)
fed_broker la --url "tcp://127.0.0.1:$tap"
for team in singcert@sg mycert@my lacert@la; do
	fed_member $team desk1
done
fed_roster
fed_install sg my la
spawn wire tap "$tap" "$(fed_port la)" "$fed/requests" >"$fed/taps"
wait_until 5 eval '! port_free "$tap"' || bail 'no tap'
fed_start sg my la
fed_publish singcert-desk1 mycert-desk1 lacert-desk1
all_know()
{
	for know_home in singcert-desk1 mycert-desk1 lacert-desk1; do
		for know_member in singcert@sg mycert@my lacert@la; do
			knows $know_home $know_member || return 1
		done
	done
}
ok 'three nations know one another' wait_until 30 all_know
ok 'what they had to say to la went through the tap' \
	at_least 1 'up pub' "$fed/taps"

# What is published to la and carries anything: a heartbeat names no more than a
# number of la's own. It is a frame without bytes (crypto/relay_frame.h): 24 of
# its head, 30 of the piece, 16 of the tag.
heartbeat=70
published()
{
	grep '^up pub' "$fed/taps" | grep -cv " $heartbeat\$"
}

# Until the relays have said what they had to say.
quiet()
{
	quiet_before=$(published)
	sleep 1
	[ "$(published)" = "$quiet_before" ]
}
wait_until 30 quiet
beats()
{
	grep -q "^up pub $heartbeat\$" "$fed/taps"
}
ok 'an idle link beats, and says nothing' wait_until 30 beats
before=$(published)

# Sizes that would not be overlooked among anything else.
head -c 300000 /dev/urandom >"$fed/image"
i=0
while [ $i -lt 20 ]; do
	i=$((i + 1))
	id=$(post singcert-desk1 mycert@my --tlp RED --precedence flash \
		--subject "Between us $i" --ackby 30m)
done
with=$(post singcert-desk1 mycert@my --tlp RED --subject 'With an image' \
	--attach "$fed/image")
ok 'twenty tickets and one with an attachment arrive' \
	wait_until 30 listed mycert-desk1 "$with"
ok 'the attachment as well' \
	wait_until 30 at mycert-desk1 save "$with" image -o "$fed"/rosters
ok 'they are answered' at mycert-desk1 ack "$id" --accept
ok 'and the answer arrives' \
	wait_until 20 stands singcert-desk1 "$id" mycert@my accepted
wait_until 30 quiet

is "$(published)" "$before" 'no frame of it was published to la'
texts() # BROKER
{
	find "$fed/$1" -name '*.mdb' -exec cat {} + |
		grep -ao "$federation/ticket/v1" | grep -c .
}
ok 'the store of sg has their texts' [ "$(texts sg)" -gt 20 ]
ok 'that of my too' [ "$(texts my)" -gt 20 ]
is "$(texts la)" 0 'that of la has none'
is "$(at lacert-desk1 inbox --json)" '' 'and the desk of lacert@la is empty'

# The tap would have seen it: one for la is seen.
both=$(post singcert-desk1 mycert@my --to lacert@la --tlp GREEN \
	--subject 'For both')
ok 'a ticket to la arrives there' wait_until 20 listed lacert-desk1 "$both"
ok 'and the tap saw its frames' [ "$(published)" -gt "$before" ]
ok 'and its store has it' [ "$(texts la)" -ge 1 ]
ok 'mycert@my answers it' wait_until 20 at mycert-desk1 ack "$both" --accept
ok 'for all of its readers' wait_until 20 stands lacert-desk1 "$both" \
	mycert@my accepted
done_testing
