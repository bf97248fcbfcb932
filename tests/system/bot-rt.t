#!/bin/sh
# SPDX-License-Identifier: ISC
#
# docs/examples/bots/rt.py: each ticket of others has one ticket in Request
# Tracker, whose number stands in its thread for our own desks; wherever the bot
# is killed, and whatever RT is doing then. tests/lib/fake_rt.py is RT, and
# refuses what it does not know. SEED repeats the choice of moments.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/bots.sh
. "$TOP/tests/lib/bots.sh"

bots_begin bot-rt
bots_tickets

port=$(free_port)
mkdir rt
spawn "$TOP/tests/lib/fake_rt.py" "$port" "$fed/rt" 2>rt.err
rt_listens()
{
	! port_free "$port"
}
wait_until 20 rt_listens || bail 'no RT'
echo 1-23-abc >token
wrapped rt.sh "$bots/rt.py" "http://127.0.0.1:$port" 'Incident Reports' \
	"$fed/token" mycert@my
in_rt() # ID: how many tickets are of it
{
	grep -cF -- "$1" rt/tickets
}
notes() # HOME ID: the numbers that stand in the thread
{
	at "$1" show "$2" --json --no-receipt |
		jq -r 'select(.text // "" | startswith("RT #")) | .text'
}

# ---- what RT gets ----

handled 3 rt --apply --exec "$fed/rt.sh" >out 2>err
is "$(grep -c . rt/tickets)" 3 'a ticket in RT for each of ours'
is "$(grep -c refused rt/asked)" 0 'by requests that RT understands'
is "$(jq -r 'select(.CustomFields.tocsin == "'"$green"'") | .Queue, .Subject' \
	rt/tickets | sed 's/[a-z0-9]*-[a-z0-9]*-[a-z0-9]*]/ID]/')" \
	'Incident Reports
TLP:GREEN Beacons [ID]' 'with label, subject and id'
is "$(grep -cF "$(at $us show "$green" --json --no-receipt |
	head -n 1 | json short_id)" rt/tickets)" 1 'the short id is the one of show'
is "$(jq -r 'select(.CustomFields.tocsin == "'"$red"'") | tostring' rt/tickets |
	grep -c -e "$secret" -e singcert)" 0 'of the RED one RT gets no word'
is "$(jq -r '.Content' rt/tickets | grep -c "$secret")" 2 'of the others the text'
is "$(jq -r '.Subject | test("[\u0000-\u001f]")' rt/tickets | sort -u)" false \
	'a hostile subject is one line'
is "$(notes $us "$green")" "RT #$(jq -r 'select(.CustomFields.tocsin == "'"$green"'")
	| .id' rt/tickets)" 'the number stands in our thread'
ok 'which our desk has' wait_until 20 shows mycert-night "$green" 'RT #'
ok 'something said later comes' at $them note "$green" -m 'And more.'
wait_until 20 shows mycert-night "$green" 'And more.'
handled 1 rt --apply --exec "$fed/rt.sh" >out 2>err
is "$(grep -c . rt/tickets)" 3 'and opens no second one'
at $them inbox >out
is "$(notes $them "$green")" '' 'the sender is told no number'

# ---- RT is down, or refuses ----

touch rt/down
down=$(post $them mycert@my --tlp GREEN --subject 'RT is down')
spawn_at $us watch --reader rt --apply --exec "$fed/rt.sh" >out 2>err
ok 'while RT is down it says so' wait_until 20 grep -q '503' err
rm rt/down
ok 'and when RT is back the ticket is opened' wait_until 20 in_rt "$down"
reap TERM "$pid"
echo 6-66-666 >token
wrong=$(post $them mycert@my --tlp GREEN --subject 'A wrong token')
at $us watch -n 1 --wait 20 --reader rt --apply --attempts 1 \
	--exec "$fed/rt.sh" >out 2>err
ok 'a token that RT does not know is said' grep -q 401 err
ok 'and the message set aside' grep -q 'set aside' err
echo 1-23-abc >token
at $us watch --reader rt --retry "$wrong"
handled 1 rt --apply --exec "$fed/rt.sh" >out 2>err
is "$(in_rt "$wrong")" 1 'for another time'
jq -n '{kind: "report", from: "a@b/c"}' |
	"$bots/rt.py" http://rt.example q "$fed/token" mycert@my 2>err
is "$? $(grep -c https err)" '1 1' 'a token does not cross the network in clear'

# ---- killed when RT has made it, and nobody here knows ----

for field in '' bare; do
	[ -z "$field" ] || touch rt/bare
	touch rt/hold
	lost=$(post $them mycert@my --tlp GREEN --subject "Lost $field")
	rm -f pid
	made=$(grep -c . rt/tickets)
	spawn_at $us watch --reader rt --apply --exec "$fed/rt.sh" >out 2>err
	made_one()
	{
		[ "$(grep -c . rt/tickets)" -gt "$made" ]
	}
	ok 'RT makes a ticket, and does not answer' wait_until 20 made_one
	kill -KILL "$(cat pid)"
	reap KILL "$pid"
	rm rt/hold
	: >rt/asked
	ok 'killed, the bot is started again' \
		handled 1 rt --apply --exec "$fed/rt.sh"
	is "$(grep -c . rt/tickets)" $((made + 1)) \
		"and finds what it had made${field:+, also without the field}"
	is "$(grep -c POST rt/asked)" 0 'asking for no second one'
	is "$(notes $us "$lost" | grep -c .)" 1 'its number is noted, once'
done
rm rt/bare

# ---- killed anywhere ----

for n in 1 2 3 4 5 6; do
	post $them mycert@my --tlp GREEN --subject "Any $n" --wait 2
done >any
for n in 1 2 3 4 5 6 7 8 9 10; do
	killed rt --apply --attempts 1000 --exec "$fed/rt.sh" || break
done
last=$(post $them mycert@my --tlp GREEN --subject 'The last')
spawn_at $us watch --reader rt --apply --exec "$fed/rt.sh" >out 2>err
last_noted()
{
	[ -n "$(notes $us "$last")" ]
}
ok "killed $n times, it comes to the end (seed $seed)" \
	wait_until 20 last_noted
reap TERM "$pid"
wrong=
while read -r id; do
	[ "$(in_rt "$id") $(notes $us "$id" | grep -c .)" = '1 1' ] ||
		wrong="$wrong $id"
done <any
is "$wrong" '' 'with one ticket in RT and one number for each'
done_testing "bot-rt: seed $seed"
