#!/bin/sh
# SPDX-License-Identifier: ISC
# The share of `make model` that every check runs.
LOSSES=1 exec "$TOP/tests/model/run.sh"
