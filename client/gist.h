/* SPDX-License-Identifier: ISC */
/*
 * gist.h - what can be searched of a thread
 *
 * The words of all its messages that were opened: every string of their
 * content, by the name of its member, as subject, text, indicators; of
 * attachments their names. Nothing of what was refused or recalled is in it,
 * nor what an escalation carries of a message that was; of a recalled
 * attachment not its name.
 *
 * A gist is bytes, to be kept sealed (glance.h) and searched where it lies:
 *
 *	a message:	32 bytes id, u64 time, 3 x string (from, kind, tlp)
 *			u32 number of fields
 *	a field:	string (name), string (text)
 *	a string:	u32 n, n bytes
 *
 * Reading is pure.
 */
#ifndef TOCSIN_CLIENT_GIST_H
#define TOCSIN_CLIENT_GIST_H

#include "client/handle.h"
#include "crypto/buf.h"

/*
 * Appended; *out remembers if memory was short. Labels are those of `now`, the
 * thread as tocsin_thread() gives it, or of the headers if it is NULL.
 */
void gist_write(struct buf *out, const struct tocsin_status *s,
    const struct tocsin_list *now);

struct gist_message {
	uint8_t id[ID_LEN];
	int64_t time;
	struct span from, kind, tlp;
	uint32_t nfield;
};

struct gist_field {
	struct span name, text;
};

/*
 * The next message, and after it as many fields as it says. False at the end,
 * or where it is none: a gist that was opened is one.
 */
bool gist_message(struct rd *r, struct gist_message *out);
bool gist_field(struct rd *r, struct gist_field *out);

#endif
