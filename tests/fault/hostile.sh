#!/bin/sh
# SPDX-License-Identifier: ISC
#
# hostile.sh - a member with valid keys that keeps to no rule: make hostile N=100000
#
# One kind of misbehaviour after another (rogue.c) at a broker that serves honest
# ones meanwhile: they post, come anew, read, and relay to another nation. N is
# how many requests the floods make; there are N/20 links and N/100 parks. For
# each kind, one line:
#
#	right		answers that were the ones that PROTOCOL.md says
#	post, connect	honest ones' time until the broker's answer, p50/p99 ms
#	failed		of them, how many
#	memory		anonymous memory more than before, broker + door, KiB
#	fds		their descriptors more than before, once it is gone
#
# At the end: all that the broker took from the rogue was read abroad, once;
# nothing that it refused was, anywhere; and nothing at all came to a desk that
# it was not to. P99 asserts the honest ones' p99, for a quiet machine (ms).
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/random.sh
. "$TOP/tests/lib/random.sh"
# shellcheck source=tests/lib/kinds.sh
. "$TOP/tests/lib/kinds.sh"

each=${N:-100000}
samples=${SAMPLES:-$((each / 1000))} # honest posts that a kind lasts at least
seed_begin hostile

fed_begin
fed_authorities aa bb cc
fed_broker sg
fed_broker my
fed_member singcert@sg desk1
fed_member othercert@sg desk1
fed_member roguecert@sg desk1
fed_member mycert@my night
fed_roster
fed_install sg my
printf '[accept]\nrefuse-labels = personal-data\n' >>"$(conf my)"
fed_start sg my
fed_publish singcert-desk1 othercert-desk1 roguecert-desk1 mycert-night

# Further devices of the rogue: one whose key was taken off, one whose key will
# be, one that reads only, and one that spoils its own chain.
fed_device roguecert@sg off
fed_device roguecert@sg late
fed_device roguecert@sg last
fed_device roguecert@sg screen --role reader
set --
for device in off late last screen; do
	set -- "$@" --card "$fed/devices/roguecert-$device"
	cp "$fed/homes/roguecert-desk1/keys/recipient.txt" \
		"$fed/homes/roguecert-$device/keys/"
done
must at roguecert-desk1 keys publish "$@" >/dev/null
fed_exercise roguecert@sg play roguecert-desk1 Acid.2026
fed_exercise mycert@my play mycert-night Acid.2026
vkey_of() # DEVICE
{
	sed -n 's/^device [^ ]* [^ ]* \([^ ]*\) .*/\1/p' \
		"$fed/devices/roguecert-$1"
}
for home in singcert-desk1 othercert-desk1 roguecert-desk1 roguecert-off \
	roguecert-late roguecert-last roguecert-screen; do
	fed_trust "$home"
	wait_until 20 at "$home" inbox
	wait_until 20 knows "$home" mycert@my || bail "$home: no keys of mycert@my"
done
for member in singcert@sg othercert@sg roguecert@sg; do
	wait_until 20 knows mycert-night $member || bail "no keys of $member"
done
fed_roster --revoke "$(vkey_of off)" --reason stolen
must tocsind roster install --config "$(conf sg)" "$roster" >/dev/null
wait_until 20 knows_roster my 2 || bail 'the roster does not arrive'

knows_play()
{
	at "$1" keys show mycert@my | grep -q 'EXERCISE Acid.2026'
}
wait_until 20 knows_play roguecert-play || bail 'no keys of the exercise'
wait_until 20 knows_play roguecert-desk1 || bail 'nor for the live one'

# In the background; $rogue is its process, what it reads comes from $hints.
start() # HOME [COUNT]
{
	rogue "$fed/homes/$1" "$(fed_port sg)" mycert@my "$kind" "${2:-1}" \
		>>"$said" 2>&1 <"$hints" &
	rogue=$!
	pids="$pids $rogue"
}

try() # KIND HOME [COUNT]
{
	wanted "$1" || return 0
	hints=${hints:-/dev/null}
	begin "$1"
	start "$2" "${3:-1}"
	finish
	hints=/dev/null
}

# ---- the run ----

spawn drain "$fed/homes/mycert-night" drain "$fed/abroad" 2>>"$fed/said"
spawn drain "$fed/homes/othercert-desk1" drain "$fed/beside" 2>>"$fed/said"
kinds_begin singcert-desk1 mycert@my

# Both sides of one member, each against the other; the first once more.
if wanted sides; then
	spawn drain "$fed/homes/mycert-play" drain "$fed/played" 2>>"$fed/said"
	try sides roguecert-desk1
	sed -n 's/^taken //p' "$said" >"$fed/hints"
	hints=$fed/hints
	try sides roguecert-play
	sed -n 's/^played //p' "$said" >"$fed/hints.play"
	hints=$fed/hints.play
	try sides roguecert-desk1
	at_least 4 'reason=exercise-mismatch' "$fed/sg/log" ||
		wrong 'what crossed is not in the log'
	[ "$(counter sg exercise_refused)" -ge 2 ] ||
		wrong 'nor counted'
	hints=/dev/null
