#!/bin/sh
# SPDX-License-Identifier: ISC
#
# thinlink.sh - a thin link that drops out: make thinlink
#
# A link of 3 Mbit/s, 100 ms each way and 2 % loss, which is cut for CUT seconds
# every EVERY seconds, CUTS times at most. An attachment of MIB crosses it while flash tickets are
# posted. LINK says which link it is: `peer`, that between two brokers; `up` and
# `down`, that between a broker and a desk which posts or reads; on it a process
# keeps the connection, as an officer's program does. Printed are
#
#	flash	the 95th percentile of the time from before the command that
#		posts to the reader's line, of those that no cut has touched
#	use	bytes of the attachment over what the link carries while up: its
#		rate less its losses, from the first of them until the reader
#		has the file; headers and the flashes have their part too
#	again	bytes that crossed twice, for each cut
#	wire	bytes on the wire for a ticket of 2 KiB over its envelope's,
#		towards the reader and both ways, before there are losses
#
# and held against the figures to reach, unless FIGURES=0: then only what does
# not depend on the machine's speed is. Of a download, `again` is what the broker
# handed to connections that were cut, whether it crossed or not. TRACE=FILE keeps
# what the line carried in each half second, DELAYS=FILE how long each flash took,
# its post alone, and when it was posted.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/random.sh
. "$TOP/tests/lib/random.sh"
# shellcheck source=tests/lib/wan.sh
. "$TOP/tests/lib/wan.sh"

link=${LINK:-peer} mib=${MIB:-50} cut=${CUT:-10} every=${EVERY:-60}
rate=3000000 delay=100 loss=200 queue=200
small=${SMALL:-20}

why=$(wan_missing) && skip_all "$why"
seed_begin "thinlink, LINK=$link MIB=$mib CUT=$cut EVERY=$every"

# ---- who is where ----

# The bytes go from `from` to `to`; the reader is home $reader, the sender
# $sender. With LINK=up or down both are of one broker.
fed_begin
case $link in
peer)
	from=sg to=my
	wan_begin "$seed" sg my
	;;
up)
	from=desk to=sg
	wan_begin "$seed" sg desk
	;;
down)
	from=sg to=desk
	wan_begin "$seed" sg desk
	;;
*) bail "LINK is peer, up or down, not $link" ;;
esac
# From the first: TCP takes the line that it finds to stay.
wan_tell set "$from" "$to" rate $rate delay $delay queue $queue
fed_authorities aa bb cc
fed_broker sg
fed_member singcert@sg desk1
sender=singcert-desk1
if [ "$link" = peer ]; then
	fed_broker my
	fed_member mycert@my night
	reader=mycert-night member=mycert@my
else
	fed_member govcert@sg night
	reader=govcert-night member=govcert@sg
fi
[ "$link" != up ] || fed_by desk >"$fed/by/$sender"
[ "$link" != down ] || fed_by desk >"$fed/by/$reader"
fed_roster
if [ "$link" = peer ]; then
	fed_install sg my
	fed_start sg my
else
	fed_install sg
	fed_start sg
fi
fed_publish "$sender" "$reader"
wait_until 20 knows "$sender" "$member" || bail 'no keys arrive'
wait_until 20 knows "$reader" singcert@sg || bail 'no keys arrive'

# What the reader sees, each line with the time at which it came.
stamp()
{
	while read -r line; do
		echo "$(now_ms) $line"
	done <"$fed/lines" >"$fed/seen"
}
mkfifo "$fed/lines"
spawn stamp
spawn_at "$reader" watch --json >"$fed/lines"
[ "$link" != up ] || spawn_at "$sender" watch --json >/dev/null

# Where a desk is there that sends it, a command need not wait.
[ "$link" = up ] && wait='--wait 0' || wait=
flash() # SUBJECT [OPTION...]: prints its id
{
	subject=$1
	shift
	# shellcheck disable=SC2086
	post "$sender" "$member" --tlp GREEN --subject "$subject" $wait "$@"
}

# ---- what a ticket costs ----

# Nothing is on the way, and the last word about it has been said.
quiet()
{
	quiet_was=$(wan_carried "$from" "$to")
	sleep 0.5
	[ "$(wan_carried "$from" "$to")" = "$quiet_was" ]
}

head -c 1500 /dev/urandom | base64 -w 76 | head -c 2048 >"$fed/text"
wait_until 30 quiet
before=$(wan_carried "$from" "$to") back=$(wan_carried "$to" "$from")
i=0
while [ $i -lt "$small" ]; do
	i=$((i + 1))
	id=$(flash "small $i" --text "$fed/text") || bail 'cannot post'
done
wait_until 60 at_least "$small" '"small ' "$fed/seen" ||
	bail 'small tickets stay away'
wait_until 30 quiet
forth=$((($(wan_carried "$from" "$to") - before) / small))
back=$((($(wan_carried "$to" "$from") - back) / small))
at "$reader" show "$id" --no-receipt --export "$fed/exported" >/dev/null
envelope=$(cat "$fed/exported/note" "$fed/exported/body" | wc -c)

# ---- the thin link, with the attachment on it ----

# Bytes of it that came, or went, so far.
case $link in
peer) crossed() { counter my relay_repeated_bytes; } ;;
up) crossed() { counter sg put_bytes; } ;;
down) crossed() { counter sg got_bytes; } ;;
esac

crossing()
{
	[ "$(crossed)" -gt "$again_before" ]
}

# When it began to cross, of one that crosses between brokers: more than its
# ticket has. What sealing it and bringing it to the first broker takes is not
# the link's.
begins() # BYTES
{
	until [ "$(wan_carried "$from" "$to")" -gt "$1" ]; do
		sleep 0.05
	done
	now_ms >"$fed/first"
	mv "$fed/first" "$fed/began"
}

