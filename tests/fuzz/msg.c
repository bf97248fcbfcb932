/* SPDX-License-Identifier: ISC */
/* Requests and replies: the first byte chooses which decoder gets the rest. */
#include "crypto/msg.h"
#include "tests/lib/fuzz.h"

#include <stdlib.h>
#include <string.h>

static union {
	struct msg_reply reply;
	struct msg_post post;
	struct msg_posted posted;
	struct msg_fetch fetch;
	struct msg_urgent urgent;
	struct msg_entries entries;
	struct msg_put put;
	struct msg_have have;
	struct msg_get get;
	struct msg_range range;
	struct msg_roster roster;
	struct msg_roster_range roster_range;
	struct msg_proof proof;
	struct msg_hello hello;
	struct msg_relay relay;
	struct msg_relay_wait relay_wait;
	struct msg_relay_at relay_at;
	struct msg_relay_keys relay_keys;
	struct msg_pull pull;
	struct msg_pulled pulled;
} m;

/* What is decoded and encoded again is what it was. */
#define AGAIN(name, field, head)                                    \
	static void try_##name(struct span s)                       \
	{                                                           \
		struct buf b = { 0 };                               \
                                                                    \
		if (msg_##name##_decode(&m.field, s) != TOCSIN_OK)  \
			return;                                     \
		msg_##name##_encode(&b, &m.field);                  \
		if (!buf_ok(&b) ||                                  \
		    !span_eq(span_cut(buf_span(&b), head, b.n), s)) \
			abort();                                    \
		buf_release(&b);                                    \
	}

AGAIN(fetch, fetch, 1)
AGAIN(urgent, urgent, 1)
AGAIN(put, put, 1)
AGAIN(get, get, 1)
AGAIN(roster, roster, 1)
AGAIN(relay_wait, relay_wait, 1)
AGAIN(relay_keys, relay_keys, 1)
AGAIN(pull, pull, 1)
AGAIN(pulled, pulled, 0)
AGAIN(have, have, 0)
AGAIN(range, range, 0)
AGAIN(roster_range, roster_range, 0)
AGAIN(hello, hello, 0)
AGAIN(relay, relay, 0)
AGAIN(relay_at, relay_at, 0)
AGAIN(proof, proof, 0)

static void
try_post(struct span s)
{
	struct buf b = { 0 };

	if (msg_post_decode(&m.post, s) != TOCSIN_OK)
		return;
	msg_post_encode(&b, m.post.env, m.post.n);
	if (!span_eq(span_cut(buf_span(&b), 1, b.n), s))
		abort();
	buf_release(&b);
}

static void
try_entries(struct span s)
{
	struct buf b = { 0 };
	size_t mark, i;

	if (msg_entries_decode(&m.entries, s) != TOCSIN_OK)
		return;
	mark = msg_entries_begin(&b, m.entries.from);
	for (i = 0; i < m.entries.n; i++)
		msg_entries_add(&b, &m.entries.entry[i]);
	msg_entries_end(&b, mark, m.entries.more, m.entries.n);
	if (!span_eq(buf_span(&b), s))
		abort();
	buf_release(&b);
}

static void
try_urgents(struct span s)
{
	uint64_t to;

	if (msg_urgents_decode(&m.entries, &to, s) != TOCSIN_OK)
		return;
	if (m.entries.n > 0 && m.entries.entry[m.entries.n - 1].seq > to)
		abort();
}

/* A code that we don't know becomes another one: no way back. */
static void
try_reply(struct span s)
{
	(void)!msg_reply_decode(&m.reply, s);
	(void)!msg_posted_decode(&m.posted, s);
}

static void (*const tries[])(struct span s) = { try_fetch, try_put, try_get,
	try_roster, try_relay_wait, try_have, try_range, try_roster_range,
	try_hello, try_relay, try_relay_at, try_proof, try_post, try_entries,
	try_reply, try_relay_keys, try_urgent, try_urgents, try_pull,
	try_pulled };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 0)
		tries[data[0] % (sizeof(tries) / sizeof(tries[0]))](
		    (struct span){ size > 1 ? data + 1 : NULL, size - 1 });
	return 0;
}
