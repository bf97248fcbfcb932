/* SPDX-License-Identifier: ISC */
/*
 * page_frame.h - what all pages that tocsin writes have in common
 *
 * One style, one policy that lets in that style and the script that is named
 * and nothing else, the label in the margins of paper, and the one way of text
 * from others into a page: page_text(). All of it is well-formed XML, too.
 */
#ifndef TOCSIN_CLI_PAGE_FRAME_H
#define TOCSIN_CLI_PAGE_FRAME_H

#include "crypto/ticket.h"

struct page_frame {
	enum ticket_tlp tlp;
	const char *foot;   /* on paper, before the number of the page */
	const char *style;  /* rules of this page alone; or NULL */
	const char *script; /* NULL: none */
	int refresh;	    /* seconds, without a script; 0: it is what it is */
};

/* Up to <body>; `title` is escaped already. */
void page_begin(struct buf *out, const struct page_frame *p, struct span title);
void page_end(struct buf *out, const struct page_frame *p);

/* The policy, as it stands in the page. */
void page_frame_policy(struct buf *out, const struct page_frame *p);

void page_tlp(struct buf *out, enum ticket_tlp tlp);

/* "2026-11-21 14:03Z", and what clocks on the wall show; `large`: in a head. */
void page_time(struct buf *out, int64_t t, bool large);

/*
 * Text of others within text or an attribute's value: what would be markup is
 * escaped, what is no UTF-8 or would turn or hide letters is U+FFFD.
 */
void page_text(struct buf *out, const char *s);

/* 45s, 12m, 3h05m, 4d07h: of two units the larger ones. */
void page_span(struct buf *out, int64_t seconds);

#endif
