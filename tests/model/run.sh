#!/bin/sh
# SPDX-License-Identifier: ISC
#
# run.sh - what can happen on a relay link, all of it: make model
#
# relay.pml is searched twice: for a broken assertion or a state that is stuck,
# and for a cycle in which nothing arrives. Its mistakes, BROKEN 1 to 5, must each
# be found. N, LOSSES, MIXED, TWICE and CRASHES make it another size.
set -u

command -v spin >/dev/null || {
	echo '1..0 # SKIP no spin (package spin)'
	exit 0
}
model=$TOP/tests/model/relay.pml
dir=$(mktemp -d "${TMPDIR:-/tmp}/tocsin.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
n=0 failed=0

# Whether a search with these macros ends without an error, and has been
# complete; $states is how many it saw.
search() # BROKEN PAN-OPTION DEFINE
{
	spin -a -DBROKEN="$1" -DN="${N:-3}" -DLOSSES="${LOSSES:-2}" \
		-DMIXED="${MIXED:-1}" -DTWICE="${TWICE:-1}" \
		-DCRASHES="${CRASHES:-2}" "$model" >spin.out 2>&1 &&
		cc -O2 -w "$3" -DMEMLIM="${MEMLIM:-4000}" -o pan pan.c ||
		{ cat spin.out >&2; exit 1; }
	# shellcheck disable=SC2086
	./pan $2 -m2000000 >pan.out 2>&1
	states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.out)
	grep -q 'errors: 0' pan.out && ! grep -q 'out of memory\|max search depth' \
		pan.out
}

tap() # STATUS SENTENCE
{
	n=$((n + 1))
	[ "$1" = 0 ] && echo "ok $n - $2" && return
	echo "not ok $n - $2"
	sed 's/^/# /' pan.out >&2
	failed=$((failed + 1))
}

search 0 '' -DSAFETY
tap $? "the relay keeps what it promises in all of $states states"
all=$states
search 0 -l -DNP
tap $? "and gets there, in all of $states states"
for broken in 1 2 3 4 5; do
	! search $broken '' -DSAFETY || ! search $broken -l -DNP
	tap $? "mistake $broken is found, after $states states"
done
echo "1..$n"
echo "# model: N=${N:-3}, $all states, $((n - failed)) of $n searches as they should be"
[ $failed = 0 ]
