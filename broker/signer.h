/* SPDX-License-Identifier: ISC */
/*
 * signer.h - our signature on the log as it stands
 *
 * One checkpoint per size, whoever asks: it is made once and kept until the log
 * has grown. From any thread.
 */
#ifndef TOCSIN_BROKER_SIGNER_H
#define TOCSIN_BROKER_SIGNER_H

#include "broker/store.h"

struct broker;
struct signer;

struct signer *signer_new(void); /* NULL: memory */
void signer_free(struct signer *s);

/* Appends the signed checkpoint of the snapshot's log. */
MUST_USE enum tocsin_err signer_checkpoint(struct signer *s,
    const struct broker *b, struct store_rx *rx, struct buf *out);

#endif
