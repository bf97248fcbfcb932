#!/bin/sh
# SPDX-License-Identifier: ISC
#
# A ticket from one nation to another: posted, relayed, shown as it comes,
# opened, answered, and each step of that seen by its sender.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

fed_two
head -c 1000000 /dev/urandom >"$fed/memory.img"

spawn_at mycert-night watch --reader screen --json >"$fed/screen"
screen=$pid
at singcert-desk1 import "$TOP/docs/examples/samples/stix-poisonivy.json" \
	--to mycert@my --tlp AMBER --precedence flash \
	--subject 'Beacons from your ministry' --ackby 30m --severity II \
	--class malicious-code:c2-server --attach "$fed/memory.img" \
	--json >"$fed/posted"
id=$(json id <"$fed/posted")
is "${#id}" 44 'a ticket is posted'
ok 'it comes to a reader who waits in the other nation' \
	wait_until 20 has "$fed/screen" "$id"
short=$(json short_id <"$fed/posted")

at mycert-night show "$short" >"$fed/shown"
is $? 0 'its short id is enough'
for text in 'TLP:AMBER' 'flash' 'singcert@sg/desk1' \
	'Beacons from your ministry' 'memory.img' 'GB/T 20986'; do
	ok "it shows $text" has "$fed/shown" "$text"
done
ok 'a prefix of four characters will do, in capitals' \
	at mycert-night show "$(echo "$short" | cut -c 1-4 | tr a-z A-Z)"

mkdir "$fed/saved"
ok 'the attachment is fetched' \
	wait_until 30 at mycert-night save "$short" memory.img -o "$fed/saved"
ok 'and is the same' cmp "$fed/memory.img" "$fed/saved/memory.img"
ok 'the STIX report too' wait_until 30 \
	at mycert-night save "$short" stix-poisonivy.json -o "$fed/saved"
ok 'and is the same' cmp "$fed/saved/stix-poisonivy.json" \
	"$TOP/docs/examples/samples/stix-poisonivy.json"
called_wrongly 'is there already' 'a file that is there is not overwritten' \
	at mycert-night save "$short" memory.img -o "$fed/saved"

ok 'the sender sees that they have it' \
	wait_until 20 stands_at_least singcert-desk1 "$id" mycert@my \
	'delivered|opened'
ok 'they accept it' at mycert-night ack "$short" --accept -m 'Isolating.'
ok 'the sender sees that they accepted' \
	wait_until 20 stands singcert-desk1 "$id" mycert@my accepted
ok 'with whose word it is' has "$fed/status" 'mycert@my/night'
at singcert-desk1 show "$short" >"$fed/shown"
ok 'and what they said' has "$fed/shown" 'Isolating.'

ok 'they add a note' at mycert-night note "$short" -m 'Twelve hosts.'
ok 'which comes to the sender' wait_until 20 shows singcert-desk1 "$short" \
	'Twelve hosts.'
ok 'the sender closes it' at singcert-desk1 close "$short" -m 'Done, thanks.'
ok 'which comes to them' wait_until 20 shows mycert-night "$short" \
	'Done, thanks.'

ok 'and to the watch' wait_until 20 grep -q 'Done, thanks.' "$fed/screen"
is "$(count "$id" "$fed/screen" | head -n 1)" \
	"$(grep -c "\"thread\": *\"$id\"" "$fed/screen")" \
	'what was watched is of one thread'
is "$(json id <"$fed/screen" | sort | uniq -d)" '' 'nothing came twice'
reap TERM "$screen"
spawn_at mycert-night watch --reader screen --json >"$fed/screen2"
id2=$(post singcert-desk1 mycert@my --tlp GREEN --subject 'Another')
ok 'a reader that starts again goes on' \
	wait_until 20 has "$fed/screen2" "$id2"
ok 'where it stood' eval '! has "$fed/screen2" "$id"'
done_testing
