/* SPDX-License-Identifier: ISC */
#include "crypto/msg.h"
#include "tests/lib/tap.h"

#include <stdlib.h>
#include <string.h>

/* Decodes a heap copy of exactly n bytes. */
typedef enum tocsin_err decoder(void *out, struct span bytes);

#define DECODER(name, type)                                       \
	static enum tocsin_err d_##name(void *out, struct span s) \
	{                                                         \
		return msg_##name##_decode((type *)out, s);       \
	}

DECODER(post, struct msg_post)
DECODER(posted, struct msg_posted)
DECODER(fetch, struct msg_fetch)
DECODER(entries, struct msg_entries)
DECODER(have, struct msg_have)
DECODER(urgent, struct msg_urgent)

static enum tocsin_err
d_urgents(void *out, struct span s)
{
	uint64_t to;

	return msg_urgents_decode(out, &to, s);
}

DECODER(hello, struct msg_hello)
DECODER(relay, struct msg_relay)
DECODER(relay_wait, struct msg_relay_wait)
DECODER(relay_at, struct msg_relay_at)
DECODER(relay_keys, struct msg_relay_keys)
DECODER(pull, struct msg_pull)
DECODER(pulled, struct msg_pulled)

static union {
	struct msg_post post;
	struct msg_posted posted;
	struct msg_fetch fetch;
	struct msg_entries entries;
	struct msg_have have;
	struct msg_urgent urgent;
	struct msg_hello hello;
	struct msg_relay relay;
	struct msg_relay_wait relay_wait;
	struct msg_relay_at relay_at;
	struct msg_relay_keys relay_keys;
	struct msg_pull pull;
	struct msg_pulled pulled;
} got;

/* A message without an open end: only the whole of it is one. */
static void
only_whole(const char *name, decoder *decode, struct span bytes)
{
	enum tocsin_err err = TOCSIN_EINTERNAL;
	uint8_t *copy;
	size_t cut;

	for (cut = 0; cut < bytes.n; cut++) {
		copy = xcopy(bytes.p, cut);
		err = decode(&got, (struct span){ copy, cut });
		free(copy);
		if (err != TOCSIN_EMALFORMED)
			break;
	}
	ok(cut == bytes.n, "%s: every proper prefix is malformed", name);
	is_int(decode(&got, bytes), TOCSIN_OK, "%s: the whole is taken", name);
}

/* Requests carry their operation, which the dispatcher has taken off. */
static struct span
body_of(const struct buf *b, uint8_t op)
{
	struct span body;

	ok(msg_op(buf_span(b), &body) == op, "the request names operation %u",
	    op);
	return body;
}

static void
test_post(void)
{
	struct msg_envelope env[2] = { { span_of("n1"), span_of("b1") },
		{ span_of("n2"), { 0 } } };
	struct msg_posted p = { .n = 2 };
	struct buf b = { 0 };

	msg_post_encode(&b, env, 2);
	only_whole("post", d_post, body_of(&b, MSG_POST));
	ok(got.post.n == 2 && span_is(got.post.env[0].body, "b1") &&
		span_is(got.post.env[1].note, "n2") &&
		got.post.env[1].body.n == 0,
	    "post: envelopes come back in order");
	buf_release(&b);
	msg_post_encode(&b, env, 0);
	is_int(msg_post_decode(&got.post, body_of(&b, MSG_POST)),
	    TOCSIN_EMALFORMED, "post: nothing to post is malformed");
	buf_release(&b);

	p.item[0].code = TOCSIN_EDUPLICATE;
	p.item[0].seq = 7;
	msg_posted_encode(&b, &p);
	only_whole("posted", d_posted, buf_span(&b));
	ok(got.posted.item[0].code == TOCSIN_EDUPLICATE &&
		got.posted.item[0].seq == 7,
	    "posted: codes and seqs come back");
	buf_release(&b);
}

