/* SPDX-License-Identifier: ISC */
#include "client/cli/desk_work.h"

#include "client/circle.h"
#include "client/cli/find.h"
#include "client/cli/print.h"
#include "client/cli/reading.h"
#include "client/cli/view.h"
#include "client/glance.h"
#include "client/handle.h"
#include "client/incident.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- members ---- */

static void
free_members(struct work *w)
{
	while (w->nmember > 0)
		free(w->member[--w->nmember]);
	free(w->member);
	w->member = NULL;
}

static void
add_member(struct work *w, const char *name)
{
	w->member[w->nmember] = strdup(name);
	w->nmember += w->member[w->nmember] != NULL;
}

/* Circles too; what is wrong with one is said when it is looked whom it is. */
static void
read_members(struct work *w)
{
	const struct roster *r = w->t->belief.roster;
	struct circles all;
	char why[1024];
	size_t i;

	free_members(w);
	if (circles_load(&all, w->t->parts.keys->home, why) != TOCSIN_OK)
		model_say(&w->m, true, why);
	w->serial = r != NULL ? r->serial : 0;
	w->member =
	    calloc((r != NULL ? r->nmember : 0) + all.n + 1, sizeof(char *));
	for (i = 0; w->member != NULL && r != NULL && i < r->nmember; i++)
		if (!r->member[i].suspended &&
		    strcmp(r->member[i].name, w->own) != 0)
			add_member(w, r->member[i].name);
	for (i = 0; w->member != NULL && i < all.n; i++)
		add_member(w, all.circle[i].name);
	w->m.members = (const char *const *)w->member;
	circles_release(&all);
}

/* When the home's file was written last; 0: there is none. */
static int64_t
circles_written(const struct work *w)
{
	char path[640];
	struct stat st;

	keystore_path(path, w->t->parts.keys->home, "circles.conf");
	return stat(path, &st) == 0 ? st.st_mtim.tv_sec * INT64_C(1000000000) +
					  st.st_mtim.tv_nsec
				    : 0;
}

/* A draft that is being asked about has the names of the old roster. */
static void
refresh_members(struct work *w)
{
	static const char *const nobody[] = { NULL };
	int64_t written = circles_written(w);
	const struct roster *r;

	if (w->m.mode == MODE_ASK || w->m.mode == MODE_SURE)
		return;
	pthread_mutex_lock(&w->t->lock);
	r = w->t->belief.roster;
	if (w->member == NULL || (r != NULL && r->serial != w->serial) ||
	    written != w->written)
		read_members(w);
	w->written = written;
	pthread_mutex_unlock(&w->t->lock);
	if (w->m.members == NULL)
		w->m.members = nobody;
}

/* ---- reading ---- */

static void
wipe_text(struct work *w)
{
	if (w->text != NULL)
		sodium_memzero(w->text, strlen(w->text));
	free(w->text);
	w->text = NULL;
}

/*
 * What the functions of view.h print, as a string. They print to stdout, which
 * is a variable of the C library as any other; no other thread of ours prints.
 */
static char *
captured(struct tocsin *t, const struct tocsin_list *l)
{
	FILE *real = stdout, *to;
	char *text = NULL;
	size_t n;

	to = open_memstream(&text, &n);
	if (to == NULL)
		return NULL;
	stdout = to;
	reading_print(t, l);
	stdout = real;
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}

static bool
read_thread(struct work *w, const char *id, bool tell)
{
	struct tocsin_list *l = NULL;
	enum tocsin_err err = tocsin_thread(w->t, id, &l);

	if (err == TOCSIN_OK && l->n > 0) {
		wipe_text(w);
		w->text = captured(w->t, l);
		snprintf(w->of, sizeof(w->of), "%s", id);
		if (tell && !l->message[0]->coming)
			(void)reading_opened(w->t, l->message[0]);
	} else {
		model_say(&w->m, true,
		    err == TOCSIN_OK ? "no message of it is here"
				     : tocsin_error(w->t));
	}
	tocsin_list_free(l);
	return err == TOCSIN_OK && w->text != NULL;
}

