/* SPDX-License-Identifier: ISC */
#include "crypto/grant.h"

#include <stdlib.h>
#include <string.h>

static const char head[] = "grant/v1";

/* ---- the text ---- */

static int
by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
sort(struct grant *g)
{
	size_t i, n = 0;

	qsort(g->to, g->nto, sizeof(g->to[0]), by_name);
	for (i = 0; i < g->nto; i++)
		if (n == 0 || strcmp(g->to[n - 1], g->to[i]) != 0)
			memmove(g->to[n++], g->to[i], sizeof(g->to[0]));
	g->nto = n;
}

void
grant_print(struct buf *b, struct grant *g)
{
	size_t i;

	sort(g);
	buf_addf(b, "%s/%s\nfrom %s\ntime ", g->federation, head, g->from);
	text_put_time(b, g->time);
	buf_addz(b, "\nmessage ");
	text_put_id(b, g->message);
	buf_addf(b, "\nholder %s\ntlp %s\n", g->holder[0] ? g->holder : "-",
	    ticket_tlp_name(g->tlp));
	for (i = 0; i < g->nto; i++)
		buf_addf(b, "to %s\n", g->to[i]);
}

static enum tocsin_err
prints_back(struct grant *g, struct span text)
{
	uint8_t room[GRANT_FILE_MAX]; /* so that no memory can be short */
	struct buf b = {
		.p = room,
		.cap = sizeof(room),
		.max = sizeof(room),
	};

	grant_print(&b, g);
	return buf_ok(&b) && span_eq(buf_span(&b), text) ? TOCSIN_OK
							 : TOCSIN_EMALFORMED;
}

static void
read_lines(struct text *t, struct grant *g)
{
	struct span f, last = { 0 };

	text_head(t, head, g->federation);
	text_line(t, "from", 1, &f);
	text_copy(t, f, name_device, g->from, sizeof(g->from));
	text_line(t, "time", 1, &f);
	g->time = text_time(t, f);
	text_line(t, "message", 1, &f);
	text_id(t, f, g->message);
	text_line(t, "holder", 1, &f);
	if (!span_is(f, "-"))
		text_copy(t, f, name_member, g->holder, sizeof(g->holder));
	text_line(t, "tlp", 1, &f);
	text_check(t, ticket_tlp_from(&g->tlp, f));
	while (!t->bad && t->rest.n > 0 && g->nto < GRANT_TO_MAX) {
		text_line(t, "to", 1, &f);
		text_copy(t, f, name_member, g->to[g->nto++], sizeof(g->to[0]));
		text_ascend(t, &last);
	}
}

enum tocsin_err
grant_parse(struct grant *out, struct span text)
{
	struct text t = text_init(text);

	memset(out, 0, sizeof(*out));
	if (text.n > GRANT_FILE_MAX)
		return TOCSIN_ETOOLARGE;
	read_lines(&t, out);
	if (!text_done(&t))
		return text_result(&t);
	note_id(out->id, text);
	return prints_back(out, text);
}

enum tocsin_err
grant_sign(struct buf *out, struct grant *g, const uint8_t sk[64])
{
	struct buf text = { .max = GRANT_FILE_MAX };
	enum tocsin_err err = TOCSIN_EINTERNAL;

	grant_print(&text, g);
	if (buf_ok(&text))
		err = note_sign(out, buf_span(&text), span_of(g->from), sk);
	buf_release(&text);
	return err;
}

/* ---- believing ---- */

static enum tocsin_err
judge(const struct grant *g, const struct note *n, const struct roster *r,
    const struct keys *k, struct span exercise)
{
	const struct keys_device *d;
	enum tocsin_err err;

	if (strcmp(g->federation, r->federation) != 0)
		return TOCSIN_EROSTERUNKNOWN;
	d = k != NULL ? keys_device(k, device_label(span_of(g->from))) : NULL;
	if (d == NULL)
		return TOCSIN_ENOTENROLLED;
	if (!span_is(exercise, d->exercise))
		return TOCSIN_EEXERCISEMISMATCH;
	if (d->role != KEYS_OFFICER)
		return TOCSIN_EKINDNOTALLOWED;
	err = keys_root_at(r, k, g->time);
	if (err == TOCSIN_OK)
		err = roster_key_at(r, &d->sign, g->time);
	if (err == TOCSIN_OK)
		err = note_verify(n, &d->sign);
	return err == TOCSIN_ENOTFOUND ? TOCSIN_EBADSIGNATURE : err;
}

