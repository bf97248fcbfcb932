#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The tour of four nations (`make tour`) is played, and every claim that it makes
# of a screen is verified by it. Here it is asked that it came to its end, and
# that nothing on the way is wider than a terminal or is a control character.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

fed_begin
TMPDIR=$fed timeout 300 "$TOP/docs/examples/tour.sh" >"$fed/told" 2>"$fed/err"
is $? 0 'every screen of the tour is as it should be' ||
	{ tail -n 15 "$fed/told"; tail -n 30 "$fed/err"; } | sed 's/^/# /' >&2
ok 'to its end' has "$fed/told" 'every screen was as it should be'
is "$(sed '/^   [|=$ ]/d' "$fed/told" | grep -c '^ *ok, step')" 10 \
	'all ten steps of it'
is "$(tr -d '\n\t -~' <"$fed/told" | LC_ALL=C tr -d '\200-\377' | wc -c)" 0 \
	'no control character is on any screen'
done_testing
