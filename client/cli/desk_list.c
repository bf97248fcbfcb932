/* SPDX-License-Identifier: ISC */
/* Which tickets the desk lists, in what order, and which one is chosen. */
#include "client/cli/desk_model_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE 60u
#define HOUR 3600u
#define DAY 86400u

/* ---- what is shown of a row ---- */

static int64_t
sooner(int64_t a, int64_t b)
{
	if (a <= 0 || b <= 0)
		return a > b ? a : b;
	return a < b ? a : b;
}

/* The next deadline; 0: none. */
static int64_t
next_due(const struct row *r)
{
	int64_t due = r->clock != NULL ? r->due : 0;
	size_t i;

	if (r->closed)
		return 0;
	if (r->m->coming)
		return r->mine ? due : sooner(due, r->m->ackby);
	for (i = 0; i < r->nplace; i++)
		if (r->place[i].counts &&
		    r->place[i].p.rung < TOCSIN_RUNG_ACCEPTED)
			due = sooner(due, r->place[i].p.ackby);
	return due;
}

bool
model_late(const struct row *r, int64_t now)
{
	int64_t due = next_due(r);

	return (due > 0 && due < now) || (r->late && !r->closed);
}

/* The larger unit alone where it is late: by a minute more or less is all one.
 */
void
model_left(char out[32], const struct row *r, int64_t now)
{
	int64_t due = next_due(r), diff = due < now ? now - due : due - now;
	unsigned n = diff > UINT32_MAX ? UINT32_MAX : (unsigned)diff;

	out[0] = '\0';
	if (due <= 0)
		return;
	if (due < now && n < HOUR)
		snprintf(out, 32, "late %um", n / MINUTE);
	else if (due < now && n < 2 * DAY)
		snprintf(out, 32, "late %uh", n / HOUR);
	else if (due < now)
		snprintf(out, 32, "late %ud", n / DAY);
	else if (n < MINUTE)
		snprintf(out, 32, "%us", n);
	else if (n < HOUR)
		snprintf(out, 32, "%um", n / MINUTE);
	else if (n < DAY)
		snprintf(out, 32, "%uh%02um", n / HOUR, n / MINUTE % 60);
	else
		snprintf(out, 32, "%ud%02uh", n / DAY, n / HOUR % 24);
}

/* ---- order ---- */

static size_t
rank(const char *precedence)
{
	const struct word *w = vocab_list(VOCAB_PRECEDENCE)->words;
	size_t i;

	for (i = 0; w[i].word != NULL; i++)
		if (strcmp(w[i].word, precedence) == 0)
			break;
	return i;
}

static int
by_time(const struct row *a, const struct row *b)
{
	if (a->m->time != b->m->time)
		return a->m->time > b->m->time ? -1 : 1;
	return strcmp(a->m->id, b->m->id);
}

static int
newest_first(const void *a, const void *b)
{
	const struct row *const *x = a, *const *y = b;

	return by_time(*x, *y);
}

/* What is open, then by its deadline, its precedence, and the newest. */
static int
urgent_first(const void *a, const void *b)
{
	const struct row *x = *(const struct row *const *)a;
	const struct row *y = *(const struct row *const *)b;
	int64_t due_x = next_due(x), due_y = next_due(y);
	size_t rank_x = rank(x->m->precedence), rank_y = rank(y->m->precedence);

	if (x->closed != y->closed)
		return x->closed ? 1 : -1;
	if ((due_x > 0) != (due_y > 0))
		return due_x > 0 ? -1 : 1;
	if (due_x != due_y)
		return due_x < due_y ? -1 : 1;
	if (rank_x != rank_y)
		return rank_x < rank_y ? -1 : 1;
	return by_time(x, y);
}

void
model_sort(struct model *m)
{
	if (m->norder > 0)
		qsort(m->order, m->norder, sizeof(*m->order),
		    m->newest ? newest_first : urgent_first);
}

/* ---- which are listed ---- */

static bool
has(const char *text, const char *word)
{
	return text != NULL && strcasestr(text, word) != NULL;
}

static bool
row_has(const struct row *r, const char *word)
{
	return has(r->m->subject, word) || has(r->m->from, word) ||
	       has(r->m->short_id, word) || has(r->m->id, word) ||
	       has(r->state, word) || has(r->m->precedence, word) ||
	       (strncasecmp(word, "TLP:", 4) == 0
		       ? strcasecmp(word + 4, r->m->tlp) == 0
		       : has(r->m->tlp, word)) ||
	       has(r->m->exercise, word) || has(r->clock, word);
}