static void
test_urgent(void)
{
	struct msg_entry e = { 5, 6, 1, true, span_of("note"), { 0 } };
	struct msg_urgent m = { 7, 8 };
	struct buf b = { 0 };
	uint64_t to = 0;
	size_t mark;

	msg_urgent_encode(&b, &m);
	only_whole("urgent", d_urgent, body_of(&b, MSG_URGENT));
	ok(got.urgent.after == 7 && got.urgent.max_bytes == 8,
	    "urgent: fields come back");
	buf_cut(&b, 0);
	mark = msg_entries_begin(&b, 4);
	msg_entries_add(&b, &e);
	msg_entries_end(&b, mark, true, 1);
	buf_u64(&b, 9);
	only_whole("what is urgent", d_urgents, buf_span(&b));
	ok(msg_urgents_decode(&got.entries, &to, buf_span(&b)) == TOCSIN_OK &&
		to == 9 && got.entries.n == 1 && got.entries.more,
	    "what is urgent: fields come back");
	buf_cut(&b, b.n - 8);
	buf_u64(&b, 4);
	is_int(msg_urgents_decode(&got.entries, &to, buf_span(&b)),
	    TOCSIN_EMALFORMED, "what is urgent: it ends behind its entries");
	buf_release(&b);
}

static void
test_fetch(void)
{
	struct msg_fetch f = { 1, MSG_AFTER_CONTINUE, MSG_WAIT_MAX, 9 };
	struct msg_entry e = { 5, 6, 1, true, span_of("note"), { 0 } };
	struct buf b = { 0 };
	size_t mark;

	msg_fetch_encode(&b, &f);
	only_whole("fetch", d_fetch, body_of(&b, MSG_FETCH));
	ok(got.fetch.after == MSG_AFTER_CONTINUE && got.fetch.max_bytes == 9,
	    "fetch: fields come back");
	buf_release(&b);
	f.wait_ms++;
	msg_fetch_encode(&b, &f);
	is_int(msg_fetch_decode(&got.fetch, body_of(&b, MSG_FETCH)),
	    TOCSIN_EMALFORMED, "fetch: a wait over the limit is malformed");
	buf_release(&b);

	mark = msg_entries_begin(&b, 4);
	msg_entries_add(&b, &e);
	e.seq = 8;
	msg_entries_add(&b, &e);
	msg_entries_end(&b, mark, true, 2);
	only_whole("entries", d_entries, buf_span(&b));
	ok(got.entries.more && got.entries.from == 4 && got.entries.n == 2 &&
		got.entries.entry[0].detached &&
		got.entries.entry[1].seq == 8 &&
		span_is(got.entries.entry[0].note, "note"),
	    "entries: fields come back");
	buf_cut(&b, 0);
	mark = msg_entries_begin(&b, 8);
	msg_entries_add(&b, &e);
	msg_entries_end(&b, mark, false, 1);
	is_int(msg_entries_decode(&got.entries, buf_span(&b)),
	    TOCSIN_EMALFORMED, "entries: an entry is beyond `from`");
	buf_release(&b);
}

