/* SPDX-License-Identifier: ISC */
#include "client/gist.h"

#include <jansson.h>
#include <string.h>

struct writing {
	struct buf *out;
	const struct tocsin_status *s;
	const struct tocsin_list *now; /* or NULL */
	uint32_t nfield;
};

/* ---- writing ---- */

static void
add_string(struct buf *out, const char *s)
{
	struct span bytes = span_of(s);

	buf_u32(out, (uint32_t)bytes.n);
	buf_add(out, bytes);
}

static void
add_field(struct writing *w, const char *name, const char *text)
{
	if (text == NULL || text[0] == '\0')
		return;
	add_string(w->out, name);
	add_string(w->out, text);
	w->nfield++;
}

/* Words for programs, which would be found in every message. */
static bool
says_nothing(const char *name)
{
	static const char *const names[] = { "format", "ack", "recall", "clock",
		"attachments", "original", "action", "claim" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* incident_parse() has seen to the depth. */
static void
add_value(struct writing *w, const char *name, const json_t *v)
{
	const char *key;
	json_t *inner;
	size_t i;

	if (json_is_string(v))
		add_field(w, name, json_string_value(v));
	json_array_foreach(v, i, inner) add_value(w, name, inner);
	json_object_foreach((json_t *)(uintptr_t)v, key, inner)
	    add_value(w, name, inner);
}

/*
 * A recall of attachments refers to them as to messages. Whose it is is not
 * asked: a name that is not found because somebody pretends is no loss, for the
 * attachment itself is as it was.
 */
static bool
refers_to(const struct behind *b, const char *id)
{
	const char *const *ref = b->ladder->recalls;

	while (ref != NULL && *ref != NULL && strcmp(*ref, id) != 0)
		ref++;
	return ref != NULL && *ref != NULL;
}

static bool
part_taken_back(const struct writing *w, const char *part)
{
	struct behind b;
	uint8_t hash[ID_LEN];
	size_t i, k;

	if (!id_parse(span_of(part), hash))
		return true; /* it names nothing */
	for (i = 0; status_behind(w->s, i, &b); i++) {
		if (refers_to(&b, part))
			return true;
		for (k = 0; k < b.m->nparts; k++)
			if (b.m->parts[k].recalled &&
			    memcmp(b.in->attachment[k].part, hash, ID_LEN) == 0)
				return true;
	}
	return false;
}

static void
add_attachments(struct writing *w, const json_t *list)
{
	const char *part;
	json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		part = json_string_value(json_object_get(one, "part"));
		if (part != NULL && !part_taken_back(w, part))
			add_field(w, "attachment",
			    json_string_value(json_object_get(one, "name")));
	}
}

/* One of the thread, by us or by others. */
static bool
taken_back(const struct writing *w, const struct behind *m)
{
	struct behind b;
	size_t i;

	for (i = 0; status_behind(w->s, i, &b); i++)
		if (ladder_recalls(b.ladder, m->ladder))
			return true;
	return m->m->refused == TOCSIN_ERECALLED;
}

static void
add_content(struct writing *w, const json_t *content)
{
	const char *name;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)content, name, v)
	{
		if (!says_nothing(name))
			add_value(w, name, v);
	}
	add_attachments(w, json_object_get(content, "attachments"));
}

/* What is carried may be of the thread, or of one that we have nothing of. */
static bool
carried_taken_back(const struct writing *w, const char *id)
{
	struct behind b;
	size_t i;

	for (i = 0; status_behind(w->s, i, &b); i++)
		if (strcmp(b.m->id, id) == 0)
			return taken_back(w, &b);
	for (i = 0; status_behind(w->s, i, &b); i++)
		if (refers_to(&b, id))
			return true;
	return false;
}

static void
add_carried(struct writing *w, const json_t *original)
{
	const char *id = json_string_value(json_object_get(original, "id"));

	if (id == NULL || !carried_taken_back(w, id))
		add_content(w, json_object_get(original, "ticket"));
}

static const char *
label_of(const struct writing *w, const struct tocsin_message *m)
{
	size_t i;

	for (i = 0; w->now != NULL && i < w->now->n; i++)
		if (strcmp(w->now->message[i]->id, m->id) == 0)
			return w->now->message[i]->tlp;
	return m->tlp;
}

static void
add_message(struct writing *w, const struct behind *b)
{
	uint8_t id[ID_LEN] = { 0 };
	size_t i, at;

	w->nfield = 0;
	(void)id_parse(span_of(b->m->id), id);
	buf_add(w->out, SPAN(id));
	buf_u64(w->out, (uint64_t)b->m->time);
	add_string(w->out, b->m->from);
	add_string(w->out, b->m->kind);
	add_string(w->out, label_of(w, b->m));
	at = w->out->n;
	buf_u32(w->out, 0);
	add_content(w, b->in->root);
	add_carried(w, json_object_get(b->in->root, "original"));
	for (i = 0; buf_ok(w->out) && i < 4; i++)
		w->out->p[at + i] = (uint8_t)(w->nfield >> (24 - 8 * i));
}

void
gist_write(struct buf *out, const struct tocsin_status *s,
    const struct tocsin_list *now)
{
	struct writing w = { .out = out, .s = s, .now = now };
	struct behind b;
	size_t i;

	for (i = 0; status_behind(s, i, &b); i++)
		if (b.m->refused == TOCSIN_OK && b.in->root != NULL &&
		    !taken_back(&w, &b))
			add_message(&w, &b);
}

/* ---- reading ---- */

static struct span
read_string(struct rd *r)
{
	return rd_span(r, rd_u32(r));
}

bool
gist_message(struct rd *r, struct gist_message *out)
{
	if (r->rest.n == 0)
		return false;
	rd_copy(r, out->id, sizeof(out->id));
	out->time = (int64_t)rd_u64(r);
	out->from = read_string(r);
	out->kind = read_string(r);
	out->tlp = read_string(r);
	out->nfield = rd_u32(r);
	return !r->bad;
}

bool
gist_field(struct rd *r, struct gist_field *out)
{
	out->name = read_string(r);
	out->text = read_string(r);
	return !r->bad;
}
