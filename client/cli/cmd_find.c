/* SPDX-License-Identifier: ISC */
#include "client/cli/cmds.h"
#include "client/cli/find.h"
#include "client/cli/print.h"
#include "client/cli/rows.h"
#include "client/cli/view.h"
#include "client/glance.h"

#include <jansson.h>
#include <string.h>

#define SHOWN 5	  /* places of a ticket that a person is shown */
#define HITS 1000 /* and a program */
#define BEFORE 30 /* bytes of a text that stand before what was found */
#define CONTEXT 240
#define SUBJECT_COLUMN 40
#define CONTEXT_COLUMN 4

struct finding {
	struct cli *c;
	struct tocsin *t;
	struct find find;
	struct gists *gists;
	struct find_hit hit[HITS];
};

/* Not between the bytes of a character. */
static size_t
whole(struct span s, size_t at)
{
	while (at > 0 && at < s.n && (s.p[at] & 0xc0) == 0x80)
		at--;
	return at;
}

/* What stands around it, on one line. */
static void
context_of(char out[CONTEXT + 8], const struct find_hit *h)
{
	struct span s = h->f.text;
	size_t at = (size_t)(h->at.p - s.p);
	size_t from = whole(s, at > BEFORE ? at - BEFORE : 0), i, n;

	s = span_cut(s, from, s.n);
	n = s.n > CONTEXT ? whole(s, CONTEXT) : s.n;
	snprintf(out, CONTEXT + 8, "%s%.*s", from > 0 ? "…" : "", (int)n,
	    n > 0 ? (const char *)s.p : "");
	for (i = 0; out[i] != '\0'; i++)
		if (out[i] == '\n' || out[i] == '\r' || out[i] == '\t')
			out[i] = ' ';
}

static void
print_span_of(struct span s)
{
	safe_span(stdout, s, SAFE_LINE);
}

/* The label of what it is a word of, then whose, and where it stands. */
static void
print_hit(const struct find_hit *h)
{
	char text[CONTEXT + 8], tlp[32];

	context_of(text, h);
	snprintf(tlp, sizeof(tlp), "%.*s", (int)h->m.tlp.n,
	    (const char *)h->m.tlp.p);
	printf("  ");
	print_tlp(stdout, tlp);
	printf(" ");
	print_span_of(h->m.kind);
	printf(" from ");
	print_span_of(h->m.from);
	printf(", ");
	print_span_of(h->f.name);
	printf(":\n%*s", CONTEXT_COLUMN, "");
	safe_title(stdout, text, title_width(CONTEXT_COLUMN, SIZE_MAX));
	putchar('\n');
}

static void
print_found(const struct finding *f, const struct row *r, size_t n)
{
	size_t i;

	print_tlp(stdout, r->m->tlp);
	printf(" %s%s%s  %-11s  ", colour(BOLD), r->m->short_id, colour(PLAIN),
	    r->state);
	if (r->m->exercise != NULL)
		printf("%sEXERCISE%s  ", colour(AMBER), colour(PLAIN));
	safe_title(
	    stdout, r->m->subject, title_width(SUBJECT_COLUMN + 6, SIZE_MAX));
	putchar('\n');
	for (i = 0; i < n && i < SHOWN; i++)
		print_hit(&f->hit[i]);
	if (n > SHOWN)
		printf("    and in %zu more places, which --json shows\n",
		    n - SHOWN);
}

static json_t *
text_json(struct span s)
{
	return json_stringn_nocheck(s.n > 0 ? (const char *)s.p : "", s.n);
}

static json_t *
hit_json(const struct find_hit *h)
{
	char id[ID_TEXT + 1], text[CONTEXT + 8];

	id_print(id, h->m.id);
	context_of(text, h);
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "message",
	    id, "kind", text_json(h->m.kind), "tlp", text_json(h->m.tlp),
	    "from", text_json(h->m.from), "time", view_time(h->m.time),
	    "member", text_json(h->f.name), "found", text_json(h->at),
	    "context", view_string(text));
}

static void
print_found_json(const struct finding *f, const struct row *r, size_t n)
{
	json_t *hits = json_array();
	size_t i;

	for (i = 0; i < n && i < HITS; i++)
		json_array_append_new(hits, hit_json(&f->hit[i]));
	print_json(json_pack(
	    "{s:s, s:s, s:s, s:o, s:s, s:s, s:o, s:o, s:b, s:o}", "id",
	    r->m->thread, "short_id", r->m->short_id, "tlp", r->m->tlp,
	    "exercise", view_string(r->m->exercise), "state", r->state, "from",
	    r->m->from, "time", view_time(r->m->time), "subject",
	    view_string(r->m->subject), "mine", r->mine, "hits", hits));
}

static enum tocsin_err
look(struct finding *f, const struct row *r, bool *found)
{
	struct span gist;
	bool all = false;
	size_t n = 0;
	enum tocsin_err err = gists_of(f->gists, r->m->thread, &gist);

	if (err == TOCSIN_OK)
		err = find_in(&f->find, gist, &all, f->hit, HITS, &n);
	if (err != TOCSIN_OK || !all)
		return err;
	*found = true;
	if (f->c->json)
		print_found_json(f, r, n);
	else
		print_found(f, r, n);
	return TOCSIN_OK;
}

static int
search(struct finding *f, const struct rows_filter *filter)
{
	struct rows *rows = NULL;
	bool found = false;
	enum tocsin_err err;
	size_t i;

	err = rows_load(f->t, filter, cli_now(), &rows);
	if (err == TOCSIN_OK)
		err = gists_begin(&f->gists, f->t);
	for (i = 0; err == TOCSIN_OK && i < rows->n; i++)
		err = look(f, &rows->row[i], &found);
	gists_end(f->gists);
	rows_free(rows);
	if (err != TOCSIN_OK)
		return cli_error(f->t, err);
	if (!found)
		cli_note("nothing that is open here has %s",
		    f->find.n == 1 ? "that word" : "all of these words");
	return 0;
}

static bool
good_words(struct finding *f)
{
	size_t i;

	for (i = 0; i < f->c->nword; i++) {
		if (find_word(&f->find, f->c->words[i]))
			continue;
		if (f->find.n == FIND_WORDS)
			cli_usage("at most %d words at once", FIND_WORDS);
		else
			cli_usage("there is nothing in \"%s\" to be found",
			    f->c->words[i]);
		return false;
	}
	return true;
}

int
cmd_find(struct cli *c, int argc, char **argv)
{
	static struct finding f;
	struct rows_filter filter = { 0 };
	struct opt opts[ROWS_OPTIONS + 1] = { 0 };
	int status;

	f = (struct finding){ .c = c };
	rows_options(opts, &filter);
	if (!cli_options(c, argc, argv, opts, 1, FIND_WORDS) ||
	    !rows_filter_good(&filter))
		return 2;
	status = good_words(&f) ? cli_open(c, &f.t) : 2;
	if (status == 0)
		status = search(&f, &filter);
	find_release(&f.find);
	tocsin_close(f.t);
	return status;
}
