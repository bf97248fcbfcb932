#!/bin/sh
# SPDX-License-Identifier: ISC
#
# bots.sh - a bot is killed between what it decides, does and records:
# make bots N=1000
#
# Tickets that nobody answers, each with a reminder and a program due in a second
# or two. N times a bot is started and gets SIGKILL: at a moment of its own, the
# so-manieth of its writes to the disk and starts of programs (killer.so), or
# after some time. Of 50 and more every fourth time it is a second bot of the
# team, in another home. In the end one goes on alone. Then every reminder must
# be in its ticket once, every program must have run to its end and be recorded
# once, and each call of a program must have the id of the first and a higher
# attempt than the one before. SEED repeats the choice of moments, not the
# machine's pace.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/random.sh
. "$TOP/tests/lib/random.sh"

kills=${N:-100}
seed_begin bots
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0
export ASAN_OPTIONS

fed_two
them=singcert-desk1 us=mycert-night
for bot in bot1 bot2; do
	fed_device mycert@my $bot --role bot
	must at $us keys publish --card "$fed/devices/mycert-$bot" >/dev/null
	cp "$fed/homes/$us/keys/recipient.txt" "$fed/homes/mycert-$bot/keys/"
	fed_trust mycert-$bot
	wait_until 30 knows mycert-$bot singcert@sg || bail 'no keys'
done
cat >"$fed/hook" <<EOF
#!/bin/sh
cat >/dev/null
echo "\$TOCSIN_ACTION \$TOCSIN_HOME \$TOCSIN_ATTEMPT \$TOCSIN_THREAD begin" >>'$fed/calls'
sleep 0.0\$((\$\$ % 10))
echo "\$TOCSIN_ACTION \$TOCSIN_HOME \$TOCSIN_ATTEMPT \$TOCSIN_THREAD end" >>'$fed/calls'
EOF
chmod +x "$fed/hook"
: >"$fed/calls"
cat >"$fed/bots.rules" <<EOF
claim 20s
[hook pager]
run $fed/hook
time-out 20s
[rule no-answer]
when mine
for each recipient
after 1s: remind
after 1s: notify pager
until answered
late each
EOF
must at mycert-bot1 bot --check "$fed/bots.rules" >/dev/null

asked=0
ask()
{
	post $us singcert@sg --tlp GREEN --subject "Ticket $asked" --wait 1 \
		>>"$fed/asked" 2>/dev/null || bail 'no ticket'
	asked=$((asked + 1))
}

# A bot, which is killed at the moment of that number; 0: not by itself.
start() # DEVICE MOMENT
{
	TOCSIN_HOME=$fed/homes/mycert-$1 KILL_AT=$2 \
		LD_PRELOAD=$B/tests/fault/killer.so \
		tocsin bot "$fed/bots.rules" 2>>"$fed/$1.err" &
	pid=$!
	pids="$pids $pid"
}

# It waits for us, or is no more.
died() # PID
{
	gone "$1" || grep -q '^State:.*[ZX]' "/proc/$1/status"
}

began=$(now_ms) k=0 planted=0
while [ $k -lt "$kills" ]; do
	[ $((k % 4)) != 0 ] || ask
	k=$((k + 1))
	bot=bot1
	[ $((k % 4)) != 3 ] || [ "$kills" -lt 50 ] || bot=bot2
	draw 60
	moment=$((draw + 1))
	draw 3
	[ "$draw" != 0 ] || moment=0
	start $bot $moment
	draw 900
	if [ $moment != 0 ] && wait_until 2 died "$pid"; then
		planted=$((planted + 1))
	else
		sleep "0.$(printf %03d "$draw")"
	fi
	reap KILL "$pid"
done
took=$(($(now_ms) - began))

# ---- alone ----

must at $us inbox >/dev/null
start bot1 0
last=$pid
records()
{
	at $us inbox >/dev/null
	: >"$fed/records"
	while read -r id; do
		at $us show "$id" --no-receipt --json |
			sed -n 's/.*"action": *{\([^}]*\)}.*/\1/p' |
			sed -n 's/.*"id": *"\([^"]*\)".*/'"$(echo "$id" |
				sed 's/[/&]/\\&/g')"' \1/p' >>"$fed/records"
	done <"$fed/asked"
	[ "$(sort -u "$fed/records" | grep -c .)" -ge $((2 * asked)) ]
}
# A bot that died with a claim has it for 45 seconds, with a program's time.
wait_until $((${PATIENCE:-240} + asked)) records
kill -TERM "$last"
wait "$last"
records

# A thing to do is one whatever its id: of each ticket a reminder and a program.
sed 's,/[^/ ]*$,,' "$fed/records" >"$fed/things"
missed=$((2 * asked - $(sort -u "$fed/things" | grep -c .)))
twice=$(sort "$fed/things" | uniq -d | grep -c .)
grep /1s-notify- "$fed/records" | cut -d ' ' -f 2 | sort -u >"$fed/notified"
grep ' end$' "$fed/calls" | cut -d ' ' -f 1 | sort -u >"$fed/ended"
never=$(comm -23 "$fed/notified" "$fed/ended" | grep -c .)
# Of each ticket the first call says which id is right.
grep ' begin$' "$fed/calls" | awk '
	{ key = $1 " " $2; if ($3 <= last[key]) bad++; last[key] = $3
	  if (!($4 in first)) first[$4] = $1
	  else { again++; others += $1 != first[$4] } }
	END { print bad + 0, again + 0, others + 0 }' >"$fed/again"
read -r bad again others <"$fed/again"

printf 'bots: seed %s, %s kills in %s.%s s, %s between two writes, ' \
	"$seed" "$kills" $((took / 1000)) $((took % 1000 / 100)) $planted
printf '%s things to do, %s missed, %s recorded twice, %s recorded and not ' \
	$((2 * asked)) "$missed" "$twice" "$never"
printf 'run, %s calls again, %s of them under another id or attempt\n' \
	"$again" $((others + bad))
[ "$missed" = 0 ] && [ "$twice" = 0 ] && [ "$never" = 0 ] &&
	[ $((others + bad)) = 0 ] && [ "$asked" != 0 ]