static void
test_ranges(void)
{
	static const uint8_t many[MSG_RANGE_MAX + 1];
	struct msg_put p = { .total = 10,
		.offset = 4,
		.bytes = span_of("sixsix") },
		       q;
	struct msg_range r = { 10, 6, span_of("sixsix") }, s;
	struct msg_have h = { 3, true };
	struct buf b = { 0 };

	msg_put_encode(&b, &p);
	ok(msg_put_decode(&q, body_of(&b, MSG_PUT)) == TOCSIN_OK &&
		q.offset == 4 && span_is(q.bytes, "sixsix"),
	    "put: fields come back");
	buf_release(&b);
	p.offset = 5;
	msg_put_encode(&b, &p);
	is_int(msg_put_decode(&q, body_of(&b, MSG_PUT)), TOCSIN_EMALFORMED,
	    "put: bytes beyond the total are malformed");
	buf_release(&b);
	p.offset = UINT64_MAX;
	msg_put_encode(&b, &p);
	is_int(msg_put_decode(&q, body_of(&b, MSG_PUT)), TOCSIN_EMALFORMED,
	    "put: also where the sum would wrap");
	buf_release(&b);
	p = (struct msg_put){ .total = UINT64_MAX,
		.bytes = { many, MSG_RANGE_MAX } };
	msg_put_encode(&b, &p);
	is_int(msg_put_decode(&q, body_of(&b, MSG_PUT)), TOCSIN_OK,
	    "put: as many bytes as a range has");
	buf_release(&b);
	p.bytes.n++;
	msg_put_encode(&b, &p);
	is_int(msg_put_decode(&q, body_of(&b, MSG_PUT)), TOCSIN_EMALFORMED,
	    "put: and not one more");
	buf_release(&b);
	msg_range_encode(&b, &r);
	ok(msg_range_decode(&s, buf_span(&b)) == TOCSIN_OK && s.have == 6,
	    "get: a range comes back");
	buf_release(&b);
	r.have = 5;
	msg_range_encode(&b, &r);
	is_int(msg_range_decode(&s, buf_span(&b)), TOCSIN_EMALFORMED,
	    "get: more bytes than the broker has are malformed");
	buf_release(&b);
	msg_have_encode(&b, &h);
	only_whole("have", d_have, buf_span(&b));
	b.p[8] = 2;
	is_int(msg_have_decode(&h, buf_span(&b)), TOCSIN_EMALFORMED,
	    "have: an unknown flag is malformed");
	buf_release(&b);
}

static void
test_pull(void)
{
	struct msg_parcel one = { 7, span_of("answer") },
			  two = { 0, span_of("frame") }, m;
	struct msg_pull pull = { .wait_ms = 5, .bytes = 6, .fresh = true };
	struct msg_pulled pulled = { .pulls = 4, .number = 5 };
	struct buf parcels = { 0 }, b = { 0 };
	struct span body;
	size_t cut, whole = MSG_PARCEL_HEAD + one.bytes.n;

	msg_parcel_encode(&parcels, &one);
	msg_parcel_encode(&parcels, &two);
	pull.parcels = pulled.parcels = buf_span(&parcels);
	msg_pull_encode(&b, &pull);
	body = body_of(&b, MSG_RELAY_PULL);
	ok(d_pull(&got, body) == TOCSIN_OK && got.pull.wait_ms == 5 &&
		got.pull.bytes == 6 && got.pull.fresh,
	    "relay.pull: fields come back");
	ok(msg_parcel_take(&m, &got.pull.parcels) && m.call == 7 &&
		span_is(m.bytes, "answer") &&
		msg_parcel_take(&m, &got.pull.parcels) && m.call == 0 &&
		span_is(m.bytes, "frame") &&
		!msg_parcel_take(&m, &got.pull.parcels),
	    "relay.pull: so do the parcels, in order, and no more");
	for (cut = 0; cut < body.n; cut++)
		if ((d_pull(&got, span_cut(body, 0, cut)) == TOCSIN_OK) !=
		    (cut == 9 || cut == 9 + whole))
			break;
	ok(cut == body.n, "relay.pull: a parcel that is cut off is malformed");
	b.p[9] = 2;
	is_int(d_pull(&got, body), TOCSIN_EMALFORMED,
	    "relay.pull: an unknown flag is malformed");
	buf_release(&b);

	msg_pulled_encode(&b, &pulled);
	ok(d_pulled(&got, buf_span(&b)) == TOCSIN_OK && got.pulled.pulls == 4 &&
		got.pulled.number == 5 && got.pulled.parcels.n == parcels.n,
	    "relay.pull: the answer comes back");
	b.p[5 + 8] = 0xff;
	is_int(d_pulled(&got, buf_span(&b)), TOCSIN_EMALFORMED,
	    "relay.pull: a parcel that claims too much is malformed");
	buf_cut(&parcels, 0);
	one.bytes.n = 0;
	msg_parcel_encode(&parcels, &one);
	buf_cut(&b, 0);
	pulled.parcels = buf_span(&parcels);
	msg_pulled_encode(&b, &pulled);
	is_int(d_pulled(&got, buf_span(&b)), TOCSIN_EMALFORMED,
	    "relay.pull: and so is an empty one");
	buf_release(&b);
	buf_release(&parcels);
}