bool
model_word(const struct model *m, size_t i, char word[256])
{
	const char *s = m->search.n > 0 ? (const char *)m->search.p : "";

	for (; i > 0; i--) {
		s += strspn(s, " ");
		s += strcspn(s, " ");
	}
	s += strspn(s, " ");
	snprintf(word, 256, "%.*s", (int)strcspn(s, " "), s);
	return word[0] != '\0';
}

/* All of the words that are searched for, each in the list or in a text. */
static bool
is_found(const struct model *m, const struct row *r)
{
	unsigned texts = m->found != NULL ? m->found[r - m->rows->row] : 0;
	char word[256];
	size_t i;

	for (i = 0; model_word(m, i, word); i++)
		if (!(i < MODEL_WORDS && (texts >> i & 1)) && !row_has(r, word))
			return false;
	return true;
}

static bool
is_shown(const struct model *m, const struct row *r)
{
	switch (m->show) {
	case SHOW_OPEN:
		return !r->closed;
	case SHOW_UNACKED:
		return !r->closed && (r->unacked || (r->m->coming && !r->mine));
	case SHOW_OVERDUE:
		return model_late(r, m->now);
	default:
		return true;
	}
}

static struct model_fold *
fold_of(const struct model *m, const char *id)
{
	size_t i;

	for (i = 0; i < m->nfold; i++)
		if (strcmp(m->fold[i].id, id) == 0)
			return &m->fold[i];
	return NULL;
}

bool
model_unfolded(const struct model *m, const struct row *r)
{
	return fold_of(m, r->m->thread) != NULL;
}

static void
see_chosen(struct model *m)
{
	size_t last = m->nitem > m->height ? m->nitem - m->height : 0;

	if (m->chosen < m->top)
		m->top = m->chosen;
	if (m->height > 0 && m->chosen >= m->top + m->height)
		m->top = m->chosen - m->height + 1;
	if (m->top > last)
		m->top = last;
}

const struct row *
model_row(const struct model *m)
{
	return m->nitem > 0 ? m->item[m->chosen].row : NULL;
}

static void
remember(struct model *m, const char *id, uint64_t number)
{
	snprintf(m->at, sizeof(m->at), "%s", id);
	m->at_number = number;
}

static void
remember_chosen(struct model *m)
{
	const struct row *r = model_row(m);

	if (r != NULL)
		remember(m, r->m->thread, r->m->number);
	else
		remember(m, "", 0);
}

bool
model_is_damaged(const struct row *r)
{
	return r->m->refused == TOCSIN_EBODYMISMATCH && !r->m->coming;
}

/* All that is damaged on this disk has one id; the number tells it apart. */
static bool
is_chosen(const struct model *m, const struct row *r)
{
	return strcmp(r->m->thread, m->at) == 0 &&
	       (!model_is_damaged(r) || m->at_number == 0 ||
		   r->m->number == m->at_number);
}

static size_t
item_count(const struct model *m)
{
	size_t i, n = m->norder;

	for (i = 0; i < m->nfold; i++)
		n += m->fold[i].n;
	return n;
}

/*
 * The list anew. The line that was chosen is chosen again; its ticket stays in
 * the list until the officer moves, whatever became of it, with `stays`.
 */
void
model_relist(struct model *m, bool stays)
{
	struct model_item *item = calloc(item_count(m) + 1, sizeof(*m->item));
	size_t i, k, n = 0, inside = 0, chosen = 0;

	if (item == NULL) {
		m->nitem = m->chosen =
		    0; /* it may stand on rows that are gone */
		return;
	}
	for (i = m->chosen; m->nitem > 0 && i > 0 && m->item[i].line; i--)
		inside++;
	for (i = 0; i < m->norder; i++) {
		const struct row *r = m->order[i];
		bool at = is_chosen(m, r);
		const struct model_fold *f = fold_of(m, r->m->thread);

		if (!(at && stays) && !(is_shown(m, r) && is_found(m, r)))
			continue;
		if (at)
			chosen = n;
		item[n++].row = r;
		for (k = 0; f != NULL && k < f->n; k++)
			item[n++] = (struct model_item){ r, &f->line[k] };
		if (at)
			chosen += f != NULL && inside <= f->n ? inside : 0;
	}
	free(m->item);
	m->item = item;
	m->nitem = n;
	m->chosen = chosen;
	remember_chosen(m);
	see_chosen(m);
}

void
model_choose_first(struct model *m)
{
	remember(m, "", 0);
	model_relist(m, false);
}

void
model_resize(struct model *m, size_t height)
{
	m->height = height;
	see_chosen(m);
}

static void
choose(struct model *m, size_t item)
{
	if (m->nitem == 0)
		return;
	m->chosen = item < m->nitem ? item : m->nitem - 1;
	remember_chosen(m);
	see_chosen(m);
}

