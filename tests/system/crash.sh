#!/bin/sh
# SPDX-License-Identifier: ISC
#
# crash.sh - kill anything at random moments under load: make crash N=100
#
# One device posts without pause through the library. In the other nation two
# readers get what comes: one prints it and is left alone; of the other, each
# ticket is answered by a command (watch --exec --apply). N times, sooner or later
# after it has come up, one of these gets SIGKILL and is started again: the
# sender's broker, the reader's, the sender, or the reader that answers. Then what
# was acknowledged, what was printed, and the answers that came back are
# compared. SEED repeats the choice of victims and moments, not the machine's
# pace.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/random.sh
. "$TOP/tests/lib/random.sh"

kills=${N:-100}
seed_begin crash

fed_two
acked=$fed/acked read=$fed/read
cat >"$fed/handler" <<'EOS'
#!/bin/sh
cat >/dev/null
[ "$TOCSIN_KIND" = report ] && echo '{"do":"ack","answer":"accepted"}'
exit 0
EOS
chmod +x "$fed/handler"

start_sender()
{
	spawn storm -p "${PAUSE:-20}" "$fed/homes/singcert-desk1" mycert@my \
		>>"$acked"
	sender=$pid
}

start_answering()
{
	spawn_at mycert-night watch --reader answers --apply \
		--exec "$fed/handler" >>"$fed/answers.out" 2>>"$fed/answers.err"
	answering=$pid
}

start_broker() # NAME
{
	up=$(now_ms)
	fed_start "$1"
	up=$(($(now_ms) - up))
	[ $up -le $slowest ] || slowest=$up
}

began=$(now_ms) slowest=0 k=0
spawn_at mycert-night watch --reader crash --json >"$read"
reader=$pid
start_sender
start_answering
while [ $k -lt "$kills" ]; do
	k=$((k + 1))
	draw 4
	victim=$draw
	draw 300
	sleep "0.$(printf %03d "$draw")"
	gone "$sender" && bail 'the sender gave up'
	gone "$answering" && bail 'the reader that answers gave up'
	gone "$reader" && bail 'the reader gave up'
	case $victim in
	0) fed_kill sg && start_broker sg ;;
	1) fed_kill my && start_broker my ;;
	2) reap KILL "$sender" && start_sender ;;
	3) reap KILL "$answering" && start_answering ;;
	esac
done
took=$(($(now_ms) - began))

# One that was started a moment ago doesn't know yet what SIGTERM asks of it.
posts_again()
{
	[ "$(wc -c <"$acked")" -gt "$taken" ]
}
taken=$(wc -c <"$acked")
wait_until 60 posts_again || bail 'the sender does not post'
kill -TERM "$sender"
wait "$sender" || bail 'the sender could not post all'

# What a killed sender had begun to write.
whole() # FILE
{
	grep -Ex '[0-9A-Za-z+/=]{44}' "$1" | sort -u
}

all_read()
{
	json id <"$read" | sort -u >"$fed/read.ids"
	[ -z "$(comm -23 "$fed/acked.ids" "$fed/read.ids")" ]
}

# The tickets that were answered, a line for each answer that came back.
all_answered()
{
	at singcert-desk1 watch --reader all --from-start -n 100000000 \
		--wait 1 --json 2>"$fed/all.err" >"$fed/all"
	grep '"kind": *"ack"' "$fed/all" | json thread | sort >"$fed/answered"
	[ -z "$(comm -23 "$fed/acked.ids" "$fed/answered")" ]
}

whole "$acked" >"$fed/acked.ids"
wait_until 60 all_read
lost=$(comm -23 "$fed/acked.ids" "$fed/read.ids" | grep -c .)
twice=$(json id <"$read" | sort | uniq -d | grep -c .)
wait_until 120 all_answered
lost=$((lost + $(comm -23 "$fed/acked.ids" "$fed/answered" | grep -c .)))
twice=$((twice + $(uniq -d "$fed/answered" | grep -c .)))

printf 'crash: seed %s, %s kills in %s.%s s, slowest start %s ms, ' \
	"$seed" "$kills" $((took / 1000)) $((took % 1000 / 100)) "$slowest"
printf '%s posts acknowledged, %s lost, %s delivered or answered twice\n' \
	"$(grep -c . "$fed/acked.ids")" "$lost" "$twice"
[ "$lost" = 0 ] && [ "$twice" = 0 ] && [ -s "$fed/acked.ids" ]
