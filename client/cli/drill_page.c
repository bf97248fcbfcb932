/* SPDX-License-Identifier: ISC */
#include "client/cli/drill_report.h"
#include "client/cli/page_frame.h"

#include <string.h>

#define LATE "\xe2\x96\xb2"  /* a triangle */
#define WAITS "\xe2\x97\x8b" /* a circle */
/* What is wider than the window is moved by keys, too. */
#define SCROLL(name)                                            \
	"<div class=\"scroll\" tabindex=\"0\" role=\"region\" " \
	"aria-label=\"" name "\">"
#define AWAY "\xe2\x9c\x95" /* a cross */
#define GOOD "\xe2\x97\x8f" /* a full circle */
#define DASH "\xe2\x80\x93"
#define DOT " \xc2\xb7 "

#define COLUMNS 30 /* players that a table has room for */
#define NAMED 12   /* players that a line names */

static const char drill_style[] =
    "h1{line-height:1.5}"
    "h1 .ex{border:.25rem solid;padding:0 .4rem;margin-right:.5rem;"
    "white-space:nowrap}"
    ".nations{display:grid;gap:.6rem;"
    "grid-template-columns:repeat(auto-fit,minmax(8.2rem,1fr))}"
    ".tiles b .dim{font-size:.42em;letter-spacing:0}"
    ".nations b .dim{font-size:.62em}"
    ".nations .tile b{font-size:1.9rem;letter-spacing:0}"
    ".nations .tile .state{font-weight:750}"
    ".tile.good{border-left:.4rem solid var(--good)}"
    ".tile.part{border-left:.4rem solid var(--wait)}"
    ".tile.part .state{color:var(--wait)}"
    ".lines svg{max-width:none}"
    ".band{fill:var(--late);opacity:.13}"
    ".rule{stroke:var(--line);stroke-width:1}"
    ".at{stroke:var(--line);stroke-width:1;stroke-dasharray:2 3}"
    ".took{stroke:var(--good);stroke-width:2.4}"
    ".slow{stroke:var(--wait);stroke-width:2.4}"
    ".never{stroke:var(--late);stroke-width:2;stroke-dasharray:5 3}"
    ".end{fill:var(--good)}.end-slow{fill:var(--wait)}"
    ".seen{fill:var(--bg);stroke:var(--ink);stroke-width:1.1}"
    ".cross{stroke:var(--late);stroke-width:2}"
    ".told{fill:var(--calm)}"
    "text.who{font-size:14px;font-weight:750}"
    "text.bad{fill:var(--late);font-size:11.5px;font-weight:750}"
    "text.sub{fill:var(--dim);font-size:11.5px}"
    "table.grid2{table-layout:auto}"
    ".grid2 .what{min-width:15rem}"
    ".grid2 .what span{font-weight:400}"
    ".grid2 th,.grid2 td{padding:.12rem .4rem;font-size:.95rem;"
    "vertical-align:baseline}"
    ".grid2 thead th{text-align:center}.grid2 thead th.w2{text-align:left}"
    ".grid2 tbody th{font-size:1rem;font-weight:650;white-space:normal}"
    ".grid2 td{text-align:center;white-space:nowrap}"
    ".grid2 td.w2{text-align:left;white-space:normal}"
    ".grid2 .bad{color:var(--late);font-weight:750}"
    ".grid2 .late2{color:var(--wait);font-weight:650}"
    ".ok2{color:var(--good);font-weight:650}"
    "thead .badcol{color:var(--on-late);background:var(--late)}"
    ".legend{font-size:.9rem;color:var(--dim);margin-top:.3rem}"
    "@media screen and (max-width:900px){.scroll{overflow-x:auto}"
    ".grid2,.grid2 tbody{display:revert}.grid2 thead{position:static;"
    "clip-path:none;height:auto;width:auto;display:revert}"
    ".grid2 tbody tr{display:revert}.lines svg{min-width:44rem}}\n"
    "@media print{.card{break-inside:auto}.lines{break-before:page}}\n";

