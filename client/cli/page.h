/* SPDX-License-Identifier: ISC */
/*
 * page.h - the picture as one page that needs nothing else
 *
 * HTML with the drawings in it as SVG: no font, image, style or script from
 * anywhere, and a policy in the page that forbids them, with the hashes of the
 * one style and the one script that are in it. It is made for a screen that is
 * read from across a room, for a telephone, and for paper; colours follow the
 * reader's light or dark, and none of them is the only sign of anything: what
 * is overdue has a mark, a shape and a word too.
 *
 * The label of the narrowest ticket that is counted stands in head and foot.
 * All text goes through page_text(), whoever wrote it. It is well-formed XML as
 * well, so that a test can look for each figure.
 */
#ifndef TOCSIN_CLI_PAGE_H
#define TOCSIN_CLI_PAGE_H

#include "client/cli/page_frame.h"
#include "client/cli/picture.h"

struct page_about {
	const char *federation;
	const char *member;   /* whose desk it is */
	const char *exercise; /* that the desk is of; NULL or empty: live */
	bool headers;	      /* nothing was opened; see survey.h */
	bool served;	   /* the script asks for it again; else it is a file */
	int64_t newest;	   /* when the last message came here; 0: none */
	unsigned queued;   /* messages that wait in the outbox */
	unsigned left_out; /* messages that were not believed */
	const char *trouble; /* why it may be old, as a sentence; or NULL */
};

/* The page, XHTML 5. EINTERNAL: no memory. */
enum tocsin_err MUST_USE page_print(
    struct buf *out, const struct picture *p, const struct page_about *about);

/* The policy, as a header has it: what the page's own says, and a bit more. */
enum tocsin_err MUST_USE page_policy(
    struct buf *out, const struct picture *p, bool served);

#endif
