#!/bin/sh
# SPDX-License-Identifier: ISC
#
# reorder.sh - every legal order of writes: make reorder N=5000
#
# A broker's store and a sender's desk are recorded while tickets are posted:
# each write, each sync, and who was promised what by then. From that, N images
# of each file are made that a power cut could have left, and opened; see
# reorder.c. SEED repeats the choice of images from a recording, not the
# recording. At last it looks whether it would see a defect: with no sync at all
# images must be bad.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/random.sh
. "$TOP/tests/lib/random.sh"

images=${N:-5000}
posts=${POSTS:-300}
seed_begin reorder

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
wait_until 20 knows singcert-desk1 mycert@my || bail 'no keys'
fed_stop sg
desk=$fed/homes/singcert-desk1
must cp "$fed/sg/store/log.mdb" "$fed/store.base"
must cp "$desk/desk/data.mdb" "$fed/desk.base"

# A sanitizer wants to be the first library, and is content to be told.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0
export ASAN_OPTIONS
recorded() # FILE LOG COMMAND...
{
	recorded_file=$1 recorded_log=$2
	shift 2
	RECORD_FILE=$recorded_file RECORD_LOG=$recorded_log \
		LD_PRELOAD=$B/tests/fault/recorder.so exec "$@"
}

spawn recorded /store/log.mdb "$fed/store.log" \
	tocsind run --config "$(conf sg)" 2>>"$fed/sg/log"
pid_sg=$pid
wait_until 20 answers sg || bail 'sg does not start'
spawn recorded /desk/data.mdb "$fed/desk.log" \
	storm -q "$fed/desk.log" "$desk" mycert@my >>"$fed/store.log"
storm=$pid

promised() # LOG
{
	grep -caE '^[A-Za-z0-9+/]{43}=$' "$1"
}

enough()
{
	[ "$(promised "$fed/store.log")" -ge "$posts" ]
}
wait_until 120 enough || bail 'too few posts'
reap KILL "$storm"
fed_kill sg

judge() # SIDE
{
	mkdir -m 0700 "$fed/image"
	"reorder_$1" "$fed/$1.log" "$fed/$1.base" "$fed/image" "$images" \
		"$seed" >"$fed/$1.out" 2>&1 && good=1 || good=0
	sed '$d' "$fed/$1.out"
	echo "# $1: $(tail -n 1 "$fed/$1.out")"
	rm -rf "$fed/image"
	[ $good = 1 ]
}

bad=0
for side in store desk; do
	judge $side || bad=$((bad + 1))
done
mkdir -m 0700 "$fed/image"
for side in store desk; do
	IGNORE_SYNCS=1 "reorder_$side" "$fed/$side.log" "$fed/$side.base" \
		"$fed/image" 50 "$seed" >"$fed/planted" 2>&1
	[ $? = 1 ] || bail "without syncs nothing is wrong with a $side"
	echo "# without syncs, $side: $(tail -n 1 "$fed/planted")"
done

[ $bad = 0 ] && verdict='all open, nothing promised is missing, all clean' ||
	verdict='see above'
echo "reorder: seed $seed, $images images each of a store and a desk, torn at" \
	"512 bytes: $verdict"
[ $bad = 0 ]