static const char *const state_says[DRILL_STATES] = {
	"nothing could be sent",
	"nothing was delivered",
	"nothing was opened",
	"SILENT",
	"answered in part",
	"answered",
	"not asked",
};

/* ---- words ---- */

/* Seconds of the exercise as a span; 0 is "at once". */
static void
add_took(struct buf *out, int64_t seconds)
{
	if (seconds == 0)
		buf_addz(out, "&lt;1m");
	else
		page_span(out, seconds);
}

static bool
is_bad(enum drill_state s)
{
	return s <= DRILL_SILENT;
}

static const char *
name_of(const struct drill_inject *i)
{
	if (i->m != NULL && i->m->subject != NULL)
		return i->m->subject;
	if (i->script != NULL && i->script->subject != NULL)
		return i->script->subject;
	return i->script != NULL && i->script->in != NULL
		   ? i->script->in->subject
		   : "";
}

static void
add_times(
    struct buf *out, const struct drill_report *r, const struct drill_times *t)
{
	if (t->n == 0) {
		buf_addz(out, DASH);
		return;
	}
	add_took(out, t->median * (int64_t)r->speed);
	buf_addz(out, " " DASH " ");
	add_took(out, t->p90 * (int64_t)r->speed);
}

/* ---- head ---- */

static void
add_bar(
    struct buf *out, const struct drill_report *r, const struct drill_about *a)
{
	buf_addz(out, "<header class=\"bar\"><div class=\"who\"><h1><span "
		      "class=\"ex\">EXERCISE, NOT REAL</span><bdi>");
	page_text(out, a->script != NULL ? a->script->title : a->exercise);
	buf_addz(out, "</bdi></h1><p class=\"dim\"><bdi>");
	page_text(out, a->exercise);
	buf_addz(out, "</bdi>" DOT "<bdi>");
	page_text(out, a->federation);
	buf_addz(out, "</bdi>" DOT "held by <bdi>");
	page_text(out, r->control);
	buf_addz(out, "</bdi>" DOT "as <bdi>");
	page_text(out, a->member);
	buf_addz(out, "</bdi> sees it</p></div><p class=\"time\">");
	page_time(out, r->over ? r->end : a->now, true);
	buf_addz(out, "</p>");
	page_tlp(out, a->tlp);
	buf_addz(out, "</header>\n");
}

static void
add_tile(struct buf *out, const char *class, const char *name, unsigned n,
    unsigned of, const char *says)
{
	buf_addf(out, "<div class=\"tile %s\"><p class=\"name\">%s</p><b>%u",
	    class, name, n);
	if (of > 0)
		buf_addf(out, " <span class=\"dim\">of %u</span>", of);
	buf_addf(out, "</b><p class=\"say\">%s</p></div>\n", says);
}

static void
add_summary(struct buf *out, const struct drill_report *r)
{
	unsigned bad = 0, posted = 0;
	size_t i;

	for (i = 0; i < r->nnation; i++)
		bad += is_bad(r->nation[i].state);
	for (i = 0; i < r->ninject; i++)
		posted += r->inject[i].m != NULL;
	buf_addz(out, "<div class=\"tiles\">\n");
	add_tile(out, bad > 0 ? "late" : "calm", LATE " Nations without a word",
	    bad, (unsigned)r->nnation,
	    bad > 0 ? "they stand first below" : "all have answered something");
	add_tile(out, "open", "Answers", r->sum.answer, r->sum.asked,
	    "of all that was asked of somebody");
	add_tile(out, "open", "Injects", posted, (unsigned)r->ninject,
	    r->over ? "the exercise is over" : "the exercise goes on");
	if (r->nexpected > 0)
		add_tile(out, "open", "Expectations met", r->verdict[DRILL_MET],
		    (unsigned)r->nexpected,
		    r->verdict[DRILL_OPEN] > 0 ? "some are still open"
					       : "the others were missed");
	buf_addz(out, "<div class=\"tile times\"><p class=\"name\">Answered "
		      "after</p><b>");
	if (r->sum.times[DRILL_ANSWERED].n > 0)
		add_took(out,
		    r->sum.times[DRILL_ANSWERED].median * (int64_t)r->speed);
	else
		buf_addz(out, DASH);
	buf_addz(out, "</b><p class=\"say\">median; nine of ten within ");
	add_took(out, r->sum.times[DRILL_ANSWERED].p90 * (int64_t)r->speed);
	buf_addz(out, "</p></div></div>\n");
}

