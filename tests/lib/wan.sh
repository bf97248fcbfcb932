# SPDX-License-Identifier: ISC
#
# wan.sh - brokers in namespaces, with a wide area network between them
#
# Sourced after federation.sh. Needs root, `ip` and /dev/net/tun; wan_missing
# says what is not there. Nothing of the machine's own network is touched.
#
#	wan_begin SEED sg my		a namespace each; $host_sg is its address
#	wan_tell set sg my rate 3000000	a line to tests/tool/wan.c, which says what
#	wan_tell cut sg '*'			there is; brokers by their names
#	wan_carried sg my		bytes that have come through, one way
#
# fed_broker, fed_start and at() of federation.sh then work within.

wan_missing() # prints why it can't be done here
{
	if [ "$(id -u)" != 0 ]; then
		echo 'network namespaces need root'
	elif ! command -v ip >/dev/null || ! command -v nsenter >/dev/null; then
		echo 'no ip or nsenter (packages iproute2, util-linux)'
	elif [ ! -c /dev/net/tun ]; then
		echo 'no /dev/net/tun'
	elif ! ip netns add "tocsin-$$" 2>/dev/null; then
		echo 'namespaces are not allowed here'
	else
		ip netns delete "tocsin-$$"
		return 1
	fi
}

wan_begin() # SEED BROKER...
{
	wan_seed=$1
	shift
	wan_nodes=$* wan_n=0 wan_spaces=
	at_exit="wan_end; $at_exit"
	for node in "$@"; do
		wan_n=$((wan_n + 1))
		must ip netns add "tocsin-$$-$node"
		wan_spaces="$wan_spaces tocsin-$$-$node"
		eval "host_$node=10.77.0.$wan_n wan_$node=$wan_n"
		eval "by_$node='nsenter --net=/run/netns/tocsin-$$-$node'"
	done
	mkfifo "$fed/wan.in"
	# shellcheck disable=SC2086
	spawn wan "$wan_seed" "$fed/wan.in" $wan_spaces >"$fed/wan.out"
	wait_until 10 has "$fed/wan.out" ready || bail 'no network'
}

wan_end()
{
	reap_all
	for space in $wan_spaces; do
		ip netns delete "$space"
	done
}

wan_number() # NAME|*
{
	[ "$1" = '*' ] && echo '*' || eval "echo \$wan_$1"
}

wan_tell() # set|cut|heal NAME NAME [...]
{
	wan_what=$1 wan_from=$(wan_number "$2") wan_to=$(wan_number "$3")
	shift 3
	echo "$wan_what $wan_from $wan_to $*" >"$fed/wan.in"
}

# A line of what came through, was lost, found no room, came during a cut: bytes
# and packets of each.
wan_counts() # FROM TO
{
	rm -f "$fed/wan.counts"
	echo "show $fed/wan.counts" >"$fed/wan.in"
	wait_until 5 test -f "$fed/wan.counts" || bail 'the network is silent'
	sed -n "s/^$(wan_number "$1") $(wan_number "$2") //p" "$fed/wan.counts"
}

# A line for each half second from now on: tests/tool/wan.c.
wan_trace() # FILE
{
	echo "trace $1" >"$fed/wan.in"
}

wan_carried() # FROM TO
{
	wan_counts "$1" "$2" | cut -d ' ' -f 1
}
