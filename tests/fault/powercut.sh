#!/bin/sh
# SPDX-License-Identifier: ISC
#
# powercut.sh - the power fails under load: make powercut N=200
#
# Two brokers, a sender's home and a reader's home each have a disk of their
# own. N times, at a random moment, one of them or all lose power: what was not
# synced is gone, its processes die, the disk comes back as the journal has it.
# A broker's store is verified each time before it is started again. In the end
# every ticket that was acknowledged, and every one that its sender was told is
# in the outbox, must have been read, once, by a reader that keeps its own
# journal on its disk (tests/fault/drain.c). The first cut comes at once after
# the keys were made. SEED repeats the choice, not the machine's pace.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/disk.sh
. "$TOP/tests/lib/disk.sh"
# shellcheck source=tests/lib/random.sh
. "$TOP/tests/lib/random.sh"

disk_private "$@"

cuts=${N:-200}
seed_begin powercut

fed_begin
desk=$fed/homes/singcert-desk1 night=$fed/homes/mycert-night
for disk in "$fed/sg" "$fed/my" "$desk" "$night"; do
	disk_new "$disk" 1G
done
fed_authorities aa bb cc
fed_broker sg
fed_broker my
fed_member singcert@sg desk1
fed_member mycert@my night
for disk in "$fed/sg" "$fed/my" "$desk" "$night"; do
	disk_cut "$disk"
	disk_back "$disk"
done
fed_roster
fed_install sg my
fed_start sg my
fed_publish singcert-desk1 mycert-night
wait_until 20 knows singcert-desk1 mycert@my || bail 'no keys of mycert@my'
wait_until 20 knows mycert-night singcert@sg || bail 'no keys of singcert@sg'

acked=$fed/acked queued=$fed/queued verified=0

start_storm()
{
	spawn storm -q "$queued" "$desk" mycert@my >>"$acked" 2>>"$fed/said"
	storm=$pid
}

start_drain()
{
	spawn drain "$night" drain "$night/journal" 2>>"$fed/said"
	drain=$pid
}

cut_broker() # NAME
{
	disk_cut "$fed/$1"
	fed_kill "$1"
	disk_back "$fed/$1"
	tocsind verify --config "$(conf "$1")" >"$fed/checked" 2>&1 ||
		bail "$1 after a cut: $(cat "$fed/checked")"
	verified=$((verified + 1))
}

cut_desk()
{
	disk_cut "$desk"
	reap KILL "$storm"
	disk_back "$desk"
}

cut_night()
{
	disk_cut "$night"
	reap KILL "$drain"
	disk_back "$night"
}

# One that the command has confirmed; whether the broker has it is another
# matter.
post_by_hand()
{
	post singcert-desk1 mycert@my --tlp GREEN --subject 'By hand' \
		--wait 0 >>"$queued" 2>>"$fed/said" ||
		bail "post: $(tail -n 3 "$fed/said")"
}

start_storm
start_drain
began=$(now_ms) k=0
while [ $k -lt "$cuts" ]; do
	k=$((k + 1))
	draw 400
	sleep "0.$(printf %03d "$draw")"
	draw 9
	case $draw in
	0 | 1) cut_broker sg && fed_start sg ;;
	2 | 3) cut_broker my && fed_start my ;;
	4 | 5) post_by_hand && cut_desk && start_storm ;;
	6 | 7) cut_night && start_drain ;;
	*)
		cut_night
		post_by_hand
		cut_desk
		cut_broker sg
		cut_broker my
		fed_start sg my
		start_storm
		start_drain
		;;
	esac
done
took=$(($(now_ms) - began))

reap TERM "$storm"
sort -u "$acked" "$queued" >"$fed/promised"

# What an earlier storm left in the outbox, the last one did not wait for: any
# command in that home sends it.
all_read()
{
	at singcert-desk1 inbox >/dev/null
	cut -d ' ' -f 2 "$night/journal" | sort >"$fed/read.ids"
	[ -z "$(comm -23 "$fed/promised" "$fed/read.ids")" ]
}
wait_until 60 all_read || {
	tail -n 5 "$fed/said"
	comm -23 "$fed/promised" "$fed/read.ids" | head -n 5 | while read -r id; do
		echo "# not read: $id"
		at singcert-desk1 status "$id"
	done
}
lost=$(comm -23 "$fed/promised" "$fed/read.ids" | grep -c .)
twice=$(uniq -d "$fed/read.ids" | grep -c .)

printf 'powercut: seed %s, %s cuts in %s s, %s stores verified, ' \
	"$seed" "$cuts" $((took / 1000)) "$verified"
printf '%s tickets queued or acknowledged, %s lost, %s read twice\n' \
	"$(grep -c . "$fed/promised")" "$lost" "$twice"
[ "$lost" = 0 ] && [ "$twice" = 0 ] && [ -s "$fed/promised" ]