void
work_read(struct work *w)
{
	if (w->m.mode != MODE_LIST && w->of[0] != '\0')
		(void)read_thread(w, w->of, false);
}

static enum want
open_ticket(struct work *w)
{
	if (!read_thread(w, w->m.at, true))
		w->m.mode = MODE_LIST;
	return WANT_NOTHING;
}

/* ---- the messages of an unfolded ticket ---- */

/* "ack accepted  mycert@my/night  We are on it." */
static char *
line_text(const struct tocsin_message *m)
{
	struct incident in = { 0 };
	const char *json = m->json != NULL ? m->json : "", *word = NULL;
	char *text = NULL;

	if (m->refused == TOCSIN_OK && !m->coming &&
	    incident_parse(&in, span_of(json)) == TOCSIN_OK)
		word = in.answer != NULL ? in.answer : in.resolution;
	if (asprintf(&text, "%s%s%s%s%s  %s  %s", m->kind,
		word != NULL ? " " : "", word != NULL ? word : "",
		in.reason != NULL ? " " : "",
		in.reason != NULL ? in.reason : "", m->from,
		m->coming ? "still to come"
		: m->refused != TOCSIN_OK
		    ? tocsin_err_text(m->refused)
		    : (m->text != NULL ? m->text : "")) < 0)
		text = NULL;
	incident_release(&in);
	return text;
}

static void
unfold(struct work *w, const char *id)
{
	struct tocsin_list *l = NULL;
	struct model_line *line = NULL;
	char of[TOCSIN_ID_TEXT];
	size_t i, n = 0;

	snprintf(of, sizeof(of), "%s", id);
	if (tocsin_thread(w->t, of, &l) == TOCSIN_OK)
		line = calloc(l->n + 1, sizeof(*line));
	for (i = 0; line != NULL && i < l->n; i++, n++) {
		line[i].time = l->message[i]->time;
		line[i].text = line_text(l->message[i]);
		snprintf(
		    line[i].tlp, sizeof(line[i].tlp), "%s", l->message[i]->tlp);
	}
	model_unfold(&w->m, of, line, n);
	tocsin_list_free(l);
}

static void
unfold_all(struct work *w)
{
	const char *id;

	while ((id = model_stale(&w->m)) != NULL)
		unfold(w, id);
}

/* ---- what is searched for ---- */

/* The words as find.h has them, and which of the model's each is. */
struct finding {
	struct find find;
	size_t place[FIND_WORDS];
};

static void
read_words(struct finding *f, const struct model *m)
{
	char word[256];
	size_t i, n;

	for (i = 0; i < MODEL_WORDS && model_word(m, i, word); i++) {
		n = f->find.n;
		if (find_word(&f->find, word))
			f->place[n] = i;
	}
}

static unsigned
look_for(struct finding *f, struct gists *g, const struct row *r)
{
	unsigned had = 0, out = 0;
	struct span gist;
	size_t i;

	if (gists_of(g, r->m->thread, &gist) != TOCSIN_OK ||
	    find_which(&f->find, gist, &had) != TOCSIN_OK)
		return 0;
	for (i = 0; i < f->find.n; i++)
		out |= (had >> i & 1) << f->place[i];
	return out;
}

/* What cannot be read is searched in the list alone. */
static void
find_texts(struct work *w, bool anew)
{
	const struct rows *rows = w->m.rows;
	unsigned *found =
	    rows != NULL ? calloc(rows->n + 1, sizeof(*found)) : NULL;
	struct finding f = { .find.n = 0 };
	struct gists *g = NULL;
	size_t i;

	if (w->m.search.n == 0 || found == NULL) {
		free(found);
		return;
	}
	read_words(&f, &w->m);
	if (f.find.n > 0 && gists_begin(&g, w->t) == TOCSIN_OK)
		for (i = 0; i < rows->n; i++)
			found[i] = look_for(&f, g, &rows->row[i]);
	gists_end(g);
	find_release(&f.find);
	model_found(&w->m, found, anew);
}

/* ---- attachments ---- */

static bool
is_savable(const struct tocsin_message *m, const struct tocsin_part *p)
{
	return !m->coming && m->refused == TOCSIN_OK && !p->recalled &&
	       p->name[0] != '\0';
}

