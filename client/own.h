/* SPDX-License-Identifier: ISC */
/*
 * own.h - which tickets are about networks and names of our own
 *
 * Of a hundred tickets a night a team is in two: with an address of its nation,
 * or a name below its domains. A file says what is its own, a prefix or a
 * domain on each line (own.conf in tocsin(1)), and own_find() looks for them in
 * words that were opened, wherever they stand in them: in indicators, in a
 * text, in a URL, also as people write them who don't want them to be clicked
 * on (192[.]0[.]2[.]7, hxxps://www[.]example[.]my).
 *
 * The one idea: it is a filter of what is shown, never of what is fetched or
 * kept, and it stays in the home. What cannot be read yet is not filtered away.
 *
 * Pure, but for own_load().
 */
#ifndef TOCSIN_CLIENT_OWN_H
#define TOCSIN_CLIENT_OWN_H

#include "client/tocsin.h"
#include "crypto/buf.h"

#define OWN_MAX 1024
#define OWN_NAME 255
#define OWN_FILE_MAX (256 * 1024)

struct own_net {
	char name[OWN_NAME + 1]; /* as it stands in the file */
	int family;		 /* AF_INET, AF_INET6; 0: a domain */
	uint8_t prefix[16];
	unsigned bits;
};

struct own {
	struct own_net *net;
	size_t n, room;
	struct buf plain; /* of the text in hand */
};

struct own_fault {
	unsigned line;
	char what[160];
};

/* Adds what the text says. EMALFORMED; the caller releases in any case. */
enum tocsin_err MUST_USE own_parse(
    struct own *o, struct span text, struct own_fault *f);

/*
 * /etc/tocsin/own.conf and own.conf of the home, both if both are there.
 * NOTFOUND: neither is. `why` is a sentence for every failure.
 */
enum tocsin_err MUST_USE own_load(
    struct own *o, const char *home, char why[1024]);
void own_release(struct own *o);

/*
 * What of ours the text names, as it stands in the file; NULL: nothing. A
 * prefix in the text counts if it overlaps with ours.
 */
const char *own_find(struct own *o, struct span text);

/* The same of all words of a gist (gist.h). */
const char *own_in_gist(struct own *o, struct span gist);

/* False: for the last one there was no memory, and "nothing" says nothing. */
bool own_looked(const struct own *o);

#endif
