/* SPDX-License-Identifier: ISC */
#include "client/bot/plan.h"
#include "tests/lib/tap.h"
#include "tests/lib/world.h"

#include <stdio.h>
#include <time.h>

static struct rules rules;
static struct plan plan;
static const struct plan_self self = { "mycert@my/bot", "mycert@my" };
static struct world world = { .name = { "duty.txt" },
	.text = { "2026-11-20 17:30 Siti\n2026-11-21 17:30 Farah\n" } };

/* ---- a ticket that a test changes ---- */

#define GOLDEN "e78f79c73e8455a4c73b2bce22bc5f60"
#define PLACES 6
#define ACTIONS_MOST 400

static struct fact_place place[PLACES];
static struct fact_action action[ACTIONS_MOST];
static char action_id[ACTIONS_MOST][PLAN_ID + 1];
static struct fact_claim claim[4];
static struct fact_deadline deadline[2];
static struct facts facts;

static void
begin(size_t nplace)
{
	static const char *const who[PLACES] = { "singcert@sg", "thaicert@th",
		"csa@sg", "lead@id", "vncert@vn", "mycert@my" };
	size_t i;

	memset(claim, 0, sizeof(claim));
	facts = (struct facts){
		.id = "l5ZoPOcTqHTkWSJ4dPL6PpxMcrVVuQ4DmhTD1dDTJQA=",
		.short_id = "7k2m-9xq4-t0af",
		.from = "mycert@my/desk1",
		.member = "mycert@my",
		.mine = true,
		.kind = "report",
		.precedence = "immediate",
		.tlp = "AMBER",
		.subject = "SCADA",
		.written = NOW,
		.received = NOW + 1,
		.nplace = nplace,
		.place = place,
		.action = action,
		.claim = claim,
		.deadline = deadline,
	};
	for (i = 0; i < nplace; i++)
		place[i] = (struct fact_place){ .member = who[i],
			.rung = TOCSIN_RUNG_DELIVERED,
			.since = NOW + 5,
			.asked = NOW,
			.asked_in = "asked in" };
}

static void
us(const char *from)
{
	facts.mine = false;
	facts.member = from;
	place[0].member = "mycert@my";
	place[0].ours = true;
}

static bool
use(const char *text)
{
	struct rules_faults faults;
	struct buf b = { 0 };
	enum tocsin_err err;

	rules_release(&rules);
	err =
	    rules_parse(&rules, span_of(text), world_io(&world, NOW), &faults);
	if (err != TOCSIN_OK) {
		rules_fault_print(&b, "rules", &faults.fault[0]);
		diag("%.*s", (int)b.n, (const char *)b.p);
		buf_release(&b);
	}
	return ok(err == TOCSIN_OK, "the rules are taken");
}

static const struct plan_timer *
make(int64_t now)
{
	if (plan_make(&plan, &rules, &facts, &self, now) != TOCSIN_OK)
		abort();
	return plan.first;
}

/* What a bot does: the first that is due, recorded. */
static void
record(const struct plan_timer *t, int64_t now)
{
	size_t n = facts.naction;

	if (n == ACTIONS_MOST)
		abort();
	memcpy(action_id[n], t->id, sizeof(action_id[n]));
	action[n] = (struct fact_action){ action_id[n], "mycert@my/bot", now };
	facts.naction++;
}

static unsigned
count(enum plan_state state)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < plan.n; i++)
		n += plan.timer[i].state == state;
	return n;
}

static const struct plan_timer *
timer(const char *key, unsigned turn)
{
	size_t i;

	for (i = 0; i < plan.n; i++)
		if (strcmp(plan.timer[i].action->key, key) == 0 &&
		    plan.timer[i].turn == turn)
			return &plan.timer[i];
	return NULL;
}

/* Does all that is due; how many that were. */
static unsigned
work(int64_t now)
{
	const struct plan_timer *t;
	unsigned n = 0;

	while ((t = make(now)) != NULL) {
		record(t, now);
		n++;
	}
	return n;
}

static const char no_answer[] = "[rule no-answer]\nwhen mine\n"
				"for each recipient\n"
				"after 15m: remind\n"
				"after 30m: notify pager and escalate along r\n"
				"after 2h: raise flash\n"
				"[hook pager]\nrun /bin/page\n"
				"[chain r]\n"
				"singcert@sg -> csa@sg -> lead@id\n"
				"* -> lead@id\n";

