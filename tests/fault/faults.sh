#!/bin/sh
# SPDX-License-Identifier: ISC
#
# faults.sh - the n-th call of each kind fails: make faults
#
# A preloaded shim (shim.c) lets one call in a process fail: a write, a sync, an
# open, an allocation. For each kind, each way to fail and n = 1, 2, ... until n
# calls are no more made,
#
#	a command	runs once: post, inbox, show, status, ack, keys publish
#	a broker	starts, takes or receives COUNT tickets, ends on SIGTERM,
#			and is started again if the fault made it end
#
# A fault may be met with a sentence and status 1, never with a signal, a
# sanitizer's report or a stall. In the end every ticket that a command said is
# queued, or a broker acknowledged, was read once and the stores are clean.
# With N, as many runs, each drawn by the seed, instead of all; FROM begins with
# another n than 1. ONLY=client or broker leaves out the other, BROKERS=sg or my
# one of the two brokers: sg sends, my receives.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/random.sh
. "$TOP/tests/lib/random.sh"

runs=${N:-0}
COUNT=${COUNT:-20}
CALM=20 # seconds in which a command ends, fault or not
# What a broker lost for want of memory, a client asks for again when its call's
# deadline is over.
PATIENCE=${PATIENCE:-90}
seed_begin faults

# What fails, how, and how many calls of it are worth a look.
client_kinds=${CLIENT_KINDS:-}
[ -n "$client_kinds" ] || client_kinds='write:ENOSPC:200 write:EIO:200 write:short:200 sync:EIO:60
open:EMFILE:200 open:EACCES:200 size:ENOSPC:40 rename:EIO:20 read:EIO:200
mmap:ENOMEM:100 send:ECONNRESET:60 socket:EMFILE:60 thread:EAGAIN:20
alloc:ENOMEM:2000'
broker_kinds=${BROKER_KINDS:-}
[ -n "$broker_kinds" ] || broker_kinds='write:ENOSPC:200 write:EIO:200 write:short:200 write:EINTR:60
sync:EIO:60 open:EMFILE:60 size:ENOSPC:40 mmap:ENOMEM:60 send:ECONNRESET:60
socket:EMFILE:60 thread:EAGAIN:40 alloc:ENOMEM:300'
case $MODE in
debug | tsan) # the sanitizer's allocator is not ours to fail
	client_kinds=${client_kinds%alloc*}
	broker_kinds=${broker_kinds%alloc*}
	;;
esac

fed_two
desk=$fed/homes/singcert-desk1 night=$fed/homes/mycert-night
acked=$fed/acked hit=$fed/hit journal=$fed/journal
done_runs=0 hits=0 bad=0 stuck=0
: >"$acked"
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0
export ASAN_OPTIONS

wrong() # WORDS: one run that went wrong
{
	bad=$((bad + 1))
	echo "# wrong: $subject, $call $n $how: $*"
	tail -n 5 "$fed/err" | sed 's/^/#   /'
}

reported() # FILE
{
	grep -qE 'Sanitizer|runtime error:' "$1"
}

# ---- commands ----

command_of() # NAME
{
	case $1 in
	post) set -- post --to mycert@my --tlp GREEN --subject Fault --json ;;
	show) set -- show "$known" ;;
	status) set -- status "$known" ;;
	ack) set -- ack "$known" --accept ;;
	keys) set -- keys publish ;;
	inbox) set -- inbox ;;
	esac
	# env is not yet under the shim, and becomes the command.
	TOCSIN_HOME=$subject_home timeout $CALM env FAULT_CALL="$call" \
		FAULT_HOW="$how" FAULT_N=$n FAULT_LOG="$hit" \
		LD_PRELOAD="$B/tests/fault/shim.so" \
		tocsin "$@" --wait 2 >"$fed/out" 2>"$fed/err"
}

try_client()
{
	: >"$hit"
	command_of "$subject"
	status=$?
	done_runs=$((done_runs + 1))
	if [ $status -gt 1 ] || reported "$fed/err"; then
		wrong "status $status"
	elif [ $status = 1 ] && ! grep -q '^tocsin: ' "$fed/err"; then
		wrong 'failed without a sentence'
	elif [ $status = 0 ] && [ "$subject" = post ]; then
		json id <"$fed/out" >>"$acked"
		echo "# $call $n $how $(json id <"$fed/out")" >>"$fed/which"
	fi
	[ -s "$hit" ] && hits=$((hits + 1))
}

# ---- brokers ----

# What shows that a broker works: the sender's acknowledgements, the reader's
# lines.
progress()
{
	if [ "$subject" = sg ]; then
		grep -c . "$acked"
	else
		grep -c . "$journal"
	fi
}

worked()
{
	[ "$(progress)" -ge "$enough" ]
}

ended()
{
	grep -q '^State:.*[ZX]' "/proc/$(fed_pid "$subject")/status" \
		2>/dev/null || gone "$(fed_pid "$subject")"
}

# One that is ended before it is ready dies of the signal, and tells nothing.
ready()
{
	has "$fed/err" event=ready || answers "$subject"
}

worked_or_ended()
{
	{ worked && ready; } || ended
}

# What the one before had still under way has been written down: it would be
# taken for this one's work, which were then ended before it has begun, and its
# calls for all that there are.
settled()
{
	settled_was=$(progress)
	sleep 0.2
	[ "$(progress)" = "$settled_was" ]
}

start_faulty()
{
	FAULT_CALL=$call FAULT_HOW=$how FAULT_N=$n FAULT_LOG=$hit \
		LD_PRELOAD=$B/tests/fault/shim.so \
		tocsind run --config "$(conf "$subject")" 2>"$fed/err" &
	pid=$!
	pids="$pids $pid"
	eval "pid_$subject=$pid"
}

