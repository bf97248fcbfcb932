/* SPDX-License-Identifier: ISC */
#include "crypto/card.h"

#include <string.h>

static const char head[] = "card/v1";

void
card_print(struct buf *b, const struct card *c)
{
	buf_addf(b, "%s/%s\n", c->federation, head);
	if (c->kind == CARD_BROKER) {
		roster_print_broker(b, &c->broker);
		return;
	}
	if (c->kind == CARD_MEMBER) {
		buf_addf(b, "member %s ", c->member.name);
		vkey_print(b, &c->member.root);
		buf_addz(b, "\n");
	}
	if (c->has_device)
		keys_print_device(b, &c->device);
}

/* A member line of a card has no standing: that is the authorities' to say. */
static void
read_member(struct text *t, struct card *c)
{
	struct roster_member *m = &c->member;
	struct span f[2];

	text_line(t, "member", 2, f);
	text_copy(t, f[0], name_member, m->name, sizeof(m->name));
	text_check(t, f[1].n > 0 && vkey_parse(&m->root, f[1]) == TOCSIN_OK);
	text_check(t,
	    m->root.type == VKEY_ED25519 && strcmp(m->root.name, m->name) == 0);
	c->has_device = text_has(t, "device");
	if (c->has_device)
		keys_read_device(t, m->name, &c->device);
}

/* Whose it is, the name of its key says. */
static void
read_device(struct text *t, struct card *c)
{
	struct text ahead = *t, longer = *t;
	struct vkey key = { 0 };
	struct span f[5];

	if (!text_line(&ahead, "device", 4, f))
		text_line(&longer, "device", 5, f); /* of an exercise */
	if ((ahead.bad && longer.bad) || vkey_parse(&key, f[2]) != TOCSIN_OK)
		text_check(t, false);
	text_copy(t, device_member(span_of(key.name)), name_member,
	    c->member.name, sizeof(c->member.name));
	keys_read_device(t, c->member.name, &c->device);
	c->has_device = true;
}

static enum tocsin_err
prints_back(const struct card *c, struct span text)
{
	uint8_t room[TEXT_MAX + 1]; /* so that no memory can be short */
	struct buf b = {
		.p = room,
		.cap = sizeof(room),
		.max = sizeof(room),
	};

	card_print(&b, c);
	return buf_ok(&b) && span_eq(buf_span(&b), text) ? TOCSIN_OK
							 : TOCSIN_EMALFORMED;
}

enum tocsin_err
card_parse(struct card *out, struct span text)
{
	struct text t = text_init(text);

	memset(out, 0, sizeof(*out));
	if (text.n > TEXT_MAX)
		return TOCSIN_ETOOLARGE;
	text_head(&t, head, out->federation);
	if (text_has(&t, "broker")) {
		out->kind = CARD_BROKER;
		roster_read_broker(&t, &out->broker);
	} else if (text_has(&t, "device")) {
		out->kind = CARD_DEVICE;
		read_device(&t, out);
	} else {
		out->kind = CARD_MEMBER;
		read_member(&t, out);
	}
	return text_done(&t) ? prints_back(out, text) : text_result(&t);
}
