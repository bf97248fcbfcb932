#!/bin/sh
# SPDX-License-Identifier: ISC
#
# A bot at work whose clock is set: a day forward and back, an hour back and
# right again, alone or with all machines of the federation. What is due by a
# clock that the broker agrees with is done, once; nothing by another one; what
# was done is not done again; and what waits comes when the clock is right.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0
export ASAN_OPTIONS
DAY=86400 HOUR=3600

# ---- clocks ----

fed_begin
PATH=$fed:$PATH
set_clock() # SECONDS NAME...: in place, since the file is mapped
{
	set_by=$1
	shift
	for name in "$@"; do
		printf '%+015d\n' "$set_by" 1<>"$fed/clock.$name"
	done
}

# The bot has a clock of its own, all others have one.
for name in bot rest; do
	set_clock 0 $name
	cat >"$fed/clock-$name" <<EOF
#!/bin/sh
exec env CLOCK_FILE='$fed/clock.$name' LD_PRELOAD='$B/tests/fault/clock.so' \
	"\$@"
EOF
	chmod +x "$fed/clock-$name"
done
by_sg=clock-rest by_my=clock-rest
: "$by_sg$by_my"
fed_authorities aa bb cc
fed_broker sg
fed_broker my
fed_member singcert@sg desk1
fed_member mycert@my night
fed_roster
fed_install sg my
fed_start sg my
fed_publish singcert-desk1 mycert-night
us=mycert-night
wait_until 20 knows $us singcert@sg || bail 'no keys'
fed_device mycert@my bot1 --role bot
must at $us keys publish --card "$fed/devices/mycert-bot1" >/dev/null
cp "$fed/homes/$us/keys/recipient.txt" "$fed/homes/mycert-bot1/keys/"
fed_trust mycert-bot1
wait_until 30 knows mycert-bot1 singcert@sg || bail 'no keys'
echo clock-bot >"$fed/by/mycert-bot1"

# ---- a bot ----

cat >"$fed/hook" <<EOF
#!/bin/sh
cat >/dev/null
echo "\$TOCSIN_ACTION \$TOCSIN_THREAD" >>'$fed/calls'
EOF
chmod +x "$fed/hook"
: >"$fed/calls"
cat >"$fed/clock.rules" <<EOF
[hook page]
run $fed/hook
[rule soon]
when mine
for each recipient
after 2s: remind
after 12h: notify page
until answered
EOF
spawn_at mycert-bot1 bot "$fed/clock.rules" 2>>"$fed/bot.err"
bot=$pid
wait_until 30 has "$fed/bot.err" ' tickets, after' || bail 'no bot'

ask() # SUBJECT
{
	post $us singcert@sg --tlp GREEN --subject "$1" --wait 5
}

# What the bot did in a ticket, a line for each message.
did() # ID
{
	at $us inbox >/dev/null
	at $us show "$1" --no-receipt --json |
		sed -n 's/.*"action": *{\([^}]*\)}.*/\1/p' |
		sed -n 's/.*"id": *"\([^"]*\)".*/\1/p'
}

doing() # ID WORDS
{
	did "$1" >"$fed/did" && grep -q -- "$2" "$fed/did"
}

calls() # ID
{
	grep -cF " $1" "$fed/calls"
}

called() # ID
{
	[ "$(calls "$1")" -ge 1 ]
}

# As many lines of the bot's own words have these as are wanted.
told() # COUNT WORDS
{
	[ "$(grep -c -- "$2" "$fed/bot.err")" -ge "$1" ]
}

# ---- forward, the bot alone ----

first=$(ask 'Before all')
ok 'a timer comes in its time' wait_until 30 doing "$first" soon/2s-remind
set_clock $DAY bot
ok 'a clock that is set a day forward is noticed' \
	wait_until 30 told 1 'clock was set forward'
ok 'and not believed, since the broker has another' \
	wait_until 60 told 1 'clock-skew'
is "$(calls "$first")" 0 'so nothing is done by it'
set_clock 0 bot
ok 'that it is set back is noticed' wait_until 30 told 1 'clock was set back'
second=$(ask 'After a day that was none')
ok 'and timers come in their time' wait_until 30 doing "$second" soon/2s-remind
is "$(cat "$fed/calls")" '' 'none before it'
is "$(did "$first" | sort | uniq -d)" '' 'and none again'

# ---- forward, everybody ----

set_clock $DAY bot rest
ok 'a day passes at once, for all' wait_until 60 called "$first"
ok 'what is due is done' wait_until 60 called "$second"
ok 'and recorded' wait_until 30 doing "$second" soon/12h-notify
ok 'of both' wait_until 30 doing "$first" soon/12h-notify
third=$(ask 'In the day')
ok 'what comes then has its timers' wait_until 30 doing "$third" soon/2s-remind
set_clock 0 bot rest
ok 'a day back is noticed' wait_until 30 told 2 'clock was set back'
fourth=$(ask 'After the day')
ok 'what comes after has its timers, too' \
	wait_until 30 doing "$fourth" soon/2s-remind
is "$(calls "$first") $(calls "$second")" '1 1' \
	'what was done is not done again'
is "$( (did "$first"; did "$second"; did "$third") | sort | uniq -d)" '' \
	'and no message comes twice'

# ---- back, the bot alone ----

set_clock -$HOUR bot
ok 'an hour back is noticed' wait_until 30 told 3 'clock was set back'
fifth=$(ask 'In an hour that was')
set_clock -$HOUR bot rest
sixth=$(ask 'Of that hour')
ok 'where all clocks are wrong timers come as they should' \
	wait_until 30 doing "$sixth" soon/2s-remind
is "$(did "$fifth")" '' 'for the bot, the other one was not yet asked'
set_clock 0 bot rest
ok 'what waited comes when the clock is right' \
	wait_until 30 doing "$fifth" soon/2s-remind
is "$(for id in $first $second $third $fourth $fifth $sixth; do
	did "$id"
done | sort | uniq -d)" '' 'and no message came twice'
is "$(cut -d ' ' -f 1 "$fed/calls" | sort | uniq -d)" '' 'and no call'
reap TERM "$bot"
ok 'the bot was the same all the time' has "$fed/bot.err" ' ends: '
done_testing "bot-clock: $(grep -c . "$fed/calls") calls, 6 tickets"