try_broker()
{
	: >"$hit"
	wait_until $PATIENCE settled || bail 'what was sent goes on coming'
	enough=$(($(progress) + COUNT))
	start_faulty
	if ! wait_until $PATIENCE worked_or_ended; then
		wrong 'it stands still'
		kill -KILL "$(fed_pid "$subject")"
	elif ! ended; then
		kill -TERM "$(fed_pid "$subject")"
	fi
	fed_wait
	# nng 1.5 can stick; then the broker ends on purpose, to be restarted.
	# And it ends by itself when a write to its own eventfd fails.
	if [ "$status" = 134 ] && grep -Eq 'event=transport-stuck|libnng\.so' \
		"$fed/err"; then
		stuck=$((stuck + 1))
	elif [ "$status" -gt 1 ]; then
		wrong "status $status"
	fi
	reported "$fed/err" && wrong 'a report'
	done_runs=$((done_runs + 1))
	[ -s "$hit" ] && hits=$((hits + 1))
	worked && return
	fed_start "$subject"
	wait_until $PATIENCE worked || wrong 'it does not work without the fault'
	fed_stop "$subject"
}

# The broker's own status, which reap() does not tell.
fed_wait()
{
	wait "$(fed_pid "$subject")"
	status=$?
	reap KILL "$(fed_pid "$subject")"
	wait_until 5 port_free "$(fed_port "$subject")" ||
		bail "the door of $subject stays"
}

# ---- which runs ----

split() # CALL:HOW:MOST
{
	call=${1%%:*} how=${1#*:} most=${1##*:}
	how=${how%:*}
}

# Until a run in which the fault was not reached.
all_of() # TRY KIND...
{
	all_try=$1
	shift
	for kind in "$@"; do
		split "$kind"
		n=${FROM:-1}
		while [ $n -le "$most" ]; do
			$all_try
			[ -s "$hit" ] || break
			n=$((n + 1))
		done
		echo "# $subject: $kind to $n"
	done
}

some_of() # COUNT TRY KIND...
{
	some_left=$1 some_try=$2
	shift 2
	while [ "$some_left" -gt 0 ]; do
		some_left=$((some_left - 1))
		draw $#
		# shellcheck disable=SC2086
		eval "split \${$((draw + 1))}"
		# What comes early is met by every run.
		draw "$most"
		n=$((draw + 1))
		draw 2
		[ "$draw" = 0 ] || n=$(((n + 9) / 10))
		$some_try
	done
}

each_client()
{
	for subject in post inbox show status ack keys; do
		subject_home=$desk
		[ $subject != ack ] || subject_home=$night
		# shellcheck disable=SC2086
		if [ "$runs" = 0 ]; then
			all_of try_client $client_kinds
		else
			some_of $((runs / 7 + 1)) try_client $client_kinds
		fi
	done
}

each_broker()
{
	for subject in ${BROKERS:-sg my}; do
		fed_stop $subject
		# shellcheck disable=SC2086
		if [ "$runs" = 0 ]; then
			all_of try_broker $broker_kinds
		else
			some_of $((runs / 14 + 1)) try_broker $broker_kinds
		fi
		fed_start $subject
	done
}

spawn drain "$night" drain "$journal" 2>>"$fed/said"
known=$(post singcert-desk1 mycert@my --tlp GREEN --subject 'Known') ||
	bail 'no post'
echo "$known" >>"$acked"
wait_until 20 listed mycert-night "$known" || bail 'no ticket'
began=$(now_ms)
[ "${ONLY:-client}" != client ] || each_client
if [ "${ONLY:-broker}" = broker ]; then
	# A reader that syncs each line keeps up with it.
	spawn storm -p 10 "$desk" mycert@my >>"$acked" 2>>"$fed/said"
	storm=$pid
	each_broker
	gone "$storm" && bail "the sender gave up: $(cat "$fed/said")"
	reap TERM "$storm"
fi
took=$(($(now_ms) - began))

sort -u "$acked" >"$fed/promised"
all_read()
{
	at singcert-desk1 inbox >/dev/null
	cut -d ' ' -f 2 "$journal" | sort >"$fed/read.ids"
	[ -z "$(comm -23 "$fed/promised" "$fed/read.ids")" ]
}
# The sender is faster than a reader that syncs each line.
reads_on()
{
	reads_was=$(grep -c . "$journal")
	wait_until 60 all_read || [ "$(grep -c . "$journal")" -gt "$reads_was" ]
}
while reads_on && ! all_read; do
	:
done
all_read || {
	comm -23 "$fed/promised" "$fed/read.ids" | head -n 20 | while read -r id; do
		echo "# not read: $id"
		grep -sF "$id" "$fed/which"
		at singcert-desk1 status "$id" 2>&1
		at mycert-night show "$id" --no-receipt 2>&1
		grep ' -$' "$journal"
	done
}
lost=$(comm -23 "$fed/promised" "$fed/read.ids" | grep -c .)
twice=$(grep -v '^-$' "$fed/read.ids" | uniq -d | grep -c .)
for broker in sg my; do
	tocsind verify --config "$(conf $broker)" >"$fed/err" 2>&1 || {
		echo "# $broker: $(cat "$fed/err")"
		bad=$((bad + 1))
	}
done

[ $stuck = 0 ] || echo "# $stuck times the transport stuck or gave up, and the broker ended"
printf 'faults: seed %s, %s runs in %s s, %s faults met, %s went wrong, ' \
	"$seed" "$done_runs" $((took / 1000)) "$hits" "$bad"
printf '%s tickets promised, %s lost, %s read twice\n' \
	"$(grep -c . "$fed/promised")" "$lost" "$twice"
[ "$bad" = 0 ] && [ "$lost" = 0 ] && [ "$twice" = 0 ]
