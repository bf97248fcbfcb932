/* SPDX-License-Identifier: ISC */
/*
 * The same as relay.c, with Malaysia behind NAT: nobody can dial it, and it
 * fetches what is for it. Nothing else may be different.
 */
#define HIDDEN MY
#include "tests/broker/relay.c"