bool
model_at(struct model *m, const char *id)
{
	remember(m, id, 0);
	while (m->chosen > 0 && m->nitem > 0 && m->item[m->chosen].line != NULL)
		m->chosen--; /* of another ticket */
	model_relist(m, true);
	return strcmp(m->at, id) == 0;
}

void
model_list(struct model *m, enum model_show show)
{
	m->show = show;
	model_choose_first(m);
}

/* What stayed only because it was chosen goes when the officer does. */
void
model_move_by(struct model *m, size_t n, bool down)
{
	if (down)
		choose(m, m->chosen + n);
	else
		choose(m, m->chosen > n ? m->chosen - n : 0);
	model_relist(m, true);
}

/* Which unfolded tickets have more messages than they had. */
static void
find_stale(struct model *m)
{
	struct model_fold *f;
	size_t i;

	for (i = 0; m->nfold > 0 && i < m->norder; i++) {
		const struct row *r = m->order[i];

		f = fold_of(m, r->m->thread);
		if (f != NULL && f->messages != r->messages + r->ncoming) {
			f->messages = r->messages + r->ncoming;
			f->stale = true;
		}
	}
}

void
model_take(struct model *m, const struct rows *rows, int64_t now)
{
	const struct row **order = calloc(rows->n + 1, sizeof(*order));
	size_t i;

	/* Nothing may stand on the old rows, come what may. */
	free(m->found);
	m->found = NULL;
	free(m->order);
	m->order = order;
	m->norder = order != NULL ? rows->n : 0;
	for (i = 0; i < m->norder; i++)
		order[i] = &rows->row[i];
	if (order == NULL)
		m->nitem = m->chosen = 0;
	m->rows = rows;
	m->now = now;
	find_stale(m);
	model_sort(m);
	model_relist(m, true);
}

/* ---- folds ---- */

static void
fold_release(struct model_fold *f)
{
	while (f->n > 0)
		free(f->line[--f->n].text);
	free(f->line);
	f->line = NULL;
}

const char *
model_stale(const struct model *m)
{
	size_t i;

	for (i = 0; i < m->nfold; i++)
		if (m->fold[i].stale)
			return m->fold[i].id;
	return NULL;
}

void
model_unfold(struct model *m, const char *id, struct model_line *line, size_t n)
{
	struct model_fold *f = fold_of(m, id), mine = { .n = n, .line = line };

	if (f == NULL) {
		fold_release(&mine);
		return;
	}
	fold_release(f);
	f->line = line;
	f->n = n;
	f->stale = false;
	model_relist(m, true);
}

static void
fold(struct model *m, struct model_fold *f)
{
	fold_release(f);
	m->nfold--;
	memmove(f, f + 1, (size_t)(m->fold + m->nfold - f) * sizeof(*f));
	while (m->chosen > 0 && m->item[m->chosen].line != NULL)
		m->chosen--; /* its lines are none of the list's any more */
	model_relist(m, true);
}

static void
unfold(struct model *m, const struct row *r)
{
	struct model_fold *grown =
	    realloc(m->fold, (m->nfold + 1) * sizeof(*m->fold));

	if (grown == NULL)
		return;
	m->fold = grown;
	m->fold[m->nfold] = (struct model_fold){ .stale = true };
	m->fold[m->nfold].messages = r->messages + r->ncoming;
	snprintf(m->fold[m->nfold].id, TOCSIN_ID_TEXT, "%s", r->m->thread);
	m->nfold++;
}

/* `way` is 0 for the other way round, else 1 to unfold and -1 to fold. */
void
model_turn(struct model *m, int way)
{
	const struct row *r = model_row(m);
	struct model_fold *f = r != NULL ? fold_of(m, r->m->thread) : NULL;

	if (r != NULL && !model_is_damaged(r) && f == NULL && way >= 0)
		unfold(m, r);
	else if (f != NULL && way <= 0)
		fold(m, f);
}

/* ---- what is searched for ---- */

/* What the list itself says is found at once; the texts are the caller's. */
enum want
model_search(struct model *m, const char *words)
{
	free(m->found);
	m->found = NULL;
	buf_cut(&m->search, 0);
	if (words[0] == '\0') {
		model_relist(m, true);
		return WANT_NOTHING;
	}
	buf_addz(&m->search, words);
	buf_u8(&m->search, '\0');
	model_choose_first(m);
	return WANT_FIND;
}

void
model_found(struct model *m, unsigned *found, bool anew)
{
	free(m->found);
	m->found = found;
	if (anew)
		model_choose_first(m);
	else
		model_relist(m, true);
}

void
model_release_list(struct model *m)
{
	size_t i;

	for (i = 0; i < m->nfold; i++)
		fold_release(&m->fold[i]);
	free(m->fold);
	free(m->item);
	free(m->order);
	free(m->found);
}
