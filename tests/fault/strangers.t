#!/bin/sh
# SPDX-License-Identifier: ISC
# The share of `make strangers` that every check runs.
# shellcheck source=tests/lib/share.sh
. "$TOP/tests/lib/share.sh"

share N 300 strangers
