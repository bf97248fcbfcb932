/* SPDX-License-Identifier: ISC */
/*
 * check.h - has this been damaged?
 *
 * XXH64, a hash without a secret: it finds what disks and memory do to bytes,
 * not what an attacker does, whom the hashes in signed texts are for. Each of
 * its four lanes takes eight bytes at a time by steps that can be undone, so a
 * change within one such group never gets lost in its lane; of anything else
 * one in 2^64 is missed. Ten bytes a nanosecond: a replay asks for every byte
 * that it sends.
 *
 * The value is the same on every machine, and that of other implementations:
 * tests/broker/check.c.
 */
#ifndef TOCSIN_BROKER_CHECK_H
#define TOCSIN_BROKER_CHECK_H

#include "crypto/wire.h"

uint64_t check_xxh64(struct span bytes, uint64_t seed);

#endif
