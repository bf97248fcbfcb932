#!/bin/sh
# SPDX-License-Identifier: ISC
#
# escalate-unanswered.sh - bring before others what nobody answered in time
#
#	escalate-unanswered.sh MEMBER [SECONDS]
#
# Escalates to MEMBER each ticket of ours whose deadline has passed without an
# answer; looks once, or every so many seconds. It keeps no state: that a ticket
# was escalated stands in its thread, which every device of the team has. So it
# may be killed, started again or run twice, and escalates once. The device in
# TOCSIN_HOME is a bot: `tocsin init --role bot`.
set -eu
to=$1 every=${2:-}

while :; do
	tocsin inbox --unacked --overdue --json |
	    grep '"mine": *true' | grep '"escalated": *0[,}]' |
	    sed 's/^{"id": *"\([^"]*\).*/\1/' |
	    while read -r id; do
		tocsin escalate "$id" --to "$to" -m 'No answer by the deadline.'
	    done
	[ -n "$every" ] || exit 0
	sleep "$every"
done
