#!/bin/sh
# SPDX-License-Identifier: ISC
#
# drill.sh - a joint exercise of ten nations, and its report counted once more
#
#	SEED=7 SPEED=120 tests/system/drill.sh
#
# Plays docs/examples/drill/lantern.drill, so many times as fast: ten brokers on
# loopback, a player for each nation that answers by a plan that follows from
# the seed, and a control that is killed twice and once held. One player's
# device is off, one has nobody at it, one opens and never answers, one is slow,
# one writes again when it is over. Then every figure of the report is counted
# once more from what the ten brokers have logged, by a program that shares no
# code with it.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/telling.sh
. "$TOP/tests/lib/telling.sh"
PATH=$B/tests/drill:$TOP/tests/drill:$PATH

seed=${SEED:-$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')}
speed=${SPEED:-120}
script=$TOP/docs/examples/drill/lantern.drill
exercise=ocean-lantern-2026
nations='sg my la vn th id ph kh mm bn'
echo "seed $seed, $speed times as fast"

member_of() # NATION
{
	sed -n "s/^\[player \(.*@$1\)\]/\1/p" "$script"
}

step 1 'Ten nations, each with a broker and a player; control is at sg'
fed_begin
fed_authorities aa bb cc
for nation in $nations; do
	fed_broker "$nation"
done
for nation in $nations; do
	fed_member "$(member_of "$nation")" desk
done
fed_member excon@sg control
fed_roster
# shellcheck disable=SC2086
fed_install $nations
# shellcheck disable=SC2086
fed_start $nations
homes=$(for nation in $nations; do echo "$(member_of "$nation" | sed 's/@.*//')-desk"; done)
# shellcheck disable=SC2086
fed_publish excon-control $homes
knows_all() # [HOME]
{
	for nation in $nations; do
		knows "${1:-excon-control}" "$(member_of "$nation")" || return 1
	done
}
in_it() # MEMBER: others can seal to it in the exercise
{
	at excon-play keys show "$1" --json | grep -q "\"exercise\": *\"$exercise\""
}
knows_players()
{
	for nation in $nations; do
		in_it "$(member_of "$nation")" || return 1
	done
}
eventually 60 'control has the keys of all' knows_all
refused()
{
	at excon-control drill run "$script" 2>"$fed/refused"
	[ $? = 2 ] && has "$fed/refused" 'this home is live'
}
verify 'in a live home no exercise is held' refused
for nation in $nations; do
	member=$(member_of "$nation")
	fed_exercise "$member" play "${member%@*}-desk" "$exercise"
done
fed_exercise excon@sg play excon-control "$exercise"
eventually 60 'and those of the exercise, in homes of their own' knows_players
step_done

step 2 'Who will answer what'
mkdir "$fed/play"
must tocsin drill check "$script" --json >"$fed/check.json"
must plan "$seed" "$speed" "$fed/play" <"$fed/check.json"
sed 's/^/   | /' "$fed/play/roles"
players=
for nation in $nations; do
	member=$(member_of "$nation")
	grep -qx "$member dead" "$fed/play/roles" && continue
	spawn player "$fed/homes/${member%@*}-play" "$fed/play/$member.plan" \
		"$fed/play/$member.said" 2>>"$fed/player.err"
	players="$players $pid"
done
step_done

step 3 'The exercise, whose control is killed twice, and held once'
begin_run() # OPTION...
{
	spawn_at excon-play drill run "$script" --json "$@" \
		>>"$fed/run.json" 2>>"$fed/run.err"
	run=$pid
}
told() # COUNT: injects
{
	[ "$(grep -c '"event":"inject"' "$fed/run.json")" -ge "$1" ]
}
enough=$((14400 / speed + 60))
begin_run --speed "$speed"
waits $enough told 3
reap KILL "$run"
begin_run
waits $enough told 7
verify 'another terminal holds it' at excon-play drill pause
held=$(at excon-play drill status --json)
verify 'and sees that' sh -c "echo '$held' | grep -q '\"paused\":true'"
reap KILL "$run"
begin_run
goes_on() # COUNT: it has been taken up so often
{
	[ "$(grep -c '"event":"again"' "$fed/run.json")" -ge "$1" ]
}
waits 60 goes_on 2
before=$(grep -c '"event":"inject"' "$fed/run.json")
verify 'while it is held, who is started again posts nothing' \
	[ "$(grep -c '"event":"inject"' "$fed/run.json")" = "$before" ]
is_alone()
{
	at excon-play drill status --json | grep -q '"running":true' &&
		! at excon-play drill run "$script" >/dev/null 2>"$fed/second" &&
		has "$fed/second" '[busy]'
}
verify 'beside it no other is begun' is_alone
verify 'it goes on' at excon-play drill resume
ended()
{
	has "$fed/run.json" '"event":"end"'
}
eventually $enough 'to its end' ended
wait "$run" || bail "drill run: $(tail -n 3 "$fed/run.err")"
is_once()
{
	[ "$(grep '"event":"inject"' "$fed/run.json" | json id | sort | uniq -d)" = '' ]
}
verify 'no inject was posted twice' is_once
step_done

step 4 'What was written is at its brokers'
late=$(grep -l ' after$' "$fed/play/roles" >/dev/null && sed -n 's/ after$//p' "$fed/play/roles")
late_words() # the last line of that player's plan
{
	[ -z "$late" ] || [ "$(grep -c '^said .* startex$' "$fed/play/$late.said")" -ge \
		"$(grep -c '^startex ' "$fed/play/$late.plan")" ]
}
alive() # no player has failed, which would be seen only as silence
{
	[ ! -s "$fed/player.err" ] || not_so 'no player fails' "$fed/player.err"
}
wait_until 30 late_words
alive
verify 'who writes again when it is over has done so' late_words
for pid in $players; do
	reap TERM "$pid"
done
alive
words=$(cat "$fed"/play/*.said | grep -c '^said')
all_there() # control has each of them
{
	at excon-play drill report "$script" --json >"$fed/report.json" &&
		ledger "$fed/sg/store" | grep -c '^entry ticket' >"$fed/tickets" &&
		[ "$(cat "$fed/tickets")" -ge $((words + 16)) ] && calm
}
calm()
{
	for nation in $nations; do
		tocsind status --json --config "$(conf "$nation")" >"$fed/counts" || return 1
		grep -o '"waiting": *[0-9]*' "$fed/counts" | grep -qv '[: ]0$' && return 1
	done
	return 0
}
eventually 60 "all $words words are at the broker of control" all_there
at excon-play inbox >/dev/null
step_done

step 5 'The report'
verify 'as text' at excon-play drill report "$script" -o "$fed/report.html" \
	--proof "$fed/proof"
sed 's/^/   | /' "$fed/verify.out"
must at excon-play drill report "$script" --json >"$fed/report.json"
for nation in $nations; do
	must ledger "$fed/$nation/store" >"$fed/play/$nation.ledger"
done
recount "$fed/check.json" "$fed/report.json" "$fed/play/roles" "$fed/play" \
	>"$fed/counted" || not_so 'each figure is what the brokers have logged' "$fed/counted"
tell "each figure is what the brokers have logged: $(tail -n 1 "$fed/counted")"
verified()
{
	for folder in "$fed"/proof/*; do
		tocsin verify "$folder" --fingerprint "$(fingerprint "$fed/rosters/1")" ||
			return 1
	done
}
verify 'and what it stands on is good, by the first roster alone' verified
[ -z "${OUT:-}" ] || cp "$fed/report.html" "$fed/report.json" "$fed/run.json" "$OUT"
step_done

echo
echo "ok: seed $seed, $(tail -n 1 "$fed/counted")"