/* ---- nations ---- */

static void
add_nation(
    struct buf *out, const struct drill_report *r, const struct drill_nation *n)
{
	buf_addf(out, "<div class=\"tile %s\"><p class=\"name\">",
	    is_bad(n->state)	       ? "late"
	    : n->state == DRILL_PARTLY ? "part"
	    : n->state == DRILL_WELL   ? "good"
				       : "calm");
	page_text(out, n->name);
	buf_addf(out,
	    "</p><b>%u <span class=\"dim\">of %u</span></b><p class=\"state\">"
	    "%s%s</p><p class=\"say\">",
	    n->sum.answer, n->sum.asked, is_bad(n->state) ? LATE " " : "",
	    state_says[n->state]);
	if (n->sum.times[DRILL_ANSWERED].n > 0)
		add_times(out, r, &n->sum.times[DRILL_ANSWERED]);
	else
		buf_addf(out, "%u sent, %u delivered, %u opened", n->sum.sent,
		    n->sum.mark[DRILL_DELIVERED], n->sum.mark[DRILL_OPENED]);
	buf_addz(out, "</p></div>\n");
}

static void
add_nations(struct buf *out, const struct drill_report *r)
{
	size_t i;

	buf_addz(out, "<section><h2>Nations: answers, and how long they took"
		      "</h2>\n<div class=\"nations\">\n");
	for (i = 0; i < r->nnation; i++)
		add_nation(out, r, &r->nation[i]);
	buf_addz(out, "</div></section>\n");
}

/* ---- lines of time ---- */

#define LEFT 172
#define WIDE 1000
#define LANE 5
#define PAD 7
#define HEAD 18
#define FOOT 20
#define LEAST 34 /* of a row: two lines of words */

static int64_t
span_of_all(const struct drill_report *r)
{
	int64_t span = 60;
	size_t i;

	for (i = 0; i < r->ninject; i++) {
		const struct drill_message *m = r->inject[i].m;

		if (m != NULL && m->tag.length > span)
			span = m->tag.length;
		if (r->inject[i].at > span)
			span = r->inject[i].at;
	}
	return span;
}

static int
x_of(int64_t seconds, int64_t span)
{
	if (seconds > span)
		seconds = span;
	return LEFT + (int)(seconds * WIDE / span);
}

static int
lanes_of(const struct drill_report *r, size_t member)
{
	int n = 0;
	size_t i;

	for (i = 0; i < r->ninject; i++)
		n += drill_cell(r, i, member)->sent;
	return n;
}

static int
height_of(const struct drill_report *r, size_t member)
{
	int h = lanes_of(r, member) * LANE + PAD;

	return h < LEAST ? LEAST : h;
}

static void
add_cross(struct buf *out, int x, int y)
{
	buf_addf(out, "<path class=\"cross\" d=\"M%d %dl4 4m0 -4l-4 4\"/>",
	    x - 2, y - 2);
}

/* Whether an answer came by when it was asked for. */
static bool
is_slow(const struct drill_inject *i, const struct drill_step *s)
{
	return i->m->m.ackby > 0 && s->time > i->m->m.ackby;
}

