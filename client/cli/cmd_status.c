/* SPDX-License-Identifier: ISC */
#include "client/cli/cmds.h"
#include "client/cli/print.h"
#include "client/cli/view.h"
#include "client/proof.h"
#include "client/vocab.h"

#include <jansson.h>
#include <string.h>

/* Whose it is, since when, and whether it is over. */
static void
print_head(const struct tocsin_status *s, const struct tocsin_message *m)
{
	if (m != NULL) {
		printf("  from %s, ", m->from);
		print_time(stdout, m->time);
		putchar('\n');
	}
	printf("  %s", s->closed ? "closed" : "open");
	if (s->turned_by != NULL) {
		printf("%s by %s, ", s->closed ? "" : " again", s->turned_by);
		print_time(stdout, s->turned);
	}
	if (s->resolution != NULL)
		printf(": ");
	safe_title(stdout, s->resolution, 40);
	if (s->escalated > 0)
		printf("; escalated %u time%s", s->escalated,
		    s->escalated > 1 ? "s" : "");
	putchar('\n');
	if (s->ackby > 0) {
		printf("  an answer is expected by ");
		print_time(stdout, s->ackby);
		putchar('\n');
	}
}

/*
 * What one holder had may have come in several messages, each of which has a
 * place in the list: shown is the one that it still has, or erased last.
 */
static bool
is_shown(const struct tocsin_status *s, size_t at)
{
	const struct tocsin_holder *h = &s->holder[at], *o;
	size_t i;

	for (i = 0; i < s->nholder; i++) {
		o = &s->holder[i];
		if (i == at || strcmp(o->who, h->who) != 0)
			continue;
		if (o->erased == 0
			? h->erased != 0 || i < at
			: h->erased != 0 &&
			      (o->erased > h->erased ||
				  (o->erased == h->erased && i < at)))
			return false;
	}
	return true;
}

static void
print_holder(const struct tocsin_holder *h)
{
	bool erased = h->erased != 0;

	printf("  %-24s %-11s ", h->who, erased ? "erased" : "HOLDS IT");
	print_time(stdout, erased ? h->erased : h->since);
	if (strchr(h->who, '@') == NULL)
		printf(erased ? "  by its broker" : "  at its broker");
	putchar('\n');
}

/* Who still has what was recalled comes first. */
static void
print_holders(const struct tocsin_status *s)
{
	size_t i, all = 0, left = 0;
	int erased;

	for (i = 0; i < s->nholder; i++)
		if (is_shown(s, i)) {
			all++;
			left += s->holder[i].erased == 0;
		}
	if (all > 0)
		printf("  recalled; %zu of %zu that had it have erased it\n",
		    all - left, all);
	for (erased = 0; erased < 2; erased++)
		for (i = 0; i < s->nholder; i++)
			if ((s->holder[i].erased != 0) == (erased != 0) &&
			    is_shown(s, i))
				print_holder(&s->holder[i]);
}

/* With the label that it has now. */
static bool
get_now(struct tocsin *t, const char *id, struct tocsin_message **m)
{
	struct tocsin_status *s = NULL;

	if (tocsin_get(t, id, m) != TOCSIN_OK)
		return false;
	if (tocsin_refresh(t, *m, cli_now(), &s) == TOCSIN_OK)
		tocsin_status_free(s);
	return true;
}

static void
print_status(struct tocsin *t, const struct tocsin_status *s)
{
	struct tocsin_message *m = NULL;
	char brief[TOCSIN_SHORT_TEXT];
	size_t i;

	view_short(brief, s->id);
	if (get_now(t, s->id, &m)) {
		print_tlp(stdout, m->tlp);
		printf(" %s%s%s  ", colour(BOLD), brief, colour(PLAIN));
		safe_title(stdout, m->subject, 60);
		putchar('\n');
	}
	print_head(s, m);
	tocsin_message_free(m);
	for (i = 0; i < s->n; i++) {
		view_place(&s->place[i]);
		view_steps(&s->place[i]);
	}
	for (i = 0; i < s->nleft; i++) {
		printf("  ");
		view_left_out(&s->left[i]);
	}
	print_holders(s);
}

/* Whoever gets the folder reads it: how far the label lets it go. */
static void
say_disclosed(struct tocsin *t, const char *dir, const struct list *ids)
{
	struct tocsin_message *m = NULL;
	size_t i;

	for (i = 0; i < ids->n; i++) {
		if (!get_now(t, ids->word[i], &m))
			continue;
		cli_note("whoever gets %s can read what %s wrote in %s, which "
			 "is TLP:%s, %s",
		    dir, m->from, ids->word[i], m->tlp,
		    vocab_says(VOCAB_TLP, m->tlp));
		tocsin_message_free(m);
	}
}

static void
print_places(const struct tocsin_status *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		print_json(view_place_json(s, &s->place[i]));
}

int
cmd_status(struct cli *c, int argc, char **argv)
{
	const char *dir = NULL;
	struct list disclose = { 0 };
	const struct opt opts[] = {
		{ "--proof", OPT_WORD, &dir },
		{ "--disclose", OPT_LIST, &disclose },
		{ NULL, OPT_FLAG, NULL },
	};
	struct tocsin_status *s = NULL;
	struct tocsin *t = NULL;
	enum tocsin_err err, synced;
	int status;

	if (!cli_options(c, argc, argv, opts, 1, 1))
		return 2;
	if (disclose.n > 0 && dir == NULL)
		return cli_usage("--disclose is for --proof DIR");
	status = cli_open(c, &t);
	if (status != 0)
		return status;
	synced = cli_sync(c, t, 0);
	err = tocsin_status(t, c->words[0], cli_now(), &s);
	if (err != TOCSIN_OK) {
		status = cli_error(t, err);
	} else {
		if (synced != TOCSIN_OK)
			cli_note("this is what is known here; the broker may "
				 "know more [%s]",
			    tocsin_err_name(synced));
		if (c->json)
			print_places(s);
		else
			print_status(t, s);
		err = dir != NULL ? proof_export(t, s, dir, disclose.word)
				  : TOCSIN_OK;
		if (err != TOCSIN_OK)
			status = cli_error(t, err);
		else
			say_disclosed(t, dir, &disclose);
	}
	tocsin_status_free(s);
	tocsin_close(t);
	return status;
}
