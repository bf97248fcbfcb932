/* SPDX-License-Identifier: ISC */
/*
 * verify.h - whether a store is what a broker left
 *
 * Two looks. The store's own (store_verify) is at rows: each by its check, one
 * table against the others. This one adds what rows mean to a broker: a
 * ticket's body is the one that its header signs, a roster, an announcement and
 * the head of a chain are the entries that values name, no cursor is beyond the
 * log.
 *
 * LMDB walks its own pages without a check, and may end the process on one that
 * is damaged. So both are done by a child process, whose death is one finding
 * more. Nothing is written, and the broker may be running meanwhile.
 */
#ifndef TOCSIN_BROKER_VERIFY_H
#define TOCSIN_BROKER_VERIFY_H

#include "broker/store.h"

/*
 * One line to stdout for each finding: "problem: ", the sentence, "; " and what
 * to do. Returns how many there were; 0: clean, and *walked is what was seen.
 * To be called before there are threads.
 */
unsigned verify_store(const char *dir, struct store_walked *walked);

#endif
