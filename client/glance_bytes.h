/* SPDX-License-Identifier: ISC */
/*
 * glance_bytes.h - a glance as bytes, which the desk keeps sealed
 *
 * Field by field in the order of struct glance, integers big-endian, a string
 * behind its length, a list behind its count. Whoever changes what is written
 * counts FORMAT of glance.c up: what was kept before then opens no more, and is
 * folded anew.
 *
 * The one idea: what is read back is what was written, or nothing at all. Bytes
 * that are too few, too many or count beyond reason make no glance, as does a
 * lack of memory; nothing is believed in part. How much of an attachment is
 * here changes without the thread, so it is not among them, and is asked for.
 *
 * Pure. Strings are the arena's and live as long as that.
 */
#ifndef TOCSIN_CLIENT_GLANCE_BYTES_H
#define TOCSIN_CLIENT_GLANCE_BYTES_H

#include "client/arena.h"
#include "client/glance.h"
#include "client/incident.h"
#include "crypto/buf.h"

/* How much of the part with that hash is here, and when it was saved. */
struct glance_here {
	void (*part)(
	    void *arg, const uint8_t hash[32], struct tocsin_part *part);
	void *arg;
};

/* `part` has the hashes of m's parts; NULL: nobody could read them, so none. */
void glance_print(struct buf *b, const struct glance *g,
    const struct incident_attachment *part);

/* False: it is none. `thread` is the id of its thread. */
bool glance_parse(struct glance *out, struct arena *a,
    const struct glance_here *here, struct span bytes,
    const uint8_t thread[32]);

#endif
