/* SPDX-License-Identifier: ISC */
/* Rules that act by themselves: tocsin-rules(5). */
#include "client/backoff.h"
#include "client/bot/act.h"
#include "client/bot/gather.h"
#include "client/bot/load.h"
#include "client/cli/bot_show.h"
#include "client/cli/cmds.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLICE_MS 500 /* how soon a signal is noticed */
#define AGAIN_MS 100 /* between two passes */
#define SYNC_MS                                                               \
	10000	       /* what is known must be fresh before anything is done \
			*/
#define STUCK_MS 1000  /* the same when something does not leave */
#define HOLD_SECONDS 5 /* while it is not */
#define JUMP 600       /* PROTOCOL.md 8.12 */
#define STEP 1	       /* of the clock, in seconds, is one that was set */
#define DAY 86400
#define IDLE_MS 30000  /* --once waits no longer with nothing to do */
#define TOLD_MS 600000 /* between two lines about the same trouble */

struct claimed {
	char id[PLAN_ID + 1];
	int64_t until;
};

struct bot {
	struct cli *c;
	struct tocsin *t;
	const char *path;
	char name[48], home[512];
	struct rules rules;
	struct actor a;
	struct held held;
	struct gather *gather;
	struct plan plan;
	int64_t now;

	char (*due)[TOCSIN_ID_TEXT]; /* tickets, of the last pass */
	size_t ndue, room;
	struct claimed *claimed;
	size_t nclaimed;

	int64_t tidied;	 /* when what is old was forgotten last */
	bool proven;	 /* the broker took what has a time of our clock */
	int64_t told_at; /* of trouble; 0: there is none */
	bool stuck;	 /* something in the outbox does not leave */
	bool failed;	 /* no memory */
};

static volatile sig_atomic_t stopped, reload;

static void
on_signal(int signal)
{
	if (signal == SIGHUP)
		reload = 1;
	else
		stopped = 1;
}

/* ---- which timers may be done ---- */

/* Devices of the team that may act by rules too, beside us. */
static unsigned
other_bots(struct bot *b)
{
	const struct keystore *us = b->t->parts.keys;
	const struct keys *k;
	unsigned n = 0;
	size_t i;

	pthread_mutex_lock(&b->t->lock);
	k = belief_keys(&b->t->belief, span_of(us->member));
	for (i = 0; k != NULL && i < k->ndevice; i++)
		n += k->device[i].role == KEYS_BOT &&
		     strcmp(k->device[i].name, us->label) != 0 &&
		     strcmp(k->device[i].exercise, us->exercise) == 0;
	pthread_mutex_unlock(&b->t->lock);
	return n;
}

static bool
needs_claim(struct bot *b)
{
	return !b->proven || other_bots(b) > 0;
}

/* We hold it, and for as long as it takes. */
static bool
is_ours(const struct bot *b, const struct plan_timer *t)
{
	if (!t->ours || t->claim == NULL)
		return false;
	return t->action->kind != ACTION_NOTIFY ||
	       t->claim->until - b->now >= t->action->hook->seconds;
}

/* Neither under way nor waiting after a failure; else when it is worth a look.
 */
static bool
is_ready(struct bot *b, const struct plan_timer *t, int64_t *again)
{
	struct deed d;
	bool ready = true;

	*again = b->now + 1;
	if (t->action->kind == ACTION_NOTIFY &&
	    hooks_running(b->a.hooks, t->id))
		return false;
	if (deed_get(b->t, t->id, &d) == TOCSIN_OK) {
		ready = d.state != DEED_FAILED || d.again <= b->now ||
			d.again > b->now + 3600; /* a clock was set back */
		if (!ready)
			*again = d.again;
	}
	deed_release(&d);
	return ready;
}

static bool
was_claimed(const struct bot *b, const char *id)
{
	size_t i;

	for (i = 0; i < b->nclaimed; i++)
		if (strcmp(b->claimed[i].id, id) == 0)
			return true;
	return false;
}

static void
remember_claim(struct bot *b, const char *id, int64_t until)
{
	struct claimed *grown =
	    realloc(b->claimed, (b->nclaimed + 1) * sizeof(*grown));

	if (grown == NULL) {
		b->failed = true;
		return;
	}
	b->claimed = grown;
	grown += b->nclaimed++;
	snprintf(grown->id, sizeof(grown->id), "%s", id);
	grown->until = until;
}