static void
test_relay(void)
{
	struct msg_hello h = { 1, 2, 3, 4 };
	struct msg_relay r = {
		.window = 5, .at.item[4] = 6, .from.offset[4] = 7
	};
	struct msg_relay_wait w = { .wait_ms = 7, .bytes = 8 };
	struct msg_relay_at at = { .moved = 2,
		.missing = 16,
		.at.item[1] = 9,
		.round[4] = 10,
		.from.item[4] = 11 };
	struct msg_relay_keys k = { .id[31] = 10,
		.member = span_of("singcert@sg") };
	struct buf b = { 0 };
	struct span body;

	msg_relay_keys_encode(&b, &k);
	body = body_of(&b, MSG_RELAY_KEYS);
	ok(d_relay_keys(&got, body) == TOCSIN_OK &&
		got.relay_keys.id[31] == 10 &&
		span_is(got.relay_keys.member, "singcert@sg"),
	    "relay.keys: fields come back");
	is_int(d_relay_keys(&got, span_cut(body, 0, 40)), TOCSIN_EMALFORMED,
	    "relay.keys: a name that is cut off is malformed");
	is_int(d_relay_keys(&got, span_cut(body, 0, 32)), TOCSIN_EMALFORMED,
	    "relay.keys: and so is none");
	buf_release(&b);
	msg_hello_encode(&b, &h);
	only_whole("hello", d_hello, buf_span(&b));
	buf_release(&b);
	msg_relay_encode(&b, &r);
	only_whole("relay.open", d_relay, buf_span(&b));
	ok(got.relay.window == 5 && got.relay.at.item[4] == 6 &&
		got.relay.from.offset[4] == 7,
	    "relay.open: fields come back");
	buf_release(&b);
	msg_relay_wait_encode(&b, &w);
	only_whole("relay.wait", d_relay_wait, body_of(&b, MSG_RELAY_WAIT));
	buf_release(&b);
	msg_relay_at_encode(&b, &at);
	only_whole("relay at", d_relay_at, buf_span(&b));
	ok(got.relay_at.moved == 2 && got.relay_at.at.item[1] == 9 &&
		got.relay_at.round[4] == 10 && got.relay_at.from.item[4] == 11,
	    "relay at: fields come back");
	is_int(
	    b.n, 2 + 32 + 20, "relay at: of lanes that rest there is nothing");
	b.p[0] = 32;
	is_int(msg_relay_at_decode(&at, buf_span(&b)), TOCSIN_EMALFORMED,
	    "relay at: there is no sixth lane");
	buf_release(&b);
}

static void
test_reply(void)
{
	struct msg_reply r;
	struct buf b = { 0 };

	msg_refuse(&b, TOCSIN_EBUSY, 250, "wait a little");
	ok(msg_reply_decode(&r, buf_span(&b)) == TOCSIN_OK &&
		r.code == TOCSIN_EBUSY && r.retry_ms == 250 &&
		span_is(r.rest, "wait a little"),
	    "a refusal has a reason, a hint and a sentence");
	b.p[b.n - 1] = 0x1b;
	is_int(msg_reply_decode(&r, buf_span(&b)), TOCSIN_EMALFORMED,
	    "a sentence with an escape sequence is malformed");
	buf_release(&b);
	buf_u16(&b, 999);
	buf_u32(&b, 0);
	ok(msg_reply_decode(&r, buf_span(&b)) == TOCSIN_OK &&
		r.code == TOCSIN_EINTERNAL,
	    "a code that we don't know is internal");
	buf_release(&b);
	is_int(msg_reply_decode(&r, span_of("x")), TOCSIN_EMALFORMED,
	    "half a code is malformed");
}

int
main(void)
{
	test_post();
	test_fetch();
	test_urgent();
	test_ranges();
	test_relay();
	test_pull();
	test_reply();
	return tap_done();
}
