#!/bin/sh
# SPDX-License-Identifier: ISC
# The share of `make powercut` that every check runs.
# shellcheck source=tests/lib/share.sh
. "$TOP/tests/lib/share.sh"

share N 12 powercut