static void
forget_claims(struct bot *b)
{
	size_t i, n = 0;

	for (i = 0; i < b->nclaimed; i++)
		if (b->claimed[i].until - b->rules.claim / 2 > b->now)
			b->claimed[n++] = b->claimed[i];
	b->nclaimed = n;
}

/* ---- a pass ---- */

static bool
add_due(struct bot *b, const char *id)
{
	size_t room = b->room > 0 ? 2 * b->room : 64;
	char(*grown)[TOCSIN_ID_TEXT] = b->due;

	if (b->ndue == b->room) {
		grown = realloc(grown, room * sizeof(*grown));
		if (grown == NULL)
			return false;
		b->due = grown;
		b->room = room;
	}
	snprintf(grown[b->ndue++], TOCSIN_ID_TEXT, "%s", id);
	return true;
}

static int64_t
look(void *arg, const struct facts *f)
{
	struct bot *b = arg;

	if (plan_make(&b->plan, &b->rules, f, &b->a.self, b->now) !=
		TOCSIN_OK ||
	    (b->plan.first != NULL && !add_due(b, f->id))) {
		b->failed = true;
		return b->now + HOLD_SECONDS;
	}
	return b->plan.look > b->now ? b->plan.look : b->now + 1;
}

/* The ticket's plan, made of what the desk has now. */
static enum tocsin_err
plan_of(struct bot *b, const char *id, struct gathered *g)
{
	uint8_t thread[ID_LEN];
	enum tocsin_err err;

	*g = (struct gathered){ 0 };
	if (!id_parse(span_of(id), thread))
		return fail(TOCSIN_EINTERNAL, "%s is no id", id);
	err = gather_one(
	    g, b->t, thread, INT64_MAX, b->rules.words, b->rules.claim);
	if (err == TOCSIN_OK)
		err = plan_make(&b->plan, &b->rules, &g->f, &b->a.self, b->now);
	return err;
}

/* True: a claim was posted. */
static bool
claim_for(struct bot *b, const char *id)
{
	struct gathered g;
	bool posted = false;
	int64_t again, until;
	size_t i;

	b->now = act_now(&b->a);
	if (plan_of(b, id, &g) == TOCSIN_OK)
		for (i = 0; i < b->plan.n && !posted; i++) {
			const struct plan_timer *t = &b->plan.timer[i];

			if (t->state != PLAN_DUE || is_ours(b, t) ||
			    was_claimed(b, t->id) || !is_ready(b, t, &again) ||
			    act_has_ended(&b->a, t))
				continue;
			until = b->now + b->rules.claim;
			if (t->action->kind == ACTION_NOTIFY)
				until += t->action->hook->seconds;
			posted = act_claim(&b->a, &g.f, t, until) == TOCSIN_OK;
			remember_claim(b, t->id, until);
			if (!posted)
				cli_note("%s: no claim: %s", g.f.short_id,
				    tocsin_error(b->t));
			break;
		}
	gathered_release(&g);
	return posted;
}

/* The first timer that can be done now. */
static bool
act_for(struct bot *b, const char *id, bool claims)
{
	int64_t again, first = GATHER_NEVER;
	struct gathered g;
	bool done = false;
	size_t i;

	b->now = act_now(&b->a); /* much may have passed since the pass began */
	if (plan_of(b, id, &g) != TOCSIN_OK)
		first = b->now + HOLD_SECONDS;
	for (i = 0; g.f.id != NULL && i < b->plan.n && !done; i++) {
		const struct plan_timer *t = &b->plan.timer[i];

		if (t->state != PLAN_DUE)
			continue;
		if (!is_ready(b, t, &again)) {
			first = again < first ? again : first;
			continue;
		}
		if (claims && !is_ours(b, t) && !act_has_ended(&b->a, t)) {
			first = b->now + 1;
			continue;
		}
		b->proven |= t->ours;
		done = act_do(&b->a, &g.f, t, b->now, &again);
		first = done ? b->now : again < first ? again : first;
	}
	gathered_release(&g);
	gather_later(b->gather, id, first);
	return done;
}

