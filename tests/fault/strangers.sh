#!/bin/sh
# SPDX-License-Identifier: ISC
#
# strangers.sh - a crowd at the public port: make strangers N=5000
#
# N connections of each kind that somebody without a key can make (stranger.c),
# those that stay all at once, while honest ones post, come anew, read, and
# relay to another nation. In three houses: the crowd has many addresses; it has
# one, so that what a source may have is met; and the house has half as many
# places as the crowd is large. For each kind, one line:
#
#	post, connect	honest ones' time until the broker's answer, p50/p99 ms
#	failed		of them, how many
#	again		how often one that connects had to dial again
#	memory		anonymous memory more than before, broker + door, KiB
#	fds		their descriptors more than before, with the crowd there
#	log		lines of log
#	base		ms until the descriptors are as before, the crowd gone
#
# No honest one may fail, or be read twice or not at all. One that just comes may
# be shown out for others who come faster than the house can tell them apart; it
# dials again, which one in twenty may have to. Memory, descriptors
# and lines are bounded. P99 asserts the p99, too, which is for a quiet
# machine: P99=250 (ms). SEED repeats the bytes that the crowd says.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/random.sh
. "$TOP/tests/lib/random.sh"
# shellcheck source=tests/lib/measure.sh
. "$TOP/tests/lib/measure.sh"

each=${N:-5000}
samples=${SAMPLES:-$((each / 20))} # honest posts that a kind lasts at least
[ "$samples" -ge 5 ] || samples=5
p99_most=${P99:-0}
MEMORY_MOST=65536 # KiB
LINES_MOST=10	  # of log in a second,
LINES_BURST=40	  # beside the first ones of each event
BASE_MOST=15	  # seconds
SLACK=8		  # descriptors that honest ones have more or less
seed_begin strangers

fed_begin
fed_authorities aa bb cc
fed_broker sg
fed_broker my
fed_member singcert@sg desk1
fed_member mycert@my night
fed_roster
fed_install sg my
# So that the share of a check meets this limit, too.
printf '[limits]\nper-source = %s\n' $((each < 1500 ? each / 3 : 512)) \
	>>"$(conf sg)"
fed_start sg my
fed_publish singcert-desk1 mycert-night
wait_until 20 knows singcert-desk1 mycert@my || bail 'no keys of mycert@my'
wait_until 20 knows mycert-night singcert@sg || bail 'no keys of singcert@sg'
desk=$fed/homes/singcert-desk1 night=$fed/homes/mycert-night
served=$fed/served journal=$fed/journal crowd=$fed/crowd
bad=0
: >"$served"
: >"$fed/figures"

wrong() # WORDS
{
	bad=$((bad + 1))
	echo "# wrong: $house $kind: $*"
}

# ---- what is measured ----

lines_of_log()
{
	wc -l <"$fed/sg/log"
}

# ---- one kind ----

enough()
{
	[ "$(done_by_now post)" -ge "$posts_to_be" ]
}

at_base()
{
	[ "$(descriptors "$broker_pid" "$door_pid")" -le $((fds_before + SLACK)) ]
}

opened()
{
	gone "$stranger" || has "$crowd" opened
}

# Both links between the nations, which hold descriptors, are there again.
linked()
{
	at_least "$links" event=relay-up "$fed/sg/log" &&
		at_least "$links" event=relay-up "$fed/my/log"
}

begin_house() # NAME LINKS: the broker has just been started, LINKS times in all
{
	house=$1 links=$2 kind=-
	broker_pid=$(fed_pid sg)
	wait_until 10 door_of "$broker_pid" || bail 'no door'
	door_pid=$(door_of "$broker_pid")
	wait_until 60 linked || bail 'the nations do not find one another'
	posts_to_be=$(($(done_by_now post) + 20))
	wait_until 60 enough || bail "the honest do not get on: $(tail -n 3 "$served")"
	memory_before=$(memory "$broker_pid" "$door_pid")
	fds_before=$(descriptors "$broker_pid" "$door_pid")
}

try() # KIND SOURCES
{
	kind=$1
	at=$(grep -c . "$served")
	failed_before=$(done_by_now failed)
	posts_to_be=$(($(done_by_now post) + samples))
	log_before=$(lines_of_log)
	began=$(now_ms)
	spawn stranger "$desk" "$(fed_port sg)" "$kind" "$each" "$2" "$seed" \
		>"$crowd"
	stranger=$pid
	wait_until 60 opened || wrong 'the crowd stands still'
	memory_peak=$(memory "$broker_pid" "$door_pid")
	fds=$(($(descriptors "$broker_pid" "$door_pid") - fds_before))
	wait_until 100 enough || wrong 'the honest do not get on'
	memory_now=$(memory "$broker_pid" "$door_pid")
	[ "$memory_now" -lt "$memory_peak" ] || memory_peak=$memory_now
	has "$crowd" opened || wrong 'the crowd did not come'
	reap TERM "$stranger"
	left=$(now_ms)
	wait_until $BASE_MOST at_base || wrong 'descriptors stay'
	base=$(($(now_ms) - left))
	took=$((left - began + base + 1))
	report
}