/* ---- an evening ---- */

static void
test_steps(void)
{
	begin(1);
	use(no_answer);
	ok(make(NOW) == NULL && count(PLAN_WAITING) == 4,
	    "when it was asked, four timers wait");
	is_int(plan.look, NOW + 900, "and the first is looked at in time");
	ok(make(NOW + 899) == NULL, "a second before, nothing is due");
	is_str(make(NOW + 900)->action->key, "15m-remind", "then it is");
	record(plan.first, NOW + 900);
	ok(make(NOW + 901) == NULL && count(PLAN_DONE) == 1,
	    "what is recorded is done");
	is_int(plan.look, NOW + 1800, "and the next one is waited for");
	make(NOW + 1800);
	is_int(count(PLAN_DUE), 2, "a step of two actions is two timers");
	is_int(work(NOW + 1800), 2, "done one after the other");
	is_int(work(NOW + 7200), 1, "and the last at its time");
	make(NOW + 7201);
	is_int(plan.look, INT64_MAX, "then there is nothing to look for");
}

/* What a broker gives to the wrong side sets nothing off. */
static void
test_other_side(void)
{
	begin(1);
	use(no_answer);
	facts.exercise = "Acid.2026";
	facts.unopened = "not-recipient";
	make(NOW);
	is_int(count(PLAN_WAITING), 4, "what cannot be opened has timers");
	facts.unopened = "exercise-mismatch";
	ok(make(NOW + 86400) == NULL && plan.n == 0,
	    "what is not of this home has none");
	is_int(plan.look, INT64_MAX, "and is not looked at again");
}

static void
test_answer(void)
{
	int64_t t;
	unsigned due = 0;

	begin(1);
	use(no_answer);
	place[0].rung = TOCSIN_RUNG_ACCEPTED;
	place[0].answered = NOW + 300;
	make(NOW + 300);
	is_int(count(PLAN_CANCELLED), 4, "an answer cancels all that waits");
	for (t = NOW; t < NOW + DAYS(90); t += 7 * 60)
		due += make(t) != NULL;
	is_int(due, 0,
	    "nothing is done after an acknowledgement, not at once and not "
	    "two months later (oncall#4654, oncall#3111)");
	is_int(plan.look, INT64_MAX, "and nothing is waited for");

	begin(1);
	work(NOW + 900);
	place[0].rung = TOCSIN_RUNG_IN_PROGRESS;
	is_int(work(NOW + 7200), 0,
	    "nor after one that comes in the middle of the steps");
	begin(1);
	facts.closed = true;
	make(NOW + 7200);
	ok(plan.first == NULL && count(PLAN_CANCELLED) == 4,
	    "a close cancels as well");
	facts.closed = false;
	is_int(work(NOW + 7200), 1,
	    "reopened, what is late is done as far as it still means "
	    "something");
}

static void
test_restart(void)
{
	struct plan before = { 0 };
	const struct plan_timer *t;
	size_t i;
	bool same;

	begin(2);
	use(no_answer);
	work(NOW + 900);
	make(NOW + 1800);
	before = plan;
	plan = (struct plan){ 0 };
	use(no_answer); /* another process reads them anew */
	make(NOW + 1800);
	same = before.n == plan.n && before.look == plan.look;
	for (i = 0; same && i < plan.n; i++)
		same = strcmp(before.timer[i].id, plan.timer[i].id) == 0 &&
		       before.timer[i].state == plan.timer[i].state;
	ok(same, "a restart makes the same plan (oncall#1206)");
	plan_release(&before);
	begin(1);
	use(no_answer);
	t = make(NOW + 900);
	is_str(t->id, "no-answer/15m-remind/" GOLDEN,
	    "an id is what it has always been, on every machine");
}

/* A record stands, whatever the clock says (TheHive#903). */
static void
test_clock(void)
{
	int64_t t;
	unsigned again = 0;

	begin(1);
	use(no_answer);
	is_int(work(NOW + 900), 1, "a reminder goes out");
	for (t = NOW + 900; t > NOW - DAYS(400); t -= 3601)
		again += make(t) != NULL;
	is_int(again, 0, "a clock that jumps back repeats nothing");
	is_int(work(NOW + 1800), 2, "later steps come when they come");
	ok(make(NOW - DAYS(3)) == NULL && count(PLAN_DONE) == 3,
	    "what is done stays done before its time");
	is_int(work(NOW + DAYS(400)), 0,
	    "a clock that jumps ahead by a year does nothing at all");
	is_int(work(NOW + 7200), 1, "and when it is back, what is right");
}