/* ---- trouble ---- */

static void
tell_trouble(struct bot *b, enum tocsin_err err)
{
	if (b->told_at != 0 && backoff_now() - b->told_at < TOLD_MS)
		return;
	b->told_at = backoff_now();
	if (err == TOCSIN_ECLOCKSKEW)
		cli_note("the broker says that this machine's clock is wrong; "
			 "nothing is done until it is set [clock-skew]");
	else
		cli_note("%zu ticket%s wait%s: nothing is done without the "
			 "broker, for an answer may lie there: %s [%s]",
		    b->ndue, b->ndue == 1 ? "" : "s", b->ndue == 1 ? "s" : "",
		    tocsin_error(b->t), tocsin_err_name(err));
}

static bool
is_linked(const struct bot *b)
{
	return b->t->sync != NULL && sync_link(b->t->sync) == TOCSIN_OK;
}

/*
 * All that the broker has is here. What cannot leave for another reason than
 * the link, an attachment for one, keeps nobody from knowing.
 */
static bool
is_fresh(struct bot *b)
{
	enum tocsin_err err = tocsin_sync(b->t, b->stuck ? STUCK_MS : SYNC_MS);

	b->stuck = err != TOCSIN_OK && is_linked(b);
	if (err == TOCSIN_ECLOCKSKEW && !b->proven)
		tell_trouble(b, err);
	if (b->stuck) /* our own claim says what our clock is worth */
		return true;
	if (err != TOCSIN_OK) {
		tell_trouble(b, err);
		return false;
	}
	if (b->told_at != 0)
		cli_note("the broker is there again");
	b->told_at = 0;
	return true;
}

static int64_t
clock_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* A clock that was set may be wrong: the broker is asked by a claim. */
static void
see_clock(struct bot *b)
{
	int64_t offset = clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_BOOTTIME);
	int64_t by = (offset - b->a.offset) / 1000;

	if (b->a.offset == 0) /* the first time */
		by = 0;
	if (by > JUMP || by < -JUMP)
		cli_note("the clock was set %s by %lld s%s",
		    by > 0 ? "forward" : "back", (long long)(by > 0 ? by : -by),
		    by > 0 ? "; nothing is done before the broker has taken "
			     "a message of that time"
			   : "; what waits is late by as much until it is "
			     "right again");
	if (by > JUMP)
		b->proven = false;
	if (by < -JUMP) /* claims of a time to come are none now */
		b->nclaimed = 0;
	if (by > STEP || by < -STEP)
		gather_anew(b->gather);
	b->a.offset = offset;
	b->now = cli_now();
}

/* ---- the loop ---- */

static void
hold(struct bot *b)
{
	size_t i;

	for (i = 0; i < b->ndue; i++)
		gather_later(b->gather, b->due[i], b->now + HOLD_SECONDS);
}

/* True: something was done. */
static bool
act(struct bot *b)
{
	bool claims, done = false;
	size_t i, n = 0;

	if (!is_fresh(b)) {
		hold(b);
		return false;
	}
	claims = needs_claim(b);
	forget_claims(b);
	for (i = 0; claims && i < b->ndue && !stopped; i++)
		n += claim_for(b, b->due[i]);
	if (n > 0 && !is_fresh(b)) {
		hold(b);
		return false;
	}
	for (i = 0; i < b->ndue && !stopped; i++)
		done |= act_for(b, b->due[i], claims);
	return done;
}

static bool
pass(struct bot *b, bool *done)
{
	enum tocsin_err err;

	see_clock(b);
	*done = act_reap(&b->a, b->now);
	b->ndue = 0;
	err = gather_pass(b->gather, b->now, look, b);
	if (err == TOCSIN_OK && b->ndue > 0)
		*done |= act(b);
	if (err != TOCSIN_OK)
		cli_note("%s", tocsin_error(b->t));
	return err == TOCSIN_OK && !b->failed;
}