static void
add_lane(struct buf *out, const struct drill_report *r, size_t inject,
    size_t member, int y, int64_t span)
{
	const struct drill_inject *i = &r->inject[inject];
	const struct drill_cell *c = drill_cell(r, inject, member);
	const struct drill_step *opened = &c->step[DRILL_OPENED],
				*answer = &c->step[DRILL_ANSWERED];
	const bool slow = i->asks && answer->time != 0 && is_slow(i, answer);
	const bool came = i->asks && answer->time != 0;
	int from = x_of(i->at, span),
	    to = came ? x_of(i->at + drill_took(r, inject, answer), span)
		      : x_of(span, span);

	if (i->asks)
		buf_addf(out, "<path class=\"%s\" d=\"M%d %dH%d\"/>",
		    slow   ? "slow"
		    : came ? "took"
			   : "never",
		    from, y, to);
	if (i->asks && opened->time != 0)
		buf_addf(out,
		    "<circle class=\"seen\" cx=\"%d\" cy=\"%d\" r=\"1.9\"/>",
		    x_of(i->at + drill_took(r, inject, opened), span), y);
	if (came)
		buf_addf(out,
		    "<circle class=\"end%s\" cx=\"%d\" cy=\"%d\" r=\"2.6\"/>",
		    slow ? "-slow" : "", to, y);
	if (c->step[DRILL_DELIVERED].time == 0)
		add_cross(out, from, y);
	else if (!i->asks)
		buf_addf(out,
		    "<circle class=\"told\" cx=\"%d\" cy=\"%d\" r=\"2\"/>",
		    from, y);
}

static void
add_row(struct buf *out, const struct drill_report *r, size_t member, int y,
    int64_t span)
{
	const struct drill_member *m = &r->member[member];
	int lane = y + PAD / 2 + LANE / 2;
	size_t i;

	if (is_bad(m->state))
		buf_addf(out,
		    "<rect class=\"band\" x=\"0\" y=\"%d\" width=\"%d\" "
		    "height=\"%d\"/>",
		    y, LEFT + WIDE + 8, height_of(r, member));
	buf_addf(out, "<text class=\"who\" x=\"4\" y=\"%d\">", y + 15);
	page_text(out, m->member);
	buf_addf(out,
	    "</text><text class=\"%s\" x=\"4\" y=\"%d\">%s%s, %u of "
	    "%u</text>",
	    is_bad(m->state) ? "bad" : "sub", y + 29,
	    is_bad(m->state) ? LATE " " : "", state_says[m->state],
	    m->sum.answer, m->sum.asked);
	for (i = 0; i < r->ninject; i++)
		if (drill_cell(r, i, member)->sent) {
			add_lane(out, r, i, member, lane, span);
			lane += LANE;
		}
	buf_addf(out, "<path class=\"rule\" d=\"M0 %dH%d\"/>\n",
	    y + height_of(r, member), LEFT + WIDE + 8);
}

/* Injects above, hours below. */
static void
add_marks(
    struct buf *out, const struct drill_report *r, int bottom, int64_t span)
{
	int64_t unit = span > 4 * 86400 ? 86400 : span > 7200 ? 3600 : 600, t;
	int last = -100;
	size_t i;

	for (i = 0; i < r->ninject; i++) {
		int x = x_of(r->inject[i].at, span);

		buf_addf(out, "<path class=\"at\" d=\"M%d %dV%d\"/>", x, HEAD,
		    bottom);
		if (x - last < 12)
			continue;
		buf_addf(out,
		    "<text class=\"tick\" x=\"%d\" y=\"12\" "
		    "text-anchor=\"middle\">%zu</text>",
		    x, i + 1);
		last = x;
	}
	for (t = 0; t <= span && span / unit < 100; t += unit) {
		char at[24];

		script_at(at, t);
		buf_addf(out,
		    "<text class=\"tick\" x=\"%d\" y=\"%d\" "
		    "text-anchor=\"middle\">%s</text>",
		    x_of(t, span), bottom + 15, at);
	}
}

