#!/bin/sh
# SPDX-License-Identifier: ISC
#
# full.sh - disks fill up under load, and have room again: make full N=30
#
# Two brokers and two homes of posters each have a small disk of their own. N
# times, at a random moment under load, one of them is filled by somebody else, to
# the last block or nearly, and room is made again; nothing is restarted. The last
# time it is not a disk but the broker's map that is full, and is made larger.
#
#	a broker	refuses posts with no-space, and whoever posts is told
#			so and has the ticket in the outbox; what is there is
#			still fetched, and the other side gets the receipt for
#			it; answers go both ways; both operators see it; and
#			who posts at the other broker notices nothing
#	a desk		`tocsin post` fails and says no-space, or keeps its word;
#			what is there can be read
#
# In the end every ticket that was acknowledged, and every one that its sender
# was told is in the outbox, must have been read, once. SEED repeats the choice,
# not the machine's pace.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/disk.sh
. "$TOP/tests/lib/disk.sh"
# shellcheck source=tests/lib/random.sh
. "$TOP/tests/lib/random.sh"

disk_private "$@"

times=${N:-30}
SOON=30 # seconds until a condition must hold
seed_begin full

fed_begin
storm_home=$fed/homes/singcert-desk1 hand_home=$fed/homes/csa-pc
disk_new "$fed/sg" 2G
ln -s ../sg.log "$fed/sg/log" # a report must be readable
disk_new "$fed/my" 2G
ln -s ../my.log "$fed/my/log"
disk_new "$storm_home" 1G
disk_new "$hand_home" 1G
fed_authorities aa bb cc
fed_broker sg
fed_broker my
fed_member singcert@sg desk1
fed_member csa@sg pc
fed_member mycert@my night
fed_roster
fed_install sg my
fed_start sg my
fed_publish singcert-desk1 csa-pc mycert-night
for home in singcert-desk1 csa-pc; do
	wait_until 20 knows $home mycert@my || bail 'no keys of mycert@my'
done
wait_until 20 knows mycert-night csa@sg || bail 'no keys of csa@sg'

acked=$fed/acked queued=$fed/queued journal=$fed/journal
bad=0 refused=0
here=csa-pc here_member=csa@sg there=mycert-night there_member=mycert@my
: >"$queued"
head -c 200000 /dev/urandom >"$fed/part"
head -c 2000000 /dev/urandom >"$fed/large"

wrong() # WORDS
{
	bad=$((bad + 1))
	echo "# wrong: time $k, $what: $*"
	tail -n 3 "$fed/err" | sed 's/^/#   /'
}

# ---- room ----

fill() # DIR: all but 0 to 31 blocks
{
	fill_left=$(df -k --output=avail "$1" | tail -n 1)
	[ "$fill_left" -lt 256 ] ||
		fallocate -l $(((fill_left - 256) * 1024)) "$1/ballast" \
			2>/dev/null
	dd if=/dev/zero bs=4096 count=100000 oflag=append conv=notrunc \
		of="$1/ballast" 2>/dev/null
	draw 32
	truncate -s -$((draw * 4096)) "$1/ballast"
}

room() # DIR
{
	must rm "$1/ballast"
}

# ---- posts by hand ----

# Prints the id if the command gave one, which is a promise. Its words are in
# $fed/err. A post that is not done says why.
hand() # HOME TO OPTION...
{
	hand_home_of=$1 hand_to=$2
	shift 2
	at "$hand_home_of" post --to "$hand_to" --tlp GREEN --subject 'By hand' \
		--json "$@" >"$fed/out" 2>"$fed/err"
	hand_status=$?
	id=$(json id <"$fed/out")
	[ -z "$id" ] || echo "$id" >>"$queued.$hand_to"
	case $hand_status in
	0) [ -n "$id" ] || wrong 'done, but no id' ;;
	1)
		grep -q '^tocsin: .*\[no-space\]' "$fed/err" ||
			wrong 'failed without the sentence'
		;;
	*) wrong "status $hand_status" ;;
	esac
	return $hand_status
}

# Until the broker says that it has no room; the ticket waits then.
hand_refused() # HOME TO OPTION...
{
	hand "$@" --wait 2 && has "$fed/err" '[no-space]'
}

progressed()
{
	[ "$(grep -c . "$acked")" -gt "$was" ]
}

# ---- a broker ----

says_full() # BROKER WORD
{
	[ "$(counter "$1" full)" = "$2" ]
}

told_full() # BROKER PEER WORD
{
	tocsind status --json --config "$(conf "$1")" |
		grep -q '"peer":"'"$2"'"[^}]*"full":'"$3"
}