/* Until the next timer, or somebody's change. */
static void
sleep_until_next(struct bot *b, uint64_t seen)
{
	int64_t next = gather_next(b->gather), left;
	const struct timespec least = { 0, AGAIN_MS * 1000000L };

	nanosleep(&least, NULL);
	for (;;) {
		left = SLICE_MS;
		if (next < b->now + 3600)
			left = next * 1000 - clock_ms(CLOCK_REALTIME);
		if (left <= 0 || stopped || reload ||
		    desk_changes(b->t->parts.desk) != seen)
			return;
		desk_wait(b->t->parts.desk, seen,
		    left < SLICE_MS ? (int)left : SLICE_MS);
		if (cli_now() < b->now || cli_now() > b->now + 60)
			return; /* the clock was set; or a look now and then */
	}
}

static bool
load(struct bot *b, struct rules *out)
{
	struct rules_faults *faults = calloc(1, sizeof(*faults));
	char why[512] = "no memory";
	enum tocsin_err err = TOCSIN_EINTERNAL;

	if (faults != NULL)
		err = rules_load(out, b->path, cli_now(), faults, why);
	if (err != TOCSIN_OK)
		bot_faults(b->path, faults, why);
	free(faults);
	return err == TOCSIN_OK;
}

/* With a fault in it, the old ones stay in force. */
static void
load_again(struct bot *b)
{
	struct gather *fresh = NULL;
	struct rules rules = { 0 };

	reload = 0;
	if (!load(b, &rules) ||
	    !gather_new(&fresh, b->t, rules.words, rules.claim)) {
		rules_release(&rules);
		b->rules.good_until = b->now + 3600;
		cli_note("the rules as they were stay in force");
		return;
	}
	plan_release(&b->plan);
	b->plan = (struct plan){ 0 };
	rules_release(&b->rules);
	gather_free(b->gather);
	b->rules = rules;
	b->gather = fresh;
	cli_note("the rules were read again: %zu", b->rules.nrule);
}

/* A bot runs for months. */
static void
tidy(struct bot *b)
{
	if (b->now >= b->tidied && b->now < b->tidied + DAY)
		return;
	b->tidied = b->now;
	if (deeds_tidy(b->t, b->now) != TOCSIN_OK)
		cli_note("what is old could not be tidied away");
}

/* What cannot be done at once, for another bot's claim or a slow link. */
static bool
is_idle(const struct bot *b, int64_t active)
{
	return hooks_busy(b->a.hooks) == 0 &&
	       (gather_next(b->gather) > b->now + 2 ||
		   backoff_now() > active + IDLE_MS);
}

static int
loop(struct bot *b, bool once)
{
	int64_t active = backoff_now();
	uint64_t seen;
	bool done;

	for (;;) {
		if (reload || b->now > b->rules.good_until)
			load_again(b);
		tidy(b);
		seen = desk_changes(b->t->parts.desk);
		if (!pass(b, &done)) {
			if (b->failed)
				return cli_fail(TOCSIN_EINTERNAL, "no memory");
			return 1;
		}
		if (stopped || (once && !done && is_idle(b, active)))
			return 0;
		if (done || hooks_busy(b->a.hooks) > 0)
			active = backoff_now();
		if (!done)
			sleep_until_next(b, seen);
	}
}

/* ---- the command line ---- */

/* escalation of /etc/tocsin/escalation.rules. */
static bool
name_of(struct bot *b, const char *given)
{
	const char *slash = strrchr(b->path, '/');
	const char *base = slash != NULL ? slash + 1 : b->path;
	size_t n = strlen(base);

	if (given == NULL && n > 6 && strcmp(base + n - 6, ".rules") == 0)
		n -= 6;
	snprintf(b->name, sizeof(b->name), "%.*s", given != NULL ? 47 : (int)n,
	    given != NULL ? given : base);
	if (name_token(span_of(b->name)))
		return true;
	cli_usage("%s is no name for a bot: lower case, digits and '-'; give "
		  "one with --name",
	    b->name);
	return false;
}

static int
start(struct bot *b)
{
	int status = held_bot(&b->held, b->c, b->name);

	if (status != 0)
		return status;
	if (b->t->parts.keys->role == KEYS_READER)
		return cli_fail(TOCSIN_EKINDNOTALLOWED,
		    "a reader's device sends nothing, so rules cannot act on "
		    "it; --dry-run and --explain can");
	if (!gather_new(&b->gather, b->t, b->rules.words, b->rules.claim) ||
	    !hooks_new(&b->a.hooks, b->c, b->name, b->t->parts.desk, b->home))
		return cli_fail(TOCSIN_EINTERNAL, "no memory");
	bot_warn(b->path, &b->rules);
	return 0;
}