static void
add_lines(struct buf *out, const struct drill_report *r)
{
	int64_t span = span_of_all(r);
	int y = HEAD, all = HEAD + FOOT;
	size_t i, k;

	for (k = 0; k < r->nmember; k++)
		all += height_of(r, k);
	buf_addf(out,
	    "<section class=\"card lines\"><h3>Lines of time: a line for each "
	    "inject that a player got</h3><div class=\"scroll\">\n<svg "
	    "viewBox=\"0 0 %d %d\" role=\"img\"><title>",
	    LEFT + WIDE + 24, all);
	for (k = 0; k < r->nmember; k++) {
		page_text(out, r->member[k].member);
		buf_addf(out, ": %s, %u of %u. ",
		    state_says[r->member[k].state], r->member[k].sum.answer,
		    r->member[k].sum.asked);
	}
	buf_addz(out, "</title>\n");
	add_marks(out, r, all - FOOT, span);
	for (i = 0; i < r->nnation; i++)
		for (k = 0; k < r->nmember; k++)
			if (r->member[k].nation == i) {
				add_row(out, r, k, y, span);
				y += height_of(r, k);
			}
	buf_addz(out,
	    "</svg></div>\n<p class=\"legend\">" WAITS " opened, " GOOD
	    " answered, with a line to it from when it was asked; green in "
	    "time, brown later than asked for. A broken red line: no answer. "
	    "A cross: nothing was delivered. A dot alone: it asked for "
	    "nothing. Numbers above are those of the injects below.</p>"
	    "</section>\n");
}

/* ---- the table of injects and players ---- */

static void
add_cell(
    struct buf *out, const struct drill_report *r, size_t inject, size_t member)
{
	const struct drill_inject *i = &r->inject[inject];
	const struct drill_cell *c = drill_cell(r, inject, member);
	const struct drill_step *answer = &c->step[DRILL_ANSWERED];

	if (!c->meant) {
		buf_addz(out, "<td></td>");
	} else if (!c->sent) {
		buf_addz(out, i->m != NULL ? "<td class=\"bad\">not sent</td>"
					   : "<td>" DASH "</td>");
	} else if (answer->time != 0 && i->asks) {
		buf_addf(out, "<td class=\"%s\">",
		    is_slow(i, answer) ? "late2" : "ok2");
		if (c->step[DRILL_REFUSED].time == answer->time)
			buf_addz(out, "refused ");
		add_took(out, drill_took(r, inject, answer));
		buf_addz(out, "</td>");
	} else if (c->step[DRILL_DELIVERED].time == 0) {
		buf_addz(out,
		    "<td class=\"bad\"><span aria-hidden=\"true\">" AWAY
		    "</span><span class=\"vh\">not delivered"
		    "</span></td>");
	} else if (!i->asks) {
		buf_addz(out, "<td class=\"dim\">got it</td>");
	} else if (c->step[DRILL_OPENED].time == 0) {
		/* A further inject of a ticket is not said to be opened. */
		buf_addf(out, "<td class=\"bad\">" LATE " %s</td>",
		    strcmp(i->m->thread, i->m->m.id) == 0 ? "unread"
							  : "no word");
	} else {
		buf_addz(out, "<td class=\"bad\">" LATE " opened</td>");
	}
}

/* The nation will do if it has one player alone. */
static void
add_column(
    struct buf *out, const struct drill_report *r, const struct drill_member *m)
{
	const struct drill_nation *n = &r->nation[m->nation];

	buf_addf(out, "<th scope=\"col\" class=\"%s\">",
	    is_bad(m->state) ? "badcol" : "");
	page_text(out, n->n == 1 ? n->name : m->member);
	buf_addz(out, "</th>");
}

