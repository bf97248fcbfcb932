/* SPDX-License-Identifier: ISC */
#include "crypto/receipt.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char head[] = "receipt/v1";

static const char *const kinds[] = {
	[RECEIPT_STORED] = "stored",
	[RECEIPT_DELIVERED] = "delivered",
	[RECEIPT_REFUSED] = "refused",
	[RECEIPT_ERASED] = "erased",
	[RECEIPT_WITHOUT] = "without",
};

/* ---- building ---- */

void
receipt_init(
    struct receipt *r, const char *federation, const char *broker, int64_t time)
{
	memset(r, 0, sizeof(*r));
	strncpy(r->federation, federation, FEDERATION_MAX);
	strncpy(r->broker, broker, LABEL_MAX);
	r->time = time;
	/* "/receipt/v1", "broker ", "time ", their LFs and the time */
	r->room = TEXT_MAX - 64 - strlen(r->federation) - strlen(r->broker);
}

static void
print_line(struct buf *b, const struct receipt_line *l)
{
	buf_addf(b, "%s ", kinds[l->kind]);
	text_put_id(b, l->id);
	buf_addz(b, " ");
	switch (l->kind) {
	case RECEIPT_STORED:
		buf_addf(b, "%" PRIu64, l->index);
		break;
	case RECEIPT_DELIVERED:
		buf_addf(b, "%s %s", l->member, l->device);
		break;
	case RECEIPT_ERASED:
		if (l->one)
			text_put_id(b, l->part);
		else
			buf_addz(b, "-");
		break;
	case RECEIPT_WITHOUT:
		text_put_id(b, l->part);
		buf_addf(b, " %s", l->reason);
		break;
	case RECEIPT_REFUSED:
		buf_addz(b, l->reason);
		break;
	}
	buf_addz(b, "\n");
}

/* Not less than what the line is printed as. */
static size_t
line_size(const struct receipt_line *l)
{
	size_t n = strlen(kinds[l->kind]) + ID_TEXT + 3;

	switch (l->kind) {
	case RECEIPT_STORED:
		return n + 20;
	case RECEIPT_DELIVERED:
		return n + strlen(l->member) + 1 + strlen(l->device);
	case RECEIPT_ERASED:
		return n + ID_TEXT;
	case RECEIPT_WITHOUT:
		return n + ID_TEXT + 1 + strlen(l->reason);
	case RECEIPT_REFUSED:
		break;
	}
	return n + strlen(l->reason);
}

static bool
add(struct receipt *r, const struct receipt_line *l)
{
	size_t need = line_size(l);

	if (r->nline == RECEIPT_LINES || need > r->room)
		return false;
	r->room -= need;
	r->line[r->nline++] = *l;
	return true;
}

bool
receipt_stored(struct receipt *r, const uint8_t id[ID_LEN], uint64_t index)
{
	struct receipt_line l = { .kind = RECEIPT_STORED, .index = index };

	memcpy(l.id, id, ID_LEN);
	return add(r, &l);
}

bool
receipt_delivered(struct receipt *r, const uint8_t id[ID_LEN],
    const char *member, const char *device)
{
	struct receipt_line l = { .kind = RECEIPT_DELIVERED };

	memcpy(l.id, id, ID_LEN);
	strncpy(l.member, member, MEMBER_MAX);
	strncpy(l.device, device, LABEL_MAX);
	return add(r, &l);
}

bool
receipt_refused(
    struct receipt *r, const uint8_t id[ID_LEN], enum tocsin_err reason)
{
	struct receipt_line l = { .kind = RECEIPT_REFUSED };

	memcpy(l.id, id, ID_LEN);
	strncpy(l.reason, tocsin_err_name(reason), TOKEN_MAX);
	return add(r, &l);
}

bool
receipt_erased(struct receipt *r, const uint8_t id[ID_LEN], const uint8_t *part)
{
	struct receipt_line l = { .kind = RECEIPT_ERASED, .one = part != NULL };

	memcpy(l.id, id, ID_LEN);
	if (part != NULL)
		memcpy(l.part, part, sizeof(l.part));
	return add(r, &l);
}

bool
receipt_without(struct receipt *r, const uint8_t id[ID_LEN],
    const uint8_t part[32], enum tocsin_err reason)
{
	struct receipt_line l = { .kind = RECEIPT_WITHOUT, .one = true };

	memcpy(l.id, id, ID_LEN);
	memcpy(l.part, part, sizeof(l.part));
	strncpy(l.reason, tocsin_err_name(reason), TOKEN_MAX);
	return add(r, &l);
}

/* As it is printed, where "-" stands behind "+". */
static int
by_part(const struct receipt_line *x, const struct receipt_line *y)
{
	char part[2][ID_TEXT + 1] = { "-", "-" };

	if (x->one)
		id_print(part[0], x->part);
	if (y->one)
		id_print(part[1], y->part);
	return strcmp(part[0], part[1]);
}

/* The order of the printed lines: base64 does not sort as its bytes do. */
static int
by_print(const void *a, const void *b)
{
	const struct receipt_line *x = a, *y = b;
	char number[2][24], id[2][ID_TEXT + 1];
	int c = strcmp(kinds[x->kind], kinds[y->kind]);

	if (c != 0)
		return c;
	id_print(id[0], x->id);
	id_print(id[1], y->id);
	c = strcmp(id[0], id[1]);
	if (c == 0)
		c = strcmp(x->member, y->member);
	if (c == 0)
		c = strcmp(x->device, y->device);
	if (c == 0)
		c = by_part(x, y);
	if (c == 0)
		c = strcmp(x->reason, y->reason);
	if (c != 0 || x->kind != RECEIPT_STORED)
		return c;
	snprintf(number[0], sizeof(number[0]), "%" PRIu64, x->index);
	snprintf(number[1], sizeof(number[1]), "%" PRIu64, y->index);
	return strcmp(number[0], number[1]);
}