/* ---- late ---- */

static void
test_late(void)
{
	begin(1);
	use(no_answer);
	make(NOW + DAYS(2));
	ok(plan.first != NULL && count(PLAN_DUE) == 1 &&
		strcmp(plan.first->action->key, "2h-raise-flash") == 0,
	    "after two days off the newest step is done, and no other");
	is_int(count(PLAN_SKIPPED), 3, "the others are skipped");
	is_int(timer("15m-remind", 0)->reason, WHY_NEWER, "for that reason");
	work(NOW + DAYS(2));
	ok(make(NOW + DAYS(2) + 60) == NULL, "and stay so");
	begin(1);
	make(NOW + DAYS(8));
	ok(plan.first == NULL && timer("15m-remind", 0)->reason == WHY_OVER,
	    "after eight days nothing is done any more");
	begin(1);
	make(NOW + 1800);
	is_int(count(PLAN_DUE), 3, "a quarter of an hour is not late");
	begin(1);
	make(NOW + 1815);
	is_int(count(PLAN_DUE), 2, "more is");

	begin(1);
	use("[rule a]\nwhen mine\nfor each recipient\nlate each within 3d\n"
	    "after 15m: remind\nafter 1h: raise flash\n");
	is_int(work(NOW + DAYS(2)), 2, "`late each` does all of it");
	begin(1);
	is_int(work(NOW + DAYS(4)), 0, "within its time");
	begin(1);
	use("[rule a]\nwhen mine\nfor each recipient\nlate never\n"
	    "after 15m: remind\nafter 1h: raise flash\n");
	is_int(work(NOW + DAYS(2)), 0, "`late never` does nothing late");
	is_int(work(NOW + 900 + 900), 1, "but what is not yet late");
}

/* What can do nothing doesn't keep others from it. */
static void
test_late_idle(void)
{
	begin(1);
	use(no_answer);
	facts.precedence = "flash";
	is_int(work(NOW + DAYS(2)), 2,
	    "where the newest step has nothing to do, it is the one before");
	is_str(action_id[0], timer("30m-escalate-r", 0)->id,
	    "of which both actions are done");
	begin(1);
	is_int(work(NOW + DAYS(2)), 1, "where it has, it is that");
	facts.precedence = "flash";
	is_int(work(NOW + DAYS(2)), 0,
	    "and what it has done is no reason to do another's");
	begin(4);
	place[0].rung = place[1].rung = place[2].rung = TOCSIN_RUNG_ACCEPTED;
	facts.precedence = "flash";
	is_int(work(NOW + DAYS(2)), 1,
	    "a chain without an end left is no reason either");
}

static void
test_again(void)
{
	int64_t t;
	unsigned n = 0;

	begin(1);
	use("[rule a]\nwhen mine\nfor each recipient\nafter 1h: remind\n"
	    "again every 2h at most 3 times\n");
	for (t = NOW; t < NOW + DAYS(2); t = plan.look) {
		n += work(t);
		if (plan.look == INT64_MAX)
			break;
	}
	is_int(n, 4, "the last step comes again as often as is written");
	is_int(action[3].time, NOW + 7 * HOUR, "at its times");
	facts.naction = 2; /* the first two are done */
	make(NOW);
	is_int(plan.look, NOW + 5 * HOUR,
	    "a clock that goes back waits for what is not done");
	begin(1);
	is_int(work(NOW + 6 * HOUR), 1,
	    "of those that a machine slept through, the newest is done");
	is_int(timer("1h-remind", 2)->state, PLAN_DONE, "which is the third");
	is_int(plan.look, NOW + 7 * HOUR, "and the next is waited for");
	begin(1);
	use("[rule a]\nwhen mine\nfor each recipient\nafter 1h: remind\n"
	    "again every 2h at most 3 times\nlate each within 3d\n");
	is_int(work(NOW + 6 * HOUR), 3, "or all of them");
}

/* ---- arming anew ---- */

