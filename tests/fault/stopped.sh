#!/bin/sh
# SPDX-License-Identifier: ISC
#
# stopped.sh - a process that stands still harms no other: make stopped T=60
#
# A desk of one nation posts without pause to a member at home and to one abroad,
# each with a reader. One after another gets SIGSTOP for T seconds: a reader, the
# broker abroad, the door of the broker at home. Meanwhile what does not need it
# goes on: posts are taken and the others read (while the door at home stands,
# the nation abroad serves its own). After SIGCONT everything arrives, once. The
# home broker's memory is bounded. SEED draws the order.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/random.sh
. "$TOP/tests/lib/random.sh"

seconds=${T:-60} rounds=${N:-1}
PATIENCE=60
MEMORY_MOST=65536 # KiB more than before
seed_begin stopped

fed_begin
fed_authorities aa bb cc
fed_broker sg
fed_broker my
fed_member singcert@sg desk1
fed_member bank@sg desk1
fed_member mycert@my night
fed_member telco@my desk1
fed_roster
fed_install sg my
fed_start sg my
fed_publish singcert-desk1 bank-desk1 mycert-night telco-desk1
for home in singcert-desk1 mycert-night; do
	for member in bank@sg telco@my; do
		wait_until 30 knows $home $member || bail "no keys of $member"
	done
done
bad=0 worst=0

wrong() # WORDS
{
	bad=$((bad + 1))
	echo "# wrong: $victim: $*"
}

# ---- who posts, who reads ----

touch "$fed/served.home" "$fed/served.abroad" "$fed/served.local" \
	"$fed/journal.bank" "$fed/journal.telco"
posts() # NAME HOME MEMBER
{
	spawn storm -p 20 "$fed/homes/$2" "$3" >>"$fed/served.$1" \
		2>>"$fed/said"
	senders="${senders:-} $pid"
}
reads() # MEMBER
{
	spawn drain "$fed/homes/$1-desk1" drain "$fed/journal.$1" \
		2>>"$fed/said"
}
fed_device singcert@sg desk2
must at singcert-desk1 keys publish --card "$fed/devices/singcert-desk2" \
	>/dev/null
cp "$fed/homes/singcert-desk1/keys/recipient.txt" \
	"$fed/homes/singcert-desk2/keys/"
fed_trust singcert-desk2
wait_until 30 knows singcert-desk2 telco@my || bail 'no keys of telco@my'
posts home singcert-desk1 bank@sg
posts abroad singcert-desk2 telco@my
posts local mycert-night telco@my
reads bank
bank=$pid
reads telco
telco=$pid

lines() # NAME
{
	grep -c . "$fed/$1"
}

more() # NAME THAN
{
	[ "$(lines "$1")" -ge "$2" ]
}

# Each of these files grows.
goes_on() # WHEN NAME...
{
	on_when=$1
	shift
	for on in "$@"; do
		wait_until $PATIENCE more "$on" $(($(lines "$on") + 5)) ||
			wrong "$on stands still $on_when: $(tail -n 3 "$fed/said")"
	done
}

everything='served.home served.abroad served.local journal.bank journal.telco'

# ---- memory ----

memory() # PID
{
	awk '/^Pss_Anon:/ { print $2 }' "/proc/$1/smaps_rollup"
}

door_of() # PID
{
	cat "/proc/$1"/task/*/children | tr ' ' '\n' | grep -m 1 .
}

note_memory()
{
	note_is=$(($(memory "$(fed_pid sg)") - memory_before))
	[ $note_is -le $worst ] || worst=$note_is
}

# ---- standing still ----

stop_for() # PID WHAT-GOES-ON...
{
	stop_pid=$1
	shift
	kill -STOP "$stop_pid"
	stop_end=$(($(now_ms) + seconds * 1000))
	while :; do
		goes_on 'meanwhile' "$@"
		note_memory
		[ "$(now_ms)" -lt $stop_end ] || break
	done
	kill -CONT "$stop_pid"
	# shellcheck disable=SC2086
	goes_on 'afterwards' $everything
}

try()
{
	case $1 in
	0) victim='a reader' && stop_for "$bank" served.home served.abroad \
		served.local journal.telco ;;
	1) victim='the broker abroad' && stop_for "$(fed_pid my)" served.home \
		served.abroad journal.bank ;;
	2) victim='a door' && stop_for "$(door_of "$(fed_pid sg)")" \
		served.local journal.telco ;;
	esac
}

victim=nobody
# shellcheck disable=SC2086
goes_on 'before' $everything
memory_before=$(memory "$(fed_pid sg)")
began=$(now_ms) round=0 stops=0
while [ $round -lt "$rounds" ]; do
	round=$((round + 1))
	draw 3
	for step in 0 1 2; do
		try $(((draw + step) % 3))
		stops=$((stops + 1))
	done
done
took=$(($(now_ms) - began))

# ---- figures ----

victim=end
for pid in $senders; do
	kill -TERM "$pid"
done
for pid in $senders; do
	wait "$pid" || wrong "a sender gave up: $(cat "$fed/said")"
done
sort -u "$fed/served.home" >"$fed/promised.bank"
sort -u "$fed/served.abroad" "$fed/served.local" >"$fed/promised.telco"
missing()
{
	for name in bank telco; do
		cut -d ' ' -f 2 "$fed/journal.$name" | sort -u |
			comm -23 "$fed/promised.$name" -
	done
}
nothing_missing()
{
	[ -z "$(missing)" ]
}
wait_until $PATIENCE nothing_missing
lost=$(missing | grep -c .)
twice=$(cat "$fed/journal.bank" "$fed/journal.telco" | cut -d ' ' -f 2 |
	grep -v '^-$' | sort | uniq -d | grep -c .)
# What a sanitizer keeps of freed memory is not ours.
case $MODE in
debug | tsan) ;;
*) [ $worst -lt $MEMORY_MOST ] || wrong 'memory' ;;
esac

printf 'stopped: seed %s, %s stood still for %s s each, %s s in all, ' \
	"$seed" "$stops" "$seconds" $((took / 1000))
printf '%s went wrong, memory +%s KiB, %s tickets promised, ' "$bad" "$worst" \
	"$(cat "$fed/promised.bank" "$fed/promised.telco" | grep -c .)"
printf '%s lost, %s read twice\n' "$lost" "$twice"
[ "$bad" = 0 ] && [ "$lost" = 0 ] && [ "$twice" = 0 ]
