/* SPDX-License-Identifier: ISC */
/*
 * stix.h - what a STIX 2.1 bundle says, as members of ticket.json
 *
 * A report that another tool wrote is attached as it is; what a person must see
 * at once (title, description, indicators, references, sectors) is read out of
 * it. Nothing is guessed: a bundle without a report gives no title.
 *
 * The file is somebody else's: it is bounded in size, depth and count, and no
 * member of it gets a meaning that is not listed here.
 */
#ifndef TOCSIN_CLI_STIX_H
#define TOCSIN_CLI_STIX_H

#include "crypto/tocsin_err.h"
#include "crypto/wire.h"

#define STIX_FILE_MAX (16 * 1024 * 1024)
#define STIX_INDICATORS_MAX 500
#define STIX_MEDIA "application/stix+json;version=2.1"

struct stix {
	char *subject; /* the report's name, or NULL */
	char *text;    /* its description, or NULL */
	char *json;    /* an object with the rest */
	char tlp[16];  /* the narrowest marking in it, or "" */
};

/* EMALFORMED: not a bundle of STIX 2.1, or not sane JSON. */
enum tocsin_err MUST_USE stix_parse(struct stix *out, struct span file);
void stix_release(struct stix *s);

#endif
