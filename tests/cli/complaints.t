#!/bin/sh
# SPDX-License-Identifier: ISC
#
# docs/COMPLAINTS.md names a check for each complaint: it is there, and says that.
set -u
. "${TOP:=$(pwd)}/tests/lib/federation.sh"
fed_begin
sed -n 's/.* | `\(tests[^`]*\)`: \(.*\) |$/\1|\2/p' "$TOP/docs/COMPLAINTS.md" \
	>"$fed/rows"
is "$(grep -c '^| .*#[0-9]' "$TOP/docs/COMPLAINTS.md")" \
	"$(grep -c . "$fed/rows")" 'every complaint has a check'
while IFS='|' read -r file words; do
	ok "$file: $words" has "$TOP/$file" "$words"
done <"$fed/rows"
done_testing
