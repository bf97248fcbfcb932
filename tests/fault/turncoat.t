#!/bin/sh
# SPDX-License-Identifier: ISC
# The share of `make turncoat` that every check runs.
# shellcheck source=tests/lib/share.sh
. "$TOP/tests/lib/share.sh"

share N 1000 turncoat
