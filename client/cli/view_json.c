/* SPDX-License-Identifier: ISC */
#include "client/cli/view_json.h"

#include "client/cli/print.h"
#include "client/cli/view.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* ---- values ---- */

json_t *
view_time(int64_t t)
{
	char text[TIME_TEXT + 1];

	if (t <= 0)
		return json_null();
	time_print(text, t);
	return json_string(text);
}

json_t *
view_bytes(struct span s)
{
	struct buf b = { 0 };
	json_t *o = NULL;

	utf8_mend(&b, s);
	if (buf_ok(&b))
		o = json_stringn(b.n > 0 ? (const char *)b.p : "", b.n);
	buf_release(&b);
	return o;
}

/* What others wrote is UTF-8, but a program's output and a file's name need not
 * be, nor a sentence that was cut: such a line of JSON would not be printed. */
json_t *
view_string(const char *s)
{
	json_t *o = s != NULL ? json_string(s) : json_null();

	return o != NULL ? o : view_bytes(span_of(s));
}

json_t *
view_content(const struct tocsin_message *m)
{
	return m->json != NULL
		   ? json_loads(m->json, JSON_REJECT_DUPLICATES, NULL)
		   : NULL;
}

const char *
view_member(const json_t *o, const char *name, const char *inner)
{
	const json_t *v = json_object_get(o, name);

	return json_string_value(inner != NULL ? json_object_get(v, inner) : v);
}

/* ---- messages ---- */

static json_t *
strings(const char *const *list)
{
	json_t *a = json_array();
	size_t i;

	for (i = 0; list != NULL && list[i] != NULL; i++)
		json_array_append_new(a, view_string(list[i]));
	return a;
}

/* Of what is coming, names and media types are in the body. */
static const char *
known(const struct tocsin_message *m, const char *s)
{
	return m->coming ? NULL : s;
}

static json_t *
left_json(const struct tocsin_left *l)
{
	return json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:o, s:s}", "message",
	    l->message, "part", l->part, "name", view_string(l->name), "nation",
	    l->nation, "by", l->by, "reason", l->reason, "time",
	    view_time(l->time), "receipt", l->receipt);
}

static json_t *
left_of_part(const struct tocsin_part *p)
{
	json_t *a = json_array();
	size_t i;

	for (i = 0; i < p->nleft; i++)
		json_array_append_new(a, left_json(&p->left[i]));
	return a;
}

static json_t *
attachments(const struct tocsin_message *m)
{
	json_t *a = json_array();
	size_t i;

	for (i = 0; i < m->nparts; i++)
		json_array_append_new(a,
		    json_pack("{s:o, s:o, s:o, s:I, s:I, s:o, s:b, s:o}",
			"name", view_string(known(m, m->parts[i].name)),
			"media", view_string(known(m, m->parts[i].media)),
			"size",
			m->coming ? json_null()
				  : json_integer((json_int_t)m->parts[i].size),
			"sealed", (json_int_t)m->parts[i].sealed, "here",
			(json_int_t)m->parts[i].here, "saved",
			view_time(m->parts[i].saved), "recalled",
			m->parts[i].recalled, "without",
			left_of_part(&m->parts[i])));
	return a;
}

static json_t *
coming(const struct tocsin_message *m)
{
	return m->coming
		   ? json_pack("{s:I, s:I}", "here", (json_int_t)m->body_here,
			 "size", (json_int_t)m->body_size)
		   : json_null();
}

/* That a body is still to come is no refusal. */
static json_t *
refused(const struct tocsin_message *m)
{
	if (m->refused == TOCSIN_OK ||
	    (m->coming && m->refused == TOCSIN_EUNAVAILABLE))
		return json_null();
	return json_string(tocsin_err_name(m->refused));
}

json_t *
view_deadlines_json(const struct tocsin_status *s)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; s != NULL && i < s->ndeadline; i++) {
		const struct tocsin_deadline *d = &s->deadline[i];

		json_array_append_new(
		    list, json_pack("{s:s, s:o, s:o, s:o, s:o}", "clock",
			      d->clock, "text", view_string(d->text), "started",
			      view_time(d->started), "due", view_time(d->due),
			      "done", view_time(d->done)));
	}
	return list;
}

