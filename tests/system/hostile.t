#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Strangers at the public port: garbage, half a message, 16 GiB claimed, frames
# that no key made, and what an honest device sent, sent again. They are cut off
# and counted; who is honest does not notice.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

fed_begin
fed_authorities aa bb cc
fed_broker sg
fed_broker my
# The home of singcert@sg dials a tap, which keeps what it sends.
sg=$(fed_port sg)
tap=$(free_port)
port_sg=$tap
fed_member singcert@sg desk1
port_sg=$sg
fed_member mycert@my night
fed_roster
fed_install sg my
fed_start sg my
spawn wire tap "$tap" "$sg" "$fed/requests" >"$fed/taps"
wait_until 5 eval '! port_free "$tap"' || bail 'no tap'
fed_publish singcert-desk1 mycert-night
wait_until 30 knows singcert-desk1 mycert@my || bail 'no keys'
wait_until 30 knows mycert-night singcert@sg || bail 'no keys'

id=$(post singcert-desk1 mycert@my --tlp GREEN --subject 'Recorded')
ok 'a ticket is posted through the tap' \
	wait_until 20 listed mycert-night "$id"

# Nothing of it is on its way any more: both receipts are in the log. A reader
# says what it has when it asks for more.
settled()
{
	listed mycert-night "$id" &&
		stands_at_least singcert-desk1 "$id" mycert@my \
			'delivered|opened'
}
wait_until 30 settled || bail 'no receipt of delivery'
entries=$(counter sg entries)
posts=$(counter sg posts)
ok 'the tap has kept requests' [ -s "$fed/requests" ]
wire replay "$sg" "$fed/requests" >"$fed/replayed"
sort "$fed/replayed" | uniq -c | sed 's/^/#/'
ok 'sent once more, they are answered' \
	grep -Eq '^sent [1-9][0-9]* answered [1-9]' "$fed/replayed"
is "$(counter sg posts)" "$posts" 'but no post is taken'
is "$(counter sg entries)" "$entries" 'and no entry'

# From here on an honest device posts without pause, and is read.
spawn_at mycert-night watch --reader screen --json >"$fed/screen"
spawn storm "$fed/homes/singcert-desk1" mycert@my >"$fed/acked"
storm=$pid
ok 'an honest device posts' wait_until 20 [ -s "$fed/acked" ]

for kind in garbage oversize truncated no-frame hello forged publish; do
	at_before=$(grep -c . "$fed/acked")
	wire abuse "$sg" $kind 40 >"$fed/abused"
	echo "# $(cat "$fed/abused")"
	case $kind in
	garbage | oversize | truncated)
		ok "$kind: cut off, all forty" has "$fed/abused" ': 40 cut' ;;
	publish)
		ok "$kind: taken, and of no effect" \
			has "$fed/abused" ': 40 taken' ;;
	*)
		ok "$kind: answered with an error, all forty" \
			has "$fed/abused" ': 40 answered' ;;
	esac
	ok 'and the honest one posts on' wait_until 20 \
		eval "[ \$(grep -c . '$fed/acked') -gt $at_before ]"
done
gone "$(fed_pid sg)"
is $? 1 'the broker has not ended'
ok 'it has counted frames that are none' [ "$(counter sg frames_malformed)" -ge 40 ]

kill -TERM "$storm"
wait "$storm"
is $? 0 'all that the honest one posted was acknowledged'
all_read()
{
	json id <"$fed/screen" | sort >"$fed/read.ids"
	sort "$fed/acked" | comm -23 - "$fed/read.ids" >"$fed/lost"
	[ ! -s "$fed/lost" ]
}
ok 'and read' wait_until 30 all_read
is "$(uniq -d "$fed/read.ids")" '' 'once'

# A second broker on the same store.
refuses 'another|already|running|busy' 'a second tocsind on the same store is refused' \
	tocsind run --config "$(conf sg)"
ok 'the first goes on' at singcert-desk1 post --to mycert@my --tlp GREEN \
	--subject 'Still here'
done_testing
