#!/bin/sh
# SPDX-License-Identifier: ISC
#
# alarms.sh - what about a broker needs a person now
#
#	alarms.sh [CONFIG]
#	tocsind status --json | alarms.sh -
#
# Prints a line for each alarm of docs/OPERATIONS.md, section 6, that one look
# can tell; nothing, and status 0, if there is none. Run it from cron or a
# monitoring system, as the broker's user or root. Needs jq.
set -u

if [ "${1:-}" = - ]; then
	status=$(cat)
elif ! status=$(tocsind status --json --config \
	"${1:-/etc/tocsin/tocsind.conf}" 2>&1); then
	echo "no answer: $status"
	exit 1
fi
# shellcheck disable=SC2016
alarms=$(printf '%s\n' "$status" | jq -r '
	def peers(is; words): .peers[]? | select(is) | "peer \(.peer) \(words)";
	def when(is; words): select(is) | words;

	when(.ready | not; "it waits for its first roster"),
	when(.roster_expired; "the roster has expired"),
	when(.ready and (.roster_listed | not);
		"the roster does not list this broker"),
	when(.ready and (.roster_expires | fromdate) < now + 14 * 86400;
		"the roster expires on \(.roster_expires)"),
	when(.damaged > 0; "\(.damaged) entries are damaged"),
	when(.full; "there is no room: posts are refused"),
	when(.ready and .store_used > .store_limit * 0.8;
		"the store has used more than 80 % of map"),
	when(.half_open > 1000; "\(.half_open) links are half open"),
	when(.queued > 1000; "\(.queued) posts wait for the disk"),
	when(.door.no_fds > 0; "the door has no descriptors left"),
	(.up_ms as $ms | peers((.up | not) and $ms > 600000 and
		(.heard_ms < 0 or .heard_ms > 600000); "is down")),
	peers(.full; "has no room: its operator should know"),
	peers(.oldest_s > 600;
		"lacks \(.waiting) items, the oldest for \(.oldest_s) s"),
	peers(.up and .heard_ms > 30000; "is silent for \(.heard_ms) ms")' 2>&1) || {
	echo "jq is missing, or the answer is not what it should be: $alarms"
	exit 1
}
[ -n "$alarms" ] || exit 0
printf '%s\n' "$alarms"
exit 1