enum tocsin_err
grant_open(struct grant *out, const struct roster *r,
    const struct keys *(*keys)(
	void *arg, const struct grant *g, const struct note *note),
    void *arg, struct span exercise, struct span file)
{
	enum tocsin_err err;
	struct note n;

	err = note_parse(&n, file, GRANT_FILE_MAX);
	if (err == TOCSIN_OK)
		err = grant_parse(out, n.text);
	if (err != TOCSIN_OK)
		return err;
	return judge(out, &n, r, keys(arg, out, &n), exercise);
}

/* ---- the rule ---- */

static bool
is_of(const struct grant_case *c, const struct grant *g)
{
	return memcmp(g->message, c->message, ID_LEN) == 0 &&
	       span_eq(device_member(span_of(g->from)), c->author);
}

static bool
relabels(const struct grant_case *c, const struct grant *g)
{
	return is_of(c, g) && g->holder[0] == '\0' && g->nto == 0;
}

/* The grant that says it; NULL: the header does. */
static const struct grant *
newest_label(const struct grant_case *c)
{
	const struct grant *found = NULL, *g;
	size_t i;

	for (i = 0; i < c->n; i++) {
		g = &c->grant[i];
		if (relabels(c, g) &&
		    (found == NULL || g->time > found->time ||
			(g->time == found->time && g->tlp < found->tlp)))
			found = g;
	}
	return found;
}

enum ticket_tlp
grant_label(const struct grant_case *c)
{
	const struct grant *g = newest_label(c);

	return g != NULL ? g->tlp : c->tlp;
}

/* It is for the holder, and not of before the label was changed. */
static bool
is_for(const struct grant_case *c, const struct grant *g, struct span holder)
{
	const struct grant *label = newest_label(c);

	return is_of(c, g) && !relabels(c, g) &&
	       (g->holder[0] == '\0' || span_is(holder, g->holder)) &&
	       (label == NULL || g->time >= label->time);
}

enum ticket_tlp
grant_widest(const struct grant_case *c, struct span holder)
{
	enum ticket_tlp widest = grant_label(c);
	size_t i;

	for (i = 0; i < c->n; i++)
		if (c->grant[i].nto == 0 && c->grant[i].tlp > widest &&
		    is_for(c, &c->grant[i], holder))
			widest = c->grant[i].tlp;
	return widest;
}

static bool
lets(enum ticket_tlp tlp, enum grant_reach reach, enum ticket_tlp as)
{
	return reach == GRANT_NAMED ? as <= tlp
				    : (int)reach <= (int)tlp && as <= tlp;
}

static bool
names(const struct grant *g, struct span to)
{
	size_t i;

	for (i = 0; i < g->nto; i++)
		if (span_is(to, g->to[i]))
			return true;
	return false;
}

bool
grant_may(const struct grant_case *c, struct span holder, struct span to,
    enum grant_reach reach, enum ticket_tlp as, const struct grant **by)
{
	const struct grant *label = newest_label(c), *g;
	bool plain = lets(c->tlp, reach, as);
	size_t i;

	if (by != NULL)
		*by = NULL;
	if (span_eq(holder, c->author))
		return true;
	if (lets(grant_label(c), reach, as)) {
		if (by != NULL && !plain)
			*by = label;
		return true;
	}
	for (i = 0; i < c->n; i++) {
		g = &c->grant[i];
		if (!is_for(c, g, holder) ||
		    (g->nto > 0 ? !names(g, to) || as > g->tlp
				: !lets(g->tlp, reach, as)))
			continue;
		if (by != NULL)
			*by = g;
		return true;
	}
	return false;
}
