/* SPDX-License-Identifier: ISC */
#include "client/cli/cmds.h"
#include "client/cli/expiry.h"
#include "client/cli/print.h"
#include "client/cli/view.h"
#include "client/vocab.h"

#include <jansson.h>
#include <string.h>
#include <strings.h>

#define SUBJECT_MAX 60

struct listing {
	struct cli *c;
	struct tocsin *t;
	bool unacked, overdue, offline;
	bool mine;
	struct list states, senders; /* any of them; none: all */
	const char *tlp;
	int64_t since;
	struct tocsin_list *coming;
};

/* One row: a ticket, and where it stands for us. */
struct row {
	const struct tocsin_message *m;
	struct tocsin_status *s; /* NULL: nothing is known */
	bool mine;		 /* our member opened it */
	const char *state;
};

static bool
answered(const struct tocsin_place *p)
{
	return p->rung >= TOCSIN_RUNG_ACCEPTED;
}

/* Of a ticket of ours all answers count; of another's, our own. */
static bool
concerns(
    const struct listing *l, const struct row *r, const struct tocsin_place *p)
{
	return r->mine || view_same_member(p->member, tocsin_device(l->t));
}

static const char *
state_of(const struct listing *l, const struct row *r)
{
	enum tocsin_rung low = TOCSIN_RUNG_CLOSED;
	bool any = false;
	size_t i;

	if (r->m->coming)
		return "coming";
	if (r->m->refused == TOCSIN_ERECALLED)
		return "recalled";
	if (r->m->refused != TOCSIN_OK)
		return "refused";
	if (r->m->own && r->m->received == 0)
		return "queued";
	if (r->s != NULL && r->s->closed)
		return "closed";
	for (i = 0; r->s != NULL && i < r->s->n; i++)
		if (concerns(l, r, &r->s->place[i])) {
			any = true;
			if (r->s->place[i].rung < low)
				low = r->s->place[i].rung;
		}
	if (!any)
		return r->mine ? "posted" : "received";
	return tocsin_rung_name(low);
}

/* Nobody can have answered what is not here yet; its time runs all the same. */
static bool
late_to_come(const struct row *r)
{
	return r->m->coming && !r->mine && r->m->ackby > 0 &&
	       r->m->ackby < cli_now();
}

static bool
wanted(const struct listing *l, const struct row *r)
{
	bool unacked = false, overdue = false;
	size_t i;

	if (r->m->coming)
		return (!l->unacked || !r->mine) &&
		       (!l->overdue || late_to_come(r));
	if (r->s == NULL || r->s->closed)
		return !l->unacked && !l->overdue;
	for (i = 0; i < r->s->n; i++)
		if (concerns(l, r, &r->s->place[i])) {
			unacked |= !answered(&r->s->place[i]);
			overdue |= r->s->place[i].overdue;
		}
	return (!l->unacked || unacked) && (!l->overdue || overdue);
}

/* "mycert@my", or "@my" for all of a nation. */
static bool
is_from(const char *device, const char *typed)
{
	const char *nation = strchr(device, '@');

	if (typed[0] != '@' || nation == NULL)
		return view_same_member(device, typed);
	return view_same_member(nation, typed);
}

static bool
fits(const struct listing *l, const struct row *r)
{
	size_t i;

	for (i = 0; i < l->states.n; i++)
		if (strcmp(l->states.word[i], r->state) == 0)
			break;
	if (l->states.n > 0 && i == l->states.n)
		return false;
	for (i = 0; i < l->senders.n; i++)
		if (is_from(r->m->from, l->senders.word[i]))
			break;
	if (l->senders.n > 0 && i == l->senders.n)
		return false;
	return (!l->mine || r->mine) && r->m->time >= l->since &&
	       (l->tlp == NULL || strcmp(l->tlp, r->m->tlp) == 0);
}

static bool
late(const struct listing *l, const struct row *r)
{
	size_t i;

	for (i = 0; r->s != NULL && i < r->s->n; i++)
		if (r->s->place[i].overdue && concerns(l, r, &r->s->place[i]))
			return true;
	return late_to_come(r);
}

/* What a broker of theirs did not take, and nobody will send again by itself.
 */