# What was there before is served and answered, posts are not taken; with room
# all that waited goes on by itself.
served_while_full() # BROKER OTHER
{
	wait_until $SOON hand_refused "$here" "$there_member" \
		--attach "$fed/large" || wrong 'nobody is told that it is full'
	refused=$((refused + 1))
	late=$id
	wait_until $SOON says_full "$1" true || wrong 'it does not say so itself'
	wait_until $SOON told_full "$2" "$1" true ||
		wrong 'the other operator does not see it'
	wait_until $SOON listed "$here" "$known" ||
		wrong 'what is there is not read'
	wait_until $SOON there_knows "$known" 'delivered|accepted' ||
		wrong 'the other side gets no receipt'
	at "$here" ack "$known" --accept --wait 1 >"$fed/out" 2>"$fed/err" ||
		wrong 'an answer is not kept'
	wait_until $SOON there_knows "$known" accepted ||
		wrong 'an answer does not get out'
	at "$there" ack "$asked" --accept --wait 1 >"$fed/out" 2>"$fed/err" ||
		wrong 'the other side cannot answer'
	wait_until $SOON here_knows "$asked" accepted ||
		wrong 'an answer does not get in'
	says_full "$1" true || wrong 'it was not full all the time'
}

# The desk asks again each time, and so tells what it has.
there_knows() # TICKET RUNGS
{
	at "$here" inbox --wait 1
	at "$there" inbox --wait 1
	stands_at_least "$there" "$1" "$here_member" "$2"
}

here_knows() # TICKET RUNGS
{
	at "$there" inbox --wait 1
	at "$here" inbox --wait 1
	stands_at_least "$here" "$1" "$there_member" "$2"
}

# One each way.
tickets_before()
{
	hand "$here" "$there_member" || bail "no ticket: $(cat "$fed/err")"
	asked=$id
	wait_until $SOON listed "$there" "$asked" || bail 'a ticket does not come'
	hand "$there" "$here_member" || bail "no ticket: $(cat "$fed/err")"
	known=$id
	wait_until $SOON stands_at_least "$there" "$known" "$here_member" \
		'relayed|delivered' || bail 'a ticket is not relayed'
}

goes_on() # BROKER OTHER
{
	was=$(grep -c . "$acked")
	wait_until $SOON progressed || wrong 'posting does not go on'
	wait_until $SOON left "$late" || wrong 'what waited does not leave'
	wait_until $SOON says_full "$1" false || wrong 'it still says so'
	wait_until $SOON told_full "$2" "$1" false ||
		wrong 'the other operator is not told'
}

left() # ID: the outbox of the side that was refused
{
	at "$here" inbox --wait 2 &&
		stands_at_least "$here" "$1" "$there_member" \
			'relayed|delivered|accepted'
}

from_sg()
{
	here=csa-pc here_member=csa@sg there=mycert-night
	there_member=mycert@my
}

full_broker()
{
	from_sg
	tickets_before
	fill "$fed/sg"
	served_while_full sg my
	room "$fed/sg"
	goes_on sg my
}

# ---- the broker that the load goes to ----

# Those at home notice nothing.
home_goes_on()
{
	was=$(grep -c . "$acked")
	wait_until $SOON progressed || wrong 'the peer stops who posts at home'
	hand csa-pc mycert@my --wait 5 || wrong 'the peer stops a post by hand'
	abroad=$id
}

came() # ID
{
	grep -qF "$1" "$journal"
}

full_peer()
{
	here=mycert-night here_member=mycert@my there=csa-pc
	there_member=csa@sg
	tickets_before
	fill "$fed/my"
	home_goes_on
	served_while_full my sg
	home_goes_on
	room "$fed/my"
	goes_on my sg
	wait_until $SOON came "$abroad" || wrong 'a ticket stays away'
}

# ---- a map ----

restart_with_map() # MEGABYTES
{
	fed_stop sg
	[ -f "$fed/sg.conf" ] || cp "$(conf sg)" "$fed/sg.conf"
	{
		grep -v '^\[store\]' "$fed/sg.conf"
		echo '[store]'
		echo "map = $1m"
	} >"$(conf sg)"
	fed_start sg
}

read_up()
{
	[ "$(grep -c . "$journal")" -ge $(($(grep -c . "$acked") - 300)) ]
}

