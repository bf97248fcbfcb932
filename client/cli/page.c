/* SPDX-License-Identifier: ISC */
#include "client/cli/page.h"

#include "client/cli/page_frame.h"
#include "client/cli/page_static.h"
#include "client/vocab.h"

#include <string.h>

#define REFRESH_FILE 60	  /* seconds, of a page that is a file */
#define REFRESH_SERVED 10 /* of one that is served to who has no script */

#define LATE "\xe2\x96\xb2"  /* a triangle */
#define WAITS "\xe2\x97\x8b" /* a circle */
#define AWAY "\xe2\x9c\x95"  /* a cross */
#define DASH "\xe2\x80\x93"
#define DOT " \xc2\xb7 "

static const char *const level_says[TICKET_PRECEDENCES] = { "Flash",
	"Immediate", "Priority", "Routine" };

/* ---- words ---- */

static const char *
s_of(unsigned n)
{
	return n == 1 ? "" : "s";
}

static struct page_frame
frame_of(const struct picture *p, bool served)
{
	return (struct page_frame){ .tlp = p->tlp,
		.foot = "tocsin board",
		.script = served ? page_script : NULL,
		.refresh = served ? REFRESH_SERVED : REFRESH_FILE };
}

/* A page in a frame of somebody's is refused; only a header can say so. */
enum tocsin_err
page_policy(struct buf *out, const struct picture *p, bool served)
{
	const struct page_frame frame = frame_of(p, served);

	page_frame_policy(out, &frame);
	buf_addz(out, "; frame-ancestors 'none'");
	return buf_ok(out) ? TOCSIN_OK : TOCSIN_EINTERNAL;
}

/* ---- tiles ---- */

static void
begin_tile(struct buf *out, const char *class, const char *name, unsigned n)
{
	buf_addf(out,
	    "<div class=\"tile %s\"><p class=\"name\">%s</p><b>%u</b>"
	    "<p class=\"say\">",
	    class, name, n);
}

static void
end_tile(struct buf *out)
{
	buf_addz(out, "</p></div>\n");
}

static int64_t
longest(const struct picture_side *s)
{
	int64_t most = -1;
	size_t i;

	for (i = 0; i < s->nnation; i++)
		if (s->nation[i].longest > most)
			most = s->nation[i].longest;
	return most;
}

static const char *
waiting_says(const struct page_about *a)
{
	return a->headers ? "No word yet" : "No answer yet";
}

static void
add_counts(
    struct buf *out, const struct picture_side *s, const struct page_about *a)
{
	int64_t oldest = longest(s);

	begin_tile(out, "open", "Open tickets", s->all.open);
	buf_addf(out, "last 24 h: %u opened, %u closed", s->opened, s->ended);
	end_tile(out);

	buf_addf(out,
	    "<div class=\"tile %s\"><p class=\"name\">" WAITS
	    " %s</p><b>%u</b><p class=\"say\">",
	    s->all.waiting > 0 ? "wait" : "calm", waiting_says(a),
	    s->all.waiting);
	if (oldest >= 0) {
		buf_addz(out, "the longest waits ");
		page_span(out, oldest);
	} else {
		buf_addz(out, "nobody is waited for");
	}
	end_tile(out);

	buf_addf(out,
	    "<div class=\"tile %s\"><p class=\"name\">" LATE
	    " Overdue</p><b>%u</b><p class=\"say\">%s",
	    s->all.overdue > 0 ? "late" : "calm", s->all.overdue,
	    s->all.overdue > 0 ? "an answer was due and is not here"
			       : "every answer is in time");
	end_tile(out);

	begin_tile(out, "escalated", "Escalated", s->escalated);
	if (s->turned_away > 0)
		buf_addf(out, "%u turned away by a broker", s->turned_away);
	else
		buf_addz(out, "brought before others");
	end_tile(out);
}

static void
add_answers(
    struct buf *out, const struct picture_side *s, const struct page_about *a)
{
	const struct picture_times *t = &s->times;

