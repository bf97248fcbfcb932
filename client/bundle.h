/* SPDX-License-Identifier: ISC */
/*
 * bundle.h - a ticket carried by hand
 *
 * Where no network reaches, a ticket can travel on a disk: one file with its
 * messages as they are sealed and signed, with the rosters and announcements
 * that tell whose signatures these are, and, if wanted, the sealed attachments
 * (PROTOCOL.md 8.9). Nothing in it needs to be kept secret or trusted: only the
 * recipients open it, and the desk that takes it in makes the same checks as of
 * what a broker gives. What is known already is no second message.
 *
 * It is an archive in the shape of tar.h, so that any tar lists it.
 */
#ifndef TOCSIN_CLIENT_BUNDLE_H
#define TOCSIN_CLIENT_BUNDLE_H

#include "client/tocsin.h"
#include "crypto/buf.h"

#define BUNDLE_MAX (256 * 1024 * 1024)

struct bundle_counts {
	size_t messages;    /* in it */
	size_t known;	    /* of these: here before */
	size_t refused;	    /* of these: kept here, not opened */
	size_t attachments; /* in it */
	size_t left_out;    /* attachments that the ticket has besides */
};

/* The messages of the thread. ETOOLARGE: with attachments it is too much. */
enum tocsin_err bundle_write(struct tocsin *t, const char *id,
    bool with_attachments, struct buf *out,
    struct bundle_counts *n) TOCSIN_MUST_USE;

bool bundle_is(struct span file);

/*
 * EROSTERUNKNOWN: this desk believes no roster yet, and takes none from a file
 * that a stranger may have made. EMALFORMED, EEXERCISEMISMATCH (one of them is
 * not of this home's exercise, or not live as it is): nothing of it was taken.
 */
enum tocsin_err bundle_read(struct tocsin *t, struct span file,
    struct bundle_counts *n) TOCSIN_MUST_USE;

#endif