static void
test_silent(void)
{
	char first[PLAN_ID + 1];

	begin(1);
	use("[rule silent]\nwhen state in (accepted, in-progress)\n"
	    "for each recipient\nsince heard\nafter 24h: remind\n"
	    "after 3d: escalate along r\n"
	    "[chain r]\n* -> lead@id\n");
	ok(make(NOW + DAYS(2)) == NULL && plan.n == 0,
	    "who has not accepted is not silent");
	place[0].rung = TOCSIN_RUNG_ACCEPTED;
	place[0].answered = place[0].heard = NOW + 600;
	ok(make(NOW + DAYS(1)) == NULL, "a day after it accepted is a day");
	is_int(plan.look, NOW + 600 + DAYS(1), "and looked at then");
	make(plan.look);
	ok(plan.first != NULL, "then it is reminded (oncall#1792)");
	memcpy(first, plan.first->id, sizeof(first));
	work(NOW + 600 + DAYS(1));
	ok(make(NOW + DAYS(2)) == NULL, "once");
	place[0].heard = NOW + DAYS(2);
	ok(make(NOW + DAYS(2) + 5) == NULL, "its word arms anew");
	is_int(plan.look, NOW + DAYS(3), "from that time on");
	make(NOW + DAYS(3));
	ok(plan.first != NULL && strcmp(plan.first->id, first) != 0,
	    "and when it is silent again it is reminded again, as another");
	work(NOW + DAYS(3));
	is_int(work(NOW + DAYS(5)), 1, "then comes the next step");
	place[0].rung = TOCSIN_RUNG_RESULT;
	place[0].heard = NOW + DAYS(5) + 1;
	is_int(work(NOW + DAYS(9)), 0, "until it has sent a result");
}

static void
test_asked_anew(void)
{
	begin(1);
	use(no_answer);
	is_int(work(NOW + 900), 1, "a question is reminded of");
	place[0].rung = TOCSIN_RUNG_DEFERRED;
	make(NOW + 1000);
	is_int(work(NOW + DAYS(1)), 0, "deferred, it is answered");
	place[0].rung = TOCSIN_RUNG_OPENED;
	place[0].asked = NOW + DAYS(1);
	place[0].asked_in = "asked again in";
	is_int(work(NOW + DAYS(1) + 900), 1,
	    "a new question arms the same step anew");
	is_int(facts.naction, 2, "under another id");
}

/* ---- working hours ---- */

static void
test_working(void)
{
	static const char calendar[] =
	    "[calendar my]\nzone Asia/Kuala_Lumpur\n"
	    "hours mon-fri 08:30-17:30\nholiday 2026-11-23\n";
	/* Saturday 15:00 there; Monday is a holiday: Tuesday 08:30. */
	const int64_t tuesday = NOW + DAYS(3) - 6 * HOUR - 1800;
	char text[400];

	begin(1);
	snprintf(text, sizeof(text),
	    "%s[rule a]\nwhen mine and working my\nfor each recipient\n"
	    "after 15m: remind\n",
	    calendar);
	use(text);
	ok(make(NOW + HOUR) == NULL && plan.n == 0, "at night a rule rests");
	is_int(plan.look, NOW + DAYS(2) - 6 * HOUR - 1800 + DAYS(1),
	    "until the office opens, after a holiday");
	is_int(work(tuesday), 1, "and then does what has become due");
	begin(1);
	snprintf(text, sizeof(text),
	    "%s[rule a]\nwhen mine\nfor each recipient\n"
	    "after 2h working my: remind\n",
	    calendar);
	use(text);
	make(NOW + HOUR);
	is_int(plan.look, tuesday + 2 * HOUR,
	    "hours that are counted are working hours");
	is_int(work(tuesday + 2 * HOUR), 1, "and over when they are");
}

/* ---- clocks of laws ---- */

static void
test_deadline(void)
{
	begin(0);
	use("[rule a]\nwhen clock nis2/early-warning running\n"
	    "6h before nis2/early-warning: notify pager\n"
	    "1h before nis2/early-warning: notify pager\n"
	    "[hook pager]\nrun /bin/page\n");
	ok(make(NOW) == NULL && plan.n == 0,
	    "a clock that does not run has no timers");
	deadline[0] =
	    (struct fact_deadline){ "nis2/early-warning", NOW + DAYS(1), 0 };
	facts.ndeadline = 1;
	make(NOW);
	is_int(plan.look, NOW + 18 * HOUR, "one that runs is told of before");
	is_int(work(NOW + 18 * HOUR), 1, "at its time");
	is_int(work(NOW + 23 * HOUR), 1, "and once more");
	facts.naction = 0;
	deadline[0].done = NOW + HOUR;
	is_int(work(NOW + 23 * HOUR), 0, "unless it is done");
}