static void
add_table(struct buf *out, const struct drill_report *r)
{
	char at[24];
	size_t i, k, n;

	buf_addz(out,
	    "<section class=\"card\"><h3>Injects, and after what time "
	    "each player answered</h3>\n");
	buf_addz(out, SCROLL("Injects and players"));
	buf_addz(out,
	    "<table class=\"grid2\"><thead><tr><th scope=\"col\" "
	    "class=\"w2\">#</th><th scope=\"col\" class=\"w2\">At</th><th "
	    "scope=\"col\" class=\"w2\">Inject</th><th scope=\"col\">"
	    "Answered</th><th scope=\"col\">Median " DASH " 9 of 10</th>");
	for (n = 0; n < r->nnation && r->nmember <= COLUMNS; n++)
		for (k = 0; k < r->nmember; k++)
			if (r->member[k].nation == n)
				add_column(out, r, &r->member[k]);
	buf_addz(out, "</tr></thead><tbody>\n");
	for (i = 0; i < r->ninject; i++) {
		const struct drill_inject *in = &r->inject[i];

		script_at(at, in->at);
		buf_addf(out,
		    "<tr><td>%zu</td><td>%s</td><th scope=\"row\" "
		    "class=\"what\">"
		    "%s <span class=\"dim\"><bdi>",
		    i + 1, at, in->name);
		page_text(out, name_of(in));
		buf_addz(out, "</bdi></span></th><td>");
		if (in->m == NULL)
			buf_addz(out, "not posted");
		else if (in->asks)
			buf_addf(
			    out, "%u of %u", in->sum.answer, in->sum.asked);
		else
			buf_addf(out, "%u of %u got it",
			    in->sum.mark[DRILL_DELIVERED], in->sum.sent);
		buf_addz(out, "</td><td>");
		add_times(out, r, &in->sum.times[DRILL_ANSWERED]);
		buf_addz(out, "</td>");
		for (n = 0; n < r->nnation && r->nmember <= COLUMNS; n++)
			for (k = 0; k < r->nmember; k++)
				if (r->member[k].nation == n)
					add_cell(out, r, i, k);
		buf_addz(out, "</tr>\n");
	}
	buf_addz(out, "</tbody></table></div>");
	if (r->nmember > COLUMNS)
		buf_addz(out, "<p class=\"legend\">Of so many players each is "
			      "in the report as JSON.</p>");
	buf_addz(out, "</section>\n");
}

/* ---- points of contact ---- */

static void
add_contacts(struct buf *out, const struct drill_report *r)
{
	size_t i, n = 0;

	buf_addz(out, "<section class=\"card\"><h3>Points of contact that "
		      "failed, and who was silent</h3>\n");
	for (i = 0; i < r->nmember; i++) {
		const struct drill_member *m = &r->member[i];

		if (m->state > DRILL_SILENT)
			continue;
		if (n++ == 0)
			buf_addz(out, "<table class=\"grid2\"><tbody>\n");
		buf_addz(out, "<tr><th scope=\"row\"><bdi>");
		page_text(out, m->member);
		buf_addf(out,
		    "</bdi></th><td class=\"w2 bad\">" LATE " %s</td>"
		    "<td class=\"w2\"><bdi>",
		    state_says[m->state]);
		page_text(out,
		    m->contact != NULL ? m->contact : "no contact is given");
		buf_addz(out, "</bdi></td></tr>\n");
	}
	buf_addz(out, n > 0 ? "</tbody></table>"
			    : "<p>None: each has answered something.</p>");
	buf_addz(out, "</section>\n");
}

/* ---- how far each came ---- */

static const enum drill_mark ways[] = { DRILL_DELIVERED, DRILL_OPENED,
	DRILL_ACCEPTED, DRILL_REFUSED, DRILL_ANSWERED, DRILL_RESULT,
	DRILL_ESCALATED, DRILL_CLOSED };
#define WAYS (sizeof(ways) / sizeof(ways[0]))

/* How many, and the median of how long that took. */
static void
add_way(struct buf *out, const struct drill_report *r,
    const struct drill_sum *sum, enum drill_mark mark)
{
	const struct drill_times *t = &sum->times[mark];

	buf_addz(out, "<td>");
	if (mark == DRILL_ANSWERED)
		buf_addf(out, "%u of %u", sum->answer, sum->asked);
	else
		buf_addf(out, "%u", sum->mark[mark]);
	if (t->n > 0) {
		buf_addz(out, " <span class=\"dim\">");
		add_took(out, t->median * (int64_t)r->speed);
		buf_addz(out, "</span>");
	}
	buf_addz(out, "</td>");
}

