#!/bin/sh
# SPDX-License-Identifier: ISC
# The share of `make soak` that every check runs.
# shellcheck source=tests/lib/share.sh
. "$TOP/tests/lib/share.sh"

MEMBERS=${SOAK_MEMBERS:-8}
export MEMBERS
share T 20 soak
