/* SPDX-License-Identifier: ISC */
#include "client/cli/figures.h"

#include "client/cli/view.h"
#include "client/vocab.h"

#include <jansson.h>

static json_t *
count_json(const struct picture_count *c)
{
	return json_pack("{s:i, s:i, s:i}", "open", (int)c->open, "waiting",
	    (int)c->waiting, "overdue", (int)c->overdue);
}

static json_t *
levels_json(const struct picture_count c[TICKET_PRECEDENCES])
{
	json_t *o = json_object();
	size_t i;

	for (i = 0; i < TICKET_PRECEDENCES; i++)
		json_object_set_new(o,
		    ticket_precedence_name((enum ticket_precedence)i),
		    count_json(&c[i]));
	return o;
}

static json_t *
times_json(const struct picture_times *t)
{
	return json_pack("{s:i, s:o, s:o}", "answers", (int)t->n, "median",
	    t->n > 0 ? json_integer(t->median) : json_null(), "p90",
	    t->n > 0 ? json_integer(t->p90) : json_null());
}

static json_t *
ages_json(const struct picture_side *s)
{
	json_t *list = json_array(), *o;
	size_t i, k;

	for (i = 0; i < PICTURE_AGES; i++) {
		o = json_pack("{s:s, s:o}", "age", picture_age[i].says, "below",
		    picture_age[i].below > 0
			? json_integer(picture_age[i].below)
			: json_null());
		for (k = 0; k < TICKET_PRECEDENCES; k++)
			json_object_set_new(o,
			    ticket_precedence_name((enum ticket_precedence)k),
			    json_integer(s->age[i][k]));
		json_array_append_new(list, o);
	}
	return list;
}

/* Words with a number; "" is what is in no list, and null has no name. */
static json_t *
words_json(enum vocab v, const unsigned *n, unsigned other, unsigned unsaid)
{
	json_t *o = json_object();
	size_t i;

	for (i = 0; i < PICTURE_WORDS && vocab_word(v, i) != NULL; i++)
		if (n[i] > 0 || v == VOCAB_OUTLOOK)
			json_object_set_new(
			    o, vocab_word(v, i), json_integer(n[i]));
	json_object_set_new(o, "other", json_integer(other));
	json_object_set_new(o, "not-said", json_integer(unsaid));
	return o;
}

static json_t *
nation_json(const struct picture_nation *n)
{
	return json_pack("{s:s, s:o, s:o, s:i, s:i, s:o, s:o}", "nation",
	    n->name, "all", count_json(&n->all), "precedence",
	    levels_json(n->level), "raised", (int)n->raised, "turned_away",
	    (int)n->turned_away, "longest",
	    n->longest >= 0 ? json_integer(n->longest) : json_null(), "times",
	    times_json(&n->times));
}

static json_t *
side_json(const struct picture_side *s, bool headers)
{
	json_t *nations = json_array(), *names = json_array();
	size_t i;

	for (i = 0; i < s->nnation; i++)
		json_array_append_new(nations, nation_json(&s->nation[i]));
	for (i = 0; i < s->nname; i++)
		json_array_append_new(names, json_string(s->name[i]));
	return json_pack("{s:o, s:i, s:o, s:o, s:i, s:i, s:i, s:i, s:o, s:o, "
			 "s:o, s:o, s:o}",
	    "names", names, "tickets", (int)s->tickets, "all",
	    count_json(&s->all), "precedence", levels_json(s->level),
	    "escalated", (int)s->escalated, "turned_away", (int)s->turned_away,
	    "opened", (int)s->opened, "closed", (int)s->ended, "ages",
	    ages_json(s), "severity",
	    headers ? json_null()
		    : words_json(VOCAB_SEVERITY, s->severity, s->severity_other,
			  s->severity_unsaid),
	    "outlook",
	    headers ? json_null()
		    : words_json(VOCAB_OUTLOOK, s->outlook, s->outlook_other,
			  s->outlook_unsaid),
	    "times", times_json(&s->times), "nations", nations);
}

json_t *
figures_json(const struct picture *p, const struct page_about *a)
{
	return json_pack("{s:s, s:s, s:s, s:o, s:s, s:o, s:i, s:i, s:o, s:o, "
			 "s:o}",
	    "federation", a->federation, "member", a->member, "from",
	    a->headers ? "headers" : "contents", "at", view_time(p->at), "tlp",
	    ticket_tlp_name(p->tlp), "newest", view_time(a->newest), "queued",
	    (int)a->queued, "left_out", (int)a->left_out, "trouble",
	    view_string(a->trouble), "live", side_json(&p->live, a->headers),
	    "exercise", side_json(&p->exercise, a->headers));
}
