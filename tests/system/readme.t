#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The tour of README.md is what a stranger does first. Its blocks are run here as
# they stand there, in one shell, on ports of our own.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/blocks.sh
. "$TOP/tests/lib/blocks.sh"

fed_begin
one=$(free_port)
two=$(free_port)
# The programs are those of this build.
blocks "$TOP/README.md" | sed "s/17401/$one/g;s/17402/$two/g
	1s,.*,PATH=\$B:\$PATH," >"$fed/blocks"
ok 'README.md has a tour' [ "$(grep -c . "$fed/blocks")" -gt 40 ]

cd "$TOP" || exit 1
export B
TMPDIR=$fed run_blocks "$fed/blocks" bash
is $? 0 'each of its commands does what it is to do' ||
	tail -n 30 "$fed/told" | sed 's/^/# /' >&2
ok 'to its end' has "$fed/told" 'to the end'
ok 'the ticket was seen' has "$fed/told" 'Poison Ivy in your ministry'
ok 'and accepted' grep -Eq 'mycert@my +accepted' "$fed/told"
ok 'it was opened by hand' has "$fed/told" 'all checks passed'
done_testing
