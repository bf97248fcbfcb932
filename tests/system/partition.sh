#!/bin/sh
# SPDX-License-Identifier: ISC
#
# partition.sh - brokers that lose one another: make partition
#
# BROKERS nations, each with a member that posts to all others without pause and
# a reader that prints what comes. For T seconds paths between brokers are cut
# and healed, become slow and lossy, a nation is alone, a broker gets SIGKILL.
# Then all is healed, and posting ends. Held against what was acknowledged:
# each member has every ticket to it, once, 30 seconds after; and posting went
# on all the time, whatever became of the others. SEED repeats the choices.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/random.sh
. "$TOP/tests/lib/random.sh"
# shellcheck source=tests/lib/wan.sh
. "$TOP/tests/lib/wan.sh"

brokers=${BROKERS:-12} seconds=${T:-60}

why=$(wan_missing) && skip_all "$why"
seed_begin "partition, BROKERS=$brokers T=$seconds"

# One of the nations, in $picked.
pick()
{
	draw "$brokers"
	# shellcheck disable=SC2086
	picked=$(set -- $nations && shift "$draw" && echo "$1")
}

nations=$(echo bn kh id la my mm ph sg th vn tl jp kr au nz fj |
	cut -d ' ' -f "1-$brokers")
fed_begin
# shellcheck disable=SC2086
wan_begin "$seed" $nations
fed_authorities aa bb cc
homes=
for nation in $nations; do
	fed_broker "$nation"
	fed_member "cert@$nation" "$nation"
	mv "$fed/cards/cert" "$fed/cards/cert-$nation"
	homes="$homes cert-$nation"
done
fed_roster
# shellcheck disable=SC2086
{
	fed_install $nations
	fed_start $nations
	fed_publish $homes
}

# Whether a home knows the keys of all.
knows_all() # HOME
{
	for known in $nations; do
		knows "$1" "cert@$known" || return 1
	done
}

for nation in $nations; do
	wait_until 60 knows_all "cert-$nation" ||
		bail "the keys of some don't arrive in $nation"
done
storms=
for nation in $nations; do
	others=
	for other in $nations; do
		[ "$other" = "$nation" ] || others="$others cert@$other"
	done
	spawn_at "cert-$nation" watch --reader here --json >"$fed/read.$nation"
	# shellcheck disable=SC2046,SC2086
	spawn $(fed_by "$nation") storm -p "${PAUSE:-200}" \
		"$fed/homes/cert-$nation" $others >"$fed/acked.$nation"
	storms="$storms $pid"
done

# ---- chaos ----

slowest=0 kills=0 cuts=0
killed()
{
	fed_kill "$picked"
	restart=$(now_ms)
	fed_start "$picked"
	restart=$(($(now_ms) - restart))
	[ "$restart" -le "$slowest" ] || slowest=$restart
	kills=$((kills + 1))
}

stir()
{
	pick
	one=$picked
	pick
	draw 8
	case $draw in
	0) wan_tell cut "$one" '*' && cuts=$((cuts + 1)) ;;
	1 | 2) wan_tell cut "$one" "$picked" && cuts=$((cuts + 1)) ;;
	3) wan_tell heal "$one" '*' ;;
	4) wan_tell heal "$one" "$picked" ;;
	5 | 6)
		draw 280
		wan_tell set "$one" "$picked" delay $((20 + draw)) jitter 10 \
			loss $((100 + draw * 400 / 280))
		;;
	7) killed ;;
	esac
}

# Posting goes on at every one: nobody's count stands still for long.
still=0
sum_acked()
{
	cat "$fed"/acked.* | grep -c .
}
check_pace()
{
	for nation in $nations; do
		count=$(grep -c . "$fed/acked.$nation")
		eval "was=\${count_$nation:-0} at=\${moved_$nation:-$(now_ms)}"
		[ "$count" = "$was" ] || at=$(now_ms)
		eval "count_$nation=$count moved_$nation=$at"
		at=$(($(now_ms) - at))
		[ $at -le $still ] || still=$at
	done
}

wan_tell set '*' '*' delay 40 jitter 10 loss 100 rate 20000000 queue 200
end=$(($(now_ms) + seconds * 1000))
while [ "$(now_ms)" -lt $end ]; do
	stir
	check_pace
	sleep 0.3
done

# ---- healed ----

wan_tell heal '*' '*'
# shellcheck disable=SC2086
kill -TERM $storms
for pid in $storms; do
	wait "$pid" || bail 'a sender could not post all'
done
healed=$(now_ms)
for nation in $nations; do
	cat "$fed"/acked.* | sed -n "s/ cert@$nation\$//p" | sort -u \
		>"$fed/due.$nation"
done

missing() # NATION: tickets to it that its reader has not printed
{
	json id <"$fed/read.$1" | sort -u | comm -23 "$fed/due.$1" -
}

nothing_missing()
{
	for nation in $nations; do
		[ -z "$(missing "$nation")" ] || return 1
	done
}

wait_until "${PATIENCE:-90}" nothing_missing
took=$(($(now_ms) - healed)) lost=0 twice=0
for nation in $nations; do
	lost=$((lost + $(missing "$nation" | grep -c .)))
	twice=$((twice + $(json id <"$fed/read.$nation" | sort | uniq -d |
		grep -c .)))
done

[ "$(sum_acked)" -gt 0 ] && [ "$lost" = 0 ]
tap $? "every member has every ticket to it, $lost are missing"
is "$twice" 0 'and each once'
[ "$took" -le 30000 ]
tap $? "30 seconds after the network healed, $took ms"
done_testing "partition: seed $seed, $brokers brokers, $seconds s, $cuts cuts, \
$kills kills, slowest start $slowest ms, nobody waited longer than $still ms; \
$(sum_acked) posts acknowledged, $lost lost, $twice twice, all there after $took ms"
