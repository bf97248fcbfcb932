/* SPDX-License-Identifier: ISC */
/*
 * intake.h - what comes from the broker, judged and put into the desk
 *
 * The broker is not trusted with content: every roster, announcement, receipt
 * and ticket is verified here as if it came from a stranger. The entries of one
 * answer and the cursor after them are one transaction. A ticket that fails is
 * kept with the reason and never opened; the other kinds are of no use then and
 * are passed over.
 */
#ifndef TOCSIN_CLIENT_INTAKE_H
#define TOCSIN_CLIENT_INTAKE_H

#include "client/sync.h"
#include "crypto/msg.h"

struct intake {
	const struct sync_parts *parts;
	struct sync *sync; /* to ask for what did not fit */
};

/* Sets *cursor to the last entry's seq once all of it is on disk. */
enum tocsin_err MUST_USE intake_entries(
    const struct intake *in, const struct msg_entries *m, uint64_t *cursor);

#endif