static void
sort(struct receipt *r)
{
	size_t i, n = 0;

	qsort(r->line, r->nline, sizeof(r->line[0]), by_print);
	for (i = 0; i < r->nline; i++)
		if (n == 0 || by_print(&r->line[n - 1], &r->line[i]) != 0)
			r->line[n++] = r->line[i];
	r->nline = n;
}

void
receipt_print(struct buf *b, struct receipt *r)
{
	size_t i;

	sort(r);
	buf_addf(b, "%s/%s\nbroker %s\ntime ", r->federation, head, r->broker);
	text_put_time(b, r->time);
	buf_addz(b, "\n");
	for (i = 0; i < r->nline; i++)
		print_line(b, &r->line[i]);
}

/* NAME/sign, as rosters call the key. */
static struct span
key_name(char out[KEYNAME_MAX + 1], const char *broker)
{
	snprintf(out, KEYNAME_MAX + 1, "%s/sign", broker);
	return span_of(out);
}

enum tocsin_err
receipt_sign(struct buf *out, struct receipt *r, const uint8_t sk[64])
{
	char name[KEYNAME_MAX + 1];
	struct buf text = { 0 };
	enum tocsin_err err = TOCSIN_EUSAGE;

	if (r->nline == 0)
		return err;
	receipt_print(&text, r);
	err = TOCSIN_EINTERNAL;
	if (buf_ok(&text))
		err = note_sign(
		    out, buf_span(&text), key_name(name, r->broker), sk);
	buf_release(&text);
	return err;
}

/* ---- reading ---- */

static void
read_line(struct text *t, struct receipt_line *l)
{
	struct span f[3];

	memset(l, 0, sizeof(*l));
	if (text_has(t, "delivered")) {
		l->kind = RECEIPT_DELIVERED;
		text_line(t, "delivered", 3, f);
		text_copy(t, f[1], name_member, l->member, sizeof(l->member));
		text_copy(t, f[2], name_label, l->device, sizeof(l->device));
	} else if (text_has(t, "refused")) {
		l->kind = RECEIPT_REFUSED;
		text_line(t, "refused", 2, f);
		text_copy(t, f[1], name_token, l->reason, sizeof(l->reason));
	} else if (text_has(t, "erased")) {
		l->kind = RECEIPT_ERASED;
		text_line(t, "erased", 2, f);
		l->one = !span_is(f[1], "-");
		if (l->one)
			text_id(t, f[1], l->part);
	} else if (text_has(t, "without")) {
		l->kind = RECEIPT_WITHOUT;
		text_line(t, "without", 3, f);
		l->one = true;
		text_id(t, f[1], l->part);
		text_copy(t, f[2], name_token, l->reason, sizeof(l->reason));
	} else {
		l->kind = RECEIPT_STORED;
		text_line(t, "stored", 2, f);
		l->index = text_u64(t, f[1]);
	}
	text_id(t, f[0], l->id);
}

static enum tocsin_err
prints_back(struct receipt *r, struct span text)
{
	uint8_t room[TEXT_MAX + 1]; /* so that no memory can be short */
	struct buf b = {
		.p = room,
		.cap = sizeof(room),
		.max = sizeof(room),
	};

	receipt_print(&b, r);
	return buf_ok(&b) && span_eq(buf_span(&b), text) ? TOCSIN_OK
							 : TOCSIN_EMALFORMED;
}

enum tocsin_err
receipt_parse(struct receipt *out, struct span text)
{
	struct text t = text_init(text);
	struct span f, last = { 0 };

	memset(out, 0, sizeof(*out));
	if (text.n > TEXT_MAX)
		return TOCSIN_ETOOLARGE;
	text_head(&t, head, out->federation);
	text_line(&t, "broker", 1, &f);
	text_copy(&t, f, name_broker, out->broker, sizeof(out->broker));
	text_line(&t, "time", 1, &f);
	out->time = text_time(&t, f);
	while (!t.bad && t.rest.n > 0 && out->nline < RECEIPT_LINES) {
		read_line(&t, &out->line[out->nline++]);
		text_ascend(&t, &last);
	}
	if (!text_done(&t))
		return text_result(&t);
	if (out->nline == 0)
		return TOCSIN_EMALFORMED;
	note_id(out->id, text);
	return prints_back(out, text);
}

enum tocsin_err
receipt_open(struct receipt *out, const struct roster *r, struct span file)
{
	const struct roster_broker *b;
	enum tocsin_err err;
	struct note n;

	err = note_parse(&n, file, TEXT_MAX);
	if (err)
		return err;
	err = receipt_parse(out, n.text);
	if (err)
		return err;
	b = roster_broker(r, span_of(out->broker));
	if (b == NULL || strcmp(out->federation, r->federation) != 0)
		return TOCSIN_ENOTENROLLED;
	err = note_verify(&n, &b->sign);
	if (err == TOCSIN_ENOTFOUND)
		return TOCSIN_EBADSIGNATURE;
	return err ? err : roster_key_at(r, &b->sign, out->time);
}

enum tocsin_err
receipt_reason(const struct receipt_line *l)
{
	unsigned i;

	for (i = 0; i < TOCSIN_ERR_COUNT; i++)
		if (strcmp(l->reason, tocsin_err_name(i)) == 0)
			return (enum tocsin_err)i;
	return TOCSIN_EINTERNAL;
}
