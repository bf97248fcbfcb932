#!/bin/sh
# SPDX-License-Identifier: ISC
# The share of `make simulate` that every check runs: as many worlds as fit, and
# each of the planted defects, which must be found.
set -u

sim=$B/tests/sim/simulate
n=0 bad=0

check() { # status sentence
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		bad=1
	fi
}

out=$(SEEDS=100000 SECONDS_MOST=${SECONDS_MOST:-12} "$sim")
status=$?
[ "$status" -eq 0 ] || printf '%s\n' "$out" | sed 's/^[^#]/# &/'
check "$status" "$(printf '%s\n' "$out" | tail -n 1)"

for mutant in $("$sim" --mutations); do
	out=$(SEED=1 SEEDS=100 SECONDS_MOST=240 "$sim" --mutation "$mutant")
	check $? "$mutant: $(printf '%s\n' "$out" | sed -n 's/^# SEED=//p')"
done
echo "1..$n"
exit "$bad"
