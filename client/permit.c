/* SPDX-License-Identifier: ISC */
#include "client/permit.h"

#include "client/circle.h"
#include "client/incident.h"
#include "client/vocab.h"
#include "crypto/shortid.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- the grants of a thread ---- */

/* Whom a grant is judged by, of a snapshot. */
struct judging {
	struct tocsin *t;
	struct desk_tx *tx;
};

/* As tickets are: a device that was replaced since has said what it said. */
static const struct keys *
keys_of(void *arg, const struct grant *g, const struct note *note)
{
	const struct judging *j = arg;

	return belief_keys_at(
	    &j->t->belief, j->tx, span_of(g->from), note, g->time);
}

static bool
grow(struct permits *p)
{
	void *g = realloc(p->g, (p->n + 1) * sizeof(*p->g));
	void *note, *used;

	if (g == NULL)
		return false;
	p->g = g;
	note = realloc(p->note, (p->n + 1) * sizeof(*p->note));
	if (note == NULL)
		return false;
	p->note = note;
	used = realloc(p->used, (p->n + 1) * sizeof(*p->used));
	if (used == NULL)
		return false;
	p->used = used;
	return true;
}

static bool
has(const struct permits *p, const struct grant *g)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (memcmp(p->g[i].id, g->id, ID_LEN) == 0)
			return true;
	return false;
}

/* One that is not to be believed is as none. */
static enum tocsin_err
add(struct permits *p, struct judging *j, const char *note)
{
	const struct belief *b = &j->t->belief;
	struct grant *g = calloc(1, sizeof(*g));
	enum tocsin_err err = TOCSIN_EINTERNAL;

	if (g != NULL && b->roster != NULL &&
	    (grant_open(g, b->roster, keys_of, j,
		 span_of(j->t->parts.keys->exercise),
		 span_of(note)) != TOCSIN_OK ||
		has(p, g))) {
		free(g);
		return TOCSIN_OK;
	}
	if (g != NULL && grow(p)) {
		p->g[p->n] = *g;
		p->used[p->n] = false;
		p->note[p->n] = strdup(note);
		if (p->note[p->n] != NULL) {
			p->n++;
			err = TOCSIN_OK;
		}
	}
	free(g);
	return err;
}

static enum tocsin_err
add_of_json(
    struct permits *p, struct tocsin *t, struct desk_tx *tx, struct span json)
{
	struct judging j = { t, tx };
	struct incident in;
	const json_t *list;
	const char *note;
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	if (t->belief.roster == NULL || json.n == 0 ||
	    memmem(json.p, json.n, "\"grants\"", 8) == NULL ||
	    incident_parse(&in, json) != TOCSIN_OK)
		return TOCSIN_OK;
	list = json_object_get(in.root, "grants");
	for (i = 0; err == TOCSIN_OK && i < json_array_size(list); i++) {
		note = json_string_value(json_array_get(list, i));
		if (note != NULL)
			err = add(p, &j, note);
	}
	incident_release(&in);
	return err;
}

