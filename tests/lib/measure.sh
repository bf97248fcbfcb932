# SPDX-License-Identifier: ISC
#
# measure.sh - what a broker costs, and how it serves who is honest
#
# Sourced after federation.sh, by what lets hostile ones loose on a broker.
# $served is the file with the lines of tests/fault/honest.c.

door_of() # PID
{
	cat "/proc/$1"/task/*/children | tr ' ' '\n' | grep -m 1 .
}

memory() # PID...: anonymous, KiB
{
	for memory_pid in "$@"; do
		cat "/proc/$memory_pid/smaps_rollup"
	done | awk '/^Pss_Anon:/ { sum += $2 } END { print sum }'
}

descriptors() # PID...
{
	descriptors_n=0
	for descriptors_pid in "$@"; do
		set -- "/proc/$descriptors_pid/fd"/*
		descriptors_n=$((descriptors_n + $#))
	done
	echo $descriptors_n
}

done_by_now() # WHAT
{
	grep -c "^$1 " "$served"
}

# p50/p99 in ms of WHAT since line FROM.
percentiles() # WHAT FROM
{
	tail -n "+$(($2 + 1))" "$served" | awk -v what="$1" \
		'$1 == what { print $2 }' | sort -n | awk '
		{ v[NR] = $1 / 1000 }
		END { printf "%.1f/%.1f", v[int(NR * 0.5) + (NR * 0.5 < 1)],
			v[int(NR * 0.99) + (NR * 0.99 < 1)] }'
}
