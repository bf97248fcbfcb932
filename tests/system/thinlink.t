#!/bin/sh
# SPDX-License-Identifier: ISC
# The share of `make thinlink` that every check runs: a desk that loads down or
# up over a thin link while flashes are posted, and one cut.
for link in down up; do
	LINK=$link MIB=1 EVERY=2 CUT=3 CUTS=1 SMALL=2 FIGURES=0 \
		"$TOP/tests/system/thinlink.sh" >"${TMPDIR:-/tmp}/thinlink.$$" 2>&1
	status=$?
	if grep -q '^1\.\.0' "${TMPDIR:-/tmp}/thinlink.$$"; then
		cat "${TMPDIR:-/tmp}/thinlink.$$"
		rm -f "${TMPDIR:-/tmp}/thinlink.$$"
		exit 0
	fi
	sed -n "s/^/# $link: /p" "${TMPDIR:-/tmp}/thinlink.$$" |
		grep -v 'cannot be reached'
	rm -f "${TMPDIR:-/tmp}/thinlink.$$"
	n=$((${n:-0} + 1))
	[ $status = 0 ] && echo "ok $n - LINK=$link" || echo "not ok $n - LINK=$link"
	[ $status = 0 ] || failed=1
done
echo "1..$n"
exit ${failed:-0}
