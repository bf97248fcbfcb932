/* SPDX-License-Identifier: ISC */
/*
 * in_unwanted.h - parts that only a refused ticket has named
 *
 * A part whose ticket is not here holds its lane for a while, because the
 * ticket may still come. If the ticket came and was refused it will not, and
 * each of its parts would cost those behind it RELAY_HOLD_MS. So of each peer
 * the hashes of the last of these are kept, in memory: after a restart such a
 * part is held once more. Nobody but the peer itself is affected.
 */
#ifndef TOCSIN_BROKER_IN_UNWANTED_H
#define TOCSIN_BROKER_IN_UNWANTED_H

#include "broker/relay_in_impl.h"

/* An entry was passed over: the parts that it names, if it is a ticket. */
void in_unwanted_note(struct in_item *it);

/* Whether it is among them; a ticket that is here may name it all the same. */
bool in_unwanted_has(struct in_peer *p, const uint8_t hash[32]);

#endif