static void
add_way_row(struct buf *out, const struct drill_report *r, const char *name,
    enum drill_state state, const struct drill_sum *sum)
{
	size_t i;

	buf_addz(out, "<tr><th scope=\"row\"><bdi>");
	page_text(out, name);
	buf_addf(out, "</bdi></th><td class=\"w2%s\">%s%s</td><td>%u</td>",
	    is_bad(state) ? " bad" : "", is_bad(state) ? LATE " " : "",
	    state < DRILL_STATES ? state_says[state] : "", sum->sent);
	for (i = 0; i < WAYS; i++)
		add_way(out, r, sum, ways[i]);
	buf_addz(out, "</tr>\n");
}

/* A nation of more than one player has its own row before them. */
static void
add_nation_rows(struct buf *out, const struct drill_report *r, size_t nation)
{
	const struct drill_nation *n = &r->nation[nation];
	size_t k;

	if (n->n > 1)
		add_way_row(out, r, n->name, n->state, &n->sum);
	for (k = 0; k < r->nmember; k++)
		if (r->member[k].nation == nation)
			add_way_row(out, r, r->member[k].member,
			    r->member[k].state, &r->member[k].sum);
}

static void
add_players(struct buf *out, const struct drill_report *r)
{
	size_t i;

	buf_addz(out,
	    "<section class=\"card\"><h3>Players: how far they came, and how "
	    "long that took in the median</h3>\n");
	buf_addz(out, SCROLL("Players"));
	buf_addz(out,
	    "<table class=\"grid2\"><thead><tr><th scope=\"col\" "
	    "class=\"w2\">Player</th><th scope=\"col\" class=\"w2\">as a "
	    "whole</th><th scope=\"col\">sent</th>");
	for (i = 0; i < WAYS; i++)
		buf_addf(
		    out, "<th scope=\"col\">%s</th>", drill_mark_name[ways[i]]);
	buf_addz(out, "</tr></thead><tbody>\n");
	for (i = 0; i < r->nnation; i++)
		add_nation_rows(out, r, i);
	add_way_row(out, r, "all", DRILL_STATES, &r->sum);
	buf_addz(out, "</tbody></table></div></section>\n");
}

/* ---- expectations ---- */

static void
add_missed(struct buf *out, const struct drill_report *r,
    const struct drill_expected *x)
{
	size_t i, n = 0;

	for (i = 0; i < r->njudged; i++) {
		const struct drill_judged *j = &r->judged[i];

		if (j->inject != x->inject || j->expect != x->expect ||
		    j->verdict != DRILL_MISSED)
			continue;
		if (n++ >= NAMED)
			continue;
		buf_addz(out, n > 1 ? ", <bdi>" : "<bdi>");
		page_text(out, r->member[j->member].member);
		buf_addz(out, "</bdi>");
		if (j->step->time != 0) {
			buf_addz(out, " (after ");
			add_took(out, drill_took(r, j->inject, j->step));
			buf_addz(out, ")");
		}
	}
	if (n > NAMED)
		buf_addf(out, " and %zu more", n - NAMED);
}

