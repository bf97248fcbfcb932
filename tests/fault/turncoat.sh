#!/bin/sh
# SPDX-License-Identifier: ISC
#
# turncoat.sh - a nation's broker that keeps to no rule: make turncoat N=50000
#
# As hostile.sh, but who has valid keys is a broker on the roster, which is one
# peer of a broker that has another, honest one, and members to serve. First it
# sends (turncoat.c), then it takes (taker.c). N is how many frames it floods
# with; there are N/20 links, and up to 100 tickets to fill a disk with; and each
# kind of taking goes on for N ms, 2000 to 10000. The lines and the figure are as
# there; besides:
#
#	kept		KiB that the broker keeps of it, of how many it may
#	lines		that a kind of taking has caused in the broker's log
#
# At the end: what of it was taken was read, once, by the one that it was to;
# nothing else was, anywhere; the honest peer was never cut off; and the store
# has no fault. And when the nation runs an honest broker again, it gets all that
# was meant for it, once, whatever was said of it before.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/random.sh
. "$TOP/tests/lib/random.sh"
# shellcheck source=tests/lib/kinds.sh
. "$TOP/tests/lib/kinds.sh"

each=${N:-50000}
samples=${SAMPLES:-$((each / 500))}
QUOTA=409600
seed_begin turncoat

fed_begin
fed_authorities aa bb cc
fed_broker sg
fed_broker my
fed_broker zz --url - # it fetches
fed_member singcert@sg desk1
fed_member othercert@sg desk1
fed_member mycert@my night
fed_member zzcert@zz desk1
fed_roster
fed_install sg my zz
printf '[peer zz]\nquota = %s\n' "$QUOTA" >>"$(conf sg)"
fed_start sg my zz
fed_publish singcert-desk1 othercert-desk1 mycert-night zzcert-desk1
fed_exercise othercert@sg play othercert-desk1 Acid.2026
fed_exercise zzcert@zz play zzcert-desk1 Acid.2026
plays()
{
	at "$1" keys show "$2" | grep -q 'EXERCISE Acid.2026'
}
all_know()
{
	knows zzcert-desk1 othercert@sg && knows othercert-desk1 zzcert@zz &&
		knows singcert-desk1 mycert@my && knows mycert-night singcert@sg &&
		plays zzcert-play othercert@sg && plays othercert-play zzcert@zz &&
		plays zzcert-desk1 othercert@sg
}
wait_until 60 all_know || bail 'they do not know one another'
# From here on its keys are used by something else.
fed_stop zz
wait_until 10 port_free "$(fed_port zz)" || bail 'the door of zz stays'

start() # COUNT
{
	turncoat "$fed/homes/${as:-zzcert-desk1}" "$fed/zz/keys" "$(fed_port sg)" \
		othercert@sg "$kind" "$1" >>"$said" 2>&1 <"$fed/hints" &
	rogue=$!
	pids="$pids $rogue"
}

try() # KIND [COUNT]
{
	wanted "$1" || return 0
	begin "$1"
	start "${2:-1}"
	finish
}

# Of what is between others: it must see neither id nor hash.
head -c 50000 /dev/urandom >"$fed/image"
secret=$(post singcert-desk1 mycert@my --tlp RED --subject 'Not for zz' \
	--attach "$fed/image")
