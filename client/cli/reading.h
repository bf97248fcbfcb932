/* SPDX-License-Identifier: ISC */
/*
 * reading.h - a ticket as an officer reads it, and the word that it was read
 *
 * What `show` prints and `desk` opens is one text: the messages of the thread
 * and its deadlines. Whoever reads a ticket of others first says so for the
 * member, once: the sender wants to know that somebody has seen it.
 */
#ifndef TOCSIN_CLI_READING_H
#define TOCSIN_CLI_READING_H

#include "client/tocsin.h"

/*
 * To stdout, without the claims of bots that are over (PROTOCOL.md 8.12); the
 * deadlines are those of the first one's ticket.
 */
void reading_print(struct tocsin *t, const struct tocsin_list *l);

/*
 * Posts "opened" if nobody of our member has said anything yet; true if it did.
 * A reader's device may not say so, and says nothing; nor is that a failure.
 */
bool reading_opened(struct tocsin *t, const struct tocsin_message *first);

#endif
