/* SPDX-License-Identifier: ISC */
/*
 * expiry.h - what stops this desk from sending soon, said in time
 *
 * A roster or an announcement that is over doesn't stop reading, only sending,
 * and nobody notices before the night on which it matters. So inbox tells from
 * 30 days ahead, in words that grow louder at 7 days and at one.
 */
#ifndef TOCSIN_CLI_EXPIRY_H
#define TOCSIN_CLI_EXPIRY_H

#include "client/tocsin.h"

/* A line on stderr for the roster, and for our member's announcement. */
void expiry_warn(struct tocsin *t, int64_t now);

#endif
