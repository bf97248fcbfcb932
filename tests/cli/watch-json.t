#!/bin/sh
# SPDX-License-Identifier: ISC
#
# tocsin watch --json: what comes, a JSON object on each line, and what a
# program has done with, committed by it. Whatever is killed in between, each
# message comes at least once, under the same id.
#
# N kills, SEED repeats the choice of moments.
set -u

# shellcheck source=tests/lib/federation.sh
. "${TOP:=$(pwd)}/tests/lib/federation.sh"
# shellcheck source=tests/lib/random.sh
. "$TOP/tests/lib/random.sh"

command -v jq >/dev/null || skip_all 'no jq on this machine'
kills=${N:-8}
seed_begin "watch --commit, N=$kills"

fed_two
us=mycert-night them=singcert-desk1
cd "$fed" || exit 1
# The program is us; it opens pipes of its own.
TOCSIN_HOME=$fed/homes/$us
export TOCSIN_HOME

patience=10 # seconds that a post waits for its broker
say() # SUBJECT OPTION...
{
	say_subject=$1
	shift
	post $them mycert@my --tlp GREEN --subject "$say_subject" \
		--wait $patience "$@" 2>/dev/null
}
here() # COUNT
{
	[ "$(tocsin inbox --json | grep -c .)" = "$1" ]
}

first=$(say one --pap AMBER --label personal-data --precedence flash)
say two --ackby 2h >/dev/null
say three >/dev/null
ok 'three messages come' wait_until 20 here 3

# ---- what an event has ----

tocsin watch -n 3 --json --reader plain >events
is "$(jq -r .subject <events | tr '\n' ' ')" 'one two three ' \
	'each on a line, in order'
is "$(head -n 1 events | jq -r '.id, .tlp, .pap, .labels[0], .exercise,
	(.deadlines | length)')" "$first
GREEN
AMBER
personal-data
null
0" 'with label, what may be done, what data, and that it is no exercise'
is "$(sed -n 2p events | jq -r '.pap, (.labels | length), .exercise,
	(.ackby | type)')" 'null
0
null
string' 'and by when an answer is expected'
cp "$TOP/docs/examples/clocks.conf" "$TOCSIN_HOME"
tocsin watch -n 1 --json --reader clocks >events
is "$(jq -r '.deadlines[0] | .clock, .done' <events)" 'duty/first-look
null' 'and the deadlines'
rm "$TOCSIN_HOME/clocks.conf"
at $them relabel "$first" --tlp AMBER+STRICT >/dev/null
relabelled()
{
	[ "$(tocsin watch -n 1 --json --reader label --from-start |
		jq -r .tlp)" = AMBER+STRICT ]
}
ok 'a label is that of now, also of a message that comes alone' \
	wait_until 20 relabelled

# ---- where to begin ----

is "$(tocsin watch -n 1 --json --cursor plain --from-start | jq -r .subject)" \
	one 'a place is kept by name, and can be sent back to the start'
is "$(tocsin watch -n 1 --json --reader plain | jq -r .subject)" two \
	'which is the same name'
is "$(tocsin watch -n 1 --json --reader plain --since 1h | jq -r .subject)" \
	one 'or to what came since some time'
# The second in which the last one came has to be over.
is_after() # SECONDS
{
	[ "$(date +%s)" -gt "$1" ]
}
wait_until 20 is_after "$(date +%s)"
refuses timeout 'or on to what will come' tocsin watch -n 1 --json --wait 0 \
	--reader plain \
	--since "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
called_wrongly 'exclude' 'one of both' tocsin watch --from-start --since 1h
called_wrongly 'still to come' 'not to what is to come' \
	tocsin watch --since 2046-01-01T00:00:00Z
called_wrongly 'another word' 'a place has one name' \
	tocsin watch --reader a --cursor b

# ---- committed ----

mkfifo in out
follow() # OPTION...: it prints to descriptor 4 and reads 3
{
	spawn sh -c 'exec tocsin watch --json --commit "$@" <in >out 2>err' \
		- "$@"
	watcher=$pid
	exec 3>in 4<out
}
event() # the next one in the file `event`
{
	read -r event_line <&4 && printf '%s\n' "$event_line" >event
}
commit() # NUMBER
{
	echo '{"commit":'"$1"'}' >&3
}
quit()
{
	exec 3>&-
	wait "$watcher"
	quit_status=$?
	exec 4<&-
	return $quit_status
}

follow --reader bot
event
one=$(jq .number event)
event
two=$(jq .number event)
event
three=$(jq .number event)
is "$(jq -r .subject event)" three 'several come before one is committed'
commit "$one"
quit
is $? 0 'the end of its input ends it'
follow --reader bot
event
is "$(jq -r '.subject, .number' event)" "two
$two" 'what was not committed comes again, with its number'
commit "$three"
quit
is "$(tocsin watch --json -n 1 --reader bot | jq -r .kind)" update \
	'a commit is of all up to its number'