dialled_again() # sets $again and $comers
{
	# shellcheck disable=SC2046
	set -- $(tail -n "+$((at + 1))" "$served" |
		awk '$1 == "connect" { n++; sum += $3 } END { print n + 0, sum + 0 }')
	comers=$1 again=$2
}

report()
{
	failed=$(($(done_by_now failed) - failed_before))
	more=$((memory_peak - memory_before))
	lines=$(($(lines_of_log) - log_before))
	post=$(percentiles post "$at")
	connect=$(percentiles connect "$at")
	dialled_again
	printf '# %-6s %-8s post %s connect %s failed %s again %s memory %s fds %s log %s base %s; %s\n' \
		"$house" "$kind" "$post" "$connect" "$failed" "$again" "$more" "$fds" \
		"$lines" "$base" "$(tail -n 1 "$crowd")"
	echo "${post#*/} ${connect#*/} $failed $more $lines $base" \
		>>"$fed/figures"
	[ "$failed" = 0 ] || wrong "$(tail -n "+$((at + 1))" "$served" |
		grep ^failed | sort | uniq -c | head -n 3)"
	[ "$again" -le $((1 + comers / 20)) ] ||
		wrong "$comers dialled again $again times"
	[ "$lines" -le $((LINES_BURST + LINES_MOST * took / 1000)) ] ||
		wrong 'lines of log'
	# What a sanitizer keeps of freed memory is not ours.
	case $MODE in
	debug | tsan) ;;
	*) [ "$more" -lt $MEMORY_MOST ] || wrong 'memory' ;;
	esac
	[ "$p99_most" = 0 ] || awk -v p="${post#*/}" -v c="${connect#*/}" \
		-v most="$p99_most" 'BEGIN { exit !(p < most && c < most) }' ||
		wrong "slower than $p99_most ms"
}

# ---- the run ----

spawn drain "$night" drain "$journal" 2>>"$fed/said"
spawn honest "$desk" mycert@my "$(fed_port sg)" >>"$served" 2>>"$fed/said"
honest=$pid
all='garbage header claim http half reset silent idle slow hello forged deaf'

begin_house many 1
for kind in ${KINDS:-$all}; do
	try "$kind" 250
done

begin_house one 1
for kind in ${KINDS:-reset idle}; do
	try "$kind" 1
done

printf 'connections = %s\n' $((each / 2)) >>"$(conf sg)"
fed_stop sg
wait_until 10 port_free "$(fed_port sg)" || bail 'the door stays'
fed_start sg
begin_house full 2
for kind in ${KINDS:-silent idle slow hello forged deaf}; do
	try "$kind" 250
done

reap TERM "$honest"
awk '$1 == "post" { print $3 }' "$served" | sort -u >"$fed/promised"
all_read()
{
	at singcert-desk1 inbox >/dev/null
	cut -d ' ' -f 2 "$journal" | sort >"$fed/read.ids"
	[ -z "$(comm -23 "$fed/promised" "$fed/read.ids")" ]
}
wait_until 60 all_read
lost=$(comm -23 "$fed/promised" "$fed/read.ids" | grep -c .)
twice=$(uniq -d "$fed/read.ids" | grep -c .)

# shellcheck disable=SC2046
set -- $(awk '{ for (i = 1; i <= NF; i++) if ($i + 0 > w[i] + 0) w[i] = $i }
	END { for (i = 1; i <= 6; i++) printf "%s ", w[i] + 0 }' "$fed/figures")
printf 'strangers: seed %s, %s of each kind; the worst: post p99 %s ms, ' \
	"$seed" "$each" "$1"
printf 'connect p99 %s ms, %s failed, %s KiB, %s lines of log, back in %s ms; ' \
	"$2" "$3" "$4" "$5" "$6"
printf '%s honest posts, %s lost, %s read twice\n' \
	"$(grep -c . "$fed/promised")" "$lost" "$twice"
[ "$bad" = 0 ] && [ "$lost" = 0 ] && [ "$twice" = 0 ] && [ -s "$fed/promised" ]
