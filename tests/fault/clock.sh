#!/bin/sh
# SPDX-License-Identifier: ISC
#
# clock.sh - the clocks of two brokers and of a desk are wrong: make clock N=60
#
# A preloaded clock (clock.c) shows each of them a time of its own. First what
# must be refused by time: it is, with its reason, as long as a clock is wrong,
# and goes on by itself when the clock is right. Then N jumps of one broker or
# both, drawn by the seed: an hour, a day, 200 days or ten years ahead or back,
# or back a second each second; while each nation posts to the other and reads.
# Where that refuses nothing, posts go on during the jump; after each, at the
# latest when the clock is right again. In the end every ticket that a broker
# took was read once, no session and no link between brokers ended, and no
# deadline has passed early.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/random.sh
. "$TOP/tests/lib/random.sh"

jumps=${N:-60}
HOUR=3600 DAY=86400 SEASON=$((200 * 86400)) DECADE=$((3653 * 86400))
# A device's newer link takes the place of its older one, with any clock.
ENDED='event=session-end.*why=[^d]'
PATIENCE=${PATIENCE:-30} # seconds
seed_begin clock

# ---- clocks ----

fed_begin
PATH=$fed:$PATH
bad=0

# A program `clock-NAME COMMAND...`, which has the clock NAME.
clock_new() # NAME
{
	clock_set "$1" 0
	cat >"$fed/clock-$1" <<EOS
#!/bin/sh
exec env CLOCK_FILE='$fed/clock.$1' LD_PRELOAD='$B/tests/fault/clock.so' \
	"\$@"
EOS
	chmod +x "$fed/clock-$1"
}

clock_set() # NAME SECONDS: in place, since the file is mapped
{
	printf '%+015d\n' "$2" 1<>"$fed/clock.$1"
}

wrong() # WORDS
{
	bad=$((bad + 1))
	echo "# wrong: $*"
}

ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0
export ASAN_OPTIONS
for name in sg my desk; do
	clock_new $name
done
by_sg=clock-sg by_my=clock-my
fed_authorities aa bb cc
fed_broker sg
fed_broker my
fed_member singcert@sg desk1
fed_member mycert@my night
echo clock-desk >"$fed/by/singcert-desk1"
: >"$fed/by/mycert-night"
fed_roster
fed_install sg my
fed_start sg my
fed_publish singcert-desk1 mycert-night
wait_until 20 knows singcert-desk1 mycert@my || bail 'no keys of mycert@my'
wait_until 20 knows mycert-night singcert@sg || bail 'no keys of singcert@sg'
desk=$fed/homes/singcert-desk1 night=$fed/homes/mycert-night

# ---- what time refuses ----

# A ticket while a clock is wrong: refused with the reason, then it arrives.
refused_while() # CLOCK SECONDS REASON
{
	clock_set "$1" "$2"
	post singcert-desk1 mycert@my --tlp GREEN --subject 'At that time' \
		--wait 10 >/dev/null 2>"$fed/said"
	id=$(json id <"$fed/posted")
	has "$fed/said" "$3" || wrong "$1 by $2 s: no $3: $(cat "$fed/said")"
	clock_set "$1" 0
	if [ "$1" = desk ]; then
		id=$(post singcert-desk1 mycert@my --tlp GREEN --subject 'Now' \
			--wait 1 2>"$fed/said")
	fi
	arrives "$1 by $2 s"
}

arrives() # WHEN
{
	echo "$id" >>"$fed/promised.sg"
	wait_until "$PATIENCE" crosses || wrong "$1: it does not arrive"
}

crosses()
{
	at singcert-desk1 inbox --wait 1
	listed mycert-night "$id"
}

# The reader's broker says it to the other broker, and in its log.
held_while() # SECONDS
{
	clock_set my "$1"
	id=$(post singcert-desk1 mycert@my --tlp GREEN --subject 'Held') ||
		wrong "my by $1 s: the sender is refused"
	if wait_until 1 listed mycert-night "$id"; then
		wrong "my by $1 s: taken at a wrong time"
	fi
	clock_set my 0
	arrives "my by $1 s"
}

due=$(post singcert-desk1 mycert@my --tlp GREEN --subject 'There is time' \
	--ackby 30m) || bail 'no post'
echo "$due" >"$fed/promised.sg"
: >"$fed/promised.my"
refused_while sg -$HOUR clock-skew
refused_while sg $DECADE roster-expired
refused_while sg $SEASON keys-expired
held_while -$HOUR
held_while $DECADE
held_while $SEASON
refused_while desk $DECADE roster-expired
refused_while desk $SEASON keys-expired
# What says a time that is not yet come does not keep back what is said after it.
clock_set desk $HOUR
post singcert-desk1 mycert@my --tlp GREEN --subject 'Later' --wait 10 \
	>/dev/null 2>"$fed/said"
has "$fed/said" clock-skew || wrong "no clock-skew: $(cat "$fed/said")"
clock_set desk 0
id=$(post singcert-desk1 mycert@my --tlp GREEN --subject 'Now' \
	2>"$fed/said")
arrives 'desk ahead'

# ---- jumps ----

: >"$fed/journal.sg"
: >"$fed/journal.my"
spawn honest "$desk" mycert@my "$(fed_port sg)" >"$fed/served.sg" 2>>"$fed/said"
honest_sg=$pid
spawn honest "$night" singcert@sg "$(fed_port my)" >"$fed/served.my" \
	2>>"$fed/said"