/* Of a name that came twice the newest is meant, as `tocsin save` does. */
static size_t
add_part(const char **name, size_t n, const char *one)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(name[i], one) == 0)
			return n;
	name[n] = one;
	return n + 1;
}

static enum want
offer_parts(struct work *w)
{
	struct tocsin_list *l = NULL;
	enum want want = WANT_NOTHING;
	const char **name;
	size_t i, k, n = 0, most = 0;

	if (tocsin_thread(w->t, w->m.draft.id, &l) != TOCSIN_OK) {
		model_failed(&w->m, tocsin_error(w->t));
		return want;
	}
	for (i = 0; i < l->n; i++)
		most += l->message[i]->nparts;
	name = calloc(most + 1, sizeof(*name));
	for (i = 0; name != NULL && i < l->n; i++)
		for (k = 0; k < l->message[i]->nparts; k++)
			if (is_savable(l->message[i], &l->message[i]->parts[k]))
				n = add_part(
				    name, n, l->message[i]->parts[k].name);
	want = model_parts(&w->m, name, n);
	free(name);
	tocsin_list_free(l);
	return want;
}

static bool
find_part(struct work *w, char id[TOCSIN_ID_TEXT])
{
	const char *name = w->m.draft.chosen;
	struct tocsin_list *l = NULL;
	bool found = false;
	size_t i, k;

	if (tocsin_thread(w->t, w->m.draft.id, &l) != TOCSIN_OK)
		return false;
	for (i = 0; i < l->n; i++) {
		const struct tocsin_message *m = l->message[i];

		for (k = 0; k < m->nparts; k++)
			if (is_savable(m, &m->parts[k]) &&
			    strcmp(m->parts[k].name, name) == 0) {
				memcpy(id, m->id, TOCSIN_ID_TEXT);
				found = true;
			}
	}
	tocsin_list_free(l);
	return found;
}

/* What is still to be fetched takes as long as it takes; no key waits for it.
 */
static enum want
begin_saving(struct work *w)
{
	char id[TOCSIN_ID_TEXT], why[1024];

	if (w->saver != NULL)
		model_failed(&w->m,
		    "nothing was begun: another attachment is being saved; "
		    "wait for its end");
	else if (!find_part(w, id))
		model_failed(&w->m, "nothing was saved: it is no longer there");
	else if (!saver_start(&w->saver, w->t, id, w->m.draft.chosen,
		     w->m.draft.folder, why))
		model_failed(&w->m, why);
	else
		model_told(&w->m, "it is being saved");
	return WANT_NOTHING;
}

bool
work_saving(struct work *w)
{
	char said[1024];
	bool bad;

	if (w->saver == NULL)
		return false;
	if (!saver_ended(w->saver, said, &bad))
		return true;
	model_say(&w->m, bad, said);
	saver_stop(w->saver);
	w->saver = NULL;
	return false;
}

/* ---- deeds ---- */

static enum tocsin_err
look_at(struct work *w, struct draft_look *look)
{
	struct tocsin_draft d;

	model_draft_of(&w->m.draft, &d);
	return draft_look(w->t, &d, look);
}

static void
say_failed(struct work *w, enum tocsin_err err)
{
	char said[1200];

	snprintf(said, sizeof(said), "nothing was sent: %s [%s]",
	    tocsin_error(w->t), tocsin_err_name(err));
	model_failed(&w->m, said);
}

static enum want
look(struct work *w)
{
	struct draft_look *look = calloc(1, sizeof(*look));
	const char *to[TICKET_TO_MAX];
	enum tocsin_err err = look != NULL
				  ? look_at(w, look)
				  : fail(TOCSIN_EINTERNAL, "no memory");
	enum want want = WANT_NOTHING;
	size_t i;

	for (i = 0; err == TOCSIN_OK && i < look->n; i++)
		to[i] = look->to[i];
	if (err == TOCSIN_OK)
		want = model_looked(&w->m, look->tlp, to, look->n);
	else
		say_failed(w, err);
	free(look);
	return want;
}

