/* SPDX-License-Identifier: ISC */
#include "client/cli/desk_text.h"

#include "client/cli/print.h"
#include "client/cli/view.h"
#include "client/handle.h"

#include <string.h>
#include <time.h>

#define WIDE 100  /* columns; words are not cut from here on */
#define NARROW 60 /* below that, only what must be there */
#define TLP_CELL 16
#define LEFT_CELL 8
#define CHOICE_CELL 30
#define SUBJECT_MAX 66 /* in a question */
#define ALL 10000

/* ---- times ---- */

/* "03:14Z", and the local time where that is another. */
static void
clock_text(char out[64], int64_t t, bool seconds)
{
	time_t when = (time_t)t;
	struct tm utc, local;
	size_t n;

	out[0] = '\0';
	if (gmtime_r(&when, &utc) == NULL || localtime_r(&when, &local) == NULL)
		return;
	n = strftime(out, 64, seconds ? "%H:%M:%SZ" : "%H:%MZ", &utc);
	if (local.tm_gmtoff != 0)
		strftime(out + n, 64 - n, " (%H:%M %z)", &local);
}

/* ---- the list ---- */

static size_t
count_late(const struct model *m)
{
	size_t i, n = 0;

	for (i = 0; i < m->norder; i++)
		n += model_late(m->order[i], m->now);
	return n;
}

static size_t
count_listed(const struct model *m)
{
	size_t i, n = 0;

	for (i = 0; i < m->nitem; i++)
		n += m->item[i].line == NULL;
	return n;
}

static void
head_words(struct buf *b, const struct work *w)
{
	const struct model *m = &w->m;
	size_t late = count_late(m);

	if (m->rows == NULL) {
		buf_addf(b, "reading the desk");
		return;
	}
	buf_addf(b, "%s %zu of %zu", model_shows[m->show], count_listed(m),
	    m->norder);
	if (late > 0)
		buf_addf(b, ", %zu LATE", late);
	if (m->rows->left > 0)
		buf_addf(b, ", %zu more to be read", m->rows->left);
	if (m->newest)
		buf_addz(b, ", newest first");
	if (m->search.n > 0)
		buf_addf(b, ", with: %s", (const char *)m->search.p);
}

void
desk_head(FILE *to, const struct work *w, size_t width)
{
	const char *device = tocsin_device(w->t);
	const char *exercise = w->t->parts.keys->exercise;
	struct buf b = { 0 };
	char now[64];
	size_t right;

	clock_text(now, w->m.now, false);
	right = strlen(now);
	buf_addz(&b, " ");
	if (exercise[0] != '\0')
		buf_addf(&b, "EXERCISE %s  ", exercise);
	head_words(&b, w);
	if (width >= NARROW)
		buf_addf(&b, "  %s", device);
	buf_u8(&b, '\0');
	fputs(colour(BOLD), to);
	if (buf_ok(&b) && width > right + 2)
		safe_cell(to, (const char *)b.p, width - right - 1);
	fprintf(to, "%s%s", now, colour(PLAIN));
	buf_release(&b);
}

static void
precedence_cell(FILE *to, const char *word, size_t width)
{
	static const struct {
		const char *word, *brief;
	} briefs[] = { { "immediate", "immed" }, { "priority", "prior" },
		{ "routine", "routn" } };
	size_t i;

	for (i = 0; width < WIDE && i < 3; i++)
		if (strcmp(briefs[i].word, word) == 0)
			word = briefs[i].brief;
	if (strcmp(word, "flash") == 0)
		fputs(colour(BOLD), to);
	safe_cell(to, word, width < WIDE ? 5 : 9);
	fputs(colour(PLAIN), to);
	putc(' ', to);
}

static void
left_cell(FILE *to, const struct row *r, int64_t now)
{
	char left[32];

	model_left(left, r, now);
	if (model_late(r, now))
		fputs(colour(RED), to);
	safe_cell(to, left, LEFT_CELL);
	fprintf(to, "%s ", colour(PLAIN));
}

/* The member alone where there is no room for its device. */
static void
from_cell(FILE *to, const char *from, size_t width)
{
	char member[MEMBER_MAX + 1];

	snprintf(member, sizeof(member), "%.*s", (int)strcspn(from, "/"), from);
	safe_cell(to, width < WIDE ? member : from, width < WIDE ? 11 : 20);
	putc(' ', to);
}

static void
subject_cell(FILE *to, const struct model *m, const struct row *r, size_t room)
{
	char more[32] = "";

	if (r->messages > 1)
		snprintf(more, sizeof(more), "%c%zu ",
		    model_unfolded(m, r) ? '-' : '+', r->messages - 1);
	if (r->m->exercise != NULL && room > 12)
		strcat(more, "EXERCISE ");
	if (strlen(more) >= room)
		return;
	fputs(more, to);
	if (r->unacked)
		fputs(colour(BOLD), to);
	safe_title(to, r->m->subject, room - strlen(more));
	fputs(colour(PLAIN), to);
}

