#!/bin/sh
# SPDX-License-Identifier: ISC
# The share of `make full` that every check runs.
# shellcheck source=tests/lib/share.sh
. "$TOP/tests/lib/share.sh"

share N 2 full