	buf_addf(out,
	    "<div class=\"tile times\"><p class=\"name\">%s after</p><b>",
	    a->headers ? "First word" : "Answered");
	if (t->n > 0)
		page_span(out, t->median);
	else
		buf_addz(out, DASH);
	buf_addz(out, "</b><p class=\"say\">");
	if (t->n > 0) {
		buf_addz(out, "median; nine of ten within ");
		page_span(out, t->p90);
		buf_addf(out, " (%u in 30 d)", t->n);
	} else {
		buf_addz(out, "no answer in the last 30 d");
	}
	end_tile(out);
}

static void
add_outlook(struct buf *out, const struct picture_side *s)
{
	static const char *const arrows[] = { "\xe2\x86\x98", "\xe2\x86\x92",
		"\xe2\x86\x97" };
	size_t i, n = 0;

	while (vocab_word(VOCAB_OUTLOOK, n) != NULL)
		n++;
	buf_addz(out, "<div class=\"tile outlook wide\"><p class=\"name\">"
		      "Outlook</p><ul>\n");
	for (i = n; i-- > 0;) /* what gets worse, first */
		buf_addf(out, "<li><b>%u</b> <span>%s %s</span></li>\n",
		    s->outlook[i], i < 3 ? arrows[i] : "",
		    vocab_word(VOCAB_OUTLOOK, i));
	buf_addf(out, "</ul><p class=\"say\">%u not said</p></div>\n",
	    s->outlook_unsaid + s->outlook_other);
}

static void
add_tiles(
    struct buf *out, const struct picture_side *s, const struct page_about *a)
{
	buf_addz(out, "<div class=\"tiles\">\n");
	add_counts(out, s, a);
	add_answers(out, s, a);
	if (!a->headers)
		add_outlook(out, s);
	buf_addz(out, "</div>\n");
}

/* ---- the table of nations ---- */

/* Three heights, so that no colour is needed to tell them apart. */
static void
add_cell_bar(struct buf *out, const struct picture_count *c, unsigned most)
{
	const struct {
		const char *class;
		unsigned n, height;
	} parts[] = {
		{ "s-late", c->overdue, 12 },
		{ "s-wait", c->waiting - c->overdue, 8 },
		{ "s-rest", c->open - c->waiting, 3 },
	};
	unsigned x = 0;
	size_t i;

	buf_addz(out, "<svg class=\"cell\" viewBox=\"0 0 1000 12\" "
		      "preserveAspectRatio=\"none\" aria-hidden=\"true\">");
	for (i = 0; most > 0 && i < 3; i++) {
		unsigned w = parts[i].n * 1000 / most;

		if (w > 0)
			buf_addf(out,
			    "<rect class=\"%s\" x=\"%u\" y=\"%u\" width=\"%u\" "
			    "height=\"%u\"/>",
			    parts[i].class, x, 12 - parts[i].height, w,
			    parts[i].height);
		x += w;
	}
	buf_addz(out, "</svg>");
}

static void
add_cell(struct buf *out, const char *class, const char *key,
    const struct picture_count *c, unsigned turned_away, unsigned most)
{
	buf_addf(out, "<td class=\"%s%s\" data-k=\"%s\">", class,
	    c->open == 0 ? " zero" : "", key);
	if (c->open == 0) {
		buf_addz(out, "<span class=\"n\">" DASH "</span></td>");
		return;
	}
	buf_addf(out, "<span class=\"n\">%u</span>", c->open);
	if (c->waiting > 0)
		buf_addf(out,
		    "<span class=\"w\">" WAITS "%u<span class=\"vh\"> without "
		    "an answer</span></span>",
		    c->waiting);
	if (c->overdue > 0)
		buf_addf(out,
		    "<span class=\"l\">" LATE "%u<span class=\"vh\"> overdue"
		    "</span></span>",
		    c->overdue);
	if (turned_away > 0)
		buf_addf(out,
		    "<span class=\"x\">" AWAY "%u<span class=\"vh\"> turned "
		    "away by its broker</span></span>",
		    turned_away);
	add_cell_bar(out, c, most);
	buf_addz(out, "</td>");
}