/* ---- escalation ---- */

static void
test_chain(void)
{
	const struct plan_timer *t;

	begin(1);
	use(no_answer);
	make(NOW + 1800);
	t = timer("30m-escalate-r", 0);
	is_str(t->target, "csa@sg", "an escalation goes to the backup");
	begin(3);
	make(NOW + 1800);
	t = timer("30m-escalate-r", 0);
	is_str(t->target, "lead@id", "or to the lead, if that was asked, too");
	ok(count(PLAN_SKIPPED) == 2,
	    "and two who are silent don't ask the same one twice");
	begin(4);
	make(NOW + 1800);
	ok(timer("30m-escalate-r", 0)->state == PLAN_SKIPPED &&
		timer("30m-escalate-r", 0)->reason == WHY_CHAIN_END,
	    "where all were asked, none is left");
	begin(1);
	facts.member = "csa@sg";
	make(NOW + 1800);
	is_str(timer("30m-escalate-r", 0)->target, "lead@id",
	    "who opened the ticket is not asked");
}

static void
test_idle(void)
{
	begin(1);
	use(no_answer);
	facts.precedence = "flash";
	work(NOW + 7200);
	is_int(timer("2h-raise-flash", 0)->reason, WHY_ALREADY,
	    "what is flash is not raised to it");
	begin(1);
	us("singcert@sg");
	use("[rule asked]\nwhen not mine\nfor us\nat once: acknowledge\n");
	ok(make(NOW) != NULL, "what came to us is acknowledged");
	place[0].rung = TOCSIN_RUNG_OPENED;
	ok(make(NOW) == NULL && plan.timer[0].reason == WHY_ALREADY,
	    "unless somebody has opened it");
}

/* ---- two bots ---- */

static void
test_claims(void)
{
	char id[PLAN_ID + 1];

	begin(1);
	use("[rule a]\nfor each recipient\nafter 15m: remind\n");
	memcpy(id, make(NOW + 900)->id, sizeof(id));
	claim[0] = (struct fact_claim){ id, "mycert@my/bot2", NOW + 960 };
	claim[1] = (struct fact_claim){ id, "mycert@my/bot", NOW + 970 };
	facts.nclaim = 2;
	ok(make(NOW + 900) == NULL && count(PLAN_CLAIMED) == 1,
	    "what another bot was first to claim is its to do");
	is_int(plan.look, NOW + 960, "as long as it has said");
	ok(make(NOW + 960) != NULL && plan.first->ours,
	    "after that the next claim holds");
	ok(make(NOW + 970) != NULL && !plan.first->ours, "and then nobody's");
	claim[0].id = "another";
	ok(make(NOW + 900) != NULL && plan.first->ours,
	    "a claim is for its own id alone");
	claim[0].id = id;
	claim[0].until = NOW + 960 + 86400;
	ok(make(NOW + 900) != NULL && plan.first->ours,
	    "one of a day is of a clock that was wrong, and holds nobody");
}

/* ---- words ---- */

static void
said(const char *want, const char *what)
{
	struct buf b = { 0 };

	if (plan.first == NULL)
		plan_why(&b, &rules, &facts, &plan.timer[0], NOW + 960);
	else
		plan_text(&b, &rules, &facts, plan.first,
		    plan.first->action->text, NOW + 960);
	buf_u8(&b, '\0');
	is_str((const char *)b.p, want, "%s", what);
	buf_release(&b);
}

static void
explained(struct buf *b, const char *text, int64_t now)
{
	use(text);
	buf_cut(b, 0);
	if (plan_explain(b, &rules, &facts, &self, now) != TOCSIN_OK)
		abort();
	buf_u8(b, '\0');
}

