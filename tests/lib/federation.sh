# SPDX-License-Identifier: ISC
#
# federation.sh - a federation on loopback, for shell scripts
#
# Sourced by the demo, the system tests and the crash test. B is the folder of
# the build, TOP that of the sources; both come from the GNUmakefile.
#
#	fed_begin			a scratch folder, $fed; $at_exit ends all
#	fed_authorities aa bb cc	their keys
#	fed_broker sg			keys, a port, a card
#	fed_member singcert@sg desk1	a home, $fed/homes/singcert-desk1; a card
#	fed_roster			the first roster, signed by two of three
#	fed_install sg my		the newest roster, for brokers
#	fed_start sg; fed_kill sg	by process id
#	fed_trust singcert-desk1	all rosters so far, for a home
#	at singcert-desk1 post ...	the program, in that home
#
# Everything listens on 127.0.0.1 only, or within namespaces (tests/lib/wan.sh). A process is ended by the id that its
# start gave, never by a name. Conditions are waited for, with a deadline, and
# nothing here sleeps for luck.
#
# The TAP part says one sentence for each check:
#
#	ok 'the desk shows it' grep -q "$id" inbox	status 0 of a command
#	is "$got" "$want" 'as many as were posted'
#	done_testing

PATH=$B:$B/tests/bench:$B/tests/tool:$B/tests/fault:$PATH
LC_ALL=C
TZ=UTC
export LC_ALL TZ
unset TOCSIN_HOME NO_COLOR XDG_DATA_HOME

federation=asean.example

# ---- TAP ----

tap_n=0 tap_failed=0