static int
work(struct bot *b, bool once)
{
	int64_t began = backoff_now();
	struct sigaction act = { .sa_handler = on_signal };
	enum tocsin_err err;
	bool done;
	int status = start(b);

	if (status != 0)
		return status;
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	err = once ? cli_sync(b->c, b->t, 0) : TOCSIN_OK;
	if (err != TOCSIN_OK && !is_linked(b))
		return cli_error(b->t, err);
	if (!pass(b, &done))
		return 1;
	cli_note("bot %s: %zu rule%s, %zu ticket%s, after %lld ms", b->name,
	    b->rules.nrule, b->rules.nrule == 1 ? "" : "s",
	    gather_threads(b->gather),
	    gather_threads(b->gather) == 1 ? "" : "s",
	    (long long)(backoff_now() - began));
	status = loop(b, once);
	if (hooks_busy(b->a.hooks) > 0)
		cli_note("waiting for %u hook%s", hooks_busy(b->a.hooks),
		    hooks_busy(b->a.hooks) == 1 ? "" : "s");
	while (hooks_busy(b->a.hooks) > 0)
		if (!act_reap(&b->a, cli_now()))
			desk_wait(b->t->parts.desk,
			    desk_changes(b->t->parts.desk), SLICE_MS);
	(void)cli_sync(b->c, b->t, 0);
	cli_note("bot %s ends: %llu messages, %llu hooks begun, %llu failures",
	    b->name, (unsigned long long)b->a.posted,
	    (unsigned long long)b->a.begun, (unsigned long long)b->a.failed);
	return status;
}

struct wish {
	bool check, dry, once;
	const char *since, *explain, *name;
};

static int
run(struct bot *b, const struct wish *w)
{
	struct keystore *k;
	int status = cli_open(b->c, &b->t);

	if (status != 0)
		return status;
	k = b->t->parts.keys;
	b->a.c = b->c;
	b->a.t = b->t;
	b->a.rules = &b->rules;
	b->a.self = (struct plan_self){ k->device, k->member };
	snprintf(b->home, sizeof(b->home), "%s", k->home);
	if (!w->dry && w->explain == NULL)
		return work(b, w->once);
	(void)cli_sync(b->c, b->t, 0);
	return w->dry ? bot_rehearse(&b->a, w->since)
		      : bot_explain(&b->a, w->explain);
}

static void
release(struct bot *b)
{
	hooks_free(b->a.hooks);
	gather_free(b->gather);
	plan_release(&b->plan);
	tocsin_close(b->t);
	rules_release(&b->rules);
	held_release(&b->held);
	free(b->due);
	free(b->claimed);
}

int
cmd_bot(struct cli *c, int argc, char **argv)
{
	struct bot b = { .c = c, .held = held_none };
	struct wish w = { 0 };
	const struct opt opts[] = {
		{ "--check", OPT_FLAG, &w.check },
		{ "--dry-run", OPT_FLAG, &w.dry },
		{ "--since", OPT_WORD, &w.since },
		{ "--explain", OPT_WORD, &w.explain },
		{ "--once", OPT_FLAG, &w.once },
		{ "--name", OPT_WORD, &w.name },
		{ NULL, OPT_FLAG, NULL },
	};
	bool works;
	int status;

	if (!cli_options(c, argc, argv, opts, 1, 1))
		return 2;
	if (w.check + w.dry + (w.explain != NULL) + w.once > 1)
		return cli_usage("--check, --dry-run, --explain and --once: "
				 "one of them");
	if (w.since != NULL && !w.dry)
		return cli_usage("--since is for --dry-run");
	b.path = c->words[0];
	works = !w.check && !w.dry && w.explain == NULL;
	if ((works || w.name != NULL) && !name_of(&b, w.name))
		return 2;
	if (!load(&b, &b.rules)) {
		rules_release(&b.rules);
		return 2;
	}
	status = w.check ? bot_checked(c, b.path, &b.rules) : run(&b, &w);
	release(&b);
	return status;
}