static void
test_words(void)
{
	struct buf b = { 0 };

	begin(1);
	use("[duty night]\nzone Asia/Kuala_Lumpur\nroster duty.txt\n"
	    "[rule a]\nfor each recipient\n"
	    "after 15m: remind \"{{{short_id}} {member} {since} {duty:night} "
	    "{severity}\"\n");
	make(NOW + 960);
	said("{7k2m-9xq4-t0af} singcert@sg 16m Siti -",
	    "a text has its fields filled in");
	make(NOW + 60);
	said("waits until 2026-11-21T07:15:00Z, for 1m: 15m after "
	     "singcert@sg was asked, 2026-11-21T07:00:00Z",
	    "what waits says for what");
	place[0].rung = TOCSIN_RUNG_REFUSED;
	make(NOW + 960);
	said("cancelled: `answered`: it is refused since "
	     "2026-11-21T07:00:05Z",
	    "what is cancelled, why");
	begin(1);
	ok(plan_explain(&b, &rules, &facts, &self, NOW + 60) == TOCSIN_OK,
	    "a plan is explained");
	buf_u8(&b, '\0');
	ok(strstr((const char *)b.p, "rule a, line 4, for singcert@sg\n"
				     "  remind\n    waits until") != NULL,
	    "rule by rule, with what it will do");
	buf_release(&b);
	use("[rule a]\nwhen precedence is flash\nfor each recipient\n"
	    "after 15m: remind\n");
	ok(plan_explain(&b, &rules, &facts, &self, NOW) == TOCSIN_OK,
	    "and when it is for nobody");
	buf_u8(&b, '\0');
	ok(strstr((const char *)b.p,
	       "rule a, line 1, for singcert@sg: not now: `precedence is "
	       "flash`: it is immediate\n") != NULL,
	    "or with what does not hold");
	buf_release(&b);
	facts.subject = "SCADA\nrule b, line 9: not now";
	explained(&b, no_answer, NOW + 901);
	ok(strstr((const char *)b.p,
	       "7k2m-9xq4-t0af, immediate, TLP:AMBER, of mycert@my: SCADA rule "
	       "b, line 9: not now\n"
	       "2026-11-21T07:15:01Z, 3 waiting, 1 due\n"
	       "next, now: no-answer: remind, for singcert@sg\n\n") ==
		(const char *)b.p,
	    "what an officer asks first stands first, on lines of its own");
	explained(&b, no_answer, NOW + 60);
	ok(strstr((const char *)b.p,
	       "next, in 14m: no-answer: remind, for singcert@sg\n") != NULL,
	    "also what comes when");
	place[0].rung = TOCSIN_RUNG_REFUSED;
	explained(&b, no_answer, NOW + 901);
	ok(strstr((const char *)b.p,
	       "next: nothing that has a time\n\n"
	       "rule no-answer, line 1, for singcert@sg: cancelled: "
	       "`answered`: it is refused since 2026-11-21T07:00:05Z\n"
	       "looks again") != NULL,
	    "a rule that is over is one line");
	facts.closed = true;
	explained(&b, "[rule a]\nwhen not closed\nat once: acknowledge\n", NOW);
	ok(strstr((const char *)b.p,
	       "rule a, line 1: not now: `closed`: yes\n") != NULL,
	    "and what decides says how it is, not what would be wished");
	buf_release(&b);
}

/* ---- any rules, any ticket ---- */

static uint64_t seed;

static unsigned
chance(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed >> 11) % n);
}

#define PICK(list) list[chance(sizeof(list) / sizeof(list[0]))]

static const char *
random_cond(bool of_place)
{
	static const char *const any[] = { "mine", "not closed",
		"precedence at least immediate", "not working my", "working my",
		"written over 3h ago", "written under 2d ago",
		"(mine or working my)", "duty night known",
		"not duty night is Siti", "holiday my",
		"clock nis2/early-warning under 12h left",
		"some recipient (state at most opened)",
		"every recipient (asked under 40h ago)",
		"escalated at most 2" };
	static const char *const of[] = { "state at most delivered",
		"asked over 30m ago", "heard under 5h ago",
		"not heard over 5h ago", "state is accepted",
		"moved over 2h ago", "not answered" };

	return of_place && chance(2) ? PICK(of) : PICK(any);
}

static void
random_rule(struct buf *b, unsigned i)
{
	static const char *const times[] = { "0s", "15m", "30m", "2h", "1d",
		"2h working my", "8h working my", "1h since written",
		"30m since written" };
	static const char *const of_place[] = { "15m since heard",
		"6h since answered", "1h since moved", "10m since read" };
	static const char *const lates[] = { "newest", "each", "never" };
	static const char *const events[] = { "asked", "heard", "answered",
		"written", "moved" };
	bool recipient = chance(4) > 0;
	unsigned n = 1 + chance(4), k;

	buf_addf(b, "[rule r%u]\n%s\nwhen %s and %s\n", i,
	    recipient ? "for each recipient" : "", random_cond(recipient),
	    random_cond(recipient));
	if (recipient && chance(2))
		buf_addf(b, "since %s\n", PICK(events));
	if (chance(3) == 0)
		buf_addf(b, "until %s\n", random_cond(recipient));
	if (chance(2))
		buf_addf(b, "late %s within %ud\n", PICK(lates), 1 + chance(9));
	for (k = 0; k < n; k++)
		buf_addf(b, "after %s: notify h%u%s\n",
		    recipient && chance(3) == 0 ? PICK(of_place) : PICK(times),
		    k, recipient && chance(2) ? " and remind" : "");
	if (chance(6) == 0)
		buf_addf(b, "4h before nis2/early-warning: notify h5\n");
	if (chance(2))
		buf_addf(b, "again every %uh at most %u times\n", 1 + chance(9),
		    1 + chance(5));
}

