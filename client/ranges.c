/* SPDX-License-Identifier: ISC */
#include "client/ranges.h"

#include <string.h>

#define ASKED_MAX 64

struct ask {
	struct call *call;
	uint64_t offset;
	size_t n;
};

/* What was asked for, oldest first. */
struct asked {
	struct line *line;
	const struct sync_range *r;
	int timeout_ms;
	uint64_t next;
	struct ask ask[ASKED_MAX];
	unsigned first, n;
};

static enum tocsin_err
ask_one(struct asked *a, size_t n)
{
	struct msg_get m = { .offset = a->next, .max = (uint32_t)n };
	struct ask *q = &a->ask[(a->first + a->n) % ASKED_MAX];
	struct buf request = { 0 };

	memcpy(m.id, a->r->id, sizeof(m.id));
	memcpy(m.hash, a->r->hash, sizeof(m.hash));
	msg_get_encode(&request, &m);
	*q = (struct ask){ .offset = a->next, .n = n };
	if (buf_ok(&request))
		q->call =
		    line_begin(a->line, buf_span(&request), a->timeout_ms);
	buf_release(&request);
	if (q->call == NULL)
		return TOCSIN_EUNAVAILABLE;
	a->next += n;
	a->n++;
	return TOCSIN_OK;
}

/*
 * Others of this process fetch over the same line, and may have all of its
 * room. One piece is asked for even so: without an answer to wait for, nothing
 * would tell us when there is room.
 */
static enum tocsin_err
ask_more(struct asked *a)
{
	enum tocsin_err err = TOCSIN_OK;
	size_t n;

	while (err == TOCSIN_OK && a->next < a->r->total && a->n < ASKED_MAX) {
		n = line_piece(a->line, LINE_DOWN, MSG_RANGE_MAX);
		if (n > a->r->total - a->next)
			n = (size_t)(a->r->total - a->next);
		if (a->n > 0 && !line_room(a->line, LINE_DOWN, n))
			break;
		err = ask_one(a, n);
	}
	/* What is out already may still come. */
	return a->n > 0 ? TOCSIN_OK : err;
}

/* One that is shorter than asked for ends what can be had now. */
static enum tocsin_err
take_one(struct asked *a, struct sync_range *r)
{
	struct ask q = a->ask[a->first];
	struct buf fields = { 0 };
	struct msg_range m;
	enum tocsin_err err;
	uint32_t retry;

	a->first = (a->first + 1) % ASKED_MAX;
	a->n--;
	err = line_end(a->line, q.call, &fields, &retry);
	if (err == TOCSIN_OK)
		err = msg_range_decode(&m, buf_span(&fields));
	if (err == TOCSIN_OK && (m.total != r->total || m.bytes.n > q.n))
		err = TOCSIN_EBODYMISMATCH;
	if (err == TOCSIN_OK && m.bytes.n > 0)
		err = r->take(r->arg, m.bytes);
	if (err == TOCSIN_OK) {
		r->offset += m.bytes.n;
		if (m.bytes.n < q.n)
			err = TOCSIN_ENOTFOUND;
	}
	buf_release(&fields);
	return err;
}

enum tocsin_err
ranges_get(struct line *l, struct sync_range *r, int timeout_ms)
{
	struct asked a = {
		.line = l, .r = r, .timeout_ms = timeout_ms, .next = r->offset
	};
	enum tocsin_err err = TOCSIN_OK;

	while (err == TOCSIN_OK && r->offset < r->total) {
		err = ask_more(&a);
		if (err == TOCSIN_OK)
			err = take_one(&a, r);
	}
	for (; a.n > 0; a.n--) {
		line_drop(l, a.ask[a.first].call);
		a.first = (a.first + 1) % ASKED_MAX;
	}
	return err;
}
