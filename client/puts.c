/* SPDX-License-Identifier: ISC */
#include "client/puts.h"

#include "crypto/msg.h"

#include <string.h>

void
puts_begin(struct puts *p, struct line *line, int timeout_ms,
    const uint8_t hash[32], uint64_t total, puts_read_fn *read, void *arg)
{
	*p = (struct puts){ .total = total,
		.line = line,
		.timeout_ms = timeout_ms,
		.read = read,
		.arg = arg };
	memcpy(p->hash, hash, sizeof(p->hash));
}

void
puts_drop(struct puts *p)
{
	for (; p->n > 0; p->n--) {
		line_drop(p->line, p->out[p->first].call);
		p->first = (p->first + 1) % PUTS_MAX;
	}
}

/* No bytes: only asks. */
static enum tocsin_err
send_piece(struct puts *p, uint64_t offset, struct span bytes)
{
	struct msg_put m = { .total = p->total, .offset = offset };
	struct buf request = { 0 };
	struct call *c = NULL;
	unsigned at = (p->first + p->n) % PUTS_MAX;

	memcpy(m.hash, p->hash, sizeof(m.hash));
	m.bytes = bytes;
	msg_put_encode(&request, &m);
	if (buf_ok(&request))
		c = line_begin(p->line, buf_span(&request), p->timeout_ms);
	buf_release(&request);
	if (c == NULL)
		return TOCSIN_EUNAVAILABLE;
	p->out[at].call = c;
	p->out[at].end = offset + bytes.n;
	p->n++;
	return TOCSIN_OK;
}

/* How many bytes there are to send, and room for; 0: none. */
static size_t
room(const struct puts *p)
{
	size_t n = line_piece(p->line, LINE_UP, MSG_RANGE_MAX);

	if (n > p->total - p->next)
		n = (size_t)(p->total - p->next);
	if (p->gap || p->n == PUTS_MAX || !line_room(p->line, LINE_UP, n))
		return 0;
	return n;
}

static enum tocsin_err
send_next(struct puts *p, size_t n)
{
	struct buf bytes = { 0 };
	enum tocsin_err err = p->read(p->arg, p->next, n, &bytes);

	if (err == TOCSIN_OK && !buf_ok(&bytes))
		err = TOCSIN_EINTERNAL;
	if (err == TOCSIN_OK)
		err = send_piece(p, p->next, buf_span(&bytes));
	if (err == TOCSIN_OK)
		p->next += bytes.n;
	buf_release(&bytes);
	return err;
}

/* The first word of the broker: from here on. */
static void
begin_at(struct puts *p, uint64_t have)
{
	p->asked = true;
	p->have = p->next = p->began = have;
}

/* The oldest piece was answered. */
static enum tocsin_err
reap(struct puts *p, uint32_t *retry)
{
	struct call *call = p->out[p->first].call;
	uint64_t end = p->out[p->first].end;
	struct buf fields = { 0 };
	struct msg_have have;
	enum tocsin_err err;

	p->first = (p->first + 1) % PUTS_MAX;
	p->n--;
	p->theirs = true;
	err = line_end(p->line, call, &fields, retry);
	if (err == TOCSIN_EBODYMISMATCH) /* somebody's bytes before ours */
		err = TOCSIN_EINTERNAL;
	if (err == TOCSIN_OK &&
	    (msg_have_decode(&have, buf_span(&fields)) != TOCSIN_OK ||
		have.have > p->total))
		err = TOCSIN_EINTERNAL;
	buf_release(&fields);
	if (err != TOCSIN_OK)
		return err;
	p->complete = have.complete;
	if (!p->asked)
		begin_at(p, have.have);
	if (have.have > p->have)
		p->have = have.have;
	if (p->next < p->have) /* another process puts it, too */
		p->next = p->have;
	if (have.have < end) /* one before it was lost */
		p->gap = true;
	return TOCSIN_OK;
}

static enum tocsin_err
reap_answered(struct puts *p, uint32_t *retry)
{
	enum tocsin_err err = TOCSIN_OK;

	while (err == TOCSIN_OK && !p->complete && p->n > 0 &&
	       line_answered(p->line, p->out[p->first].call))
		err = reap(p, retry);
	return err;
}

enum tocsin_err
puts_go(struct puts *p, uint32_t *retry_ms)
{
	enum tocsin_err err;
	size_t n;

	*retry_ms = 0;
	err = reap_answered(p, retry_ms);
	if (err != TOCSIN_OK || p->complete)
		return err;
	p->theirs = false;
	if (!p->asked)
		return p->n == 0 ? send_piece(p, 0, (struct span){ 0 })
				 : TOCSIN_OK;
	if (p->gap && p->n == 0) {
		/* Nothing was taken; else we would send it for ever. */
		if (p->have == p->began) {
			p->theirs = true;
			return TOCSIN_EBUSY;
		}
		p->gap = false;
		p->next = p->began = p->have;
	}
	while (err == TOCSIN_OK && (n = room(p)) > 0)
		err = send_next(p, n);
	return err;
}