json_t *
view_message_json(const struct tocsin_message *m, const struct tocsin_status *s)
{
	const char *pap = m->pap == NULL && s != NULL ? s->pap : m->pap;
	json_t *content = view_content(m);
	json_t *o = json_object();

	json_object_set_new(o, "id", json_string(m->id));
	json_object_set_new(o, "short_id", json_string(m->short_id));
	json_object_set_new(o, "thread", json_string(m->thread));
	json_object_set_new(o, "number",
	    m->coming ? json_null() : json_integer((json_int_t)m->number));
	json_object_set_new(o, "kind", json_string(m->kind));
	json_object_set_new(o, "tlp", json_string(m->tlp));
	json_object_set_new(
	    o, "allowed", json_string(m->allowed ? m->allowed : m->tlp));
	json_object_set_new(o, "permitted_by", view_string(m->permitted_by));
	json_object_set_new(o, "unpermitted", json_boolean(m->unpermitted));
	json_object_set_new(o, "pap", view_string(pap));
	json_object_set_new(o, "labels", strings(m->labels));
	json_object_set_new(o, "precedence", json_string(m->precedence));
	json_object_set_new(o, "exercise", view_string(m->exercise));
	json_object_set_new(o, "from", json_string(m->from));
	json_object_set_new(o, "to", strings(m->to));
	json_object_set_new(o, "time", view_time(m->time));
	json_object_set_new(o, "received", view_time(m->received));
	json_object_set_new(o, "ackby", view_time(m->ackby));
	json_object_set_new(o, "deadlines", view_deadlines_json(s));
	json_object_set_new(o, "own", json_boolean(m->own));
	json_object_set_new(o, "refused", refused(m));
	json_object_set_new(o, "coming", coming(m));
	json_object_set_new(o, "subject", view_string(m->subject));
	json_object_set_new(o, "text", view_string(m->text));
	json_object_set_new(
	    o, "answer", view_string(view_member(content, "ack", "state")));
	json_object_set_new(
	    o, "reason", view_string(view_member(content, "ack", "reason")));
	json_object_set_new(o, "resolution",
	    view_string(view_member(content, "resolution", NULL)));
	json_object_set_new(o, "attachments", attachments(m));
	json_object_set_new(
	    o, "content", content != NULL ? content : json_null());
	return o;
}

json_t *
view_event_json(struct tocsin *t, struct tocsin_message *m)
{
	struct tocsin_status *s = NULL;
	json_t *o;

	if (m->coming || tocsin_refresh(t, m, cli_now(), &s) != TOCSIN_OK)
		s = NULL;
	o = view_message_json(m, s);
	tocsin_status_free(s);
	return o;
}

/* ---- places ---- */

static json_t *
steps_json(const struct tocsin_place *p)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < p->nstep; i++) {
		const struct tocsin_step *s = &p->step[i];

		json_array_append_new(
		    list, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "rung",
			      tocsin_rung_name(s->rung), "time",
			      view_time(s->time), "by", view_string(s->by),
			      "reason", view_string(s->reason), "message",
			      view_string(s->message), "receipt",
			      view_string(s->receipt)));
	}
	return list;
}

/* Of the place's member, and of its nation's brokers. */
static json_t *
holders_json(const struct tocsin_status *s, const struct tocsin_place *p)
{
	const char *at = strchr(p->member, '@');
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < s->nholder; i++) {
		const struct tocsin_holder *h = &s->holder[i];

		if (view_same_member(h->who, p->member) ||
		    (at != NULL && strcmp(h->who, at + 1) == 0))
			json_array_append_new(list,
			    json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o}",
				"recall", h->recall, "message", h->message,
				"who", h->who, "erased", view_time(h->erased),
				"by", view_string(h->by), "proof",
				view_string(h->proof), "receipt",
				view_string(h->receipt)));
	}
	return list;
}

static json_t *
left_of_place(const struct tocsin_status *s, const struct tocsin_place *p)
{
	json_t *a = json_array();
	size_t i;

	for (i = 0; i < s->nleft; i++)
		if (view_is_left_by(&s->left[i], p))
			json_array_append_new(a, left_json(&s->left[i]));
	return a;
}

json_t *
view_place_json(const struct tocsin_status *s, const struct tocsin_place *p)
{
	char brief[TOCSIN_SHORT_TEXT];
	json_t *o;

	view_short(brief, s->id);
	o = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:b, s:o, s:b, s:i}",
	    "id", s->id, "short_id", brief, "member", p->member, "rung",
	    tocsin_rung_name(p->rung), "since", view_time(p->since), "by",
	    view_string(p->by), "reason", view_string(p->reason), "overdue",
	    p->overdue, "ackby", view_time(p->ackby), "closed", s->closed,
	    "escalated", (int)s->escalated);
	json_object_set_new(o, "resolution", view_string(s->resolution));
	json_object_set_new(o, "asked", view_time(p->asked));
	json_object_set_new(o, "first_asked", view_time(p->first_asked));
	json_object_set_new(o, "heard", view_time(p->heard));
	json_object_set_new(o, "silent", json_boolean(view_silent(p)));
	json_object_set_new(o, "recalled", json_boolean(p->recalled));
	json_object_set_new(o, "steps", steps_json(p));
	json_object_set_new(o, "holders", holders_json(s, p));
	json_object_set_new(o, "without", left_of_place(s, p));
	return o;
}
