#!/bin/sh
# SPDX-License-Identifier: ISC
#
# crash.sh - kill brokers at random moments under load: make crash N=100
#
# One device posts without pause through the library, a reader in the other
# nation prints what comes. N times, sooner or later after it has come up, a
# broker, the sender's or the reader's, gets SIGKILL and is started again. Then
# what was acknowledged and what was read are compared. SEED repeats the choice
# of brokers and moments, not the machine's pace.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

kills=${N:-100}
seed=${SEED:-$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')}
random=$seed

# The next number below $1, in $draw (a linear congruence, its higher bits).
draw() # BELOW
{
	random=$(((random * 1103515245 + 12345) % 2147483648))
	draw=$((random / 65536 % $1))
}

fed_two
acked=$fed/acked read=$fed/read
spawn_at mycert-night watch --reader crash --json >"$read"
reader=$pid
spawn storm "$fed/homes/singcert-desk1" mycert@my >"$acked"
storm=$pid

began=$(now_ms) slowest=0 k=0
while [ $k -lt "$kills" ]; do
	k=$((k + 1))
	draw 2
	[ "$draw" = 0 ] && victim=sg || victim=my
	draw 300
	sleep "0.$(printf %03d "$draw")"
	fed_kill $victim
	up=$(now_ms)
	fed_start $victim
	up=$(($(now_ms) - up))
	[ $up -le $slowest ] || slowest=$up
	gone "$storm" && bail 'the sender gave up'
	gone "$reader" && bail 'the reader gave up'
done
took=$(($(now_ms) - began))

kill -TERM "$storm"
wait "$storm" || bail 'the sender could not post all'

distinct() # FILE
{
	sort -u "$1" | grep -c .
}

all_read()
{
	json id <"$read" | sort -u >"$fed/read.ids"
	sort -u "$acked" >"$fed/acked.ids"
	[ -z "$(comm -23 "$fed/acked.ids" "$fed/read.ids")" ]
}

wait_until 60 all_read
lost=$(comm -23 "$fed/acked.ids" "$fed/read.ids" | grep -c .)
twice=$(json id <"$read" | sort | uniq -d | grep -c .)

printf 'crash: seed %s, %s kills in %s.%s s, slowest start %s ms, ' \
	"$seed" "$kills" $((took / 1000)) $((took % 1000 / 100)) "$slowest"
printf '%s posts acknowledged, %s lost, %s delivered twice\n' \
	"$(distinct "$acked")" "$lost" "$twice"
[ "$lost" = 0 ] && [ "$twice" = 0 ] && [ -s "$acked" ]
