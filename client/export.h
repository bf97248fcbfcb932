/* SPDX-License-Identifier: ISC */
/*
 * export.h - a message as the files that it consists of
 *
 * For docs/examples/open-ticket.sh, for evidence, for the day on which tocsin
 * does not run: nothing in them is ours but the formats (PROTOCOL.md 8.6).
 *
 *	note		the header with its signature
 *	body		the age file
 *	part-1.age ...	the sealed attachments, in the order of ticket.json
 *	keys		the sender's key announcement, signed
 *	roster		the newest roster, signed
 *
 * All is public or sealed; the key that opens it stays in the home.
 */
#ifndef TOCSIN_CLIENT_EXPORT_H
#define TOCSIN_CLIENT_EXPORT_H

#include "client/tocsin.h"
#include "crypto/wire.h"

/*
 * Into `dir`, which is made if it isn't there; another file that is there is
 * not replaced, EUSAGE. EUNAVAILABLE: not all of the attachments are at the
 * broker; the rest is exported, and the next try adds what came since.
 */
enum tocsin_err export_message(
    struct tocsin *t, const char *id, const char *dir) TOCSIN_MUST_USE;

/* A whole file into it, unless that is there already with other bytes. */
enum tocsin_err export_file(
    const char *dir, const char *name, struct span bytes) TOCSIN_MUST_USE;

#endif