wan_tell set "$from" "$to" loss $loss
head -c $((mib << 20)) /dev/urandom >"$fed/big"
again_before=$(crossed)
down=0 cuts=0 n=0
if [ "$link" = peer ]; then
	begins $(($(wan_carried "$from" "$to") + 32768)) &
	pids="$pids $!"
fi
big=$(flash 'big one' --precedence routine --attach "$fed/big") ||
	bail 'cannot post'
wait_until 60 has "$fed/seen" '"big one"' || bail 'the ticket stays away'
# Sealed: an authenticator for each 64 KiB, and a head.
sealed=$(((mib << 20) + (mib << 8) + 184))

# The attachment, as the reader fetches it; in peer mode there is nothing thin
# between broker and reader.
mkdir "$fed/out"
fetch_big()
{
	until at "$reader" save "$big" big -o "$fed/out" >"$fed/saved" 2>&1; do
		sleep 0.2
	done
	now_ms >"$fed/whole"
}
fetch_big &
fetcher=$!
pids="$pids $fetcher"
# From its first byte on.
if [ "$link" = peer ]; then
	wait_until 60 test -f "$fed/began" || bail 'nothing crosses'
	began=$(cat "$fed/began")
else
	wait_until 30 crossing || bail 'nothing crosses'
	began=$(now_ms)
fi
[ -z "${TRACE:-}" ] || wan_trace "$TRACE"
next=$((began + every * 1000))

: >"$fed/flashes"
while [ ! -f "$fed/whole" ]; do
	now=$(now_ms)
	if [ "$every" != 0 ] && [ "$now" -ge "$next" ] &&
		[ "$cuts" -lt "${CUTS:-1000}" ]; then
		wan_tell cut "$from" "$to"
		sleep "$cut"
		wan_tell heal "$from" "$to"
		cuts=$((cuts + 1)) down=$((down + $(now_ms) - now))
		next=$(($(now_ms) + every * 1000))
		echo "$now $(now_ms)" >>"$fed/cuts"
	fi
	n=$((n + 1))
	at=$(now_ms)
	flash "flash $n." --precedence flash >"$fed/id" || bail 'cannot post'
	echo "$n $at $(now_ms)" >>"$fed/flashes"
	sleep 0.7
	[ $((now - began)) -lt $((mib * 30000 + 120000)) ] ||
		bail 'the attachment does not arrive'
done
ended=$(cat "$fed/whole")
cmp -s "$fed/big" "$fed/out/big" || bail 'the attachment is another'
wait_until 30 has "$fed/seen" "\"flash $n.\"" || bail 'a flash stays away'
again=$(($(crossed) - again_before))
[ "$link" = peer ] || again=$((again - sealed))

# ---- figures ----

# The delay of each flash during whose way the link was up throughout.
touch "$fed/cuts"
while read -r n at posted; do
	seen=$(grep -m 1 "\"flash $n\\.\"" "$fed/seen" | cut -d ' ' -f 1)
	awk -v a="$at" -v b="$seen" '$1 <= b && $2 >= a { bad = 1 }
		END { exit bad }' "$fed/cuts" &&
		echo $((seen - at)) $((posted - at)) $((at - began))
done <"$fed/flashes" | sort -n >"$fed/delays"
counted=$(grep -c . "$fed/delays")
p95=$(sed -n "$(((counted * 95 + 99) / 100))s/ .*//p" "$fed/delays")
p50=$(sed -n "$(((counted + 1) / 2))s/ .*//p" "$fed/delays")
[ -z "${DELAYS:-}" ] || cp "$fed/delays" "$DELAYS"
up_ms=$((ended - began - down))
use=$(((mib << 20) * 8 * 100 / (rate / 1000 * up_ms / 10000 * (10000 - loss))))
[ $cuts = 0 ] && each=0 || each=$((again / cuts))

echo "# flash p50 $p50 ms, p95 $p95 ms of $counted; the link's own is $delay ms"
echo "# $mib MiB in $((up_ms / 1000)) s of a link that was up," \
	"$cuts cuts beside: $use % of 3 Mbit/s"
echo "# $again bytes came twice, $each for each cut"
echo "# lost and full, bytes packets: $(wan_counts "$from" "$to")"
echo "# a ticket of 2 KiB: envelope $envelope, $forth forth, $back back"

if [ "${FIGURES:-1}" = 1 ]; then
	[ "$p95" -le $((1000 + delay)) ]
	tap $? "a flash overtakes $mib MiB in a second and the delay, $p95 ms"
	[ "$use" -ge 85 ]
	tap $? "$mib MiB use 85 % of what the link carries while up, $use %"
fi
# A desk that stands still has its work taken over by the home's next process,
# which sends some of it again: how much is the machine's pace, too.
if [ "$link" = peer ] || { [ "$link" = up ] && [ "${FIGURES:-1}" = 1 ]; }; then
	[ "$each" -le 65536 ]
	tap $? "at most 64 KiB cross again after a cut, $each bytes"
fi
[ $((forth * 100)) -le $((envelope * 125)) ]
tap $? "a ticket takes 1.25 times its envelope, $((forth * 100 / envelope)) %"
is "$(sed -n 's/.*"\(flash [0-9]*\)\.".*/\1/p' "$fed/seen" | sort | uniq -d)" \
	'' 'no flash comes twice'
tap 0 "$n flashes and $mib MiB came whole, through $cuts cuts"
done_testing "thinlink: seed $seed, LINK=$link, $cuts cuts; flash p95 $p95 ms, \
$use % of the link used, $each bytes repeated after a cut, $((forth * 100 / envelope)) % \
of an envelope on the wire"
