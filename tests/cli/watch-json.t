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

printf '{"comm' | tocsin watch --json --commit --reader told >events 2>err
is "$? $(cat err)" '0 ' 'half a line at the end is none: its writer died within'
echo '{"commit":7}' | tocsin watch --json --commit --reader told >events 2>err
is "$(grep -c 'was not given' err)" 1 'it is said once'
follow --reader real
event
commit "$(jq .number event).0"
quit
is $? 0 'some languages write 1.0, which is 1'

# ---- set aside ----

# What a program cannot handle it sets aside, as --exec does after its attempts.
follow --reader gives
event
event
second=$(jq .number event)
event
third=$(jq .number event)
why='no host of that name \u2026'
echo '{"aside":'"$second"',"why":"'"$why"'"}' >&3
echo '{"aside":'"$second"',"why":"again"}' >&3
quit
is $? 0 'a message is set aside by its number, twice does no harm'
is "$(tocsin watch --reader gives --aside --json |
	jq -r '.number, .why, .attempts, .again')" "$second
no host of that name …
0
false" 'it is in the list, with what the program says'
ok 'which is for people, too' sh -c 'tocsin watch --reader gives --aside |
	grep -q "^    set aside, since .*no host of that name"'
follow --reader gives
event
is "$(jq .number event)" "$third" \
	'what came before it is committed, and what came after it is not'
quit
tocsin watch --reader gives --retry "$(tocsin watch --reader gives --aside \
	--json | jq -r .id)"
follow --reader gives
event
is "$(jq .number event)" "$second" 'wanted again, it comes first'
event
is "$(jq .number event)" "$third" 'before what was to come'
commit "$third"
quit
is "$(tocsin watch --reader gives --aside)" '' 'a commit is of that one, too'
follow --reader gives --from-start
event
event
echo '{"aside":1000000,"why":"never"}' >&3
wait "$watcher"
is $? 2 'what was not printed is not set aside'
ok 'and that is said' grep -q 'message 1000000 was not given.*set aside' err
exec 3>&- 4<&-
for line in '{"aside":1}' '{"aside":1,"why":""}' '{"aside":1,"why":null}' \
	'{"aside":1,"commit":1}' '{"commit":1,"why":"x"}' \
	'{"aside":1,"why":"x","more":1}' '{"aside":1,"why":"a\u0000b"}'; do
	printf '%s\n' "$line" | tocsin watch --json --commit --reader wrong \
		>events 2>err
	is $? 2 "nor by $line"
done

# ---- only what is about us ----

# What is filtered out is not printed, and does not stop the reader: it is
# behind it as soon as nothing before it is under way.
about() # COUNT: so many are here
{
	at $us inbox --json | grep -c '"subject":"own' | grep -qx "$1"
}
for n in 1 2 3 4 5; do
	[ $((n % 2)) = 1 ] || say "own $n, of 192.0.2.$n" >/dev/null
	[ $((n % 2)) = 0 ] || say "own $n, of another" >/dev/null
done
ok 'five more come' wait_until 20 about 5
echo '192.0.2.0/24' >"$TOCSIN_HOME/own.conf"
number_of() # SUBJECT
{
	tocsin watch --json --from-start --reader numbers --wait 1 2>/dev/null |
		jq -r --arg s "$1" 'select(.subject | contains($s)) | .number'
}
last=$(number_of 'own 5')
follow --reader ours --own
event
is "$(jq -r .subject event)" 'own 2, of 192.0.2.2' 'only what names us comes'
two=$(jq .number event)
is "$(tocsin watch --reader other --json -n 1 | jq -r .subject)" one \
	'to this reader alone'
event
is "$(jq -r .subject event)" 'own 4, of 192.0.2.4' 'and the next'
four=$(jq .number event)
place() # of the reader, as a heartbeat says; nothing is read or committed
{
	TOCSIN_HOME=$TOCSIN_HOME tocsin watch --json --reader "$1" \
		--heartbeat 1 --wait 0 --own -n 1 --commit </dev/null \
		2>/dev/null | jq 'select(.heartbeat) | .at'
}
quit
is "$(place ours)" $((two - 1)) \
	'what was passed over before the first is behind it, and no more'
follow --reader ours --own --heartbeat 1
next() # the next message, beats left out
{
	while event; do
		[ "$(jq .number event)" = null ] || return 0
	done
}
next
is "$(jq .number event)" "$two" 'what was not committed comes again'
next
is "$(jq .number event)" "$four" 'and all after it'
commit "$four"
stands_at() # NUMBER
{
	event && [ "$(jq -r .at event)" = "$1" ]
}
ok 'when it is committed, what was passed over behind it is behind it' \
	wait_until 20 stands_at "$last"
say 'own 6, of 192.0.2.6' >/dev/null
six()
{
	next && [ "$(jq -r .subject event)" = 'own 6, of 192.0.2.6' ]
}
ok 'what comes then is printed' wait_until 20 six
echo '{"aside":'"$(jq .number event)"',"why":"later"}' >&3
quit
tocsin watch --reader ours --retry \
	"$(tocsin watch --reader ours --aside --json | jq -r .id)"
say 'own 7, of 192.0.2.7' >/dev/null
ok 'one more comes' wait_until 20 about 7
follow --reader ours --own
event
is "$(jq -r .subject event)" 'own 6, of 192.0.2.6' \
	'what was set aside comes again'
event
seven=$(jq .number event)
commit "$seven"
quit
is "$(tocsin watch --reader ours --aside)" '' 'and is committed with the rest'
refuses timeout 'nothing is left' tocsin watch --reader ours --own -n 1 \
	--wait 0 --json
rm "$TOCSIN_HOME/own.conf"

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
ok 'many more come' wait_until 60 here $((10 + 2 * kills))
tocsin watch --json --reader all -n $((11 + 2 * kills)) | jq -r .id |
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