static void
print_turned_away(const struct row *r)
{
	char why[512];
	size_t i;

	for (i = 0; r->mine && r->s != NULL && i < r->s->n; i++)
		if (view_turned_away(why, &r->s->place[i]))
			printf("    %s [%s]\n", why, r->s->place[i].reason);
}

/* What is still to be said of it: why it is not open, what else is coming. */
static void
print_beside(const struct listing *l, const struct row *r)
{
	char state[64];
	size_t i;

	for (i = 0; i < l->coming->n; i++) {
		const struct tocsin_message *m = l->coming->message[i];

		if (strcmp(m->thread, r->m->thread) != 0)
			continue;
		view_coming(state, m);
		if (strcmp(m->id, r->m->id) == 0)
			printf("    body still to come, %s\n", state);
		else
			printf("    %s %s from %s still to come, %s\n",
			    m->precedence, m->kind, m->from, state);
	}
	print_turned_away(r);
	if (r->m->refused == TOCSIN_OK ||
	    (r->m->coming && r->m->refused == TOCSIN_EUNAVAILABLE))
		return;
	printf("    %s%s", r->m->coming ? "its header is not verified: " : "",
	    tocsin_err_text(r->m->refused));
	if (view_may_pass(r->m))
		printf("; it is judged again by itself when that has changed");
	putchar('\n');
}

/* The deadline that comes first, or was missed. */
static void
print_next(const struct tocsin_status *s)
{
	size_t i;

	for (i = 0; s != NULL && i < s->ndeadline; i++) {
		if (s->deadline[i].done != 0)
			continue;
		printf(" %s ", s->deadline[i].clock);
		view_left(s->deadline[i].due, 0);
		return;
	}
}

static json_t *
next_json(const struct tocsin_status *s)
{
	size_t i;

	for (i = 0; s != NULL && i < s->ndeadline; i++)
		if (s->deadline[i].done == 0)
			return json_pack("{s:s, s:o}", "clock",
			    s->deadline[i].clock, "due",
			    view_time(s->deadline[i].due));
	return json_null();
}

static void
print_row(const struct listing *l, const struct row *r)
{
	bool refused = r->m->refused != TOCSIN_OK && !r->m->coming &&
		       r->m->refused != TOCSIN_ERECALLED;

	print_tlp(stdout, r->m->tlp);
	printf(" %s%s%s  ", colour(BOLD), r->m->short_id, colour(PLAIN));
	print_time(stdout, r->m->time);
	printf("  %-9s  %-20s  %s%s%s", r->m->precedence, r->m->from, r->state,
	    refused ? " " : "", refused ? tocsin_err_name(r->m->refused) : "");
	if (late(l, r))
		printf(" %sOVERDUE%s", colour(RED), colour(PLAIN));
	print_next(r->s);
	if (r->s != NULL && r->s->escalated > 0)
		printf(" escalated");
	if (r->m->exercise != NULL)
		printf(" %sEXERCISE%s", colour(AMBER), colour(PLAIN));
	if (r->m->subject != NULL)
		printf("  ");
	safe_title(stdout, r->m->subject, SUBJECT_MAX);
	putchar('\n');
	print_beside(l, r);
}

/* The members that the predicate holds for. */
static json_t *
members(const struct row *r, bool overdue)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; r->s != NULL && i < r->s->n; i++) {
		const struct tocsin_place *p = &r->s->place[i];

		if (overdue ? p->overdue : !answered(p))
			json_array_append_new(list, json_string(p->member));
	}
	return list;
}