follow --reader full --window 2
event
event
commit 1000000
wait "$watcher"
is $? 2 'what was not printed cannot be committed'
ok 'and that is said' grep -q 'message 1000000 was not given' err
exec 3>&- 4<&-

for line in hello '[]' '{}' '{"commit":"1"}' '{"commit":0}' '{"commit":-1}' \
	'{"commit":1,"x":1}' '{"commit":1,"commit":2}' '{"commit":[1]}' \
	'{"commit":1.5}'; do
	printf '%s\n' "$line" | tocsin watch --json --commit --reader wrong \
		>events 2>err
	is $? 2 "a commit is not $line"
done
head -c 100000 /dev/zero | tr '\0' ' ' |
	tocsin watch --json --commit --reader wrong >events 2>err
is $? 2 'nor a line without an end'

follow --reader window --window 2 --heartbeat 1
event
is "$(jq -r '.heartbeat | type' event)" string 'a heartbeat comes at once'
n=0
while [ $n -lt 2 ]; do
	event
	[ "$(jq .number event)" = null ] || n=$((n + 1))
done
last=$(jq .number event)
beats=0 others=0
while [ $beats -lt 2 ]; do
	event
	if [ "$(jq .number event)" = null ]; then
		beats=$((beats + 1))
	else
		others=$((others + 1))
	fi
done
is $others 0 'two are not committed, so no third comes; heartbeats do'
is "$(jq -r '.at, .in_flight, .linked, .trouble' event)" '0
2
true
null' 'they say how far the reader is, and that there is a link'
commit "$last"
third()
{
	event && [ "$(jq -r .subject event)" = three ]
}
ok 'a commit makes room' wait_until 20 third
fed_kill my
away()
{
	event && [ "$(jq -r '.linked, .trouble' event | tr '\n' ' ')" = \
		'false unavailable ' ]
}
ok 'without a broker they say so' wait_until 30 away
fed_start my 3>&- 4<&- # the pipes are not for it
linked()
{
	event && [ "$(jq -r .linked event)" = true ]
}
ok 'until it is back' wait_until 60 linked
quit

follow --reader count -n 2
event
event
last=$(jq .number event)
ok 'it waits for the last commit' kill -0 "$watcher"
commit "$last"
wait "$watcher"
is $? 0 'and ends after it, when there was a count'
exec 3>&- 4<&-

called_wrongly 'for --json' 'commits are of numbers' tocsin watch --commit
called_wrongly 'for --json' 'so are heartbeats' tocsin watch --heartbeat 5
called_wrongly 'for --commit' 'a window is of commits' \
	tocsin watch --json --window 5
called_wrongly 'not for --exec' 'a command commits by its end' \
	tocsin watch --json --commit --exec true

# ---- killed ----

# A bot that notes each id, then commits; both are killed together, at any
# moment. It notes under the id, so a double is seen.
cat >bot <<'EOT'
while read -r line; do
	number=$(printf '%s\n' "$line" | sed -n 's/.*"number": *\([0-9]*\).*/\1/p')
	printf '%s\n' "$line" | sed -n 's/.*"id": *"\([^"]*\)".*"short_id".*/\1/p' >>did
	echo '{"commit":'"$number"'}' >&5
done
EOT
n=0 patience=0
while [ $n -lt $((2 * kills)) ]; do
	n=$((n + 1))
	say "many $n" >/dev/null
done
at $them inbox >/dev/null
ok 'many more come' wait_until 60 here $((3 + 2 * kills))
tocsin watch --json --reader all -n $((4 + 2 * kills)) | jq -r .id |
	sort >all # the new label is a message, too
: >did
mkfifo commits
kill_both()
{
	# The group is there when setsid has made it.
	wait_until 5 kill -s KILL -- "-$pid"
	wait "$pid" 2>/dev/null
}
both() # starts them; $pid is a process group
{
	setsid sh -c 'exec 5<>commits
		tocsin watch --json --commit --reader killed --window 4 <&5 |
		sh ./bot' 2>>err &
	pid=$!
	pids="$pids $pid"
}
n=0
while [ $n -lt "$kills" ]; do
	n=$((n + 1))
	both
	draw 500
	sleep "0.$(printf %03d "$draw")"
	kill_both
done
all_did()
{
	sort -u did | comm -13 - all >missing
	[ ! -s missing ]
}
both
ok 'a bot that is killed all the time gets all of them' wait_until 60 all_did
kill_both
is "$(sort -u did | comm -23 - all)" '' \
	"and the same ids again, $(sort did | uniq -d | wc -l) of them (seed $seed)"

done_testing "watch --commit: seed $seed, $kills kills"
