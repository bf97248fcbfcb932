/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "client/drill/clock.h"
#include "client/drill/script.h"

#include <string.h>

static void
must_be_players(const struct script *s, const size_t *at, size_t n)
{
	size_t i;

	MUST(n > 0 && n <= s->nplayer);
	for (i = 0; i < n; i++)
		MUST(at[i] < s->nplayer && (i == 0 || at[i - 1] < at[i]));
}

/* What is taken is whole: control can go through it without a question. */
static void
must_be_whole(const struct script *s)
{
	size_t i, k;

	MUST(s->title != NULL && name_exercise(span_of(s->exercise)));
	MUST(s->length > 0 && s->length <= SCRIPT_LENGTH);
	MUST(s->nplayer > 0 && s->nplayer <= SCRIPT_PLAYERS);
	MUST(s->ninject > 0 && s->ninject <= SCRIPT_INJECTS);
	for (i = 0; i < s->nplayer; i++)
		MUST(script_player(s, span_of(s->player[i].member)) == i);
	for (i = 0; i < s->ninject; i++) {
		const struct script_inject *in = &s->inject[i];

		MUST(script_inject(s, in->name) == in);
		MUST(in->at >= 0 && in->at < s->length);
		MUST(i == 0 || s->inject[i - 1].at <= in->at);
		MUST(in->in == NULL || (in->in < in && in->in->in == NULL));
		MUST(
		    in->in != NULL || (in->subject != NULL && in->tlp != NULL));
		MUST(in->kind != NULL && in->precedence != NULL);
		MUST(in->ackby >= 0 && (in->ackby == 0 || script_asks(in)));
		must_be_players(s, in->to, in->n);
		for (k = 0; k < in->nexpect; k++) {
			MUST(in->expect[k].mark < DRILL_MARKS);
			MUST(in->at + in->expect[k].within <= s->length);
			must_be_players(s, in->expect[k].by, in->expect[k].n);
		}
		for (k = 0; k < in->nfile; k++)
			MUST(in->file[k][0] != '\0');
	}
}

/* Its second use: the clock's record, which is of this desk. */
static void
try_clock(struct span bytes)
{
	struct drill_clock c, d;
	struct buf b = { 0 };

	if (drill_clock_parse(&c, bytes) != TOCSIN_OK)
		return;
	drill_clock_print(&b, &c);
	MUST(span_eq(bytes, buf_span(&b)));
	MUST(drill_clock_parse(&d, buf_span(&b)) == TOCSIN_OK);
	MUST(drill_clock_over(&c, c.since + 1000) >= c.over);
	buf_release(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct script s;
	struct script_fault f;
	struct span bytes = { n > 0 ? data : NULL, n };
	enum tocsin_err err = script_parse(&s, bytes, &f);

	MUST(err == TOCSIN_OK || err == TOCSIN_EMALFORMED);
	if (err == TOCSIN_OK)
		must_be_whole(&s);
	else
		MUST(s.ninject == 0 && f.what[0] != '\0');
	script_release(&s);
	try_clock(bytes);
	return 0;
}