static json_t *
row_json(const struct row *r)
{
	static const char *const left_out[] = { "text", "content", "number",
		"answer", "reason", "resolution", "own", "thread" };
	json_t *o = view_message_json(r->m);
	size_t i;

	for (i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		json_object_del(o, left_out[i]);
	json_object_set_new(o, "id", json_string(r->m->thread));
	json_object_set_new(o, "state", json_string(r->state));
	json_object_set_new(o, "mine", json_boolean(r->mine));
	json_object_set_new(o, "unacked", members(r, false));
	json_object_set_new(o, "overdue", members(r, true));
	json_object_set_new(
	    o, "closed", json_boolean(r->s != NULL && r->s->closed));
	json_object_set_new(o, "next", next_json(r->s));
	json_object_set_new(o, "escalated",
	    json_integer(r->s != NULL ? (json_int_t)r->s->escalated : 0));
	return o;
}

static void
list_one(const struct listing *l, const struct tocsin_message *m)
{
	struct row r = { .m = m };

	r.mine = view_same_member(m->from, tocsin_device(l->t));
	if (tocsin_status_of(l->t, m, cli_now(), &r.s) != TOCSIN_OK)
		r.s = NULL;
	r.state = state_of(l, &r);
	if (wanted(l, &r) && fits(l, &r)) {
		if (l->c->json)
			print_json(row_json(&r));
		else
			print_row(l, &r);
	}
	tocsin_status_free(r.s);
}

static int
list(struct listing *l)
{
	struct tocsin_list *all = NULL;
	enum tocsin_err err;
	size_t i;

	if (!l->offline) {
		err = cli_sync(l->c, l->t, 0);
		if (err == TOCSIN_EROSTERUNKNOWN)
			return cli_error(l->t, err);
		if (err != TOCSIN_OK)
			cli_note("this is what is here; newer tickets may wait "
				 "at the broker: %s [%s]",
			    tocsin_error(l->t), tocsin_err_name(err));
	}
	/* First: what comes whole in between is no news that is missed. */
	err = tocsin_coming(l->t, &l->coming);
	if (err == TOCSIN_OK)
		err = tocsin_tickets(l->t, &all);
	for (i = 0; err == TOCSIN_OK && i < all->n; i++)
		list_one(l, all->message[i]);
	tocsin_list_free(all);
	tocsin_list_free(l->coming);
	return err == TOCSIN_OK ? 0 : cli_error(l->t, err);
}

/* The words that state_of() has. */
static bool
good_states(const struct list *typed)
{
	static const char *const own[] = { "coming", "recalled", "refused",
		"queued", "closed", "posted", "received" };
	size_t i, k, n = sizeof(own) / sizeof(own[0]);

	for (i = 0; i < typed->n; i++) {
		const char *best = own[0];
		unsigned least = vocab_distance(best, typed->word[i]);

		for (k = 1; least > 0 && k < n + TOCSIN_RUNG_CLOSED; k++) {
			const char *word =
			    k < n ? own[k]
				  : tocsin_rung_name((enum tocsin_rung)(k - n));
			unsigned d = vocab_distance(word, typed->word[i]);

			if (d < least) {
				least = d;
				best = word;
			}
		}
		if (strcmp(best, typed->word[i]) != 0) {
			cli_usage("--state: %s is none; the nearest is %s",
			    typed->word[i], best);
			return false;
		}
	}
	return true;
}

static bool
good_filters(struct listing *l, const char *tlp, const char *since)
{
	if (tlp != NULL && strncasecmp(tlp, "TLP:", 4) == 0)
		tlp += 4;
	if (tlp != NULL) {
		l->tlp = vocab_find(VOCAB_TLP, tlp);
		if (l->tlp == NULL) {
			cli_usage("--tlp: %s is no label; the nearest is %s",
			    tlp, vocab_nearest(VOCAB_TLP, tlp));
			return false;
		}
	}
	if (since != NULL && !view_past("--since", since, &l->since))
		return false;
	return good_states(&l->states);
}

int
cmd_inbox(struct cli *c, int argc, char **argv)
{
	struct listing l = { .c = c };
	const char *tlp = NULL, *since = NULL;
	const struct opt opts[] = {
		{ "--state", OPT_LIST, &l.states },
		{ "--from", OPT_LIST, &l.senders },
		{ "--tlp", OPT_WORD, &tlp },
		{ "--since", OPT_WORD, &since },
		{ "--mine", OPT_FLAG, &l.mine },
		{ "--unacked", OPT_FLAG, &l.unacked },
		{ "--overdue", OPT_FLAG, &l.overdue },
		{ "--offline", OPT_FLAG, &l.offline },
		{ NULL, OPT_FLAG, NULL },
	};
	int status;

	if (!cli_options(c, argc, argv, opts, 0, 0))
		return 2;
	if (!good_filters(&l, tlp, since))
		return 2;
	status = cli_open(c, &l.t);
	if (status == 0) {
		status = list(&l);
		expiry_warn(l.t, cli_now());
	}
	tocsin_close(l.t);
	return status;
}
