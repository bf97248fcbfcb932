#!/bin/sh
# SPDX-License-Identifier: ISC
#
# docs/examples/bots/ours.py, a program that stays: our desks are told, once,
# which addresses of a ticket are in our networks, wherever it or one of the two
# beside it is killed. SEED repeats the choice of moments.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/bots.sh
. "$TOP/tests/lib/bots.sh"

bots_begin bot-ours

ours() # in the background
{
	TOCSIN_HOME=$fed/homes/$us spawn "$bots/ours.py" mycert@my \
		203.0.113.0/24 2001:db8:5::/48 >>out 2>>err
	bot=$pid
}
notes() # HOME ID
{
	at "$1" show "$2" --json --no-receipt |
		jq -r 'select(.text // "" | startswith("In our networks")) | .text'
}
noted() # ID
{
	notes $us "$1" >noted && [ -s noted ]
}
report() # TEXT
{
	printf '%s\n' "$1" >report
	post $them mycert@my --tlp AMBER --subject 'Seen' --text report
}
# The two below it; $1 is a word of its command.
child() # WORD
{
	for child in $(cat "/proc/$bot/task/$bot/children"); do
		tr '\0' ' ' <"/proc/$child/cmdline" | grep -q "tocsin $1 " &&
			echo "$child" && return
	done
	return 1
}

# ---- what it finds ----

one=$(report 'C2 at 203.0.113.7:443 and 198.51.100.1, see 2001:db8:5::1.')
none=$(report 'At 198.51.100.0/24, 203.0.114.1, 1203.0.113.7.1 and ::1.')
many=$(report 'hxxp://203.0.113[.]9/8080/, 203.0.112.0/23, 203.0.113.9 and ::ffff.')
ours
last=$(report 'The last is 203.0.113.200')
ok 'the bot comes to the end' wait_until 20 noted "$last"
is "$(notes $us "$one")" 'In our networks: 2001:db8:5::1, 203.0.113.7' \
	'addresses of both kinds are found'
is "$(notes $us "$none")" '' 'others are not ours'
is "$(notes $us "$many")" 'In our networks: 203.0.112.0/23, 203.0.113.9' \
	'disarmed ones and networks too, each once'
ok 'our desk has it' wait_until 20 shows mycert-night "$one" 'In our networks'
at $them inbox >sink
is "$(notes $them "$one")" '' 'and nobody else'

# ---- killed ----

kill -KILL "$(child watch)"
after=$(report 'After watch: 203.0.113.21')
ok 'watch is killed, and the bot goes on' wait_until 20 noted "$after"
kill -KILL "$(child do)"
after=$(report 'After do: 203.0.113.22')
ok 'do is killed, and it goes on' wait_until 20 noted "$after"
n=0
while [ $n -lt 10 ]; do
	n=$((n + 1))
	report "Number $n is 203.0.113.$((n + 30))" >>all
	draw 400
	sleep "0.$(printf %03d "$draw")"
	draw 3
	case $draw in
	0) reap KILL "$bot"; ours ;;
	1) kill -KILL "$(child watch)" ;;
	2) kill -KILL "$(child do)" ;;
	esac 2>>killed.err
done
last=$(report 'The last is 203.0.113.222')
ok "killed $n times, it comes to the end (seed $seed)" wait_until 90 noted "$last"
wrong=
while read -r id; do
	[ "$(notes $us "$id" | grep -c .)" = 1 ] || wrong="$wrong $id"
done <all
is "$wrong" '' 'and has noted each once'

# ---- all of it once more ----

reap TERM "$bot"
noted "$one" && cp noted noted.before
# Its children end with its pipes, and the name is free.
rewound()
{
	at $us watch --reader ours --from-start --json --commit -n 1 </dev/null
}
ok 'the reader is set to the start' wait_until 20 rewound
ours
last=$(report 'Once more: 203.0.113.250')
ok 'what comes again comes to the end again' wait_until 60 noted "$last"
noted "$one"
is "$(cat noted)" "$(cat noted.before)" 'and is noted no second time'

# ---- what it can do nothing about ----

reap TERM "$bot"
TOCSIN_HOME=$fed/nowhere timeout 20 "$bots/ours.py" mycert@my 203.0.113.0/24 \
	>out 2>err
ok 'a home that is not there is said' grep -q 'tocsin: ' err
done_testing "bot-ours: seed $seed"
