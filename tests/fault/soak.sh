#!/bin/sh
# SPDX-License-Identifier: ISC
#
# soak.sh - does anything grow? make soak
#
# Two nations, MEMBERS in all, each with a reader. For T seconds one member of
# each nation posts to all others in turn; meanwhile readers are killed and come
# back, commands come and go, and the line between the nations is cut and healed.
# Every few seconds memory (anonymous), descriptors and threads of both brokers
# and their doors are noted. The medians of the last quarter are held against
# those of the second: what grows with time is a leak. What was acknowledged must
# have been printed by those it is for. An hour of it is 200,000 posts.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/wan.sh
. "$TOP/tests/lib/wan.sh"
# shellcheck source=tests/lib/random.sh
. "$TOP/tests/lib/random.sh"

seconds=${T:-3600} members=${MEMBERS:-50} pause=${PAUSE:-30}
why=$(wan_missing) && {
	echo "skipped: $why"
	exit 77
}
seed_begin soak

fed_begin
wan_begin "$seed" sg my
wan_tell set sg my rate 100000000 delay 5 loss 10 queue 100
fed_authorities aa bb cc
fed_broker sg
fed_broker my
homes= everybody= i=0
while [ $i -lt "$members" ]; do
	i=$((i + 1))
	[ $((i % 2)) = 0 ] && nation=sg || nation=my
	fed_member "cert$i@$nation" desk
	homes="$homes cert$i-desk" everybody="$everybody cert$i@$nation"
done
fed_roster
fed_install sg my
fed_start sg my
for home in $homes; do
	fed_publish "$home"
done
knows_all()
{
	for member in $everybody; do
		knows "$1" "$member" || return 1
	done
}
for home in cert1-desk cert2-desk; do
	wait_until 60 knows_all "$home" || bail "some keys don't reach $home"
done

start_reader() # HOME
{
	spawn_at "$1" watch --reader soak --json >>"$fed/read.$1" 2>/dev/null
	eval "reader_$(echo "$1" | tr - _)=$pid"
}
for home in $homes; do
	start_reader "$home"
done
# What a device itself has posted, its own readers don't print.
but() # MEMBER
{
	for member in $everybody; do
		[ "$member" = "$1" ] || echo "$member"
	done
}
# shellcheck disable=SC2046
{
	spawn $(fed_by my) storm -p "$pause" "$fed/homes/cert1-desk" \
		$(but cert1@my) >"$fed/acked.1"
	storms=$pid
	spawn $(fed_by sg) storm -p "$pause" "$fed/homes/cert2-desk" \
		$(but cert2@sg) >"$fed/acked.2"
	storms="$storms $pid"
}

# ---- what is noted ----

door_of() # PID
{
	for task in /proc/"$1"/task/*; do
		cat "$task/children"
	done | tr -d '\n'
}

# Anonymous KiB, descriptors and threads of both brokers and both doors.
note()
{
	for broker in sg my; do
		broker_pid=$(fed_pid $broker)
		for process in $broker_pid $(door_of "$broker_pid"); do
			sed -n 's/^Anonymous: *\([0-9]*\) kB/\1/p' \
				"/proc/$process/smaps_rollup"
			find "/proc/$process/fd" -mindepth 1 | grep -c .
			sed -n 's/^Threads:[^0-9]*//p' "/proc/$process/status"
		done
	done | tr '\n' ' '
	echo
}

churn()
{
	draw 6
	case $draw in
	0 | 1)
		draw "$members"
		# shellcheck disable=SC2086
		home=$(set -- $homes && shift "$draw" && echo "$1")
		eval "pid=\$reader_$(echo "$home" | tr - _)"
		reap KILL "$pid"
		start_reader "$home"
		;;
	2)
		wan_tell cut sg my
		draw 900
		sleep "0.$(printf %03d "$draw")"
		wan_tell heal sg my
		;;
	*) at cert3-desk inbox >/dev/null 2>&1 ;;
	esac
}

began=$(now_ms)
end=$((began + seconds * 1000)) every=$((seconds * 10)) next=$began
: >"$fed/notes"
while [ "$(now_ms)" -lt $end ]; do
	churn
	if [ "$(now_ms)" -ge $next ]; then
		note >>"$fed/notes"
		next=$((next + every))
	fi
	sleep 0.2
done

# ---- figures ----

# shellcheck disable=SC2086
kill -TERM $storms
for pid in $storms; do
	wait "$pid" || bail 'a sender could not post all'
done
posts=$(cat "$fed/acked.1" "$fed/acked.2" | grep -c .)

missing()
{
	for member in $everybody; do
		home=${member%@*}-desk
		json id <"$fed/read.$home" | sort -u >"$fed/there"
		cat "$fed/acked.1" "$fed/acked.2" |
			sed -n "s/ $member\$//p" | sort -u |
			comm -23 - "$fed/there"
	done
}
nothing_missing()
{
	[ -z "$(missing)" ]
}
wait_until 60 nothing_missing
lost=$(missing | grep -c .)

# The median of column $1 in the lines from $2 to $3.
median()
{
	sed -n "$2,$3p" "$fed/notes" | cut -d ' ' -f "$1" | sort -n |
		sed -n "$((($3 - $2) / 2 + 1))p"
}
lines=$(grep -c . "$fed/notes") columns=$(awk '{ print NF; exit }' "$fed/notes")
second=$((lines / 4 + 1)) half=$((lines / 2)) last=$((lines * 3 / 4 + 1))
grown='' column=0 worst=0
while [ $column -lt "$columns" ]; do
	column=$((column + 1))
	was=$(median $column $second $half) is=$(median $column $last "$lines")
	case $((column % 3)) in
	1)
		what=KiB most=$((was + was / 10 + 1024))
		growth=$((is - was))
		# Sanitizers keep what was freed.
		[ "${MODE:-release}" = release ] || most=$is
		[ $growth -le $worst ] || worst=$growth
		;;
	2) what=descriptors most=$((was + 8)) ;;
	0) what=threads most=$was ;;
	esac
	echo "# column $column, $what: $was in the second quarter, $is in the last"
	[ "$is" -le $most ] || grown="$grown $what:$was->$is"
done
echo "soak: seed $seed, $seconds s, $members members, $posts posts," \
	"$lost lost, memory grew by $worst KiB at most, grown:${grown:- nothing}"
[ "$lost" = 0 ] && [ -z "$grown" ] && [ "$posts" -gt 0 ]
