/* SPDX-License-Identifier: ISC */
#include "client/cli/desk_model.h"

#include "client/cli/print.h"
#include "client/cli/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE 60u
#define HOUR 3600u
#define DAY 86400u

#define SURE (ASKS(ASK_LOOK) | ASKS(ASK_SURE))

/* clang-format off */
const struct deed deeds[] = {
	{ 's', "seen", "ack", "opened", 0,
	    "acknowledge: we have it, nobody acts yet" },
	{ 'a', "accept", "ack", "accepted", 0, "we take it" },
	{ 'w', "working", "ack", "in-progress", 0, "we are at work on it" },
	{ 'd', "defer", "ack", "deferred", 0, "we take it later" },
	{ 'r', "refuse", "ack", "refused",
	    ASKS(ASK_REASON) | ASKS(ASK_TEXT) | SURE,
	    "we do not take it; asks why" },
	{ 'i', "invalid", "ack", "invalid", ASKS(ASK_TEXT) | SURE,
	    "it is no report that anybody can use" },
	{ 'e', "escalate", "escalate", NULL,
	    ASKS(ASK_TO) | ASKS(ASK_TEXT) | SURE,
	    "bring it before others; asks whom" },
	{ 'g', "share", "share", NULL, ASKS(ASK_TO) | ASKS(ASK_TEXT) | SURE,
	    "give it to further members; asks whom" },
	{ 'h', "request", "request", NULL,
	    ASKS(ASK_LOOK) | ASKS(ASK_TEXT) | ASKS(ASK_WHEN),
	    "ask for help with it; asks by when" },
	{ 'n', "note", "update", NULL, ASKS(ASK_LOOK) | ASKS(ASK_TEXT),
	    "add a text" },
	{ 'x', "close", "close", NULL,
	    ASKS(ASK_RESOLUTION) | ASKS(ASK_TEXT) | SURE,
	    "end it; asks how it ended" },
	{ 'u', "reopen", "reopen", NULL, ASKS(ASK_TEXT) | SURE,
	    "take it up again" },
	{ 'v', "save", NULL, NULL, ASKS(ASK_PART) | ASKS(ASK_FOLDER),
	    "save an attachment; asks which, and the folder" },
	{ 0, NULL, NULL, NULL, 0, NULL },
};

const struct model_help model_help[] = {
	{ "up, down, j, k", "another ticket; in a ticket: another line" },
	{ "PgUp, PgDn, Home, End", "far" },
	{ "Enter, o", "open; its sender is told that we have seen it" },
	{ "space, right, left", "unfold or fold the messages of a ticket" },
	{ "/", "search list and texts as you type; Enter keeps it, Esc ends" },
	{ "f", "list what is open, unanswered, overdue, or all" },
	{ "t", "the most urgent first, or the newest" },
	{ "Ctrl-L", "paint the screen anew" },
	{ "Esc, q", "back; in the list q ends" },
	{ "?", "this" },
	{ NULL, NULL },
};
/* clang-format on */

const char *const model_shows[SHOWS] = { "open", "unanswered", "overdue",
	"all" };

const struct deed *
model_deed(const char *word)
{
	const struct deed *d;

	for (d = deeds; d->word != NULL; d++)
		if (strcmp(d->word, word) == 0)
			return d;
	return NULL;
}

static const struct deed *
deed_of(uint32_t key)
{
	const struct deed *d;

	for (d = deeds; d->word != NULL; d++)
		if (d->key == key)
			return d;
	return NULL;
}

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

static void
sort(struct model *m)
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

static bool
is_damaged(const struct row *r)
{
	return r->m->refused == TOCSIN_EBODYMISMATCH && !r->m->coming;
}