/* It goes to whom the officer was shown, or to nobody. */
static bool
as_shown(struct work *w)
{
	struct model_draft *d = &w->m.draft;
	struct buf shown = d->goes;
	char tlp[sizeof(d->tlp)];
	bool same;

	if (!(d->deed->asks & ASKS(ASK_LOOK)))
		return true;
	memcpy(tlp, d->tlp, sizeof(tlp));
	d->goes = (struct buf){ 0 };
	(void)look(w);
	same = d->deed != NULL &&
	       span_eq(buf_span(&shown), buf_span(&d->goes)) &&
	       strcmp(tlp, d->tlp) == 0;
	if (d->deed != NULL && !same)
		model_failed(&w->m,
		    "nothing was sent: who has the ticket, or its label, has "
		    "changed since you were asked; look again");
	buf_release(&shown);
	return same;
}

static void
say_posted(struct work *w)
{
	const struct model_draft *d = &w->m.draft;
	char said[256];

	snprintf(said, sizeof(said), "%s %s: %s", d->deed->word, d->short_id,
	    w->state.link == TOCSIN_OK
		? "signed and on its way"
		: "signed and queued; sent when the broker is back");
	model_told(&w->m, said);
}

static enum want
post(struct work *w)
{
	struct tocsin_draft d;
	char id[TOCSIN_ID_TEXT];
	enum tocsin_err err;

	if (!as_shown(w))
		return WANT_NOTHING;
	model_draft_of(&w->m.draft, &d);
	err = tocsin_post(w->t, &d, id);
	if (err == TOCSIN_OK)
		say_posted(w);
	else
		say_failed(w, err);
	return WANT_NOTHING;
}

enum want
work_do(struct work *w, enum want want)
{
	for (;;) {
		switch (want) {
		case WANT_OPEN:
			want = open_ticket(w);
			break;
		case WANT_LOOK:
			want = look(w);
			break;
		case WANT_POST:
			want = post(w);
			break;
		case WANT_PARTS:
			want = offer_parts(w);
			break;
		case WANT_SAVE:
			want = begin_saving(w);
			break;
		case WANT_FIND:
			find_texts(w, true);
			want = WANT_NOTHING;
			break;
		default:
			unfold_all(w);
			return want;
		}
	}
}

/* ---- news ---- */

/* Whether the open ticket says more than it did; opening it all costs time. */
static bool
says_more(struct work *w)
{
	const struct row *r = model_row(&w->m);
	size_t i, messages;
	uint64_t here = 0;

	if (r == NULL || strcmp(r->m->thread, w->of) != 0)
		return false;
	messages = r->messages + r->ncoming;
	for (i = 0; i < r->ncoming; i++)
		here += r->coming[i]->body_here;
	if (messages == w->messages && here == w->here)
		return false;
	w->messages = messages;
	w->here = here;
	return true;
}

bool
work_news(struct work *w)
{
	bool filling = w->rows != NULL && w->rows->left > 0;
	struct rows *rows;

	feed_take(w->feed, &rows, &w->state);
	w->m.now = cli_now();
	refresh_members(w);
	if (rows == NULL)
		return false;
	model_take(&w->m, rows, cli_now());
	find_texts(w, false);
	if (filling && !w->m.touched) /* the first one was so by chance */
		model_list(&w->m, w->m.show);
	rows_free(w->rows);
	w->rows = rows;
	unfold_all(w);
	if (says_more(w))
		work_read(w);
	return true;
}

int
work_begin(struct work *w, struct tocsin *t)
{
	const char *device = tocsin_device(t);

	*w = (struct work){ .t = t };
	snprintf(
	    w->own, sizeof(w->own), "%.*s", (int)strcspn(device, "/"), device);
	model_init(&w->m, w->own, NULL);
	refresh_members(w);
	w->feed = feed_start(t);
	return w->feed != NULL ? 0
			       : cli_fail(TOCSIN_EINTERNAL,
				     "no memory, or too many threads");
}

void
work_end(struct work *w)
{
	saver_stop(w->saver);
	feed_stop(w->feed);
	model_release(&w->m);
	rows_free(w->rows);
	free_members(w);
	wipe_text(w);
}