wait_until 20 listed mycert-night "$secret" || bail 'it does not arrive'
grep -aohE 'part [0-9]+ [A-Za-z0-9+/]{43}=' "$fed"/my/store/*.mdb |
	cut -d ' ' -f 3 | sort -u >"$fed/parts"
[ -s "$fed/parts" ] || bail 'no part in the store'

spawn drain "$fed/homes/mycert-night" drain "$fed/abroad" 2>>"$fed/said"
spawn drain "$fed/homes/othercert-desk1" drain "$fed/beside" 2>>"$fed/said"
kinds_begin singcert-desk1 mycert@my
awk '$1 == "post" { print $3 }' "$served" | head -n 5 >"$fed/hints"
cat "$fed/parts" >>"$fed/hints"
downs=$(count 'event=relay-down peer=my' "$fed/sg/log")

# Both sides of one member, each against the other.
kept_of() # KEY
{
	tocsind status --json --config "$(conf sg)" | sed 's/},{/}\n{/g' |
		grep "$1" | head -n 1 | json kept_bytes
}
if wanted sides; then
	spawn drain "$fed/homes/othercert-play" drain "$fed/played" \
		2>>"$fed/said"
	cp "$fed/hints" "$fed/hints.all"
	live=$(post othercert-desk1 zzcert@zz --tlp AMBER --subject 'Live, to zz')
	play=$(post othercert-play zzcert@zz --tlp AMBER --subject 'Played, to zz')
	printf '%s\n' "$live" "$play" >"$fed/hints"
	try sides
	wait_until 20 stands othercert-desk1 "$live" zzcert@zz relayed ||
		wrong 'a receipt for what is live did not come'
	! stands othercert-play "$play" zzcert@zz relayed ||
		wrong 'a receipt of both sides counts'
	sed -n 's/^taken //p' "$said" >>"$fed/hints"
	kept=$(kept_of '"peer":"zz"')
	as=zzcert-play
	try sides
	# Of its receipts the notes are; its tickets are not.
	[ "$(kept_of '"peer":"zz"')" -lt $((kept + 1000)) ] ||
		wrong 'an exercise is counted as live'
	wait_until 20 stands othercert-play "$play" zzcert@zz relayed ||
		wrong 'a receipt of the exercise did not come'
	sed -n 's/^played //p' "$said" >"$fed/hints.play"
	printf '%s\n' "$live" "$play" | cat - "$fed/hints.play" >"$fed/hints"
	as=
	try sides
	at_least 10 'reason=exercise-mismatch' "$fed/sg/log" ||
		wrong 'what crossed is not in the log'
	mv "$fed/hints.all" "$fed/hints"
fi

for kind in reorder repeat omit alter absurd begin snoop; do
	try $kind
done
try flood "$each"
try relink "$each"
try invent
try fill $((each < 5000 ? 80 : 100))

# ---- it takes ----

zz_lines()
{
	grep -c 'peer=zz' "$fed/sg/log"
}

# Some to zz, and to another as well, in each lane.
: >"$fed/owed"
feed()
{
	for lane in flash immediate priority routine; do
		post othercert-desk1 zzcert@zz --to mycert@my --tlp GREEN \
			--precedence $lane --subject "For zz, $kind" \
			>>"$fed/owed"
	done
	post othercert-desk1 zzcert@zz --tlp AMBER --subject "Image, $kind" \
		--attach "$fed/image" >>"$fed/owed"
}

takes() # KIND [ALARM]
{
	wanted "$1" || return 0
	begin "$1"
	lines=$(zz_lines)
	alarms=$(count "event=${2:-none} peer=zz" "$fed/sg/log")
	taker "$fed/homes/zzcert-desk1" "$fed/zz/keys" "$(fed_port sg)" \
		othercert@sg "$fed/stands" "$kind" "$span" >>"$said" 2>&1 \
		<"$fed/hints" &
	rogue=$!
	pids="$pids $rogue"
	feed
	finish
	lines=$(($(zz_lines) - lines))
	most_lines=$((lines > most_lines ? lines : most_lines))
	[ "$lines" -le 100 ] || wrong "$lines lines in the log"
	[ $# -lt 2 ] || at_least $((alarms + 1)) "event=$2 peer=zz" "$fed/sg/log" ||
		wrong "no alarm: $2"
}

span=$((each < 2000 ? 2000 : each > 10000 ? 10000 : each))
most_lines=0
takes take
takes mute
takes missing
takes tally relay-differs
takes lacking relay-differs
takes accept
takes junk
takes refuse
takes pulls
# What is said at each opening is in the log 60 times in ten minutes at most.
long=$span
span=$((span > 3000 ? 3000 : span))
takes unsent relay-cursor-ahead
span=$long
takes behind relay-cursor-behind
span=$((span > 3000 ? 3000 : span))
takes ahead relay-cursor-ahead
takes beyond relay-cursor-ahead

kind=end
kept=$(tocsind status --json --config "$(conf sg)" |
	sed 's/},{/}\n{/g' | grep '"peer":"zz"' | json kept_bytes)
reap TERM "$honest"

ids_of() # FILE
{
	cut -d ' ' -f 2 "$1" | sort
}

sed -n 's/^never //p' "$all" | sort -u >"$fed/never"
sed -n 's/^taken //p' "$all" | sort -u >"$fed/taken"
awk '$1 == "post" { print $3 }' "$served" | sort -u >"$fed/promised"
all_read()
{
	at singcert-desk1 inbox >/dev/null
	ids_of "$fed/beside" >"$fed/beside.ids"
	ids_of "$fed/abroad" >"$fed/abroad.ids"
	[ -z "$(comm -23 "$fed/taken" "$fed/beside.ids")" ] &&
		[ -z "$(comm -23 "$fed/promised" "$fed/abroad.ids")" ]
}
wait_until 60 all_read

# An honest broker in its place.
fed_start zz
spawn drain "$fed/homes/zzcert-desk1" drain "$fed/there" 2>>"$fed/said"
all_there()
{
	sort -u "$fed/owed" >"$fed/owed.ids"
	ids_of "$fed/there" >"$fed/there.ids"
	[ -z "$(comm -23 "$fed/owed.ids" "$fed/there.ids")" ]
}
wait_until 120 all_there
lost=$({
	comm -23 "$fed/owed.ids" "$fed/there.ids"
	comm -23 "$fed/taken" "$fed/beside.ids"
	comm -23 "$fed/promised" "$fed/abroad.ids"
} | grep -c .)
twice=$(for file in beside abroad there; do
	uniq -d "$fed/$file.ids"
done | grep -c .)
sed -n 's/^played //p' "$all" | sort -u >"$fed/play"
touch "$fed/played"
ids_of "$fed/played" >"$fed/played.ids"
lost=$((lost + $(comm -23 "$fed/play" "$fed/played.ids" | grep -c .)))
leaked=$({
	comm -12 "$fed/play" "$fed/beside.ids"
	comm -23 "$fed/played.ids" "$fed/play"
	comm -12 "$fed/never" "$fed/beside.ids"
	sort "$fed/never" "$fed/taken" | comm -12 - "$fed/abroad.ids"
} | grep -c .)
[ "$kept" -le $QUOTA ] || wrong "keeps $kept of $QUOTA"
[ "$(count 'event=relay-down peer=my' "$fed/sg/log")" = "$downs" ] ||
	wrong 'the honest peer was cut off'
tocsind verify --config "$(conf sg)" >"$fed/said" 2>&1 ||
	wrong "$(cat "$fed/said")"

kinds_figure turncoat
printf 'kept %s of %s KiB, %s lines logged at most; ' $((kept / 1024)) \
	$((QUOTA / 1024)) "$most_lines"
printf '%s honest posts, %s to it and %s of its own: %s lost, ' \
	"$(grep -c . "$fed/promised")" "$(grep -c . "$fed/owed")" \
	"$(grep -c . "$fed/taken")" "$lost"
printf '%s read twice, %s of %s refused ones leaked\n' \
	"$twice" "$leaked" "$(grep -c . "$fed/never")"
[ "$bad$lost$twice$leaked" = 0000 ] && [ -s "$fed/promised" ]