static void
ticket_line(FILE *to, const struct model *m, const struct row *r, size_t width)
{
	size_t used =
	    1 + TLP_CELL + 1 + LEFT_CELL + 1 + (width < WIDE ? 6 : 10);

	print_tlp(to, r->m->tlp);
	putc(' ', to);
	left_cell(to, r, m->now);
	precedence_cell(to, r->m->precedence, width);
	if (width >= NARROW) {
		safe_cell(to, r->state, width < WIDE ? 9 : 11);
		putc(' ', to);
		from_cell(to, r->m->from, width);
		used += width < WIDE ? 10 + 12 : 12 + 21;
	}
	if (width > used)
		subject_cell(to, m, r, width - used);
}

static void
message_line(FILE *to, const struct model_line *l, size_t width)
{
	size_t used = 1 + 2 + TLP_CELL + 1;
	char at[64];

	fputs("  ", to);
	print_tlp(to, l->tlp);
	putc(' ', to);
	clock_text(at, l->time, false);
	at[strcspn(at, " ")] = '\0';
	used += strlen(at) + 1;
	fprintf(to, "%s ", at);
	if (width > used)
		safe_title(to, l->text, width - used);
}

void
desk_item(FILE *to, const struct model *m, size_t i, size_t width)
{
	const struct model_item *item = &m->item[i];

	putc(i == m->chosen ? '>' : ' ', to);
	if (item->line != NULL)
		message_line(to, item->line, width);
	else
		ticket_line(to, m, item->row, width);
}

static void
cut_print(FILE *to, struct buf *b, size_t width)
{
	buf_u8(b, '\0');
	if (buf_ok(b))
		safe_title(to, (const char *)b->p, width);
	buf_release(b);
}

void
desk_more(FILE *to, const struct model *m, size_t width)
{
	const struct row *r = model_row(m);
	struct buf b = { 0 };
	char left[32];

	if (r == NULL) {
		safe_title(to,
		    m->rows == NULL ? "The tickets are being read."
		    : m->norder == 0
			? "There are no tickets here yet."
			: "No ticket is listed: f lists others, Esc ends a "
			  "search.",
		    width);
		putc('\n', to);
		return;
	}
	model_left(left, r, m->now);
	buf_addf(&b, "%s %s from %s", r->m->short_id, r->state, r->m->from);
	if (r->m->refused != TOCSIN_OK && !r->m->coming)
		buf_addf(&b, " [%s]", tocsin_err_name(r->m->refused));
	if (left[0] != '\0')
		buf_addf(&b, ", %s%s%s", r->clock != NULL ? r->clock : "answer",
		    " ", left);
	if (r->escalated > 0)
		buf_addz(&b, ", escalated");
	if (r->ncoming > 0)
		buf_addf(&b, ", %zu still to come", r->ncoming);
	cut_print(to, &b, width);
	putc('\n', to);
	if (r->m->exercise != NULL)
		fprintf(to, "%sEXERCISE%s ", colour(AMBER), colour(PLAIN));
	safe_title(to, r->m->subject,
	    width - (r->m->exercise != NULL && width > 20 ? 9 : 0));
}

/* ---- the broker ---- */

void
desk_state(FILE *to, const struct work *w, size_t width)
{
	const struct feed_state *s = &w->state;
	bool up = s->link == TOCSIN_OK;
	struct buf b = { 0 };
	char at[64];

	clock_text(at, s->since, true);
	if (up)
		buf_addz(&b, "Broker: linked");
	else if (s->linked)
		buf_addf(&b, "Broker: AWAY since %s", at);
	else
		buf_addz(&b, "Broker: no link yet");
	if (s->queued > 0)
		buf_addf(
		    &b, up ? ", %zu on the way" : ", %zu queued", s->queued);
	saver_text(w->saver, &b);
	if (s->trouble[0] != '\0')
		buf_addf(&b, "; the desk: %s", s->trouble);
	else if (s->held != TOCSIN_OK)
		buf_addf(&b, " [%s]: %s", tocsin_err_name(s->held),
		    tocsin_err_text(s->held));
	else if (!up && s->link != TOCSIN_EUNAVAILABLE)
		buf_addf(&b, " [%s]: %s", tocsin_err_name(s->link),
		    tocsin_err_text(s->link));
	fputs(colour(up ? GREEN : AMBER), to);
	cut_print(to, &b, width);
	fputs(colour(PLAIN), to);
}

