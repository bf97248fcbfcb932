#!/bin/sh
# SPDX-License-Identifier: ISC
# The share of `make partition` that every check runs.
BROKERS=${PARTITION_BROKERS:-4} T=${PARTITION_T:-12} exec \
	"$TOP/tests/system/partition.sh"