tap() # STATUS SENTENCE
{
	tap_n=$((tap_n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $tap_n - $2"
	else
		echo "not ok $tap_n - $2"
		tap_failed=1
	fi
	return "$1"
}

# What a failed command printed is shown, what a good one printed is not.
ok() # SENTENCE COMMAND...
{
	tap_said=$1
	shift
	if "$@" >"$fed/tap.out" 2>&1; then
		tap 0 "$tap_said"
	else
		tap 1 "$tap_said"
		echo "#   $*" >&2
		tail -n 20 "$fed/tap.out" | sed 's/^/# /' >&2
		return 1
	fi
}

is() # GOT WANT SENTENCE
{
	[ "$1" = "$2" ]
	tap $? "$3" || {
		printf '%s\n' "$1" | sed 's/^/# got  /' >&2
		printf '%s\n' "$2" | sed 's/^/# want /' >&2
		return 1
	}
}

# A command that must fail: status 1, a sentence of the program on stderr, and
# the reason in it.
refuses() # WORDS SENTENCE COMMAND...
{
	tap_words=$1 tap_said=$2
	shift 2
	"$@" >"$fed/refused.out" 2>"$fed/refused.err"
	tap_status=$?
	[ $tap_status = 1 ] &&
		grep -Eq '^tocsind?: ' "$fed/refused.err" &&
		grep -Eqi -- "$tap_words" "$fed/refused.err"
	tap $? "$tap_said" || {
		echo "# status $tap_status, wanted 1 and \"$tap_words\"" >&2
		sed 's/^/# /' "$fed/refused.err" >&2
		return 1
	}
}

# A command that is called wrongly: status 2, and the words.
called_wrongly() # WORDS SENTENCE COMMAND...
{
	tap_words=$1 tap_said=$2
	shift 2
	"$@" >"$fed/refused.out" 2>"$fed/refused.err"
	tap_status=$?
	[ $tap_status = 2 ] && grep -Eqi -- "$tap_words" "$fed/refused.err"
	tap $? "$tap_said" || {
		echo "# status $tap_status, wanted 2 and \"$tap_words\"" >&2
		sed 's/^/# /' "$fed/refused.err" >&2
		return 1
	}
}

skip_all() # REASON
{
	echo "1..0 # SKIP $*"
	exit 0
}

done_testing() # [FIGURE]
{
	echo "1..$tap_n"
	[ -z "${1:-}" ] || echo "# $1"
	exit "$tap_failed"
}

# The words come last, where they are looked for.
bail() # WORDS: nothing after this would mean anything
{
	if [ -d "$fed" ]; then
		for bail_log in "$fed"/*/log; do
			[ -f "$bail_log" ] || continue
			echo "# $bail_log" >&2
			tail -n 15 "$bail_log" | sed 's/^/# /' >&2
		done
	fi
	echo "federation: $*" >&2
	exit 1
}

must() # COMMAND...
{
	"$@" || bail "failed: $*"
}

# ---- waiting ----

# Milliseconds of the machine's uptime: no step of the clock touches them.
now_ms()
{
	read -r now_up now_idle </proc/uptime
	: "$now_idle"
	now_cs=${now_up#*.}
	echo $((${now_up%.*} * 1000 + ${now_cs#0} * 10))
}

# Until a command succeeds, or its time is over; what it prints is dropped.
wait_until() # SECONDS COMMAND...
{
	wait_end=$(($(now_ms) + $1 * 1000))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(now_ms)" -lt "$wait_end" ] || return 1
		sleep 0.05
	done
}

# ---- processes ----

pids=

# A program in the background; $pid is its process. stdout is the caller's.
spawn() # COMMAND...
{
	"$@" &
	pid=$!
	pids="$pids $pid"
}

gone() # PID
{
	! kill -0 "$1" 2>/dev/null
}

# End one process that spawn() gave, and wait until it is no more.
reap() # SIGNAL PID
{
	kill "-$1" "$2" 2>/dev/null
	wait "$2" 2>/dev/null
	reap_left=
	for reap_pid in $pids; do
		[ "$reap_pid" = "$2" ] || reap_left="$reap_left $reap_pid"
	done
	pids=$reap_left
}

reap_all()
{
	for reap_pid in $pids; do
		kill -TERM "$reap_pid" 2>/dev/null
	done
	wait_until 3 all_gone || for reap_pid in $pids; do
		kill -KILL "$reap_pid" 2>/dev/null
	done
	pids=
}

# A zombie counts as gone: it is our child, and waits for wait().
all_gone()
{
	for gone_pid in $pids; do
		grep -q '^State:.*[ZX]' "/proc/$gone_pid/status" 2>/dev/null ||
			gone "$gone_pid" || return 1
	done
}

# ---- the scratch folder ----

fed_begin() # [FOLDER]: a new one, kept then
{
	if [ $# -gt 0 ]; then
		fed=$1
		mkdir -m 0700 "$fed" || exit 1
		at_exit='reap_all; ports_release'
	else
		fed=$(mktemp -d "${TMPDIR:-/tmp}/tocsin.XXXXXX") || exit 1
		at_exit='reap_all; ports_release; rm -rf "$fed"'
	fi
	for folder in homes by cards listed devices rosters; do
		mkdir "$fed/$folder"
	done
	serial=0
	trap 'eval "$at_exit"' EXIT
	trap 'exit 1' HUP INT TERM
}

# ---- ports ----

# Whether nobody listens on it; /proc has ports in hex.
port_free() # PORT [COMMAND...]: one that runs others in their namespace
{
	free_hex=$(printf %04x "$1")
	shift
	! "$@" grep -qi ":$free_hex [0-9a-f]*:[0-9a-f]* 0A" \
		/proc/net/tcp /proc/net/tcp6 2>/dev/null
}

ports=${TMPDIR:-/tmp}/tocsin.ports # a file for each, with whose it is

# Nobody listens on a port yet, or for a moment not, that another test has
# chosen. The file of one that was killed may stay; its port is left alone.
port_reserve() # PORT
{
	mkdir -p "$ports"
	(set -C && echo $$ >"$ports/$1") 2>/dev/null
}

ports_release()
{
	# shellcheck disable=SC2046
	rm -f $(grep -lx "$$" "$ports"/* 2>/dev/null)
	rmdir "$ports" 2>/dev/null
}

# Below the range that the kernel gives to outgoing connections, so that none
# of these sits on it when a broker comes back.
free_port()
{
	while :; do
		port=$(od -An -N2 -tu2 /dev/urandom)
		port=$((15000 + port % 15000))
		port_free $port && port_reserve $port && break
	done
	echo "$port"
}

# ---- authorities, brokers, members ----

fed_authorities() # NAME...
{
	authorities=
	for auth in "$@"; do
		must tocsin authority new "$fed/$auth.key" --name "$auth" \
			--no-passphrase >"$fed/$auth.vkey"
		authorities="$authorities $auth"
	done
}

conf() # BROKER
{
	echo "$fed/$1/tocsind.conf"
}

fed_broker() # NAME [OPTION...]: of the nation of its name
{
	broker=$1
	shift
	eval "port_$broker=\$(free_port)"
	broker_port=$(fed_port "$broker")
	broker_host=$(fed_host "$broker")
	must tocsind init --federation $federation --nation "$broker" \
		--name "$broker" --listen "$broker_host:$broker_port" \
		--url "tcp://$broker_host:$(fed_front "$broker")" --state "$fed/$broker" \
		--config "$(conf "$broker")" "$@" >"$fed/cards/$broker"
}

fed_port() # BROKER
{
	eval "echo \$port_$1"
}

# The port that others are told, if something stands before the broker.
fed_front() # BROKER
{
	eval "echo \${front_$1:-\$port_$1}"
}

# Its address; and what runs a command where it is: nothing, or `nsenter ...`.
fed_host() # BROKER
{
	eval "echo \${host_$1:-127.0.0.1}"
}

fed_by() # BROKER
{
	eval "echo \${by_$1:-}"
}

# TEAM@NATION DEVICE is the home TEAM-DEVICE.
fed_home() # TEAM@NATION DEVICE OPTION...
{
	home=${1%@*}-$2
	home_url=tcp://$(fed_host "${1#*@}"):$(fed_front "${1#*@}")
	home_member=$1 home_device=$2
	fed_by "${1#*@}" >"$fed/by/$home"
	shift 2
	at "$home" init --federation $federation --no-passphrase \
		--member "$home_member" --device "$home_device" \
		--broker "$home_url" "$@" \
		2>"$fed/said" || bail "$(cat "$fed/said")"
}

# A member's first device; its card goes on the next roster.
fed_member() # TEAM@NATION DEVICE [OPTION...]
{
	fed_home "$@" >"$fed/cards/${1%@*}"
}

# A further device; its card is for the first device's `keys publish --card`.
fed_device() # TEAM@NATION DEVICE [OPTION...]
{
	fed_home "$@" --join >"$fed/devices/${1%@*}-$2"
}

# A device of an exercise: announced by the member's home FIRST, with the keys of
# the exercise that this makes, and at work.
fed_exercise() # TEAM@NATION DEVICE FIRST EXERCISE [OPTION...]
{
	play_home=${1%@*}-$2 play_first=$3 play_name=$4 play_member=$1 play_label=$2
	shift 4
	fed_device "$play_member" "$play_label" --exercise "$play_name" "$@"
	fed_trust "$play_home"
	must at "$play_first" keys publish \
		--card "$fed/devices/$play_home" >/dev/null 2>"$fed/said"
	must cp "$fed/homes/$play_first/keys/exercise-$play_name.txt" \
		"$fed/homes/$play_home/keys/recipient.txt"
	must wait_until 20 at "$play_home" keys show "$play_member"
}

at() # HOME ARGUMENT...
{
	at_home=$1
	shift
	# shellcheck disable=SC2046
	TOCSIN_HOME=$fed/homes/$at_home $(cat "$fed/by/$at_home" 2>/dev/null) tocsin "$@"
}

# The same in the background, as spawn() does it.
spawn_at() # HOME ARGUMENT...
{
	at_home=$1
	shift
	# shellcheck disable=SC2046
	TOCSIN_HOME=$fed/homes/$at_home \
		$(cat "$fed/by/$at_home" 2>/dev/null) tocsin "$@" &
	pid=$!
	pids="$pids $pid"
}

# ---- rosters ----

# The next roster: the one before and the cards that came since, signed by the
# first two authorities. Other changes are options.
fed_roster() # [OPTION...]
{
	for auth in $authorities; do
		[ "$serial" != 0 ] ||
			set -- "$@" --authority "$(cat "$fed/$auth.vkey")"
	done
	if [ "$serial" = 0 ]; then
		set -- "$@" --federation $federation --threshold 2
	else
		set -- "$@" --from "$fed/rosters/$serial"
	fi
	for card in "$fed"/cards/*; do
		[ ! -f "$card" ] || set -- "$@" --card "$card"
	done
	serial=$((serial + 1))
	roster=$fed/rosters/$serial
	must tocsin roster new "$@" >"$roster"
	[ ! -f "$card" ] || must mv "$fed"/cards/* "$fed/listed/"
	for auth in aa bb; do
		must tocsin roster sign --key "$fed/$auth.key" "$roster"
	done
}

fingerprint() # ROSTER
{
	tocsin roster show "$1" --json | json fingerprint
}

# All rosters so far, the first by its fingerprint.
fed_install() # BROKER...
{
	for broker in "$@"; do
		must tocsind roster install --config "$(conf "$broker")" \
			"$fed"/rosters/* \
			--fingerprint "$(fingerprint "$fed/rosters/1")" \
			>"$fed/installed" 2>&1
	done
}

fed_trust() # HOME...
{
	for home in "$@"; do
		must at "$home" trust "$fed"/rosters/* \
			--fingerprint "$(fingerprint "$fed/rosters/1")" >/dev/null
	done
}

# ---- brokers at work ----

answers() # BROKER: its port is open
{
	# shellcheck disable=SC2046
	! port_free "$(fed_port "$1")" $(fed_by "$1")
}

fed_start() # BROKER...
{
	for broker in "$@"; do
		# shellcheck disable=SC2046
		spawn $(fed_by "$broker") tocsind run --config "$(conf "$broker")" \
			2>>"$fed/$broker/log"
		eval "pid_$broker=$pid"
	done
	for broker in "$@"; do
		wait_until 20 answers "$broker" ||
			bail "$broker does not start"
	done
}

fed_pid() # BROKER
{
	eval "echo \$pid_$1"
}

fed_kill() # BROKER: as a power cut would
{
	reap KILL "$(fed_pid "$1")"
	# Its door sees that it is gone, and goes.
	# shellcheck disable=SC2046
	wait_until 5 port_free "$(fed_port "$1")" $(fed_by "$1") || bail "the door of $1 stays"
}

fed_stop() # BROKER: as an operator would
{
	reap TERM "$(fed_pid "$1")"
}

# Two nations with a member each, at work: what most tests begin with.
fed_two()
{
	fed_begin
	fed_authorities aa bb cc
	fed_broker sg
	fed_broker my
	fed_member singcert@sg desk1
	fed_member mycert@my night
	fed_roster
	fed_install sg my
	fed_start sg my
	fed_publish singcert-desk1 mycert-night
	wait_until 20 knows singcert-desk1 mycert@my ||
		bail 'the keys of mycert@my do not arrive'
	wait_until 20 knows mycert-night singcert@sg ||
		bail 'the keys of singcert@sg do not arrive'
}

fed_publish() # HOME...
{
	for home in "$@"; do
		fed_trust "$home"
		must at "$home" keys publish >/dev/null
	done
}

knows() # HOME MEMBER
{
	at "$1" keys show "$2"
}

# ---- tickets ----

# A small ticket; prints its id. --tlp and others may be given again.
post() # HOME MEMBER OPTION...
{
	post_home=$1 post_to=$2
	shift 2
	at "$post_home" post --to "$post_to" --json "$@" >"$fed/posted" ||
		return 1
	json id <"$fed/posted"
}

# Whether a desk knows that a member has come so far with a ticket.
stands() # HOME ID MEMBER RUNG
{
	at "$1" status "$2" --json >"$fed/status" &&
		grep -q '"member": *"'"$3"'"[^}]*"rung": *"'"$4"'"' "$fed/status"
}

# Whether a desk lists a ticket; whether it shows a text in one.
listed() # HOME ID
{
	# The broker is told what is here when the desk next asks for more.
	at "$1" show "$2" --no-receipt >"$fed/listed.out" &&
		! has "$fed/listed.out" 'still to come' && at "$1" inbox
}

shows() # HOME ID TEXT
{
	at "$1" inbox >"$fed/shows" &&
		at "$1" show "$2" --no-receipt >"$fed/shows" &&
		has "$fed/shows" "$3"
}

# As stands(), with an expression for the rungs that will do.
stands_at_least() # HOME ID MEMBER RUNGS
{
	at "$1" status "$2" --json >"$fed/status" &&
		grep -Eq '"member": *"'"$3"'"[^}]*"rung": *"('"$4"')"' \
			"$fed/status"
}

has() # FILE TEXT
{
	grep -qF -- "$2" "$1"
}

# How many lines have it.
count() # TEXT FILE
{
	grep -cF -- "$1" "$2"
}

at_least() # COUNT TEXT FILE
{
	[ "$(count "$2" "$3")" -ge "$1" ]
}

# FILE with the lowest bit of one byte turned, the middle one or that at OFFSET.
alter() # FILE OUT [OFFSET]
{
	alter_at=${3:-$(($(wc -c <"$1") / 2))}
	alter_was=$(od -An -tu1 -j "$alter_at" -N 1 "$1" | tr -d ' ')
	{
		head -c "$alter_at" "$1"
		# shellcheck disable=SC2059
		printf "$(printf '\\%03o' $((alter_was ^ 1)))"
		tail -c +$((alter_at + 2)) "$1"
	} >"$2"
}

# What a running broker counts, or is.
counter() # BROKER NAME
{
	tocsind status --json --config "$(conf "$1")" | json "$2"
}

# Whether a broker believes this roster.
knows_roster() # BROKER SERIAL
{
	[ "$(counter "$1" roster)" = "$2" ]
}

# ---- JSON ----

# A member of each line's object, the first of its name, as it stands there: a
# string without its quotes, a number. For ids, names and numbers; not for texts,
# whose escapes stay.
json() # NAME
{
	sed -n 's/"'"$1"'": */\
/
		s/.*\n"\([^"]*\)".*/\1/p
		s/.*\n\([0-9a-z.-]*\).*/\1/p'
}