full_map()
{
	from_sg
	tickets_before
	# Receipts for what is still being read would use the reserve, too.
	wait_until 120 read_up || wrong 'the reader does not keep up'
	used=$(($(counter sg store_used) / 1048576))
	# The reserve is a twentieth of it.
	restart_with_map $((used < 12 ? 16 : used + used / 16 + 3))
	served_while_full sg my
	restart_with_map 1024
	goes_on sg my
}

# ---- a desk ----

hand_fails()
{
	draw 2
	if [ "$draw" = 0 ]; then
		! hand csa-pc mycert@my --wait 0
	else
		! hand csa-pc mycert@my --wait 0 --attach "$fed/part"
	fi
}

full_hand()
{
	fill "$hand_home"
	wait_until $SOON hand_fails || wrong 'the desk is never full'
	refused=$((refused + 1))
	at csa-pc show "$kept" --no-receipt >"$fed/out" 2>"$fed/err" ||
		wrong 'what is there cannot be read'
	room "$hand_home"
	hand csa-pc mycert@my --wait 0 || wrong 'it does not post with room'
}

# One handle all the time.
full_storm()
{
	was=$(count no-space "$fed/said")
	fill "$storm_home"
	wait_until $SOON at_least $((was + 1)) no-space "$fed/said" ||
		wrong 'the storm is never refused'
	refused=$((refused + 1))
	room "$storm_home"
	was=$(grep -c . "$acked")
	wait_until $SOON progressed || wrong 'posting does not go on'
}

# ---- N times ----

k=0 what=start
hand csa-pc mycert@my || bail "no post: $(cat "$fed/err")"
kept=$id
: >"$fed/said"
spawn storm -q "$queued.mycert@my" "$storm_home" mycert@my >>"$acked" \
	2>>"$fed/said"
storm=$pid
spawn drain "$fed/homes/mycert-night" drain "$journal" 2>>"$fed/drain"
drain=$pid
began=$(now_ms)
draw 4
turn=$draw
while [ $k -lt "$times" ]; do
	k=$((k + 1))
	turn=${TURN:-$(((turn + 1) % 4))} # TURN=3: that one alone
	draw 300
	sleep "0.$(printf %03d "$draw")"
	[ $k != "$times" ] || turn=map
	case $turn in
	0) what=broker && full_broker ;;
	1) what=desk && full_hand ;;
	2) what=handle && full_storm ;;
	3) what=peer && full_peer ;;
	map) what=map && full_map ;;
	esac
	for pid in $storm $drain $(fed_pid sg) $(fed_pid my); do
		gone "$pid" && bail "after $what one of them has ended: $(
			tail -n 5 "$fed/said" "$fed/drain"
		)"
	done
done
took=$(($(now_ms) - began))
what=end
reap TERM "$storm"

# ---- nothing lost, nothing twice ----

all_read()
{
	at singcert-desk1 inbox >/dev/null
	at csa-pc inbox >/dev/null
	cut -d ' ' -f 2 "$journal" | grep -v '^-$' | sort >"$fed/read.ids"
	[ -z "$(comm -23 "$fed/promised" "$fed/read.ids")" ]
}
sort -u "$acked" "$queued.mycert@my" >"$fed/promised"
wait_until 60 all_read || tail -n 5 "$fed/said"
lost=$(comm -23 "$fed/promised" "$fed/read.ids" | grep -c .)
twice=$(uniq -d "$fed/read.ids" | grep -c .)

# The other way nobody drains: the desk lists them.
all_listed()
{
	at csa-pc inbox --json >"$fed/inbox"
	json id <"$fed/inbox" | sort >"$fed/listed.ids"
	[ -z "$(comm -23 "$fed/back" "$fed/listed.ids")" ]
}
sort -u "$queued.csa@sg" >"$fed/back" 2>/dev/null
wait_until 60 all_listed
lost=$((lost + $(comm -23 "$fed/back" "$fed/listed.ids" | grep -c .)))
twice=$((twice + $(uniq -d "$fed/listed.ids" | grep -c .)))
for broker in sg my; do
	tocsind verify --config "$(conf $broker)" >"$fed/err" 2>&1 ||
		wrong "verify of $broker: $(cat "$fed/err")"
done

printf 'full: seed %s, filled %s times in %s s, %s refused, %s went wrong, ' \
	"$seed" "$times" $((took / 1000)) "$refused" "$bad"
printf '%s tickets queued or acknowledged, %s lost, %s twice\n' \
	"$(cat "$fed/promised" "$fed/back" | grep -c .)" "$lost" "$twice"
[ "$bad" = 0 ] && [ "$lost" = 0 ] && [ "$twice" = 0 ] && [ -s "$acked" ]