/* False: two actions of a rule were the same by chance. */
static bool
random_rules(void)
{
	struct rules_faults faults;
	struct buf b = { 0 };
	unsigned i, n = 1 + chance(4);
	enum tocsin_err err;

	buf_addz(&b, "[calendar my]\nzone Europe/Berlin\n"
		     "hours mon-fri 08:30-12:00 13:00-17:30\n"
		     "hours sat 22:00-04:00\nholiday 2026-11-23\n"
		     "[duty night]\nzone Asia/Kuala_Lumpur\nroster duty.txt\n");
	for (i = 0; i < 6; i++)
		buf_addf(&b, "[hook h%u]\nrun /bin/h%u\n", i, i);
	for (i = 0; i < n; i++)
		random_rule(&b, i);
	rules_release(&rules);
	err = rules_parse(&rules, buf_span(&b), world_io(&world, NOW), &faults);
	if (err != TOCSIN_OK && strstr(faults.fault[0].what, "twice") == NULL)
		diag("%.*s: %u %s", (int)b.n, (const char *)b.p,
		    faults.fault[0].line, faults.fault[0].what);
	buf_release(&b);
	return err == TOCSIN_OK;
}

/* Somebody does something. */
static void
random_event(int64_t now)
{
	struct fact_place *p = &place[chance(PLACES - 1)];

	switch (chance(6)) {
	case 0:
		p->rung = TOCSIN_RUNG_OPENED;
		p->opened = p->since = now;
		break;
	case 1:
		p->rung = TOCSIN_RUNG_ACCEPTED;
		p->answered = p->heard = p->since = now;
		break;
	case 2:
		p->heard = now;
		break;
	case 3:
		p->rung = TOCSIN_RUNG_DELIVERED;
		p->asked = p->since = now;
		p->asked_in = chance(2) ? "one" : "two";
		break;
	case 4:
		facts.closed = chance(2);
		facts.turned = now;
		break;
	default:
		facts.ndeadline = 1;
		deadline[0] = (struct fact_deadline){ "nis2/early-warning",
			NOW + DAYS(1), chance(3) ? 0 : now };
	}
}

static void
shuffle_facts(void)
{
	size_t i;

	for (i = facts.nplace; i > 1; i--) {
		size_t k = chance((unsigned)i);
		struct fact_place p = place[k];

		place[k] = place[i - 1];
		place[i - 1] = p;
	}
	for (i = facts.naction; i > 1; i--) {
		size_t k = chance((unsigned)i);
		struct fact_action a = action[k];

		action[k] = action[i - 1];
		action[i - 1] = a;
	}
}

static bool
same_plan(const struct plan *a, const struct plan *b)
{
	size_t i;

	if (a->n != b->n || a->look != b->look)
		return false;
	for (i = 0; i < a->n; i++)
		if (strcmp(a->timer[i].id, b->timer[i].id) != 0 ||
		    a->timer[i].state != b->timer[i].state ||
		    a->timer[i].due != b->timer[i].due)
			return false;
	return true;
}

struct broken {
	unsigned order, twice, late, ended, endless, collide;
};

/* The same facts in another order, and once more, make the same plan. */
static void
check_order(struct broken *bad, int64_t now)
{
	struct plan other = { 0 };

	shuffle_facts();
	if (plan_make(&other, &rules, &facts, &self, now) != TOCSIN_OK)
		abort();
	bad->order += !same_plan(&plan, &other);
	plan_release(&other);
}

