/* SPDX-License-Identifier: ISC */
/* What a broker gives back to a peer that lost it, and to no other. */
#include "broker/item.h"
#include "tests/lib/rig.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static struct fixture fed;

static struct desk
open_as(const char *who)
{
	static const uint8_t hello[] = { MSG_HELLO };
	struct buf reply = { 0 };
	struct desk d = { 0 };

	desk_dial(&d, "my");
	if (desk_link(&d, &fed, "my", who, SPAN(hello), &reply) != TOCSIN_OK)
		abort();
	buf_release(&reply);
	return d;
}

static enum tocsin_err
entry_get(struct desk *d, const uint8_t id[32], uint64_t offset, uint32_t max,
    struct buf *out)
{
	struct msg_get m = { .offset = offset, .max = max };
	struct buf request = { 0 }, rest = { 0 };
	struct msg_range range;
	enum tocsin_err err;

	memcpy(m.id, id, sizeof(m.id));
	msg_get_encode(&request, &m);
	request.p[0] = MSG_ENTRY_GET;
	err = desk_ask(d, buf_span(&request), &rest);
	if (!err)
		err = msg_range_decode(&range, buf_span(&rest));
	if (!err)
		buf_add(out, range.bytes);
	buf_release(&request);
	buf_release(&rest);
	return err;
}

static bool
lists(struct desk *d, const uint8_t id[32])
{
	struct buf request = { 0 }, rest = { 0 };
	struct span ids = { 0 };
	uint64_t next = 1;
	bool found = false;

	buf_u8(&request, MSG_ENTRY_LIST);
	buf_u64(&request, 0);
	if (desk_ask(d, buf_span(&request), &rest) != TOCSIN_OK ||
	    msg_ids_decode(&next, &ids, buf_span(&rest)) != TOCSIN_OK ||
	    next != 0)
		abort();
	for (; ids.n > 0 && !found; ids = span_cut(ids, 32, ids.n))
		found = memcmp(ids.p, id, 32) == 0;
	buf_release(&request);
	buf_release(&rest);
	return found;
}

static void
test_whole(struct desk *sg, const struct fx_ticket *t)
{
	struct buf whole = { 0 }, pieces = { 0 };
	struct item_entry item = { 0 };
	size_t n;

	is_int(entry_get(sg, t->id, 0, 60000, &whole), TOCSIN_OK,
	    "a peer gets an entry that its nation was sent");
	ok(whole.n > 1 && whole.p[0] == STORE_TICKET &&
		item_entry_parse(&item,
		    span_cut(buf_span(&whole), 1, whole.n)) == TOCSIN_OK &&
		span_eq(item.note, buf_span(&t->note)) &&
		span_eq(item.body, buf_span(&t->body)),
	    "as it was posted");
	do {
		n = pieces.n;
		if (entry_get(sg, t->id, n, 1000, &pieces) != TOCSIN_OK)
			break;
	} while (pieces.n > n);
	ok(span_eq(buf_span(&pieces), buf_span(&whole)),
	    "in ranges of any size too");
	buf_release(&whole);
	buf_release(&pieces);
}

static void
test_others(struct desk *sg, struct desk *la, struct desk *officer,
    const struct fx_ticket *t)
{
	uint8_t none[32] = { 0 };
	struct buf out = { 0 };

	is_int(entry_get(la, t->id, 0, 1000, &out), TOCSIN_ENOTFOUND,
	    "a peer whose nation is not in `to` is told that there is none");
	ok(out.n == 0, "and gets no byte");
	ok(!lists(la, t->id), "nor the id");
	ok(lists(sg, t->id), "which the other may list");
	is_int(entry_get(sg, none, 0, 1000, &out), TOCSIN_ENOTFOUND,
	    "an id that there is not is told in the same words");
	is_int(entry_get(officer, t->id, 0, 1000, &out), TOCSIN_EKINDNOTALLOWED,
	    "it is not for devices");
	ok(lists(la, fed.roster->id) && lists(sg, fed.roster->id),
	    "rosters are for all");
	buf_release(&out);
}

int
main(void)
{
	struct desk officer, sg, la;
	struct broker *my;
	struct fx_ticket t;
	uint64_t seq;

	if (sodium_init() < 0)
		return 1;
	fixture_init(&fed, "sg my la");
	my = rig_broker(&fed, "my", NULL, NULL);
	desk_open(&officer, &fed, "my", "mycert@my/desk1");
	fixture_ticket(
	    &t, &fed, "mycert@my/desk1", "singcert@sg", 1, NULL, NULL, NULL);
	is_int(desk_post(&officer, &t, &seq), TOCSIN_OK, "a ticket is posted");
	sg = open_as("sg");
	la = open_as("la");
	test_whole(&sg, &t);
	test_others(&sg, &la, &officer, &t);
	desk_close(&officer);
	desk_close(&sg);
	desk_close(&la);
	broker_free(my);
	fx_ticket_release(&t);
	fixture_release(&fed);
	return tap_done();
}
