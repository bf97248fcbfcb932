#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Two bots of a team. One is stopped (SIGSTOP) or killed at a moment of its own,
# before or after a write to the disk (killer.so); the other takes over what it
# had claimed, when the claim is over. Then the stopped one goes on. Each reminder
# is in its ticket once all the same, and a program is called again under the id
# of the first call alone. Which moment is between what depends on what else comes
# meanwhile: so they are gone through until some were between claim and act.
# MOMENTS names those to be gone through, and all of them are.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0
export ASAN_OPTIONS
fed_two
us=mycert-night
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
echo "\$TOCSIN_ACTION \$TOCSIN_HOME" >>'$fed/calls'
EOF
chmod +x "$fed/hook"
: >"$fed/calls"
cat >"$fed/two.rules" <<EOF
claim 10s
[hook pager]
run $fed/hook
time-out 2s
[rule no-answer]
when mine
for each recipient
after 1s: remind
after 1s: notify pager
until answered
late each
EOF
ok 'how long a claim is stands in the rules' \
	at mycert-bot1 bot --check "$fed/two.rules"

bot() # DEVICE [VARIABLE=VALUE...]
{
	bot_home=$fed/homes/mycert-$1 bot_err=$fed/$1.err
	shift
	spawn env TOCSIN_HOME="$bot_home" "$@" \
		tocsin bot "$fed/two.rules" 2>>"$bot_err"
}

# What the ticket says of bots, as the team sees it: "claim bot1 UNTIL ID", and
# "action bot2 TIME ID", a line for each message.
said() # ID
{
	at $us inbox >/dev/null
	at $us show "$1" --no-receipt --json >"$fed/show"
	perl -MJSON::PP -e '
		local $/; my $all = decode_json("[" . join(",", grep { /\S/ }
			split /\n/, <STDIN>) . "]");
		for my $m (map { ref eq "HASH" && $_->{messages} ?
				@{$_->{messages}} : $_ } @$all) {
			my ($by) = $m->{from} =~ m,/(.*),;
			my $c = $m->{content} or next;
			print "claim $by $c->{claim}{until} $c->{claim}{id}\n"
				if $c->{claim};
			print "action $by $m->{time} $c->{action}{id}\n"
				if $c->{action};
		}' <"$fed/show"
}

both_done() # ID
{
	said "$1" >"$fed/said.now"
	[ "$(grep ^action "$fed/said.now" | cut -d ' ' -f 4 | sort -u |
		grep -c .)" = 2 ]
}

stands_still() # PID
{
	grep -q '^State:.*[TZX]' "/proc/$1/status"
}

claimed=0 acted=0 wrong=0 late=0 unsent=0
# A round: how bot1 ends or stops, and at which of its moments.
round() # STOP|KILL MOMENT
{
	id=$(post $us singcert@sg --tlp GREEN --subject "$1 $2" --wait 5) ||
		bail 'no ticket'
	# What it has not to fetch first makes no moments.
	wait_until 20 listed mycert-bot1 "$id" || bail 'no ticket at the bot'
	if [ "$1" = STOP ]; then
		bot bot1 KILL_AT="$2" KILL_STOP=1 \
			LD_PRELOAD="$B/tests/fault/killer.so"
	else
		bot bot1 KILL_AT="$2" LD_PRELOAD="$B/tests/fault/killer.so"
	fi
	first=$pid
	wait_until 20 stands_still "$first"
	said "$id" >"$fed/said.before"
	grep -q '^action bot1' "$fed/said.before" && acted=$((acted + 1))
	grep -q '^claim bot1' "$fed/said.before" &&
		! grep -q '^action' "$fed/said.before" &&
		claimed=$((claimed + 1))
	[ "$1" = STOP ] || reap KILL "$first"
	bot bot2
	second=$pid
	wait_until 60 both_done "$id" || {
		echo "# $1 $2: the other bot does not take over" >&2
		wrong=$((wrong + 1))
	}
	# It has its last word at the broker before it ends.
	if [ "$1" = STOP ]; then
		kill -CONT "$first"
		reap TERM "$first"
	fi
	reap TERM "$second"
	said "$id" >"$fed/said.after"
	grep ^action "$fed/said.after" | cut -d ' ' -f 4 | sort | uniq -d \
		>"$fed/twice"
	[ ! -s "$fed/twice" ] || {
		echo "# $1 $2: done twice" >&2
		sed 's/^/#   /' "$fed/said.after" >&2
		wrong=$((wrong + 1))
	}
	early
	[ "$1" = KILL ] ||
		unsent=$((unsent + $(at mycert-bot1 show "$id" --no-receipt \
			--json | grep -c '"refused": *"timeout"')))
}

# The second one acts on what the first has claimed behind the claim's end only;
# what the first claims when it goes on does not count.
early()
{
	grep ^claim "$fed/said.before" >"$fed/claimed.before"
	grep ^action "$fed/said.after" >"$fed/acted.after"
	awk '$1 == "claim" && $2 == "bot1" && $3 > until[$4] { until[$4] = $3 }
		$1 == "action" && $2 == "bot2" { time[$4] = $3 }
		END { for (id in time) if (id in until) {
			n++
			if (time[id] <= until[id]) bad++ }
		print n + 0, bad + 0 }' "$fed/claimed.before" "$fed/acted.after" \
		>"$fed/early"
	read -r early_n early_bad <"$fed/early"
	late=$((late + early_n))
	[ "$early_bad" = 0 ] || {
		echo '# a claim was not waited for' >&2
		sed 's/^/#   /' "$fed/said.after" >&2
		wrong=$((wrong + 1))
	}
}

rounds=0
for moment in ${MOMENTS:-28 60 112 66 72 78}; do
	[ -n "${MOMENTS:-}" ] || [ $rounds -lt 3 ] || [ $claimed -lt 1 ] || break
	rounds=$((rounds + 1))
	round STOP "$moment"
	echo "# STOP $moment: $claimed claimed, $acted acted, $late waited" \
		"for, $unsent not sent"
done
round KILL 28
is "$wrong" 0 'what one bot leaves, the other does, once'
ok 'one of them had claimed and not acted' [ $claimed -gt 0 ]
ok 'and the other waited for the end of its claim' [ $late -gt 0 ]
cut -d ' ' -f 1 "$fed/calls" | sort -u >"$fed/called"
again=$(($(grep -c . "$fed/calls") - $(grep -c . "$fed/called")))
is "$(grep -c . "$fed/called")" $((rounds + 1)) \
	'a program that is called again has the id of the first call'
done_testing "takeover: $rounds stopped, $claimed with a claim, $acted had acted, \
$unsent messages not sent any more, $again calls again"
