#!/bin/bash
# SPDX-License-Identifier: ISC
# `make bench` with a few posts: it still runs, and every figure is a number.
# How fast anything is, is not asked here.
set -u

. "$TOP/tests/lib/federation.sh"

fed=$(mktemp -d "${TMPDIR:-/tmp}/tocsin.XXXXXX") || exit 1
trap 'rm -rf "$fed"' EXIT

ROUNDS=1 SCALE=1 ENTRIES=40 FLOOR_MS=20 TICKETS=20 "$TOP/tests/bench/run" \
	>"$fed/said" 2>"$fed/err"
ok 'the benchmark runs to its end' test $? = 0 || sed 's/^/# /' "$fed/err" >&2

grep '^{' "$fed/said" >"$fed/lines"
sed -n '/^LMDB commits/,$p' "$fed/said" | grep . >"$fed/table"

each_is_json()
{
	perl -MJSON::PP -ne 'decode_json($_)' "$1"
}
ok 'each line of its log is a JSON object' each_is_json "$fed/lines"

for tag in about idle start-empty warm floor w1 w16 w64 batch live fill disk \
	start-filled filled replay replayed rounds-cpu replay-cpu \
	list-first list screen find bot timers; do
	grep -q "\"of\":\"$tag\"" "$fed/lines" || echo "$tag"
done >"$fed/missing"
is "$(cat "$fed/missing")" '' 'nothing was left out'

is "$(sed -n 's/.*"entries":\([0-9]*\),.*/\1/p' "$fed/lines" |
	awk '$1 < 40' | wc -l)" 0 'a replay brings what was posted'

is "$(grep -cE ' +[0-9]+(\.[0-9]+)? ' "$fed/table")" "$(wc -l <"$fed/table")" \
	'every row of the table has its figure'
is "$(grep -cE '[<>]= [0-9.]+: (met|missed)$' "$fed/table")" 13 \
	'every target is judged'
done_testing
