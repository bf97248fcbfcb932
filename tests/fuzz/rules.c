/* SPDX-License-Identifier: ISC */
/*
 * A rules file, and behind a line of `%%%` the one file that it may name: a
 * roster or an iCalendar file. What is taken is planned with.
 */
#include "tests/lib/fuzz.h"

#include "client/bot/plan.h"
#include "tests/lib/world.h"

static struct span beside;

static enum tocsin_err
give_file(void *arg, const char *name, size_t max, struct buf *out)
{
	(void)arg;
	(void)name;
	if (beside.n > max)
		return TOCSIN_ETOOLARGE;
	buf_add(out, beside);
	return TOCSIN_OK;
}

static const struct fact_place places[] = {
	{ .member = "singcert@sg",
	    .rung = TOCSIN_RUNG_ACCEPTED,
	    .asked = NOW - DAYS(1),
	    .asked_in = "a",
	    .answered = NOW - 9000,
	    .heard = NOW - 600 },
	{ .member = "mycert@my",
	    .ours = true,
	    .rung = TOCSIN_RUNG_DELIVERED,
	    .asked = NOW - HOUR,
	    .ackby = NOW + HOUR },
};
static const struct fact_deadline deadlines[] = { { "nis2/early-warning",
    NOW + HOUR, 0 } };
static const struct fact_attachment attachments[] = { { "a.exe",
    "application/octet-stream", 4096 } };
static const struct fact_word words[] = {
	{ "text", "a text\nof two lines", true },
	{ "indicators", "[ipv4-addr:value = '203.0.113.9']", true },
	{ "text", "an update", false },
};
static const struct facts ticket = { .id = "id",
	.short_id = "short",
	.from = "mycert@my/desk1",
	.member = "mycert@my",
	.mine = true,
	.kind = "report",
	.precedence = "immediate",
	.tlp = "AMBER",
	.severity = "NCISS:high",
	.subject = "a subject",
	.written = NOW - DAYS(1),
	.received = NOW - DAYS(1),
	.attachment = attachments,
	.nattachment = 1,
	.word = words,
	.nword = 3,
	.place = places,
	.nplace = 2,
	.deadline = deadlines,
	.ndeadline = 1 };
static const struct plan_self self = { "mycert@my/bot", "mycert@my" };

/* Whatever is taken has a plan, now and when it says that it changes. */
static void
must_plan(const struct rules *r)
{
	struct plan p = { 0 };
	struct buf b = { .max = 1 << 20 };
	size_t i;

	MUST(plan_make(&p, r, &ticket, &self, NOW) == TOCSIN_OK);
	MUST(p.look > NOW);
	for (i = 0; i < p.n; i++) {
		MUST(strlen(p.timer[i].id) <= PLAN_ID);
		MUST(strchr(p.timer[i].id, ' ') == NULL);
		MUST(i == 0 || strcmp(p.timer[i].id, p.timer[i - 1].id) != 0);
		plan_text(
		    &b, r, &ticket, &p.timer[i], p.timer[i].action->text, NOW);
	}
	if (p.look != INT64_MAX)
		MUST(plan_make(&p, r, &ticket, &self, p.look) == TOCSIN_OK);
	plan_release(&p);
	MUST(plan_explain(&b, r, &ticket, &self, NOW) != TOCSIN_EMALFORMED);
	buf_release(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct rules_io io = {
		.file = give_file, .zone = world_zone, .now = NOW
	};
	struct span text = { data, n };
	const uint8_t *mark = n > 0 ? memmem(data, n, "\n%%%\n", 5) : NULL;
	struct rules_faults faults;
	struct rules r;
	enum tocsin_err err;

	beside = (struct span){ 0 };
	if (mark != NULL) {
		text.n = (size_t)(mark - data) + 1;
		beside = (struct span){ mark + 5, n - text.n - 4 };
	}
	err = rules_parse(&r, text, &io, &faults);
	MUST(err == TOCSIN_OK || err == TOCSIN_EMALFORMED);
	MUST((err == TOCSIN_OK) == (faults.n == 0));
	if (err == TOCSIN_OK)
		must_plan(&r);
	else
		MUST(faults.fault[0].what[0] != '\0' &&
		     faults.fault[0].line > 0);
	rules_release(&r);
	return 0;
}
