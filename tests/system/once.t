#!/bin/sh
# SPDX-License-Identifier: ISC
#
# tocsin watch --exec: each message is handled by a command; what it says with
# --apply is said once, and what it does elsewhere is done again only when
# TOCSIN_ATTEMPT says so, however often tocsin is killed.
#
# N kills of each kind, SEED repeats the choice of moments: make once N=200.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/random.sh
. "$TOP/tests/lib/random.sh"

kills=${N:-12}
seed_begin "once, N=$kills"

fed_two
them=singcert-desk1 us=mycert-night
did=$fed/did

some() # COUNT SUBJECT
{
	some_n=0
	while [ $some_n -lt "$1" ]; do
		some_n=$((some_n + 1))
		post $them mycert@my --tlp GREEN --subject "$2 $some_n" \
			--wait 0 2>/dev/null || return 1
	done
}

handler() # NAME, the script on stdin
{
	{
		echo '#!/bin/sh'
		echo "did='$did' fed='$fed'"
		cat
	} >"$fed/$1"
	chmod +x "$fed/$1"
}

# ---- one message ----

handler good <<'EOF'
cat >"$fed/stdin"
env >"$fed/env"
echo "$TOCSIN_ID $TOCSIN_ATTEMPT" >>"$did"
printf 'a\033[31mb\n'
echo oops >&2
EOF
id=$(post $them mycert@my --tlp GREEN --subject 'The first' --precedence flash)
ok 'a command is run for a message' \
	at $us watch -n 1 --reader one --wait 20 --exec "$fed/good"
at $us watch --reader one --aside >"$fed/aside"
is "$(cat "$did")" "$id 1" 'for the first time'
is "$(json id <"$fed/stdin")" "$id" 'it has the message on standard input'
is "$(json subject <"$fed/stdin")" 'The first' 'opened'
is "$(sed -n 's/^\(TOCSIN_[A-Z]*\)=.*/\1/p' "$fed/env" | sort | tr '\n' ' ')" \
	'TOCSIN_ATTEMPT TOCSIN_HOME TOCSIN_ID TOCSIN_KIND TOCSIN_PRECEDENCE TOCSIN_READER TOCSIN_THREAD ' \
	'and a small environment'
ok 'which has the header' grep -qx TOCSIN_PRECEDENCE=flash "$fed/env"
at $us watch -n 1 --reader two --wait 20 --exec "$fed/good" \
	>"$fed/out" 2>"$fed/err"
is "$(cat "$fed/out")" 'a<U+001B>[31mb' 'its output is passed on, escaped'
is "$(cat "$fed/err")" oops 'and its errors'
refuses timeout 'what is handled does not come again' \
	at $us watch -n 1 --reader one --wait 1 --exec "$fed/good"
called_wrongly 'needs a command' '--exec needs a command' at $us watch --exec
called_wrongly 'for --exec' '--apply is for --exec' at $us watch --apply

# ---- failures ----

handler bad <<'EOF'
echo "$TOCSIN_ID $TOCSIN_ATTEMPT" >>"$did"
exit 3
EOF
: >"$did"
at $us watch -n 1 --reader bad --attempts 2 --wait 20 --exec "$fed/bad" \
	>"$fed/out" 2>"$fed/err"
is $? 0 'a command that fails is no failure of tocsin'
is "$(cat "$did")" "$id 1
$id 2" 'it is tried as often as was said'
ok 'each failure is said' [ "$(count 'status 3' "$fed/err")" = 2 ]
ok 'and that it is set aside' has "$fed/err" 'is set aside'
at $us watch --reader bad --aside --json >"$fed/aside"
is "$(json id <"$fed/aside") $(json attempts <"$fed/aside")" "$id 2" \
	'the list has it'
ok 'with the reason' has "$fed/aside" 'status 3'
refuses 'not-found' 'only what is there can be tried again' \
	at $us watch --reader other --retry "$id"
ok 'it can be tried again' at $us watch --reader bad --retry "$id"
: >"$did"
ok 'by a command that is better' \
	at $us watch -n 1 --reader bad --wait 20 --exec "$fed/good"
is "$(cat "$did")" "$id 3" 'which knows that it is the third time'
is "$(at $us watch --reader bad --aside)" '' 'and the list is empty'

handler slow <<'EOF'
echo $$ >"$fed/slow.pid"
sleep 1000 &
echo $! >"$fed/slow.child"
wait
EOF
at $us watch -n 1 --reader slow --attempts 1 --exec-timeout 1 --wait 20 \
	--exec "$fed/slow" 2>"$fed/err"
ok 'a command that takes too long is ended' has "$fed/err" 'longer than 1 sec'
ended() # FILE with a process's number
{
	! kill -0 "$(cat "$1")" 2>/dev/null ||
		grep -q '^State:.*[ZX]' "/proc/$(cat "$1")/status"
}
ok 'with all that it has started' wait_until 5 ended "$fed/slow.child"
at $us watch -n 1 --reader none --attempts 1 --wait 20 \
	--exec "$fed/nowhere" 2>"$fed/err"
ok 'one that is not there is set aside too' has "$fed/err" 'was not started'

# ---- signals, and others of the same name ----

handler wait <<'EOF'
echo "$TOCSIN_ID $TOCSIN_ATTEMPT start" >>"$did"
[ -p "$fed/go" ] && read -r line <"$fed/go"
echo "$TOCSIN_ID $TOCSIN_ATTEMPT end" >>"$did"
EOF
mkfifo "$fed/go"
: >"$did"
spawn_at $us watch --reader term --exec "$fed/wait"
term=$pid
ok 'a command is at work' wait_until 20 has "$did" start
refuses 'another .*\[busy\]' 'a second watch of that name is refused' \
	at $us watch --reader term --exec "$fed/good"
