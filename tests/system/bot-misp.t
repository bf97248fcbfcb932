#!/bin/sh
# SPDX-License-Identifier: ISC
#
# docs/examples/bots/misp.sh: each ticket is a MISP event in a file, as of its last
# message, for those whom its TLP lets have it; also when the bot is killed in
# the middle. SEED repeats the choice of moments.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/bots.sh
. "$TOP/tests/lib/bots.sh"

bots_begin bot-misp
bots_tickets

# ---- what is written ----

mkdir misp community
name_of() # ID
{
	printf %s "$1" | tr '/+' '_-'
}
event() # ID FILTER
{
	jq -r ".Event | $2" "misp/$(name_of "$1").json"
}
handled 3 misp --exec "$bots/misp.sh" "$fed/misp" 2>err
is "$(find misp -type f | grep -c .)" 2 'a file for each but the RED one'
ok 'about which it says why' grep -q 'TLP:RED.*\[policy-denied\]' err
is "$(event "$amber" '.Tag[].name')" tlp:amber 'the label is in the event'
uuid=$(event "$green" .uuid)
handled 3 community --exec "$bots/misp.sh" "$fed/community" community 2>err
is "$(find community -type f)" "community/$(name_of "$green").json" \
	'for the community there is the GREEN one'

ok 'something is added' at $them note "$green" -m 'Also 203.0.113.9.'
handled 1 misp --exec "$bots/misp.sh" "$fed/misp" 2>err
is "$(event "$green" .uuid)" "$uuid" 'the event is the same one'
ok 'with what was added' eval 'event "$green" . | grep -q 203.0.113.9'
ok 'one is narrowed' at $them relabel "$amber" --tlp RED
ok 'one is recalled' at $them recall "$green"
handled 2 misp --exec "$bots/misp.sh" "$fed/misp" 2>err
is "$(find misp -type f)" '' 'both files are gone'

wrapped slowmisp "$bots/misp.sh" "$fed/misp"
for n in 1 2 3 4 5 6 7 8; do
	post $them mycert@my --tlp GREEN --subject "Event $n" --wait 2
done >>all
at $them inbox >/dev/null
for n in 1 2 3 4 5 6; do
	killed misp --attempts 1000 --exec "$fed/slowmisp" || bail 'not so'
done
post $them mycert@my --tlp GREEN --subject 'Event 9' >>all
spawn_at $us watch --reader misp --exec "$bots/misp.sh" "$fed/misp" 2>err
ok "killed 6 times, it comes to the end (seed $seed)" \
	wait_until 20 test -s "misp/$(name_of "$(tail -n 1 all)").json"
reap TERM "$pid"
wrong=
while read -r id; do
	at $us export "$id" --as misp --for organisation 2>err |
		cmp -s - "misp/$(name_of "$id").json" || wrong="$wrong $id"
done <all
is "$wrong" '' 'and each file is what export writes'
is "$(find misp -name '.*' -type f)" '' 'with nothing left beside them'

done_testing "bot-misp: seed $seed"