/* Of a time on an axis of 240, whose marks stand evenly apart. */
static unsigned
place_of(int64_t seconds)
{
	static const int64_t marks[] = { 60, 600, 3600, 6 * 3600, PICTURE_DAY,
		7 * PICTURE_DAY, 30 * PICTURE_DAY };
	size_t i;

	if (seconds <= marks[0])
		return 0;
	for (i = 1; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (seconds <= marks[i])
			return (unsigned)(40 * (i - 1)) +
			       (unsigned)(40 * (seconds - marks[i - 1]) /
					  (marks[i] - marks[i - 1]));
	return 240;
}

static void
add_span_bar(struct buf *out, const struct picture_times *t)
{
	unsigned a = 6 + place_of(t->median), b = 6 + place_of(t->p90), i;

	buf_addz(out, "<svg class=\"span\" viewBox=\"0 0 252 14\" "
		      "aria-hidden=\"true\">");
	for (i = 0; i <= 6; i++)
		buf_addf(out,
		    "<line class=\"axis\" x1=\"%u\" x2=\"%u\" y1=\"0\" "
		    "y2=\"14\"/>",
		    6 + 40 * i, 6 + 40 * i);
	buf_addf(out,
	    "<line class=\"reach\" x1=\"%u\" x2=\"%u\" y1=\"7\" y2=\"7\"/>"
	    "<rect class=\"mid\" x=\"%u\" y=\"1\" width=\"6\" height=\"12\"/>"
	    "<line class=\"reach\" x1=\"%u\" x2=\"%u\" y1=\"2\" y2=\"12\"/>"
	    "</svg>",
	    a, b, a - 3, b, b);
}

/* The same axis with its words, over the column. */
static void
add_axis(struct buf *out)
{
	static const char *const says[] = { "1m", "10m", "1h", "6h", "1d", "7d",
		"30d" };
	unsigned i;

	buf_addz(out, "<svg class=\"span\" viewBox=\"0 0 252 13\" "
		      "aria-hidden=\"true\">");
	for (i = 0; i <= 6; i++)
		buf_addf(out,
		    "<text class=\"tick\" x=\"%u\" y=\"11\" "
		    "text-anchor=\"%s\">%s</text>",
		    i == 0   ? 0
		    : i == 6 ? 252
			     : 6 + 40 * i,
		    i == 0   ? "start"
		    : i == 6 ? "end"
			     : "middle",
		    says[i]);
	buf_addz(out, "</svg>");
}

static void
add_times(struct buf *out, const struct picture_times *t)
{
	buf_addf(out,
	    "<td class=\"times%s\" data-k=\"Median " DASH " nine of ten\">",
	    t->n == 0 ? " zero" : "");
	if (t->n == 0) {
		buf_addz(out, DASH "</td>");
		return;
	}
	buf_addz(out, "<span class=\"t\"><b>");
	page_span(out, t->median);
	buf_addz(out, "</b> " DASH " ");
	page_span(out, t->p90);
	buf_addf(out, " <span class=\"dim\">of %u</span></span>", t->n);
	add_span_bar(out, t);
	buf_addz(out, "</td>");
}

static void
add_nation(struct buf *out, const struct picture_nation *n, unsigned most,
    unsigned most_of_level)
{
	size_t i;

	buf_addf(out, "<tr><th scope=\"row\"%s>",
	    strlen(n->name) > 4 ? " class=\"long\"" : "");
	page_text(out, n->name);
	buf_addf(out,
	    "</th><td class=\"raised%s\" data-k=\"Raised\"><span "
	    "class=\"t\">%u</span></td>",
	    n->raised == 0 ? " zero" : "", n->raised);
	add_cell(out, "all", "Asked, open", &n->all, n->turned_away, most);
	for (i = 0; i < TICKET_PRECEDENCES; i++)
		add_cell(out, "level", level_says[i], &n->level[i], 0,
		    most_of_level);
	buf_addf(out,
	    "<td class=\"wait-for%s\" data-k=\"Longest wait\"><span "
	    "class=\"t\">",
	    n->longest < 0 ? " zero" : "");
	if (n->longest < 0)
		buf_addz(out, DASH);
	else
		page_span(out, n->longest);
	buf_addz(out, "</span></td>");
	add_times(out, &n->times);
	buf_addz(out, "</tr>\n");
}

static unsigned
more(unsigned a, unsigned b)
{
	return a > b ? a : b;
}

static void
add_nations(
    struct buf *out, const struct picture_side *s, const struct page_about *a)
{
	unsigned most = 0, most_of_level = 0;
	size_t i, k;

	buf_addz(out, "<section class=\"card nations\"><h3>Who is asked, and "
		      "who has not answered</h3>\n");
	if (s->nnation == 0) {
		buf_addz(out, "<p class=\"dim\">No ticket here asks or asked "
			      "anybody in the last 30 days.</p></section>\n");
		return;
	}
	buf_addz(out, "<table><thead><tr>"
		      "<th scope=\"col\" class=\"c-nation\">Nation</th>"
		      "<th scope=\"col\" class=\"c-raised\">Raised</th>"
		      "<th scope=\"col\" class=\"c-all\">Asked, open</th>");
	for (i = 0; i < TICKET_PRECEDENCES; i++)
		buf_addf(out, "<th scope=\"col\">%s</th>", level_says[i]);
	buf_addf(out,
	    "<th scope=\"col\" class=\"c-wait\">Longest wait</th>"
	    "<th scope=\"col\" class=\"c-times\">%s after: "
	    "median " DASH " nine of ten",
	    a->headers ? "First word" : "Answered");
	add_axis(out);
	buf_addz(out, "</th></tr></thead><tbody>\n");
	for (i = 0; i < s->nnation; i++) {
		most = more(s->nation[i].all.open, most);
		for (k = 0; k < TICKET_PRECEDENCES; k++)
			most_of_level =
			    more(s->nation[i].level[k].open, most_of_level);
	}
	for (i = 0; i < s->nnation; i++)
		add_nation(out, &s->nation[i], most, most_of_level);
	buf_addz(out, "</tbody></table></section>\n");
}

/* ---- ages ---- */

#define COLUMN 66   /* from one to the next */
#define COLUMN_W 56 /* of it drawn */
#define BASE 214
#define TALLEST 182
#define KEYS 116 /* from one of the legend to the next */

/* Stacked from the most urgent at the bottom; a letter where there is room. */
static void
add_column(struct buf *out, const unsigned n[TICKET_PRECEDENCES], size_t at,
    unsigned most)
{
	static const char letters[] = "FIPR";
	unsigned y = BASE, all = 0, x = (unsigned)at * COLUMN + 4;
	size_t i;

	for (i = 0; i < TICKET_PRECEDENCES; i++) {
		unsigned h = n[i] * TALLEST / most;

		all += n[i];
		if (h == 0)
			continue;
		y -= h;
		buf_addf(out,
		    "<rect class=\"l%zu\" x=\"%u\" y=\"%u\" width=\"%d\" "
		    "height=\"%u\"/>",
		    i, x, y, COLUMN_W, h > 3 ? h - 2 : h);
		if (h >= 19)
			buf_addf(out,
			    "<text class=\"on\" x=\"%u\" y=\"%u\" "
			    "text-anchor=\"middle\">%c %u</text>",
			    x + COLUMN_W / 2, y + h / 2 + 5, letters[i], n[i]);
	}
	buf_addf(out,
	    "<text class=\"%s\" x=\"%u\" y=\"%u\" text-anchor=\"middle\">%u"
	    "</text>",
	    all > 0 ? "big" : "low", x + COLUMN_W / 2, y - 7, all);
}

static unsigned
of_age(const struct picture_side *s, size_t age)
{
	unsigned all = 0;
	size_t i;

	for (i = 0; i < TICKET_PRECEDENCES; i++)
		all += s->age[age][i];
	return all;
}

static void
add_legend(struct buf *out)
{
	unsigned x = 4;
	size_t i;

	for (i = 0; i < TICKET_PRECEDENCES; i++, x += KEYS)
		buf_addf(out,
		    "<rect class=\"l%zu\" x=\"%u\" y=\"%d\" width=\"14\" "
		    "height=\"14\"/><text class=\"low\" x=\"%u\" y=\"%d\">"
		    "%s</text>",
		    i, x, BASE + 35, x + 19, BASE + 48, level_says[i]);
}

/* What the drawing shows, for who cannot see it. */
static void
say_ages(struct buf *out, const struct picture_side *s)
{
	size_t i, k;

	buf_addz(out, "<title>Open tickets by age: ");
	for (i = 0; i < PICTURE_AGES; i++) {
		buf_addz(out, i > 0 ? ", " : "");
		page_text(out, picture_age[i].says);
		buf_addf(out, " %u", of_age(s, i));
		for (k = 0; k < TICKET_PRECEDENCES; k++)
			if (s->age[i][k] > 0)
				buf_addf(
				    out, " %s %u", level_says[k], s->age[i][k]);
	}
	buf_addz(out, "</title>");
}

static void
add_ages(struct buf *out, const struct picture_side *s)
{
	unsigned most = 1, x = 4 + COLUMN_W / 2;
	size_t i;

	for (i = 0; i < PICTURE_AGES; i++)
		most = of_age(s, i) > most ? of_age(s, i) : most;
	buf_addz(out, "<section class=\"card ages\"><h3>How old the open ones "
		      "are</h3>\n<svg viewBox=\"0 0 464 268\" role=\"img\">");
	say_ages(out, s);
	buf_addf(out,
	    "<line class=\"axis\" x1=\"0\" x2=\"464\" y1=\"%d\" y2=\"%d\"/>",
	    BASE, BASE);
	for (i = 0; i < PICTURE_AGES; i++, x += COLUMN) {
		add_column(out, s->age[i], i, most);
		buf_addf(out,
		    "<text class=\"low\" x=\"%u\" y=\"%d\" "
		    "text-anchor=\"middle\">",
		    x, BASE + 20);
		page_text(out, picture_age[i].says);
		buf_addz(out, "</text>");
	}
	add_legend(out);
	buf_addz(out, "</svg></section>\n");
}

/* ---- severity ---- */

static void
add_severity_row(struct buf *out, const char *word, unsigned n, unsigned most)
{
	buf_addz(out, "<span>");
	page_text(out, word);
	buf_addf(out,
	    "</span><svg viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" "
	    "aria-hidden=\"true\"><rect class=\"s-rest\" x=\"0\" y=\"0\" "
	    "width=\"%u\" height=\"10\"/></svg><b>%u</b>\n",
	    most > 0 ? n * 1000 / most : 0, n);
}

static void
add_severity(struct buf *out, const struct picture_side *s)
{
	unsigned most = more(s->severity_other, s->severity_unsaid);
	size_t i;

	for (i = 0; i < PICTURE_WORDS; i++)
		most = more(s->severity[i], most);
	buf_addz(out, "<section class=\"card severity\"><h3>How bad they are, "
		      "as was said last</h3>\n<div class=\"bars\">\n");
	for (i = 0; i < PICTURE_WORDS; i++)
		if (s->severity[i] > 0)
			add_severity_row(out, vocab_word(VOCAB_SEVERITY, i),
			    s->severity[i], most);
	if (s->severity_other > 0)
		add_severity_row(out, "other words", s->severity_other, most);
	add_severity_row(out, "not said", s->severity_unsaid, most);
	buf_addz(out, "</div></section>\n");
}

/* ---- sides ---- */

static void
add_side(
    struct buf *out, const struct picture_side *s, const struct page_about *a)
{
	add_tiles(out, s, a);
	buf_addz(out, "<div class=\"grid\">\n");
	add_nations(out, s, a);
	buf_addz(out, "<div class=\"more\">\n");
	add_ages(out, s);
	if (!a->headers)
		add_severity(out, s);
	buf_addz(out, "</div></div>\n");
}

static void
add_exercise(
    struct buf *out, const struct picture_side *s, const struct page_about *a)
{
	size_t i;

	if (s->tickets == 0)
		return;
	buf_addz(out, "<section class=\"side exercise\"><h2>EXERCISE, NOT REAL"
		      ": ");
	for (i = 0; i < s->nname; i++) {
		buf_addz(out, i > 0 ? ", <bdi>" : "<bdi>");
		page_text(out, s->name[i]);
		buf_addz(out, "</bdi>");
	}
	if (s->more_names)
		buf_addz(out, " and others");
	buf_addz(out, "</h2>\n");
	add_side(out, s, a);
	buf_addz(out, "</section>\n");
}

/* ---- head and foot ---- */

static void
add_title(struct buf *out, const struct picture *p)
{
	if (p->live.all.overdue > 0)
		buf_addf(out, LATE "%u overdue, ", p->live.all.overdue);
	buf_addf(out, "%u open, TLP:%s" DOT "tocsin", p->live.all.open,
	    ticket_tlp_name(p->tlp));
}

/* Of a desk on which nothing is real. */
static void
add_mark(struct buf *out, const struct page_about *a)
{
	if (a->exercise == NULL || a->exercise[0] == '\0')
		return;
	buf_addz(out, "<p class=\"trouble\">EXERCISE EXERCISE EXERCISE <bdi>");
	page_text(out, a->exercise);
	buf_addz(out, "</bdi>: nothing on this desk is real</p>\n");
}

static void
add_bar(struct buf *out, const struct picture *p, const struct page_about *a)
{
	buf_addz(out, "<header class=\"bar\"><div class=\"who\"><h1>Situation "
		      "picture</h1><p class=\"dim\"><bdi>");
	page_text(out, a->federation);
	buf_addz(out, "</bdi>" DOT "as <bdi>");
	page_text(out, a->member);
	buf_addf(out, "</bdi> sees it%s</p></div><p class=\"time\">",
	    a->headers ? DOT "from signed headers alone" : "");
	page_time(out, p->at, true);
	buf_addz(out, "</p>");
	page_tlp(out, p->tlp);
	buf_addz(out, "</header>\n");
	add_mark(out, a);
	if (a->trouble != NULL) {
		buf_addz(out, "<p class=\"trouble\">\xe2\x9a\xa0 ");
		page_text(out, a->trouble);
		buf_addz(out, "</p>\n");
	}
}

static void
add_notes(struct buf *out, const struct page_about *a)
{
	buf_addz(out,
	    "<div class=\"notes\"><p>" WAITS
	    " somebody who was asked has not answered. " LATE
	    " the time for it is over. " AWAY
	    " its broker turned it away. Counted are the tickets that "
	    "this member sent or was sent; a ticket may ask several "
	    "nations.");
	if (a->headers)
		buf_addz(out, " Nothing was opened: any acknowledgement counts "
			      "as a word, also one that says no more than that "
			      "the ticket was read.");
	buf_addz(out, "</p><p>");
	if (a->newest > 0) {
		buf_addz(out, "The last message came here ");
		page_time(out, a->newest, false);
		buf_addz(out, ". ");
	} else {
		buf_addz(out, "No message has come here yet. ");
	}
	if (a->queued > 0)
		buf_addf(out, "%u message%s of ours wait%s in the outbox. ",
		    a->queued, s_of(a->queued), a->queued == 1 ? "s" : "");
	if (a->left_out > 0)
		buf_addf(out,
		    "%u message%s that could not be believed %s not counted.",
		    a->left_out, s_of(a->left_out),
		    a->left_out == 1 ? "is" : "are");
	buf_addz(out, "</p></div>\n");
}

/* An exercise stands below, where a screen may not reach; so it is said here.
 */
static void
add_heading(struct buf *out, const struct picture *p)
{
	if (p->exercise.tickets == 0) {
		buf_addz(out, "<h2 class=\"vh\">Real incidents</h2>\n");
		return;
	}
	buf_addf(out,
	    "<div class=\"split\"><h2>Real incidents</h2><p>Below and not in "
	    "these figures: an exercise, %u open</p></div>\n",
	    p->exercise.all.open);
}

enum tocsin_err
page_print(struct buf *out, const struct picture *p, const struct page_about *a)
{
	const struct page_frame frame = frame_of(p, a->served);
	struct buf title = { 0 };

	add_title(&title, p);
	page_begin(out, &frame, buf_span(&title));
	buf_drop(&title);
	buf_addf(out,
	    "<p id=\"stale\" role=\"alert\" hidden=\"hidden\"></p>\n"
	    "<div id=\"picture\" data-at=\"%lld\">\n",
	    (long long)p->at);
	add_bar(out, p, a);
	buf_addz(out, "<main>\n<section class=\"side live\">\n");
	add_heading(out, p);
	add_side(out, &p->live, a);
	buf_addz(out, "</section>\n");
	add_exercise(out, &p->exercise, a);
	buf_addz(out, "</main>\n<footer>");
	add_mark(out, a);
	add_notes(out, a);
	page_tlp(out, p->tlp);
	buf_addz(out, "</footer>\n</div>\n");
	page_end(out, &frame);
	return buf_ok(out) ? TOCSIN_OK : TOCSIN_EINTERNAL;
}