refuses 'another .*\[busy\]' 'one that prints is too' \
	at $us watch --reader term -n 1
kill -TERM "$term"
echo >"$fed/go"
wait "$term"
is $? 0 'SIGTERM ends tocsin'
is "$(cat "$did")" "$id 1 start
$id 1 end" 'when the command has ended'
refuses timeout 'and what it did counts' \
	at $us watch -n 1 --reader term --wait 0 --exec "$fed/good"

: >"$did"
spawn_at $us watch --reader left --exec "$fed/wait"
ok 'another is at work' wait_until 20 has "$did" start
reap KILL "$pid"
spawn_at $us watch -n 1 --reader left --exec "$fed/wait" 2>"$fed/err"
ok 'tocsin is killed, and the next one waits for what is left' \
	wait_until 20 has "$fed/err" 'still at work'
is "$(cat "$did")" "$id 1 start" 'and does not start it beside'
echo >"$fed/go"
ok 'then it starts it' wait_until 20 has "$did" "$id 2 start"
echo >"$fed/go"
wait "$pid"
is "$(cat "$did")" "$id 1 start
$id 1 end
$id 2 start
$id 2 end" 'as the second time, one after the other'

# ---- what it wants said ----

handler wrong <<'EOF'
echo '{"do":"ack","answer":"accepted"}'
echo '{"do":"ack","answer":"accepted","txet":"x"}'
EOF
at $us watch -n 1 --reader apply --attempts 1 --apply --wait 20 \
	--exec "$fed/wrong" 2>"$fed/err"
ok 'a line that is wrong is refused' \
	has "$fed/err" 'line 2 of its output: txet'
handler dies <<'EOF'
echo '{"do":"ack","answer":"accepted"}'
exit 1
EOF
at $us watch --reader apply --retry "$id"
at $us watch -n 1 --reader apply --attempts 1 --apply --wait 20 \
	--exec "$fed/dies" 2>"$fed/err"
at $us show "$id" --no-receipt --json >"$fed/show"
is "$(grep -c '"own": *true' "$fed/show")" 0 'nothing is said then'
handler says <<'EOF'
cat >/dev/null
[ "$TOCSIN_KIND" = report ] || exit 0
echo '{"do":"ack","answer":"accepted","text":"Taken."}'
echo '{"do":"note","text":"By a program."}'
sleep 0.1
EOF
at $us watch --reader apply --retry "$id"
at $us watch -n 1 --reader apply --apply --wait 20 --exec "$fed/says" \
	>"$fed/out"
is $? 0 'lines that are right are'
is "$(sed 's/.* //' "$fed/out" | tr '\n' ' ')" 'ack update ' \
	'and what was posted is printed'
ok 'the other side has the answer' \
	wait_until 20 stands $them "$id" mycert@my accepted

# ---- killed ----

# A reader goes on; it is killed after some time, and started again. What it
# wrote counts, whichever process it was.
killed() # READER HANDLER OPTION...
{
	killed_reader=$1 killed_by=$2
	shift 2
	killed_n=0
	while [ $killed_n -lt "$kills" ]; do
		killed_n=$((killed_n + 1))
		spawn_at $us watch --reader "$killed_reader" "$@" \
			--attempts 1000 --exec "$fed/$killed_by" \
			>>"$fed/killed.out" 2>>"$fed/killed.err"
		draw 600
		sleep "0.$(printf %03d "$draw")"
		reap KILL "$pid"
	done
	spawn_at $us watch --reader "$killed_reader" "$@" \
		--exec "$fed/$killed_by" >>"$fed/killed.out" 2>>"$fed/killed.err"
}

some $((2 * kills)) many >"$fed/posted.ids"
arrived()
{
	# Who posts without waiting leaves the rest to the next command.
	at $them inbox && [ "$(at $us inbox --json | grep -c .)" = \
		$((1 + 2 * kills)) ]
}
ok 'many more arrive' wait_until 60 arrived
at $us inbox --json | json id | sort >"$fed/all"

handler logs <<'EOF'
cat >/dev/null
[ "$TOCSIN_KIND" = report ] || exit 0
echo "$TOCSIN_ID $TOCSIN_ATTEMPT" >>"$did"
sleep 0.1 # some are killed here
EOF
: >"$did"
killed logs logs
ok 'a reader that is killed all the time handles all of them' \
	wait_until 60 eval 'cut -d" " -f1 "$did" | sort -u | cmp - "$fed/all"'
reap TERM "$pid"
awk '{ if ($2 <= last[$1]) bad++; if ($2 > 1) again++; last[$1] = $2 }
	END { print bad + 0, again + 0 }' "$did" >"$fed/doubles"
read -r bad again <"$fed/doubles"
is "$bad" 0 "no attempt comes twice; $again came after another (seed $seed)"

answered()
{
	while read -r ticket; do
		at $us show "$ticket" --no-receipt --json |
			grep '"own": *true' | json kind | sort | tr '\n' ' '
		echo
	done <"$fed/all" >"$fed/answers"
	sort "$fed/answers" | uniq -c | sed 's/^ *//; s/ *$//'
}
at $us watch --reader says -n 1 --wait 5 >/dev/null # answered above
killed says says --apply
# It has come to the end when what we asked last is answered.
while read -r ticket; do
	wait_until 60 eval "at $us show $ticket --no-receipt --json |
		grep -q '\"kind\": *\"update\"'" || break
done <"$fed/all"
reap TERM "$pid"
is "$(answered)" "$(grep -c . "$fed/all") ack update" \
	"and one that answers has answered each once (seed $seed)"
done_testing "once: seed $seed, $kills kills of each kind, $bad attempts twice, \
$again again and said so"