void
desk_hint(FILE *to, const struct model *m, size_t width)
{
	static const char *const hints[] = {
		[MODE_LIST] = "?help Enter:open a:accept s:seen d:defer "
			      "r:refuse e:escalate n:note x:close /:search "
			      "f:filter q:end g:share h:request u:reopen "
			      "v:save",
		[MODE_TICKET] = ("?help q:back a:accept s:seen d:defer "
				 "r:refuse e:escalate n:note x:close v:save "
				 "g:share h:request u:reopen"),
		[MODE_HELP] = "q: back",
		[MODE_SEARCH] = "Enter: keep  Esc: all again",
		[MODE_ASK] = "Enter: on  Tab: complete  Esc: give up",
		[MODE_SURE] = "y: yes, send it  n: no, nothing is sent",
	};

	safe_title(to, hints[m->mode], width);
}

/* ---- deeds ---- */

static void
choices(FILE *to, const struct model *m)
{
	const struct word *w = model_choices(m);
	size_t i, n = 0;

	for (i = 0; w != NULL && w[i].word != NULL; i++)
		fprintf(to, "  %zu %-*s %s\n", i + 1, CHOICE_CELL, w[i].word,
		    w[i].says);
	for (i = 0; m->mode == MODE_ASK && m->asking == ASK_PART &&
		    m->draft.part[i] != NULL;
	     i++) {
		fprintf(to, "  %zu ", i + 1);
		safe_title(to, m->draft.part[i], SUBJECT_MAX);
		putc('\n', to);
	}
	if (m->mode != MODE_ASK || m->asking != ASK_TO)
		return;
	fputs("  members:", to);
	for (i = 0; m->members[i] != NULL && n < 600; i++)
		n += (size_t)fprintf(to, " %s", m->members[i]);
	fputs(m->members[i] != NULL ? " ...\n" : "\n", to);
}

/* What others wrote is cut: nothing that we say may be pushed out of sight. */
static void
named(FILE *to, const char *name, const char *text, size_t most)
{
	if (text == NULL || text[0] == '\0')
		return;
	fprintf(to, "  %-9s ", name);
	safe_title(to, text, most);
	putc('\n', to);
}

void
desk_deed(FILE *to, const struct model *m)
{
	const struct model_draft *d = &m->draft;
	struct buf b = { 0 };
	size_t i;

	print_tlp(to, d->tlp);
	fprintf(to, " %s%s %s%s\n", colour(BOLD), d->deed->word, d->short_id,
	    colour(PLAIN));
	named(to, "subject", d->subject, SUBJECT_MAX);
	for (i = 0; d->to[i] != NULL; i++)
		named(to,
		    i > 0				     ? "and"
		    : strcmp(d->deed->word, "escalate") == 0 ? "before"
							     : "to",
		    d->to[i], ALL);
	named(to, "goes to", (const char *)d->goes.p, ALL);
	named(to, "reason", d->reason, ALL);
	named(to, "ended as", d->resolution, ALL);
	named(to, "file", d->chosen, SUBJECT_MAX);
	if (m->mode == MODE_SURE || m->asking == ASK_WHEN)
		named(to, "says", d->text, SUBJECT_MAX);
	choices(to, m);
	model_question(m, &b);
	fprintf(to, "%s", buf_ok(&b) ? (const char *)b.p : "");
	buf_release(&b);
}

void
desk_help(FILE *to)
{
	const struct model_help *h;
	const struct deed *d;

	fprintf(to, "%sWhat is done to the chosen ticket%s\n", colour(BOLD),
	    colour(PLAIN));
	for (d = deeds; d->word != NULL; d++)
		fprintf(to, "  %c  %-9s %s%s\n", (char)d->key, d->word, d->help,
		    d->asks & ASKS(ASK_SURE) ? "; asks whether you are sure"
					     : "");
	fprintf(to, "\n%sOther keys%s\n", colour(BOLD), colour(PLAIN));
	for (h = model_help; h->keys != NULL; h++)
		fprintf(to, "  %-22s %s\n", h->keys, h->what);
	fputs("\nThe first column is the label. Then the time that is left, "
	      "the precedence, where the ticket stands, and whose it is. "
	      "+3 before a subject: three more messages.\n",
	    to);
}

/* ---- line mode ---- */

void
desk_spoken(FILE *to, const struct model *m, const struct row *r)
{
	char left[32];

	model_left(left, r, m->now);
	fprintf(to, "TLP:%s, %s, %s, ", r->m->tlp, r->m->precedence, r->state);
	if (left[0] != '\0')
		fprintf(
		    to, "%s%s, ", left, model_late(r, m->now) ? "" : " left");
	fprintf(to, "from %s", r->m->from);
	if (r->messages > 1)
		fprintf(to, ", %zu messages", r->messages);
	if (r->m->exercise != NULL)
		fputs(", EXERCISE", to);
	if (r->m->subject != NULL)
		fputs(": ", to);
	safe_title(to, r->m->subject, 200);
	fprintf(to, " (%s)\n", r->m->short_id);
}