/* All that is damaged on this disk has one id; the number tells it apart. */
static bool
is_chosen(const struct model *m, const struct row *r)
{
	return strcmp(r->m->thread, m->at) == 0 &&
	       (!is_damaged(r) || m->at_number == 0 ||
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
static void
list(struct model *m, bool stays)
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

static void
choose_first(struct model *m)
{
	remember(m, "", 0);
	list(m, false);
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
	list(m, true);
	return strcmp(m->at, id) == 0;
}

void
model_list(struct model *m, enum model_show show)
{
	m->show = show;
	choose_first(m);
}

/* What stayed only because it was chosen goes when the officer does. */
static void
move_by(struct model *m, size_t n, bool down)
{
	if (down)
		choose(m, m->chosen + n);
	else
		choose(m, m->chosen > n ? m->chosen - n : 0);
	list(m, true);
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
	sort(m);
	list(m, true);
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
	list(m, true);
}

static void
fold(struct model *m, struct model_fold *f)
{
	fold_release(f);
	m->nfold--;
	memmove(f, f + 1, (size_t)(m->fold + m->nfold - f) * sizeof(*f));
	while (m->chosen > 0 && m->item[m->chosen].line != NULL)
		m->chosen--; /* its lines are none of the list's any more */
	list(m, true);
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
static void
turn(struct model *m, int way)
{
	const struct row *r = model_row(m);
	struct model_fold *f = r != NULL ? fold_of(m, r->m->thread) : NULL;

	if (r != NULL && !is_damaged(r) && f == NULL && way >= 0)
		unfold(m, r);
	else if (f != NULL && way <= 0)
		fold(m, f);
}

/* ---- what is said ---- */

void
model_say(struct model *m, bool bad, const char *sentence)
{
	char *said = strdup(sentence);

	free(m->said);
	m->said = said;
	m->bad = bad;
}

static void
hush(struct model *m)
{
	free(m->said);
	m->said = NULL;
	m->bad = false;
}

/* ---- what is typed ---- */

static size_t
utf8_of(char out[4], uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static void
set_input(struct model *m, const char *s)
{
	snprintf(m->input, sizeof(m->input), "%s", s);
	m->ninput = strlen(m->input);
}

static void
type(struct model *m, uint32_t c)
{
	char bytes[4];
	size_t n;

	if (c == '\r')
		c = '\n'; /* of what is pasted */
	if (c == '\t')
		c = ' ';
	if (c == '\n' && (m->mode != MODE_ASK || m->asking != ASK_TEXT))
		c = ' ';
	if (c > 0x10ffff || (c < 0x20 && c != '\n') || c == 0x7f)
		return;
	n = utf8_of(bytes, c);
	if (m->ninput + n >= sizeof(m->input)) {
		model_say(m, true,
		    "that is all that fits in here; attach the "
		    "rest with `tocsin note --attach`");
		return;
	}
	memcpy(m->input + m->ninput, bytes, n);
	m->ninput += n;
	m->input[m->ninput] = '\0';
}

static void
erase(struct model *m)
{
	while (m->ninput > 0 && ((uint8_t)m->input[--m->ninput] & 0xc0) == 0x80)
		;
	m->input[m->ninput] = '\0';
}

/* True if the key changed what is typed. */
static bool
edit(struct model *m, uint32_t key)
{
	if (key == KEY_OF_BACKSPACE)
		erase(m);
	else if (key == KEY_OF_WIPE)
		set_input(m, "");
	else if (key < KEY_OF_ENTER)
		type(m, key);
	else
		return false;
	return true;
}

/* ---- the members and words that may be typed ---- */

const struct word *
model_choices(const struct model *m)
{
	if (m->mode != MODE_ASK)
		return NULL;
	if (m->asking == ASK_REASON)
		return vocab_list(VOCAB_REFUSAL)->words;
	return m->asking == ASK_RESOLUTION ? vocab_list(VOCAB_RESOLUTION)->words
					   : NULL;
}

/* The i-th word that may be typed now; NULL at the end. */
static const char *
choice(const struct model *m, size_t i)
{
	const struct word *w = model_choices(m);

	if (w != NULL)
		return w[i].word;
	if (m->asking == ASK_PART)
		return m->draft.part[i];
	return m->asking == ASK_TO ? m->members[i] : NULL;
}

/* The word as it is spelt, whatever the case, or by its place: "2". */
static const char *
chosen_word(const struct model *m, const char *typed)
{
	unsigned place;
	const char *c;
	size_t i;
	char end;

	for (i = 0; (c = choice(m, i)) != NULL; i++)
		if (strcasecmp(c, typed) == 0)
			return c;
	if (m->asking == ASK_TO || sscanf(typed, "%u%c", &place, &end) != 1)
		return NULL;
	for (i = 0; (c = choice(m, i)) != NULL; i++)
		if (place == i + 1)
			return c;
	return NULL;
}

static const char *
nearest(const struct model *m, const char *typed)
{
	const char *c, *best = NULL;
	unsigned least = 0;
	size_t i;

	for (i = 0; (c = choice(m, i)) != NULL; i++) {
		unsigned d = vocab_distance(c, typed);

		if (strncasecmp(c, typed, strlen(typed)) == 0)
			d = 0; /* it is only not at its end yet */
		if (best == NULL || d < least) {
			best = c;
			least = d;
		}
	}
	return best;
}

/* The last word that is typed, which Tab completes. */
static size_t
last_word(const struct model *m)
{
	size_t at = m->ninput;

	while (m->asking == ASK_TO && at > 0 && m->input[at - 1] != ' ' &&
	       m->input[at - 1] != ',')
		at--;
	return m->asking == ASK_TO ? at : 0;
}

/* As far as all that fit agree. */
static void
complete(struct model *m)
{
	size_t at = last_word(m), n = m->ninput - at, i, fit = 0, same = 0;
	const char *c, *first = NULL;

	for (i = 0; (c = choice(m, i)) != NULL; i++) {
		if (strncasecmp(c, m->input + at, n) != 0)
			continue;
		if (fit++ == 0) {
			first = c;
			same = strlen(c);
		}
		while (same > n && strncasecmp(c, first, same) != 0)
			same--;
	}
	if (first == NULL || at + same + 1 >= sizeof(m->input))
		return;
	memcpy(m->input + at, first, same);
	m->ninput = at + same;
	m->input[m->ninput] = '\0';
	if (fit == 1 && m->asking == ASK_TO)
		type(m, ' ');
}

/* ---- a deed, question by question ---- */

static void
draft_release(struct model_draft *d)
{
	size_t i;

	for (i = 0; d->part != NULL && d->part[i] != NULL; i++)
		free((void *)(uintptr_t)d->part[i]);
	free(d->part);
	free(d->folder);
	free(d->subject);
	free(d->text);
	buf_release(&d->goes);
	*d = (struct model_draft){ 0 };
}

static void
drop(struct model *m)
{
	if (m->mode == MODE_ASK || m->mode == MODE_SURE)
		m->mode = m->under;
	draft_release(&m->draft);
	memset(m->input, 0, sizeof(m->input));
	m->ninput = 0;
}

/* The next question from `from` on, or the deed itself. */
static enum want
ask(struct model *m, enum ask from)
{
	for (m->asking = from; m->asking <= ASK_SURE; m->asking++)
		if (m->draft.deed->asks & ASKS(m->asking))
			break;
	set_input(m, "");
	if (m->asking == ASK_LOOK)
		return WANT_LOOK;
	if (m->asking == ASK_PART && m->draft.part == NULL)
		return WANT_PARTS;
	if (m->asking > ASK_SURE)
		return m->draft.deed->kind != NULL ? WANT_POST : WANT_SAVE;
	if (m->asking == ASK_FOLDER)
		set_input(m, m->folder != NULL ? m->folder : ".");
	m->mode = m->asking == ASK_SURE ? MODE_SURE : MODE_ASK;
	return WANT_NOTHING;
}

static bool
may_open(struct model *m, const struct row *r)
{
	if (r == NULL)
		model_say(m, true, "there is no ticket to do that to");
	else if (is_damaged(r))
		model_say(
		    m, true, "it is damaged on this disk and cannot be read");
	else
		return true;
	return false;
}

/* What cannot be answered is not asked about. */
static bool
may_begin(struct model *m, const struct row *r)
{
	if (!may_open(m, r))
		return false;
	if (r->m->coming)
		model_say(m, true,
		    "only its header is here; what it says is still to come");
	return !r->m->coming;
}

enum want
model_begin(struct model *m, const struct deed *d)
{
	const struct row *r = model_row(m);
	struct model_draft *draft = &m->draft;

	if (!may_begin(m, r))
		return WANT_NOTHING;
	draft_release(draft);
	draft->deed = d;
	m->under = m->mode;
	snprintf(draft->id, sizeof(draft->id), "%s", r->m->thread);
	snprintf(
	    draft->short_id, sizeof(draft->short_id), "%s", r->m->short_id);
	snprintf(draft->tlp, sizeof(draft->tlp), "%s", r->m->tlp);
	draft->subject = r->m->subject != NULL ? strdup(r->m->subject) : NULL;
	return ask(m, ASK_TO);
}

/* A word that is none is answered with the nearest, which Enter takes. */
static bool
take_word(struct model *m, const char **out, bool needed)
{
	const char *best;
	char said[512];

	*out = NULL;
	if (m->ninput == 0 && !needed)
		return true;
	*out = chosen_word(m, m->input);
	if (*out != NULL)
		return true;
	best = nearest(m, m->input);
	snprintf(said, sizeof(said),
	    m->ninput == 0 ? "it must be one of these words"
			   : "that is none of the words; the nearest is %s: "
			     "Enter takes it",
	    best);
	model_say(m, true, said);
	if (m->ninput > 0)
		set_input(m, best);
	return false;
}

/* One member of those typed; what it replaces is said. */
static bool
take_member(struct model *m, char *typed)
{
	size_t n = 0, at = (size_t)(typed - m->input);
	const char *c = chosen_word(m, typed), *best;
	char said[512];

	while (n < MODEL_TO && m->draft.to[n] != NULL)
		n++;
	if (c != NULL && n < MODEL_TO) {
		m->draft.to[n] = c;
		return true;
	}
	best = nearest(m, typed);
	if (best == NULL || c != NULL) {
		model_say(m, true,
		    c != NULL ? "too many members at once"
			      : "there is no roster here that says who is a "
				"member");
		return false;
	}
	snprintf(said, sizeof(said),
	    "there is no member %.64s; the nearest is %s: Enter takes it",
	    typed, best);
	model_say(m, true, said);
	m->input[at] = '\0';
	m->ninput = at;
	strncat(m->input, best, sizeof(m->input) - m->ninput - 1);
	m->ninput = strlen(m->input);
	return false;
}

/* Words with spaces or commas between them. */
static bool
take_members(struct model *m)
{
	char typed[MODEL_INPUT], *at = typed, *word;
	char good[MODEL_INPUT] = "";

	memset(m->draft.to, 0, sizeof(m->draft.to));
	memcpy(typed, m->input, m->ninput + 1);
	for (word = strtok_r(typed, " ,", &at); word != NULL;
	     word = strtok_r(NULL, " ,", &at)) {
		snprintf(m->input, sizeof(m->input), "%s%s", good, word);
		m->ninput = strlen(m->input);
		if (!take_member(m, m->input + strlen(good))) {
			if (at != NULL && *at != '\0') {
				type(m, ' ');
				strncat(m->input, at,
				    sizeof(m->input) - m->ninput - 1);
				m->ninput = strlen(m->input);
			}
			return false;
		}
		strncat(good, word, sizeof(good) - strlen(good) - 2);
		strcat(good, " ");
	}
	if (m->draft.to[0] == NULL)
		model_say(m, true, "say whom: Tab completes a member's name");
	return m->draft.to[0] != NULL;
}

static bool
take_text(struct model *m)
{
	bool needed = !(m->draft.deed->asks & ASKS(ASK_SURE));
	char said[128];

	free(m->draft.text);
	m->draft.text = NULL;
	if (m->ninput == 0 && needed) {
		snprintf(said, sizeof(said),
		    "a %s needs a text; Esc gives it up", m->draft.deed->word);
		model_say(m, true, said);
		return false;
	}
	if (m->ninput > 0)
		m->draft.text = strdup(m->input);
	return m->ninput == 0 || m->draft.text != NULL;
}

/* A time to come, or none. */
static bool
take_when(struct model *m)
{
	m->draft.ackby = 0;
	if (m->ninput == 0 || view_when(NULL, m->input, &m->draft.ackby))
		return true;
	model_say(m, true,
	    "that is no time to come: write 30m, 2h, 3d or "
	    "2026-11-21T03:14:15Z, or nothing");
	return false;
}

static bool
take_folder(struct model *m)
{
	free(m->draft.folder);
	free(m->folder);
	m->folder = NULL;
	m->draft.folder = m->ninput > 0 ? strdup(m->input) : NULL;
	if (m->ninput == 0)
		model_say(m, true, "say which folder; Esc gives it up");
	else
		m->folder = strdup(m->input);
	return m->draft.folder != NULL;
}

static enum want
answer(struct model *m)
{
	struct model_draft *d = &m->draft;
	bool good = false;

	switch (m->asking) {
	case ASK_TO:
		good = take_members(m);
		break;
	case ASK_REASON:
		good = take_word(m, &d->reason, true);
		break;
	case ASK_RESOLUTION:
		good = take_word(m, &d->resolution, false);
		break;
	case ASK_PART:
		good = take_word(m, &d->chosen, true);
		break;
	case ASK_FOLDER:
		good = take_folder(m);
		break;
	case ASK_WHEN:
		good = take_when(m);
		break;
	default:
		good = take_text(m);
	}
	return good ? ask(m, m->asking + 1) : WANT_NOTHING;
}

enum want
model_looked(struct model *m, const char *tlp, const char *const *to, size_t n)
{
	struct model_draft *d = &m->draft;
	size_t i;

	snprintf(d->tlp, sizeof(d->tlp), "%s", tlp);
	buf_release(&d->goes);
	for (i = 0; i < n; i++)
		if (n == 1 || strcmp(to[i], m->own) != 0)
			buf_addf(
			    &d->goes, "%s%s", d->goes.n > 0 ? ", " : "", to[i]);
	buf_u8(&d->goes, '\0');
	return ask(m, ASK_LOOK + 1);
}

enum want
model_parts(struct model *m, const char *const *names, size_t n)
{
	struct model_draft *d = &m->draft;
	size_t i, got = 0;

	d->part = calloc(n + 1, sizeof(*d->part));
	for (i = 0; d->part != NULL && i < n; i++) {
		d->part[got] = strdup(names[i]);
		got += d->part[got] != NULL;
	}
	if (got == 0) {
		model_failed(m, "there is no attachment in it that could be "
				"saved");
		return WANT_NOTHING;
	}
	(void)ask(m, ASK_PART);
	if (got == 1)
		set_input(m, d->part[0]);
	return WANT_NOTHING;
}

void
model_told(struct model *m, const char *sentence)
{
	drop(m);
	model_say(m, false, sentence);
}

void
model_failed(struct model *m, const char *sentence)
{
	drop(m);
	model_say(m, true, sentence);
}

void
model_draft_of(const struct model_draft *d, struct tocsin_draft *out)
{
	*out = (struct tocsin_draft){ .kind = d->deed->kind,
		.answer = d->deed->answer,
		.thread = d->id,
		.reason = d->reason,
		.resolution = d->resolution,
		.text = d->text,
		.ackby = d->ackby,
		.to = d->to[0] != NULL ? d->to : NULL };
}

void
model_question(const struct model *m, struct buf *out)
{
	static const char *const questions[] = {
		[ASK_TO] = "to whom?",
		[ASK_PART] = "which attachment?",
		[ASK_FOLDER] = "into which folder?",
		[ASK_REASON] = "why?",
		[ASK_RESOLUTION] = "how did it end? (or nothing)",
		[ASK_TEXT] = "what is to be said? (or nothing)",
		[ASK_WHEN] = "by when, 30m, 2h, 3d? (or nothing)",
		[ASK_SURE] = "is that right? y or n",
	};

	if (m->asking == ASK_TEXT && !(m->draft.deed->asks & ASKS(ASK_SURE)))
		buf_addf(out, "%s: the text", m->draft.deed->word);
	else if (m->asking == ASK_TO &&
		 strcmp(m->draft.deed->word, "escalate") == 0)
		buf_addf(out, "%s: before whom?", m->draft.deed->word);
	else
		buf_addf(
		    out, "%s: %s", m->draft.deed->word, questions[m->asking]);
	buf_u8(out, '\0');
}

/* ---- keys ---- */

/* Where a page is as many lines as are seen, less one that is seen again. */
static size_t
page(const struct model *m)
{
	return m->height > 1 ? m->height - 1 : 1;
}

static void
go_back(struct model *m)
{
	if (m->mode == MODE_LIST && m->search.n > 0)
		(void)model_search(m, "");
	else
		m->mode = m->mode == MODE_HELP ? m->under : MODE_LIST;
	m->scroll = 0;
}

static void
scroll(struct model *m, uint32_t key)
{
	switch (key) {
	case KEY_OF_UP:
	case 'k':
		m->scroll -= m->scroll > 0;
		break;
	case KEY_OF_DOWN:
	case 'j':
		m->scroll++;
		break;
	case KEY_OF_PAGE_UP:
		m->scroll -= m->scroll < page(m) ? m->scroll : page(m);
		break;
	case KEY_OF_PAGE_DOWN:
	case ' ':
		m->scroll += page(m);
		break;
	case KEY_OF_HOME:
		m->scroll = 0;
		break;
	case KEY_OF_END:
		m->scroll = SIZE_MAX / 2;
		break;
	default:
		break;
	}
}

static enum want
key_reading(struct model *m, uint32_t key)
{
	const struct deed *d = m->mode == MODE_TICKET ? deed_of(key) : NULL;

	if (d != NULL)
		return model_begin(m, d);
	if (key == 'q' || key == KEY_OF_ESCAPE || key == KEY_OF_LEFT)
		go_back(m);
	else if (key == '?' && m->mode == MODE_HELP)
		go_back(m);
	else
		scroll(m, key);
	return WANT_NOTHING;
}

static void
help(struct model *m)
{
	m->under = m->mode;
	m->mode = MODE_HELP;
	m->scroll = 0;
}

static void
begin_search(struct model *m)
{
	m->mode = MODE_SEARCH;
	set_input(m, m->search.n > 0 ? (const char *)m->search.p : "");
}

static enum want
open_chosen(struct model *m)
{
	if (!may_open(m, model_row(m)))
		return WANT_NOTHING;
	m->mode = MODE_TICKET;
	m->scroll = 0;
	return WANT_OPEN;
}

static void
show_next(struct model *m)
{
	model_list(m, (enum model_show)((m->show + 1) % SHOWS));
}

static void
other_order(struct model *m)
{
	m->newest = !m->newest;
	sort(m);
	choose_first(m);
}

/* True if the key moves in the list. */
static bool
key_moves(struct model *m, uint32_t key)
{
	switch (key) {
	case KEY_OF_UP:
	case 'k':
		move_by(m, 1, false);
		return true;
	case KEY_OF_DOWN:
	case 'j':
		move_by(m, 1, true);
		return true;
	case KEY_OF_PAGE_UP:
		move_by(m, page(m), false);
		return true;
	case KEY_OF_PAGE_DOWN:
		move_by(m, page(m), true);
		return true;
	case KEY_OF_HOME:
		move_by(m, m->nitem, false);
		return true;
	case KEY_OF_END:
		move_by(m, m->nitem, true);
		return true;
	default:
		return false;
	}
}

static enum want
key_in_list(struct model *m, uint32_t key)
{
	const struct deed *d = deed_of(key);

	if (d != NULL)
		return model_begin(m, d);
	if (key_moves(m, key))
		return WANT_NOTHING;
	switch (key) {
	case KEY_OF_ENTER:
	case 'o':
		return open_chosen(m);
	case ' ':
		turn(m, 0);
		break;
	case KEY_OF_RIGHT:
		turn(m, 1);
		break;
	case KEY_OF_LEFT:
		turn(m, -1);
		break;
	case '/':
		begin_search(m);
		break;
	case 'f':
		show_next(m);
		break;
	case 't':
		other_order(m);
		break;
	case KEY_OF_ESCAPE:
		go_back(m);
		break;
	case 'q':
		return WANT_QUIT;
	default:
		break;
	}
	return WANT_NOTHING;
}

/* What the list itself says is found at once; the texts are the caller's. */
enum want
model_search(struct model *m, const char *words)
{
	free(m->found);
	m->found = NULL;
	buf_cut(&m->search, 0);
	if (words[0] == '\0') {
		list(m, true);
		return WANT_NOTHING;
	}
	buf_addz(&m->search, words);
	buf_u8(&m->search, '\0');
	choose_first(m);
	return WANT_FIND;
}

void
model_found(struct model *m, unsigned *found, bool anew)
{
	free(m->found);
	m->found = found;
	if (anew)
		choose_first(m);
	else
		list(m, true);
}

static enum want
key_searching(struct model *m, uint32_t key)
{
	if (key == KEY_OF_ENTER || key == KEY_OF_ESCAPE) {
		m->mode = MODE_LIST;
		if (key == KEY_OF_ESCAPE)
			return model_search(m, "");
	} else if (edit(m, key)) {
		return model_search(m, m->input);
	} else {
		(void)key_moves(m, key);
	}
	return WANT_NOTHING;
}

static enum want
key_asked(struct model *m, uint32_t key)
{
	if (key == KEY_OF_ESCAPE) {
		drop(m);
		model_say(m, false, "given up; nothing was sent");
	} else if (key == KEY_OF_TAB) {
		complete(m);
	} else if (key == KEY_OF_ENTER) {
		return answer(m);
	} else {
		(void)edit(m, key);
	}
	return WANT_NOTHING;
}

/* Enter, and what is typed in haste, is no answer to this one. */
static enum want
key_sure(struct model *m, uint32_t key)
{
	if (key == 'y')
		return WANT_POST;
	if (key == 'n' || key == 'q' || key == KEY_OF_ESCAPE) {
		drop(m);
		model_say(m, false, "given up; nothing was sent");
	}
	return WANT_NOTHING;
}

/* Commands are typed. What comes out of a clipboard is text or nothing. */
static enum want
pasted(struct model *m, uint32_t key)
{
	if (key == KEY_OF_PASTED)
		m->pasting = false;
	else if (m->mode == MODE_ASK)
		(void)edit(m, key == KEY_OF_ENTER ? '\n' : key);
	else if (m->mode == MODE_SEARCH && key < KEY_OF_ENTER && edit(m, key))
		return model_search(m, m->input);
	return WANT_NOTHING;
}

enum want
model_key(struct model *m, uint32_t key)
{
	static enum want (*const keys[])(struct model *, uint32_t) = {
		[MODE_LIST] = key_in_list,
		[MODE_TICKET] = key_reading,
		[MODE_HELP] = key_reading,
		[MODE_SEARCH] = key_searching,
		[MODE_ASK] = key_asked,
		[MODE_SURE] = key_sure,
	};

	hush(m);
	m->touched = true;
	if (key == KEY_OF_PASTE)
		m->pasting = true;
	if (m->pasting)
		return pasted(m, key);
	if (key == 0x0c)
		return WANT_PAINT;
	if (key == '?' && (m->mode == MODE_LIST || m->mode == MODE_TICKET)) {
		help(m);
		return WANT_NOTHING;
	}
	return keys[m->mode](m, key);
}

enum want
model_enter(struct model *m, const char *line)
{
	hush(m);
	if (m->mode == MODE_SURE)
		return key_sure(
		    m, strcmp(line, "yes") == 0 ? (uint32_t)'y' : 'n');
	set_input(m, line);
	return key_asked(m, KEY_OF_ENTER);
}

/* ---- begin and end ---- */

void
model_init(struct model *m, const char *own, const char *const *members)
{
	*m = (struct model){ .own = own, .members = members, .height = 20 };
}

void
model_release(struct model *m)
{
	size_t i;

	for (i = 0; i < m->nfold; i++)
		fold_release(&m->fold[i]);
	free(m->fold);
	free(m->item);
	free(m->order);
	free(m->found);
	free(m->folder);
	drop(m);
	hush(m);
	buf_release(&m->search);
}
