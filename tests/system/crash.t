#!/bin/sh
# SPDX-License-Identifier: ISC
# The share of `make crash` that every check runs.
set -u

figures=$(N=${CRASH_N:-25} "$TOP/tests/system/crash.sh") && status=ok ||
	status='not ok'
echo "$status 1 - ${figures:-crash.sh ended early}"
echo 1..1
[ "$status" = ok ]
