#!/bin/sh
# SPDX-License-Identifier: ISC
# The share of `make stopped` that every check runs.
# shellcheck source=tests/lib/share.sh
. "$TOP/tests/lib/share.sh"

share T 2 stopped
