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

# ---- what is said later ----

numbered() # ID: of RT's ticket
{
	jq -r 'select(.CustomFields.tocsin == "'"$1"'") | .id' rt/tickets
}
history() # ID [MEMBER OF HISTORY]
{
	jq -r "select(.ticket == $(numbered "$1")) | .${2:-Content} // empty" \
		rt/history
}
followed() # SENTENCE OPTION...
{
	followed_said=$1
	shift
	ok "$followed_said" handled 1 rt --apply --exec "$fed/rt.sh" "$@"
}

is "$(history "$green" | grep -c 'And more')" 1 'but a comment in the first'
is "$(history "$green" Status)" '' 'whose status is what it was'
at mycert-night ack "$green" --accept >out
followed 'our desk accepts it'
is "$(history "$green" Status)" open 'the new ticket is open'
is "$(history "$green" | grep -c 'mycert@my/night writes (ack: accepted)')" 1 \
	'with a comment that says who did'
at $them note "$red" -m "$secret" >out
followed 'something is said in the RED one'
is "$(history "$red" | grep -c -e "$secret" -e singcert) $(history "$red" |
	grep -c 'read it at the desk')" '0 1' 'of which RT gets no word'
at $them close "$green" --resolution resolved >out
followed 'the sender closes it'
is "$(history "$green" Status | tail -n 1)" resolved 'RT has it resolved'
is "$(history "$green" | grep -c 'close: resolved')" 1 'and says by what'
cp rt/history before
by_hand() # ID STATUS
{
	python3 - "$port" "$(numbered "$1")" "$2" <<'END'
import json, sys, urllib.request
port, number, status = sys.argv[1:]
urllib.request.urlopen(urllib.request.Request(
    f"http://127.0.0.1:{port}/REST/2.0/ticket/{number}",
    json.dumps({"Status": status}).encode(), method="PUT",
    headers={"Authorization": "token 1-23-abc"}))
END
}
by_hand "$green" open
cp rt/history before
ok 'all of it comes once more' \
	handled 7 rt --from-start --apply --exec "$fed/rt.sh"
ok 'and does nothing, nor undoes what a person has done in RT' \
	cmp before rt/history
by_hand "$green" resolved
at $them reopen "$green" -m 'Once more.' >out
followed 'the sender takes it up again'
is "$(history "$green" Status | tail -n 1)" open 'and RT has it open'
wait_until 20 shows mycert-night "$green" 'Once more.'
touch rt/stiff
at mycert-night close "$green" >out
followed 'our desk closes its part, and RT is not let'
is "$(history "$green" | grep -c "RT did not make it resolved: .*Permission")" \
	1 'which the comment says'
rm rt/stiff
own=$(post mycert-night singcert@sg --tlp GREEN --subject 'Of ours')
wait_until 20 shows $them "$own" 'Of ours'
at $them ack "$own" --accept >out
: >rt/asked
ok 'answers to what we asked ourselves come' \
	handled 2 rt --apply --exec "$fed/rt.sh"
is "$(in_rt "$own") $(grep -c POST rt/asked)" '0 0' 'and are not for RT'

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
jq -n '{kind: "report", from: "a@b/c", id: "x", thread: "x"}' |
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

# The status is set, or the comment made, and the answer does not come.
for what in close note; do
	history "$amber" Status >status
	lines=$(grep -c . rt/history)
	touch rt/hold
	case $what in
	close) at $them close "$amber" >out ;;
	note) at $them note "$amber" -m 'After it.' >out ;;
	esac
	rm -f pid
	spawn_at $us watch --reader rt --apply --exec "$fed/rt.sh" >out 2>err
	told_rt()
	{
		[ "$(grep -c . rt/history)" -gt "$lines" ]
	}
	ok "RT hears of a $what, and does not answer" wait_until 20 told_rt
	kill -KILL "$(cat pid)"
	reap KILL "$pid"
	rm rt/hold
	followed 'killed, the bot is started again'
	case $what in
	close)
		is "$(history "$amber" Status) $(history "$amber" |
			grep -c '(close)')" 'resolved 1' \
			'and adds the comment to what was set, once'
		;;
	note)
		is "$(history "$amber" Status) $(history "$amber" |
			grep -c 'After it.')" 'resolved 1' \
			'and finds the comment that it had made'
		;;
	esac
done

# ---- killed anywhere ----

for n in 1 2 3 4 5 6; do
	post $them mycert@my --tlp GREEN --subject "Any $n" --wait 2
done >any
while read -r id; do
	at $them note "$id" -m 'A word.'
	at $them close "$id"
done <any >out
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
	wait_until 90 last_noted
reap TERM "$pid"
wrong=
while read -r id; do
	[ "$(in_rt "$id") $(notes $us "$id" | grep -c .)" = '1 1' ] ||
		wrong="$wrong $id"
	[ "$(history "$id" Status) $(history "$id" Subject | grep -c .)" = \
		'resolved 2' ] || wrong="$wrong $id"
done <any
is "$wrong" '' 'with one ticket, one number, and one comment for each word'
is "$(jq -r '.Subject // empty' rt/history | sort | uniq -d)" '' \
	'no comment is there twice'
is "$(grep -c refused rt/asked)" 0 'and RT understood all of it'
done_testing "bot-rt: seed $seed"
