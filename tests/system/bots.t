#!/bin/sh
# SPDX-License-Identifier: ISC
# The share of `make bots` that every check runs.
set -u

figures=$(N=${BOTS_N:-24} "$TOP/tests/system/bots.sh" 2>&1) && status=ok ||
	status='not ok'
printf '%s\n' "$figures" | sed '$d; s/^#* */# /'
echo "$status 1 - $(printf '%s\n' "${figures:-bots.sh ended early}" | tail -n 1)"
echo 1..1
[ "$status" = ok ]