static void
add_expected(struct buf *out, const struct drill_report *r)
{
	char within[24];
	size_t i;

	if (r->nexpected == 0)
		return;
	buf_addz(out, "<section class=\"card\"><h3>What was expected</h3>\n"
		      "<table class=\"grid2\"><thead><tr><th scope=\"col\" "
		      "class=\"w2\">Inject</th><th scope=\"col\" "
		      "class=\"w2\">Expected</th><th scope=\"col\" "
		      "class=\"w2\">Verdict</th><th scope=\"col\">By</th><th "
		      "scope=\"col\" class=\"w2\">"
		      "Not, or not in time</th></tr></thead><tbody>\n");
	for (i = 0; i < r->nexpected; i++) {
		const struct drill_expected *x = &r->expected[i];
		const struct script_inject *in = r->inject[x->inject].script;
		const struct script_expect *e = &in->expect[x->expect];

		script_at(within, e->within);
		buf_addf(out,
		    "<tr><th scope=\"row\">%s</th><td class=\"w2\">%s%s%s%s"
		    "</td><td class=\"w2 %s\">%s%s</td><td>%u of %u</td><td "
		    "class=\"w2\">",
		    in->name, drill_mark_name[e->mark],
		    e->within > 0 ? " within " : "",
		    e->within > 0 ? within + 2 : "", e->any ? ", by any" : "",
		    x->verdict == DRILL_MET	 ? "ok2"
		    : x->verdict == DRILL_MISSED ? "bad"
						 : "dim",
		    x->verdict == DRILL_MISSED ? LATE " " : "",
		    drill_verdict_name[x->verdict], x->met, x->of);
		if (x->verdict == DRILL_MISSED)
			add_missed(out, r, x);
		buf_addz(out, "</td></tr>\n");
	}
	buf_addz(out, "</tbody></table></section>\n");
}

/* ---- foot ---- */

static void
add_notes(
    struct buf *out, const struct drill_report *r, const struct drill_about *a)
{
	buf_addz(out,
	    "<footer><div class=\"notes\"><p>All figures stand on signed "
	    "messages and receipts; <code>tocsin drill report --json</code> "
	    "names the one behind each. A delivery counts at the time of the "
	    "receipt of the player's broker, what a player wrote from when "
	    "our broker had it: one clock for all. Whatever a player writes "
	    "says that it has opened the ticket, but not what a program says "
	    "for it. ");
	if (r->speed > 1)
		buf_addf(out,
		    "It was played %u times as fast as the clock; times are "
		    "those of the exercise. ",
		    r->speed);
	if (r->sum.late > 0)
		buf_addf(out,
		    "%u word%s came after the end and %s in no figure. ",
		    r->sum.late, r->sum.late == 1 ? "" : "s",
		    r->sum.late == 1 ? "is" : "are");
	if (r->sum.clock > 0)
		buf_addf(out,
		    "Of %u figures the clock of who wrote and ours are more "
		    "than %d s apart. ",
		    r->sum.clock, DRILL_CLOCK_OFF);
	if (a->left_out > 0)
		buf_addf(out,
		    "%u messages that could not be believed are not counted. ",
		    a->left_out);
	buf_addz(out, "</p></div>");
	page_tlp(out, a->tlp);
	buf_addz(out, "</footer>\n");
}

static void
add_title(
    struct buf *out, const struct drill_report *r, const struct drill_about *a)
{
	unsigned bad = 0;
	size_t i;

	for (i = 0; i < r->nnation; i++)
		bad += is_bad(r->nation[i].state);
	buf_addz(out, "EXERCISE ");
	page_text(out, a->exercise);
	buf_addf(out, ": %u of %zu nations without a word, TLP:%s" DOT "tocsin",
	    bad, r->nnation, ticket_tlp_name(a->tlp));
}

enum tocsin_err
drill_page(
    struct buf *out, const struct drill_report *r, const struct drill_about *a)
{
	const struct page_frame frame = { .tlp = a->tlp,
		.foot = "tocsin drill report, EXERCISE",
		.style = drill_style };
	struct buf title = { 0 };

	add_title(&title, r, a);
	page_begin(out, &frame, buf_span(&title));
	buf_drop(&title);
	buf_addz(out, "<div id=\"picture\">\n");
	add_bar(out, r, a);
	buf_addz(out, "<main>\n");
	add_summary(out, r);
	add_nations(out, r);
	add_contacts(out, r);
	add_players(out, r);
	add_lines(out, r);
	add_table(out, r);
	add_expected(out, r);
	buf_addz(out, "</main>\n");
	add_notes(out, r, a);
	buf_addz(out, "</div>\n");
	page_end(out, &frame);
	return buf_ok(out) ? TOCSIN_OK : TOCSIN_EINTERNAL;
}