honest_my=$pid
spawn drain "$night" drain "$fed/journal.sg" 2>>"$fed/said"
spawn drain "$desk" drain "$fed/journal.my" 2>>"$fed/said"

# What one nation posted and the other has read; both must grow.
progress()
{
	for way in sg my; do
		grep -c '^post' "$fed/served.$way"
		grep -c . "$fed/journal.$way"
	done | tr '\n' ' '
}

grown()
{
	# shellcheck disable=SC2046
	set -- $(progress) $before
	[ $(($1 - $5)) -ge 3 ] && [ $(($2 - $6)) -ge 3 ] &&
		[ $(($3 - $7)) -ge 3 ] && [ $(($4 - $8)) -ge 3 ]
}

goes_on() # WHEN
{
	before=$(progress)
	stall=$(now_ms)
	wait_until "$PATIENCE" grown || wrong "$1: a stall: $before, $(progress)"
	stall=$(($(now_ms) - stall))
	[ $stall -le "$slowest" ] || slowest=$stall
}

links_ended()
{
	cat "$fed/sg/log" "$fed/my/log" | grep -c event=relay-down
}

ended() # how many sessions did
{
	cat "$fed/sg/log" "$fed/my/log" | grep -cE "$ENDED"
}

set_some() # SECONDS
{
	for name in $which; do
		clock_set "$name" "$1"
	done
}

# Backwards each second, for three: nothing is that far off.
backwards()
{
	for back in -1 -2 -3; do
		set_some $back
		goes_on "$which by $back s"
	done
}

jump()
{
	draw 3
	case $draw in
	0) which=sg ;;
	1) which=my ;;
	2) which='sg my' ;;
	esac
	draw 9
	case $draw in
	0 | 1) set_some $HOUR && goes_on "$which an hour ahead" ;;
	2) set_some -$HOUR && sleep 0.3 ;;
	3) set_some $DECADE && sleep 0.3 ;;
	4) set_some -$DECADE && sleep 0.3 ;;
	5) set_some $SEASON && sleep 0.3 ;;
	6) backwards ;;
	7) set_some $DAY && goes_on "$which a day ahead" ;;
	8) set_some -$DAY && sleep 0.3 ;;
	esac
	for broker in $which; do
		[ "$(counter "$broker" ready)" = true ] ||
			wrong "$broker is not ready"
	done
	set_some 0
	goes_on "$which is right again"
}

began=$(now_ms) slowest=0 done_jumps=0
goes_on 'before'
slowest=0 ended_before=$(ended) links_before=$(links_ended)
while [ $done_jumps -lt "$jumps" ]; do
	done_jumps=$((done_jumps + 1))
	jump
	echo "# $done_jumps: $which, $(ended) ended"
done
took=$(($(now_ms) - began))
drops=$(($(ended) - ended_before)) links=$(($(links_ended) - links_before))
[ $drops = 0 ] || wrong "$drops sessions ended: $(cat "$fed"/*/log |
	grep -E "$ENDED" | tail -n 5)"
[ $links = 0 ] || wrong "$links links ended: $(cat "$fed"/*/log |
	grep event=relay-down | tail -n 5)"
at singcert-desk1 inbox --unacked --overdue --json >"$fed/overdue" \
	2>>"$fed/said"
! has "$fed/overdue" "$due" || wrong 'a deadline passed early'

# ---- figures ----

kill -TERM "$honest_sg" "$honest_my"
wait "$honest_sg" "$honest_my"
missing() # of both ways
{
	for way in sg my; do
		awk '$1 == "post" { print $3 }' "$fed/served.$way" |
			sort -u - "$fed/promised.$way" >"$fed/ids.$way"
		cut -d ' ' -f 2 "$fed/journal.$way" | sort -u |
			comm -23 "$fed/ids.$way" -
	done
}
nothing_missing()
{
	[ -z "$(missing)" ]
}
wait_until 60 nothing_missing
lost=$(missing | grep -c .)
twice=$(cat "$fed/journal.sg" "$fed/journal.my" | cut -d ' ' -f 2 |
	grep -v '^-$' | sort | uniq -d | grep -c .)
# nng 1.5.2 gives who connects ten seconds by the clock of the day for a greeting
# (posix_config.h takes CLOCK_REALTIME, sp/transport/ipc/ipc.c and tcp/tcp.c set
# the time): a jump may cut one that is just being greeted, and it comes again.
cuts=$(awk '$1 == "connect" { sum += $3 } END { print sum + 0 }' \
	"$fed/served.sg" "$fed/served.my")
[ "$cuts" -le $((1 + jumps)) ] || wrong "$cuts greetings cut"
cat "$fed/served.sg" "$fed/served.my" | grep ^failed | sort | uniq -c >"$fed/failed"
[ ! -s "$fed/failed" ] || wrong "$(head -n 3 "$fed/failed")"

printf 'clock: seed %s, %s jumps in %s s, %s went wrong, slowest to go on %s ms, ' \
	"$seed" "$done_jumps" $((took / 1000)) "$bad" "$slowest"
printf '%s links ended, %s greetings cut, ' "$links" "$cuts"
printf '%s tickets promised, %s lost, %s read twice\n' \
	"$(cat "$fed/ids.sg" "$fed/ids.my" | grep -c .)" "$lost" "$twice"
[ "$bad" = 0 ] && [ "$lost" = 0 ] && [ "$twice" = 0 ]