enum tocsin_err
permits_load(struct permits *p, struct tocsin *t, struct desk_tx *tx,
    const uint8_t thread[ID_LEN])
{
	struct opened *o = malloc(sizeof(*o));
	enum tocsin_err err = TOCSIN_OK;
	uint64_t n = 0;

	if (o == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	while (err == TOCSIN_OK &&
	       desk_thread_next(tx, thread, n, &n) == TOCSIN_OK) {
		err = open_message(t, tx, n, o);
		if (err == TOCSIN_OK && o->row.refused == TOCSIN_OK &&
		    add_of_json(p, t, tx, o->contents.json) != TOCSIN_OK)
			err = fail(TOCSIN_EINTERNAL, "no memory");
		opened_release(o);
	}
	free(o);
	return err;
}

void
permits_release(struct permits *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		free(p->note[i]);
	free(p->note);
	free(p->used);
	free(p->g);
	*p = (struct permits){ 0 };
}

static struct grant_case
about(const struct permits *p, const struct ticket *t)
{
	return (struct grant_case){ t->id, t->from, t->tlp, p->g, p->n };
}

enum ticket_tlp
permits_label(const struct permits *p, const struct ticket *t)
{
	const struct grant_case c = about(p, t);

	return grant_label(&c);
}

/* ---- may we? ---- */

struct checking {
	struct permits *p;
	const struct permit_wish *w;
	struct span holder; /* our member */
	struct ticket *t;   /* a message of the thread */
	/* What stands against it, the narrowest label first. */
	bool denied;
	enum ticket_tlp label;
	char author[MEMBER_MAX + 1], brief[TOCSIN_SHORT_TEXT];
	const char *to; /* NULL: it is the label that is too wide */
};

static bool
is_client(const struct permit_wish *w, const char *member)
{
	const char *const *c = w->clients;

	for (; c != NULL && *c != NULL; c++)
		if (strcmp(*c, member) == 0)
			return true;
	return false;
}

static enum grant_reach
reach_of(const struct checking *c, const char *member)
{
	if (ticket_to_find(c->t, span_of(member)) >= 0)
		return GRANT_NAMED;
	if (span_is(c->holder, member))
		return GRANT_ORGANISATION;
	return is_client(c->w, member) ? GRANT_CLIENT : GRANT_COMMUNITY;
}

static void
deny(struct checking *c, enum ticket_tlp label, const char *to)
{
	if (c->denied && c->label <= label)
		return;
	c->denied = true;
	c->label = label;
	c->to = to;
	snprintf(c->author, sizeof(c->author), "%.*s", (int)c->t->from.n,
	    (const char *)c->t->from.p);
	shortid_print(c->brief, c->t->id);
}

static void
ask_one(struct checking *c, const char *to, enum grant_reach reach,
    enum ticket_tlp as)
{
	const struct grant_case of = about(c->p, c->t);
	const struct grant *by;

	if (!grant_may(&of, c->holder, to != NULL ? span_of(to) : c->holder,
		reach, as, &by))
		deny(c, grant_label(&of), to);
	else if (by != NULL)
		c->p->used[by - c->p->g] = true;
}

/* Its label binds us: the first one's, and every narrower one. */
static bool
binds(const struct checking *c, bool is_first)
{
	return !span_eq(c->t->from, c->holder) &&
	       (is_first || permits_label(c->p, c->t) <
				permits_label(c->p, c->w->first));
}

static void
ask_message(struct checking *c)
{
	const struct permit_wish *w = c->w;
	bool is_first = memcmp(c->t->id, w->first->id, ID_LEN) == 0;
	/* Of what does not go along the label is not changed. */
	enum ticket_tlp as = is_first && w->carries ? w->as : TICKET_RED;
	size_t i;

	if (!binds(c, is_first))
		return;
	for (i = 0; i < w->nto; i++)
		ask_one(c, w->to[i], reach_of(c, w->to[i]), as);
	if (w->nto == 0 && as != TICKET_RED)
		ask_one(c, NULL, GRANT_NAMED, as);
}

#define AMBER_RULE "it stays with your organisation and its clients (--client)"

/* What a label says, to one who holds to it. */
static const char *
rule_of(enum ticket_tlp tlp)
{
	static const char *const rules[TICKET_TLPS] = {
		[TICKET_RED] = "it is for those that it was sent to",
		[TICKET_AMBER_STRICT] = "it stays in your organisation",
		[TICKET_AMBER] = AMBER_RULE,
		[TICKET_GREEN] = "it stays in the community",
		[TICKET_CLEAR] = "it is for anybody",
	};

	return rules[tlp];
}

static enum tocsin_err
say_denied(const struct checking *c)
{
	const char *label = ticket_tlp_name(c->label);
	const char *as = ticket_tlp_name(c->w->as);

	if (c->to == NULL)
		return fail(TOCSIN_EPOLICYDENIED,
		    "TLP:%s: only %s, who wrote it, may let it be passed on "
		    "as TLP:%s; ask with `tocsin ask %s --tlp %s`",
		    label, c->author, as, c->brief, as);
	return fail(TOCSIN_EPOLICYDENIED,
	    "TLP:%s: %s; only %s, who wrote it, may let you show it to %s; "
	    "ask with `tocsin ask %s --to %s%s%s`",
	    label, rule_of(c->label), c->author, c->to, c->brief, c->to,
	    c->w->as > c->label ? " --tlp " : "",
	    c->w->as > c->label ? as : "");
}

enum tocsin_err
permits_check(struct permits *p, struct tocsin *t, struct desk_tx *tx,
    const struct permit_wish *w)
{
	struct checking c = {
		.p = p, .w = w, .holder = span_of(t->parts.keys->member)
	};
	struct desk_message row;
	struct note note;
	uint64_t n = 0;

	c.t = malloc(sizeof(*c.t));
	if (c.t == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	while (desk_thread_next(tx, w->thread, n, &n) == TOCSIN_OK)
		if (desk_get(tx, n, &row) == TOCSIN_OK &&
		    row.refused == TOCSIN_OK &&
		    ticket_parse(c.t, &note, row.note) == TOCSIN_OK)
			ask_message(&c);
	free(c.t);
	return c.denied ? say_denied(&c) : TOCSIN_OK;
}

/* ---- what a reader is told ---- */

static bool
header_of(struct desk_tx *tx, const char *id, struct ticket *t)
{
	struct desk_message row;
	uint8_t raw[ID_LEN];
	struct note note;
	uint64_t n;

	return id_parse(span_of(id), raw) &&
	       desk_find(tx, raw, &n) == TOCSIN_OK &&
	       desk_get(tx, n, &row) == TOCSIN_OK &&
	       ticket_parse(t, &note, row.note) == TOCSIN_OK;
}

/* What another member showed us, saying that its author lets him. */
static enum tocsin_err
judge_shown(struct tocsin *t, struct desk_tx *tx, struct tocsin_message *m,
    struct span sender, enum ticket_tlp as)
{
	struct permits p = { 0 };
	struct incident in = { 0 };
	uint8_t id[ID_LEN];
	struct span us = span_of(t->parts.keys->member);
	const char *original;
	enum tocsin_err err = incident_parse(&in, span_of(m->json));
	size_t i;

	if (err != TOCSIN_OK)
		return TOCSIN_OK;
	original = json_string_value(
	    json_object_get(json_object_get(in.root, "original"), "id"));
	if (original != NULL && id_parse(span_of(original), id))
		err = add_of_json(&p, t, tx, span_of(m->json));
	m->unpermitted = true;
	for (i = 0; err == TOCSIN_OK && i < p.n; i++) {
		const struct grant_case c = { id,
			device_member(span_of(p.g[i].from)), TICKET_RED,
			&p.g[i], 1 };

		if (!grant_may(&c, sender, us, GRANT_COMMUNITY, as, NULL) ||
		    span_eq(c.author, sender))
			continue;
		m->unpermitted = false;
		m->permitted_by = message_keep(m, c.author);
	}
	permits_release(&p);
	incident_release(&in);
	return err;
}

static enum tocsin_err
judge(struct tocsin *t, struct desk_tx *tx, struct permits *p,
    struct tocsin_message *m, struct ticket *h)
{
	struct grant_case c;

	if (!header_of(tx, m->id, h))
		return TOCSIN_OK;
	c = about(p, h);
	m->tlp = ticket_tlp_name(grant_label(&c));
	m->allowed =
	    ticket_tlp_name(grant_widest(&c, span_of(t->parts.keys->member)));
	if ((h->kind == TICKET_SHARE || h->kind == TICKET_ESCALATE) &&
	    !span_is(h->from, t->parts.keys->member) && m->json != NULL &&
	    strstr(m->json, "\"grants\"") != NULL)
		return judge_shown(t, tx, m, h->from, h->tlp);
	return TOCSIN_OK;
}

static enum tocsin_err
judge_all(struct tocsin *t, struct desk_tx *tx, struct tocsin_list *l)
{
	struct ticket *h = malloc(sizeof(*h));
	enum tocsin_err err =
	    h != NULL ? belief_load(&t->belief, tx) : TOCSIN_EINTERNAL;
	struct permits p = { 0 };
	size_t i;

	for (i = 0; err == TOCSIN_OK && i < l->n; i++)
		if (l->message[i]->json != NULL)
			err = add_of_json(
			    &p, t, tx, span_of(l->message[i]->json));
	for (i = 0; err == TOCSIN_OK && i < l->n; i++)
		err = judge(t, tx, &p, l->message[i], h);
	permits_release(&p);
	free(h);
	return err;
}

static bool
has_grants(const struct tocsin_message *m)
{
	return m->json != NULL && strstr(m->json, "\"grants\"") != NULL;
}

enum tocsin_err
permits_touch(struct tocsin *t, struct desk_tx *tx,
    const struct tocsin_status *s, struct tocsin_message *m, bool *touched)
{
	struct permits p = { 0 };
	struct ticket *h;
	struct behind b;
	enum tocsin_err err;
	size_t i;

	*touched = false;
	for (i = 0; s != NULL && status_behind(s, i, &b); i++)
		*touched |= has_grants(b.m);
	if (!*touched)
		return TOCSIN_OK;
	h = malloc(sizeof(*h));
	pthread_mutex_lock(&t->lock);
	err = h != NULL ? belief_load(&t->belief, tx) : TOCSIN_EINTERNAL;
	for (i = 0; err == TOCSIN_OK && status_behind(s, i, &b); i++)
		if (has_grants(b.m))
			err = add_of_json(&p, t, tx, span_of(b.m->json));
	if (err == TOCSIN_OK)
		err = judge(t, tx, &p, m, h);
	pthread_mutex_unlock(&t->lock);
	permits_release(&p);
	free(h);
	return err;
}

enum tocsin_err
permits_judge(struct tocsin *t, struct tocsin_list *l)
{
	struct desk_tx *tx = NULL;
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	for (i = 0; i < l->n; i++)
		if (has_grants(l->message[i]))
			break;
	if (i == l->n)
		return TOCSIN_OK;
	pthread_mutex_lock(&t->lock);
	err = desk_read(t->parts.desk, &tx);
	if (err == TOCSIN_OK)
		err = judge_all(t, tx, l);
	desk_end(tx);
	pthread_mutex_unlock(&t->lock);
	return err == TOCSIN_OK
		   ? err
		   : fail(err, "the desk: %s", tocsin_err_text(err));
}

/* ---- circles ---- */

/* What is asked and granted is of members; see circle.h. */
struct named {
	struct circles circles;
	struct circle_names to;
};

static enum tocsin_err
name_members(struct named *n, struct tocsin *t, const char *const *to)
{
	struct desk_tx *tx = NULL;
	enum tocsin_err err;
	char why[1024];

	err = circles_load(&n->circles, t->parts.keys->home, why);
	if (err != TOCSIN_OK)
		return fail(err, "%s", why);
	pthread_mutex_lock(&t->lock);
	err = begin_read(t, &tx);
	if (err == TOCSIN_OK) {
		err = belief_load(&t->belief, tx);
		if (err != TOCSIN_OK)
			snprintf(why, sizeof(why), "the desk's roster: %s",
			    tocsin_err_text(err));
		else
			err = circles_expand(
			    &n->circles, t->belief.roster, to, &n->to, why);
		if (err != TOCSIN_OK)
			fail(err, "%s", why);
	}
	desk_end(tx);
	pthread_mutex_unlock(&t->lock);
	return err;
}

static void
named_release(struct named *n)
{
	circle_names_release(&n->to);
	circles_release(&n->circles);
}

/* ---- asking ---- */

static enum tocsin_err
label_from(enum ticket_tlp *out, const char *typed)
{
	const char *word;

	if (strncmp(typed, "TLP:", 4) == 0)
		typed += 4;
	word = vocab_find(VOCAB_TLP, typed);
	if (word != NULL && ticket_tlp_from(out, span_of(word)))
		return TOCSIN_OK;
	return fail(TOCSIN_EUSAGE, "%s is no TLP label", typed);
}

/* The header of the message that was named; copied, and its content. */
static enum tocsin_err
find(struct tocsin *t, const char *id, struct opened *o)
{
	struct desk_tx *tx = NULL;
	uint64_t n;
	enum tocsin_err err = begin_read(t, &tx);

	if (err == TOCSIN_OK)
		err = find_message(t, tx, id, &n);
	if (err == TOCSIN_OK)
		err = open_message(t, tx, n, o);
	desk_end(tx);
	if (err == TOCSIN_OK && o->row.refused != TOCSIN_OK)
		err = fail(o->row.refused, "%s: %s", id,
		    tocsin_err_text(o->row.refused));
	return err;
}

static bool
is_ours(const struct tocsin *t, const struct ticket *h)
{
	return span_is(h->from, t->parts.keys->member);
}

static json_t *
strings(const char *const *s)
{
	json_t *list = json_array();

	for (; s != NULL && *s != NULL; s++)
		json_array_append_new(list, json_string(*s));
	return list;
}

void
permit_draft_release(struct permit_draft *p)
{
	free(p->json);
	p->json = NULL;
}

/* A message of the thread, with one member more in its content. */
static enum tocsin_err
make(struct permit_draft *p, const char *kind, const struct opened *of,
    const char *text, json_t *content)
{
	char *json = content != NULL ? json_dumps(content, JSON_COMPACT) : NULL;

	json_decref(content);
	p->json = json;
	id_print(p->thread, of->ticket.id);
	p->to[0] = p->member;
	p->to[1] = NULL;
	p->draft = (struct tocsin_draft){ .kind = kind,
		.thread = p->thread,
		.to = p->member[0] != '\0' ? p->to : NULL,
		.text = text,
		.json = json };
	return json != NULL ? TOCSIN_OK : fail(TOCSIN_EINTERNAL, "no memory");
}

static enum tocsin_err
post(struct tocsin *t, struct permit_draft *p, enum tocsin_err err,
    char out[TOCSIN_ID_TEXT])
{
	if (err == TOCSIN_OK)
		err = tocsin_post(t, &p->draft, out);
	permit_draft_release(p);
	return err;
}

static enum tocsin_err
make_ask(struct permit_draft *p, const struct opened *o, const char *const *to,
    const char *tlp, const char *text)
{
	char id[ID_TEXT + 1];
	json_t *wish;

	id_print(id, o->ticket.id);
	snprintf(p->member, sizeof(p->member), "%.*s", (int)o->ticket.from.n,
	    (const char *)o->ticket.from.p);
	wish = json_pack("{s:s}", "message", id);
	if (to != NULL && to[0] != NULL)
		json_object_set_new(wish, "to", strings(to));
	if (tlp != NULL)
		json_object_set_new(wish, "tlp", json_string(tlp));
	return make(
	    p, "request", o, text, json_pack("{s:o}", "permission", wish));
}

enum tocsin_err
permit_ask_draft(struct permit_draft *p, struct tocsin *t, const char *id,
    const char *const *to, const char *tlp, const char *text)
{
	struct opened *o = calloc(1, sizeof(*o));
	struct named n = { .to.n = 0 };
	enum ticket_tlp label;
	enum tocsin_err err;

	*p = (struct permit_draft){ .json = NULL };
	if (o == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	err = name_members(&n, t, to);
	if (err == TOCSIN_OK && tlp != NULL)
		err = label_from(&label, tlp);
	if (err == TOCSIN_OK)
		err = find(t, id, o);
	if (err == TOCSIN_OK && is_ours(t, &o->ticket))
		err = fail(
		    TOCSIN_EUSAGE, "%s is yours: nobody is to be asked", id);
	if (err == TOCSIN_OK)
		err = make_ask(p, o, n.to.name,
		    tlp != NULL ? ticket_tlp_name(label) : NULL, text);
	named_release(&n);
	opened_release(o);
	free(o);
	return err;
}

enum tocsin_err
permit_ask(struct tocsin *t, const char *id, const char *const *to,
    const char *tlp, const char *text, char out[TOCSIN_ID_TEXT])
{
	struct permit_draft p;

	return post(t, &p, permit_ask_draft(&p, t, id, to, tlp, text), out);
}

/* ---- granting ---- */

static enum tocsin_err
begin_grant(struct grant *g, struct tocsin *t, const struct ticket *message)
{
	const struct keystore *k = t->parts.keys;

	if (!is_ours(t, message))
		return fail(TOCSIN_EPOLICYDENIED,
		    "only %.*s, whose message it is, may permit that",
		    (int)message->from.n, (const char *)message->from.p);
	if (k->role != KEYS_OFFICER)
		return fail(TOCSIN_EKINDNOTALLOWED,
		    "only an officer's device permits that");
	*g = (struct grant){ .time = (int64_t)time(NULL), .tlp = message->tlp };
	snprintf(g->federation, sizeof(g->federation), "%s", k->federation);
	snprintf(g->from, sizeof(g->from), "%s", k->device);
	memcpy(g->message, message->id, ID_LEN);
	return TOCSIN_OK;
}

static enum tocsin_err
grant_add(struct grant *g, const char *member)
{
	if (!name_member(span_of(member)))
		return fail(TOCSIN_EUSAGE,
		    "%s is no member: a member is team@nation", member);
	if (g->nto == GRANT_TO_MAX)
		return fail(
		    TOCSIN_ETOOLARGE, "at most %d members", GRANT_TO_MAX);
	snprintf(g->to[g->nto++], sizeof(g->to[0]), "%s", member);
	return TOCSIN_OK;
}

/* What the request asks, unless it is said otherwise. */
static enum tocsin_err
fill_grant(
    struct grant *g, const json_t *wish, const char *const *to, const char *tlp)
{
	const json_t *list = json_object_get(wish, "to");
	const char *asked = json_string_value(json_object_get(wish, "tlp"));
	const char *member;
	enum tocsin_err err = TOCSIN_OK;
	bool all = to == NULL || to[0] == NULL;
	size_t i;

	if (tlp == NULL)
		tlp = asked;
	if (tlp != NULL)
		err = label_from(&g->tlp, tlp);
	for (i = 0; err == TOCSIN_OK && all && i < json_array_size(list); i++) {
		member = json_string_value(json_array_get(list, i));
		err = grant_add(g, member != NULL ? member : "");
	}
	for (; err == TOCSIN_OK && !all && *to != NULL; to++)
		err = grant_add(g, *to);
	return err;
}

static json_t *
signed_json(struct tocsin *t, struct grant *g)
{
	struct buf note = { .max = GRANT_FILE_MAX };
	json_t *o = NULL;

	if (grant_sign(&note, g, secret_span(t->parts.keys->sign).p) ==
	    TOCSIN_OK)
		o = json_pack("{s:[s%]}", "grants", note.p, note.n);
	buf_release(&note);
	return o;
}

static enum tocsin_err
grant_wish(struct tocsin *t, const struct opened *o, const json_t *wish,
    struct grant *g, const char *const *to, const char *tlp)
{
	const char *id = json_string_value(json_object_get(wish, "message"));
	struct opened *of = calloc(1, sizeof(*of));
	enum tocsin_err err = TOCSIN_EINTERNAL;

	if (of == NULL)
		return fail(err, "no memory");
	err = id != NULL ? find(t, id, of)
			 : fail(TOCSIN_EUSAGE, "it asks for no permission");
	if (err == TOCSIN_OK)
		err = begin_grant(g, t, &of->ticket);
	if (err == TOCSIN_OK) {
		snprintf(g->holder, sizeof(g->holder), "%.*s",
		    (int)o->ticket.from.n, (const char *)o->ticket.from.p);
		err = fill_grant(g, wish, to, tlp);
	}
	opened_release(of);
	free(of);
	return err;
}

enum tocsin_err
permit_grant_draft(struct permit_draft *p, struct tocsin *t, const char *id,
    const char *const *to, const char *tlp, const char *text)
{
	struct opened *o = calloc(1, sizeof(*o));
	struct grant *g = calloc(1, sizeof(*g));
	struct incident in = { 0 };
	struct named n = { .to.n = 0 };
	enum tocsin_err err = TOCSIN_EINTERNAL;

	*p = (struct permit_draft){ .json = NULL };
	err = o != NULL && g != NULL ? find(t, id, o) : fail(err, "no memory");
	if (err == TOCSIN_OK)
		err = name_members(&n, t, to);
	if (err == TOCSIN_OK &&
	    incident_parse(&in, o->contents.json) != TOCSIN_OK)
		err = fail(TOCSIN_EMALFORMED, "%s is not readable", id);
	if (err == TOCSIN_OK)
		err = grant_wish(t, o, json_object_get(in.root, "permission"),
		    g, n.to.name, tlp);
	if (err == TOCSIN_OK) {
		snprintf(p->member, sizeof(p->member), "%s", g->holder);
		err = make(p, "result", o, text, signed_json(t, g));
	}
	named_release(&n);
	incident_release(&in);
	if (o != NULL)
		opened_release(o);
	free(o);
	free(g);
	return err;
}

enum tocsin_err
permit_grant(struct tocsin *t, const char *id, const char *const *to,
    const char *tlp, const char *text, char out[TOCSIN_ID_TEXT])
{
	struct permit_draft p;

	return post(t, &p, permit_grant_draft(&p, t, id, to, tlp, text), out);
}

enum tocsin_err
permit_relabel_draft(struct permit_draft *p, struct tocsin *t, const char *id,
    const char *tlp, const char *text)
{
	struct opened *o = calloc(1, sizeof(*o));
	struct grant *g = calloc(1, sizeof(*g));
	enum tocsin_err err = TOCSIN_EINTERNAL;

	*p = (struct permit_draft){ .json = NULL };
	err = o != NULL && g != NULL ? find(t, id, o) : fail(err, "no memory");
	if (err == TOCSIN_OK)
		err = begin_grant(g, t, &o->ticket);
	if (err == TOCSIN_OK)
		err = label_from(&g->tlp, tlp);
	if (err == TOCSIN_OK)
		err = make(p, "update", o, text, signed_json(t, g));
	if (err == TOCSIN_OK)
		p->draft.tlp = ticket_tlp_name(g->tlp);
	if (o != NULL)
		opened_release(o);
	free(o);
	free(g);
	return err;
}

enum tocsin_err
permit_relabel(struct tocsin *t, const char *id, const char *tlp,
    const char *text, char out[TOCSIN_ID_TEXT])
{
	struct permit_draft p;

	return post(t, &p, permit_relabel_draft(&p, t, id, tlp, text), out);
}