fi

for kind in oversize forged signature replay fork times recipients label \
	announce parts expired; do
	try $kind roguecert-desk1
done
# It learns what it announced itself.
at roguecert-desk1 inbox >/dev/null 2>&1
try role roguecert-screen
try off roguecert-off

# Ids that it was never told.
awk '$1 == "post" { print $3 }' "$served" | head -n 5 >"$fed/hints"
hints=$fed/hints
try cursors roguecert-desk1

# Somebody else's part, of which half is here.
if wanted spoil; then
	mkfifo "$fed/go"
	rogue "$fed/homes/othercert-desk1" "$(fed_port sg)" mycert@my half 1 \
		>"$fed/half" 2>&1 <"$fed/go" &
	half=$!
	pids="$pids $half"
	exec 7>"$fed/go"
	wait_until 20 grep -q '^part' "$fed/half" ||
		bail "no half of a part: $(cat "$fed/half")"
	sed -n 's/^part //p' "$fed/half" >"$fed/hints"
	hints=$fed/hints
	try spoil roguecert-desk1
	echo go >&7
	exec 7>&-
	wait "$half" || { kind=half && wrong "$(cat "$fed/half")"; }
	grep ^taken "$fed/half" >>"$all"
fi

try requests roguecert-desk1 "$each"
try sessions roguecert-desk1 $((each / 20))

# Parks that nobody waits for.
if wanted parks; then
	mkfifo "$fed/stay"
	begin parks
	hints=$fed/stay
	start roguecert-desk1 $((each / 100))
	exec 8>"$fed/stay"
	wait_until 60 grep -q '^ready' "$said" || wrong 'it stands still'
	wait_until 60 enough || wrong 'the honest do not get on'
	exec 8>&-
	finish
	hints=/dev/null
fi

# Its key is taken off while it posts.
if wanted revoked; then
	begin revoked
	start roguecert-late
	wait_until 20 grep -q '^ready' "$said" || wrong 'it stands still'
	fed_roster --revoke "$(vkey_of late)" --reason stolen
	must tocsind roster install --config "$(conf sg)" "$roster" >/dev/null
	finish
fi
try sequence roguecert-last
reap TERM "$honest"

# ---- who has it ----

ids_of() # FILE
{
	cut -d ' ' -f 2 "$1" | sort
}

sed -n 's/^never //p' "$all" | sort -u >"$fed/never"
sed -n 's/^taken //p' "$all" | sort -u | comm -23 - "$fed/never" >"$fed/taken"
awk '$1 == "post" { print $3 }' "$served" | sort -u >"$fed/promised"
all_read()
{
	at singcert-desk1 inbox >/dev/null
	ids_of "$fed/abroad" >"$fed/read.ids"
	[ -z "$(sort "$fed/promised" "$fed/taken" | comm -23 - "$fed/read.ids")" ]
}
kind=end
wait_until 60 all_read
lost=$(sort "$fed/promised" "$fed/taken" | comm -23 - "$fed/read.ids" | grep -c .)
twice=$(uniq -d "$fed/read.ids" | grep -c .)
sed -n 's/^\(taken\|played\|never\|perhaps\) //p' "$all" | sort -u >"$fed/its"
leaked=$(comm -12 "$fed/never" "$fed/read.ids" | grep -c .)
grep ^taken "$fed/half" 2>/dev/null | cut -d ' ' -f 2 | sort >"$fed/others"
sed -n 's/^played //p' "$all" | sort -u >"$fed/play"
touch "$fed/played"
all_played()
{
	[ -z "$(ids_of "$fed/played" | comm -23 "$fed/play" -)" ]
}
wait_until 60 all_played || lost=$((lost + 1))
leaked=$((leaked + $({
	comm -12 "$fed/play" "$fed/read.ids"
	ids_of "$fed/played" | comm -13 "$fed/play" -
} | grep -c .)))
beside=$(ids_of "$fed/beside" | comm -12 - "$fed/its" |
	comm -23 - "$fed/others" | grep -c .)

kinds_figure hostile
printf '%s honest posts and %s of its own: %s lost, %s read twice, ' \
	"$(grep -c . "$fed/promised")" "$(grep -c . "$fed/taken")" "$lost" "$twice"
printf '%s of %s refused ones leaked, %s came to a desk beside\n' \
	"$leaked" "$(grep -c . "$fed/never")" "$beside"
[ "$bad$lost$twice$leaked$beside" = 00000 ] && [ -s "$fed/promised" ]
