# SPDX-License-Identifier: ISC
#
# kinds.sh - one kind of misbehaviour after another, beside honest ones
#
# Sourced after federation.sh and random.sh by hostile.sh and turncoat.sh, which
# let programs loose on the broker sg that hold valid keys. One kind goes so:
#
#	begin KIND
#	start ...	the script's own: a program in the background, $rogue, whose
#			words go to $said
#	finish		waits for it, and for sg to be as before; a line of figures
#
# KINDS, if set, is those to be done; wanted says whether one is. SAMPLES is how
# many posts honest ones make meanwhile at least, and P99 asserts their p99.
# $bad counts what was wrong, $all has the words of all kinds.

# shellcheck source=tests/lib/measure.sh
. "$TOP/tests/lib/measure.sh"

MEMORY_MOST=65536 # KiB
SETTLE=15	  # seconds until the broker is as before
SLACK=12	  # descriptors that honest ones have more or less
p99_most=${P99:-0}

wanted() # KIND
{
	[ -n "${KINDS:-}" ] || return 0
	case " $KINDS " in *" $1 "*) true ;; *) false ;; esac
}

# Honest ones begin, and what they cost is the base.
kinds_begin() # HOME MEMBER
{
	served=$fed/served said=$fed/rogue all=$fed/all
	bad=0 rights=0 kind=-
	: >"$served"
	: >"$all"
	: >"$fed/figures"
	broker_pid=$(fed_pid sg)
	wait_until 10 door_of "$broker_pid" || bail 'no door'
	door_pid=$(door_of "$broker_pid")
	spawn honest "$fed/homes/$1" "$2" "$(fed_port sg)" \
		>>"$served" 2>>"$fed/said"
	honest=$pid
	posts_to_be=20
	wait_until 60 enough ||
		bail "the honest do not get on: $(tail -n 3 "$served")"
	memory_before=$(memory "$broker_pid" "$door_pid")
	fds_before=$(descriptors "$broker_pid" "$door_pid")
}

wrong() # WORDS
{
	bad=$((bad + 1))
	echo "# wrong: $kind: $*"
}

enough()
{
	[ "$(done_by_now post)" -ge "$posts_to_be" ]
}

at_base()
{
	[ "$(descriptors "$broker_pid" "$door_pid")" -le $((fds_before + SLACK)) ]
}

begin() # KIND
{
	kind=$1
	at=$(grep -c . "$served")
	failed_before=$(done_by_now failed)
	posts_to_be=$(($(done_by_now post) + samples))
	: >"$said"
}

finish()
{
	memory_peak=$(memory "$broker_pid" "$door_pid")
	wait "$rogue" || wrong 'it says so'
	wait_until 60 enough || wrong 'the honest do not get on'
	wait_until $SETTLE at_base || wrong 'descriptors stay'
	memory_now=$(memory "$broker_pid" "$door_pid")
	[ "$memory_now" -lt "$memory_peak" ] || memory_peak=$memory_now
	kinds_report
}

kinds_report()
{
	failed=$(($(done_by_now failed) - failed_before))
	more=$((memory_peak - memory_before))
	right=$(grep -c '^right' "$said")
	rights=$((rights + right))
	post=$(percentiles post "$at")
	connect=$(percentiles connect "$at")
	printf '# %-10s right %s post %s connect %s failed %s memory %s fds %s\n' \
		"$kind" "$right" "$post" "$connect" "$failed" "$more" \
		$(($(descriptors "$broker_pid" "$door_pid") - fds_before))
	echo "${post#*/} ${connect#*/} $failed $more" >>"$fed/figures"
	grep -v -E '^(right|taken|played|never|perhaps|part|ready)' "$said" | sed 's/^/# /'
	! grep -q '^wrong' "$said" || wrong 'an answer'
	[ "$right" -gt 0 ] || wrong 'it did nothing'
	[ "$failed" = 0 ] || wrong "$(tail -n "+$((at + 1))" "$served" |
		grep ^failed | sort | uniq -c | head -n 3)"
	cat "$said" >>"$all"
	# What a sanitizer keeps of freed memory is not ours.
	case $MODE in
	debug | tsan) ;;
	*) [ "$more" -lt $MEMORY_MOST ] || wrong 'memory' ;;
	esac
	[ "$p99_most" = 0 ] || awk -v p="${post#*/}" -v c="${connect#*/}" \
		-v most="$p99_most" 'BEGIN { exit !(p < most && c < most) }' ||
		wrong "slower than $p99_most ms"
}

# The worst of all kinds.
kinds_figure() # NAME
{
	figure_name=$1
	# shellcheck disable=SC2046
	set -- $(awk '{ for (i = 1; i <= NF; i++) if ($i + 0 > w[i] + 0) w[i] = $i }
		END { for (i = 1; i <= 4; i++) printf "%s ", w[i] + 0 }' \
		"$fed/figures")
	printf '%s: seed %s, %s right answers; the worst: post p99 %s ms, ' \
		"$figure_name" "$seed" "$rights" "$1"
	printf 'connect p99 %s ms, %s failed, %s KiB; ' "$2" "$3" "$4"
}
