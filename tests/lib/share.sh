# SPDX-License-Identifier: ISC
#
# share.sh - the short share of a long run, as one check of TAP
#
#	. "$TOP/tests/lib/share.sh"; share N COUNT NAME
#
# Runs tests/fault/NAME.sh with COUNT in the variable that sets its length,
# unless the caller set one, NAME_N for N. Its last line is its figure and becomes
# the check's sentence; the rest are comments. Status 77 skips, with the reason
# it gave.

share() # VARIABLE COUNT NAME
{
	share_own=$(echo "$3_$1" | tr a-z- A-Z_)
	eval "share_count=\${$share_own:-$2}"
	share_out=$(env "$1=$share_count" "$TOP/tests/fault/$3.sh" 2>&1)
	share_status=$?
	if [ $share_status = 77 ]; then
		echo "1..0 # SKIP ${share_out#skipped: }"
		exit 0
	fi
	printf '%s\n' "$share_out" | sed '$d; s/^#* */# /'
	[ $share_status = 0 ] || printf 'not '
	printf 'ok 1 - %s\n1..1\n' "$(printf '%s\n' "$share_out" | tail -n 1)"
	exit "$share_status"
}