/* Up to `look` nothing becomes due; some instants of that time are asked. */
static void
check_look(struct broken *bad, int64_t now)
{
	struct plan other = { 0 };
	int64_t span = plan.look == INT64_MAX ? DAYS(20) : plan.look - now;
	unsigned i;

	for (i = 0; i < 3 && span > 1; i++) {
		int64_t t =
		    i == 0 ? now + span - 1 : now + chance((unsigned)span);

		if (plan_make(&other, &rules, &facts, &self, t) != TOCSIN_OK)
			abort();
		bad->late += other.first != NULL;
	}
	plan_release(&other);
}

static void
check_timers(struct broken *bad)
{
	size_t i;

	for (i = 0; i < plan.n; i++) {
		const struct plan_timer *t = &plan.timer[i];

		bad->collide +=
		    i > 0 && strcmp(t->id, plan.timer[i - 1].id) == 0;
		bad->ended += t->state == PLAN_DUE && facts.closed;
	}
}

static bool
recorded(const char *id)
{
	size_t i;

	for (i = 0; i < facts.naction; i++)
		if (strcmp(action[i].id, id) == 0)
			return true;
	return false;
}

/* A bot does what is due, for eight days in which things happen. */
static void
live(struct broken *bad)
{
	int64_t now = NOW, event = NOW + chance(7200);
	unsigned steps = 0;

	begin(PLACES - 1);
	while (now < NOW + DAYS(8) && steps++ < 2000) {
		const struct plan_timer *t = make(now);

		check_timers(bad);
		check_order(bad, now);
		t = plan.first;
		if (t != NULL) {
			bad->twice += recorded(t->id);
			if (facts.naction < ACTIONS_MOST)
				record(t, now);
			continue;
		}
		check_look(bad, now);
		if (plan.look <= now)
			bad->late++;
		now = plan.look < event ? plan.look : event;
		if (chance(20) == 0) /* the machine sleeps */
			now += chance(100000);
		if (chance(40) == 0) /* its clock is put back */
			now -= chance(50000);
		if (now < event)
			continue;
		random_event(now);
		event = now + 1 + chance(60000);
	}
	bad->endless += steps >= 2000;
}

static void
test_random(void)
{
	const char *given = getenv("SEED"), *rounds = getenv("N");
	uint64_t first = given != NULL ? strtoull(given, NULL, 10)
				       : (uint64_t)time(NULL) * 2654435761u + 1;
	unsigned long n = rounds != NULL ? strtoul(rounds, NULL, 10) : 60, i;
	struct broken bad = { 0 };
	unsigned long made = 0;

	seed = first | 1;
	diag("SEED=%llu", (unsigned long long)first);
	for (i = 0; i < n; i++)
		if (random_rules()) {
			live(&bad);
			made++;
		}
	ok(made > n / 4, "%lu of %lu random files of rules were lived with",
	    made, n);
	is_int(bad.order, 0, "no order of the facts changes a plan");
	is_int(bad.twice, 0, "nothing that is recorded is due again");
	is_int(bad.late, 0, "nothing becomes due before a plan is looked at");
	is_int(bad.ended, 0, "nothing is due for a closed ticket");
	is_int(bad.collide, 0, "no two timers have one id");
	is_int(bad.endless, 0, "and all of it comes to rest");
}

/* ---- ten thousand tickets ---- */

static void
test_many(void)
{
	struct timespec a, b;
	char id[64];
	size_t n = 0, i;

	begin(1);
	use("[rule a]\nwhen mine and precedence at least immediate\n"
	    "for each recipient\nafter 15m: remind\nafter 30m: remind\n"
	    "after 1h: remind\nafter 2h: remind\nafter 1d: remind\n");
	facts.id = id;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	for (i = 0; i < 10000; i++) {
		snprintf(id, sizeof(id), "ticket %zu", i);
		make(NOW + 100);
		n += plan.n;
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	is_int((long long)n, 50000, "10,000 tickets have 50,000 timers");
	diag("planned in %.0f ms of one core",
	    (double)(b.tv_sec - a.tv_sec) * 1e3 +
		(double)(b.tv_nsec - a.tv_nsec) / 1e6);
}

int
main(void)
{
	test_steps();
	test_other_side();
	test_answer();
	test_restart();
	test_clock();
	test_late();
	test_late_idle();
	test_again();
	test_silent();
	test_asked_anew();
	test_working();
	test_deadline();
	test_chain();
	test_idle();
	test_claims();
	test_words();
	test_random();
	test_many();
	rules_release(&rules);
	plan_release(&plan);
	return tap_done();
}
