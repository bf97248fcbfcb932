/* SPDX-License-Identifier: ISC */
/*
 * What a bot does when something in its way fails, ticket by ticket, in a home
 * whose broker nobody is; what it plans is plan.c, and how it bears being
 * killed tests/system/bots.sh.
 */
#include "client/cli/cmd_bot.c"

#include "client/term.h"

#include "tests/lib/home.h"
#include "tests/lib/tap.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOWHERE "l5ZoPOcTqHTkWSJ4dPL6PpxMcrVVuQ4DmhTD1dDTJQA="

static struct fixture f;
static struct cli cli;
static struct bot bot;
static struct tocsin *t;
static char dir[512], first[TOCSIN_ID_TEXT];

static const char *const to_my[] = { "mycert@my", NULL };

static void
ticket(const char *subject)
{
	const struct tocsin_draft d = { .kind = "report",
		.to = to_my,
		.tlp = "GREEN",
		.subject = subject };

	if (tocsin_post(t, &d, first) != TOCSIN_OK)
		abort();
}

/* One ticket of ours, and rules. */
static void
begin(const char *subject, const char *rules)
{
	struct rules_faults *faults = calloc(1, sizeof(*faults));

	fixture_init(&f, "sg my la");
	home_make(dir, &f, "singcert@sg/desk1", HOME_NOBODY);
	if (tocsin_open(&t, dir, NULL) != TOCSIN_OK)
		abort();
	cli = (struct cli){ .home = dir };
	bot = (struct bot){ .c = &cli, .t = t, .name = "b" };
	bot.held = held_none;
	bot.a = (struct actor){ .c = &cli,
		.t = t,
		.rules = &bot.rules,
		.self = { "singcert@sg/desk1", "singcert@sg" } };
	if (faults == NULL ||
	    rules_parse(&bot.rules, span_of(rules), NULL, faults) !=
		TOCSIN_OK ||
	    !gather_new(&bot.gather, t, false, 120) ||
	    !hooks_new(&bot.a.hooks, &cli, bot.name, t->parts.desk, dir))
		abort();
	free(faults);
	ticket(subject);
	bot.a.offset = clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_BOOTTIME);
	bot.a.offset += 1000;
	bot.now = act_now(&bot.a);
}

static void
end(void)
{
	release(&bot);
	fixture_release(&f);
}

static size_t
messages(const char *id)
{
	struct tocsin_list *l = NULL;
	size_t n;

	if (tocsin_thread(t, id, &l) != TOCSIN_OK)
		return 0;
	n = l->n;
	tocsin_list_free(l);
	return n;
}

static size_t
tickets(void)
{
	struct tocsin_list *l = NULL;
	size_t n;

	if (tocsin_tickets(t, &l) != TOCSIN_OK)
		return 0;
	n = l->n;
	tocsin_list_free(l);
	return n;
}

/* The newest message, as our broker has answered it. */
static void
answered(enum tocsin_err refused, uint64_t seq)
{
	struct desk_tx *tx;
	struct desk_message m;
	uint64_t n;

	if (desk_write(t->parts.desk, &tx) != TOCSIN_OK ||
	    desk_last(tx, &n) != TOCSIN_OK ||
	    desk_outbox_done(tx, n) != TOCSIN_OK ||
	    desk_get(tx, n, &m) != TOCSIN_OK)
		abort();
	m.refused = refused;
	m.seq = seq;
	m.posted = seq != 0 ? cli_now() : 0;
	if ((seq != 0 && desk_u64_put(tx, "cursor", seq) != TOCSIN_OK) ||
	    desk_update(tx, &m) != TOCSIN_OK || desk_commit(tx) != TOCSIN_OK)
		abort();
}

/* The one timer that there is, of the ticket as it is. */
static const struct plan_timer *
timer(struct gathered *g)
{
	if (plan_of(&bot, first, g) != TOCSIN_OK || bot.plan.n != 1)
		abort();
	return &bot.plan.timer[0];
}

static void
put(const struct plan_timer *p, enum deed_state state, unsigned slot,
    int64_t begun)
{
	struct deed d = {
		.state = state, .tries = 1, .slot = slot, .begun = begun
	};

	snprintf(d.id, sizeof(d.id), "%s", p->id);
	snprintf(d.thread, sizeof(d.thread), "%s", first);
	if (deed_put(t, &d) != TOCSIN_OK)
		abort();
}

static void
reaped(void)
{
	while (!act_reap(&bot.a, bot.now))
		desk_wait(t->parts.desk, desk_changes(t->parts.desk), 20);
}

/* ---- messages ---- */

static void
test_post_once(void)
{
	const struct plan_timer *p;
	struct gathered g;
	struct facts lost;
	int64_t again = 0;
	unsigned i;

	begin("Beacons",
	    "[rule a]\nat once: post to lacert@la \"Look at {short_id}\"\n");
	p = timer(&g);
	lost = g.f;
	lost.id = NOWHERE; /* what it did cannot be recorded there */
	for (i = 0; i < 3; i++) {
		ok(!act_do(&bot.a, &lost, p, bot.now, &again) &&
			again > bot.now,
		    "a post that cannot be recorded is not done, and waits");
		bot.a.offset += (again - bot.now) * 1000;
		bot.now = act_now(&bot.a);
	}
	is_int((long long)tickets(), 2, "the post itself is there once");
	ok(act_do(&bot.a, &g.f, p, bot.now, &again) && tickets() == 2,
	    "and still is when its record can be made");
	is_int((long long)messages(first), 2, "which is there, too");
	gathered_release(&g);
	end();
}

static void
test_refused(enum tocsin_err refused, const char *says)
{
	const struct plan_timer *p;
	struct gathered g;
	struct deed d;
	int64_t again = 0;

	begin("Beacons", "[rule a]\nat once: raise flash\n");
	p = timer(&g);
	ok(act_do(&bot.a, &g.f, p, bot.now, &again), "a message is posted");
	gathered_release(&g);
	answered(refused, 0);
	p = timer(&g);
	ok(!act_do(&bot.a, &g.f, p, bot.now, &again) && again > bot.now &&
		messages(first) == 2,
	    "one that was refused is made anew after a while");
	ok(deed_get(t, p->id, &d) == TOCSIN_OK && strstr(d.why, says) != NULL,
	    "and why is known: %s", d.why);
	deed_release(&d);
	bot.now = again;
	ok(act_do(&bot.a, &g.f, p, bot.now, &again) && messages(first) == 3,
	    "then it is");
	gathered_release(&g);
	end();
}

/* ---- programs ---- */

#define TRUE_HOOK                                  \
	"[hook h]\nrun /bin/true\ntime-out 300s\n" \
	"[rule a]\nat once: notify h\n"

static void
test_refused_record(void)
{
	const struct plan_timer *p;
	struct gathered g;
	int64_t again = 0;

	begin("Beacons", TRUE_HOOK);
	p = timer(&g);
	put(p, DEED_GOOD, 1, bot.now - 5);
	ok(act_do(&bot.a, &g.f, p, bot.now, &again),
	    "what a program has done is recorded");
	gathered_release(&g);
	is_int(timer(&g)->state, PLAN_DONE, "and done by that");
	gathered_release(&g);
	answered(TOCSIN_ECLOCKSKEW, 0);
	p = timer(&g);
	is_int(p->state, PLAN_DUE, "a record that the broker refuses is none");
	(void)act_do(&bot.a, &g.f, p, bot.now, &again);
	is_int((long long)messages(first), 3, "it is made once more");
	gathered_release(&g);
	is_int(timer(&g)->state, PLAN_DONE, "and counts");
	gathered_release(&g);
	end();
}

/* A claim of ours of that time, which our broker has. */
static void
claimed(const struct plan_timer *p, int64_t until)
{
	struct gathered g;

	if (plan_of(&bot, first, &g) != TOCSIN_OK ||
	    act_claim(&bot.a, &g.f, p, until) != TOCSIN_OK)
		abort();
	gathered_release(&g);
	answered(TOCSIN_OK, 7);
}

static void
test_ended_under_claim(void)
{
	const struct plan_timer *p;
	struct gathered g;

	begin("Beacons", TRUE_HOOK);
	p = timer(&g);
	claimed(p, bot.now + RULES_CLAIM + 300);
	gathered_release(&g);
	p = timer(&g);
	ok(p->ours && is_ours(&bot, p), "we have claimed it");
	put(p, DEED_GOOD, 1, bot.now);
	gathered_release(&g);
	bot.a.offset += 100000; /* so long did the program take */
	bot.now = act_now(&bot.a);
	p = timer(&g);
	ok(p->ours && !is_ours(&bot, p),
	    "what is left of the claim is too short to begin another");
	gathered_release(&g);
	ok(act_for(&bot, first, true),
	    "what the program did is recorded at once, not when the claim has "
	    "run out: another would do it again then");
	is_int(timer(&g)->state, PLAN_DONE, "and done by that");
	gathered_release(&g);
	end();
}

/* The newest message: whether it is not sent any more at a time. */
static bool
over(int64_t at)
{
	struct desk_tx *tx;
	uint64_t n;
	bool is;

	if (desk_read(t->parts.desk, &tx) != TOCSIN_OK ||
	    desk_last(tx, &n) != TOCSIN_OK)
		abort();
	is = term_over(tx, n, at);
	desk_end(tx);
	return is;
}

static void
test_end_of_claim(void)
{
	const struct plan_timer *p;
	struct gathered g;
	int64_t until, again;

	begin("Beacons", "[rule a]\nfor each recipient\nat once: remind\n");
	p = timer(&g);
	until = bot.now + RULES_CLAIM;
	claimed(p, until);
	ok(over(until + 1) && !over(until - 1),
	    "a claim is not sent when its time is over");
	gathered_release(&g);
	p = timer(&g);
	bot.a.offset += (RULES_CLAIM + 1) * 1000; /* the process was stopped */
	ok(is_ours(&bot, p) && !act_do(&bot.a, &g.f, p, bot.now, &again) &&
		messages(first) == 2,
	    "nothing is said when the claim is over");
	bot.a.offset -= (RULES_CLAIM + 1) * 1000;
	ok(act_do(&bot.a, &g.f, p, bot.now, &again) && messages(first) == 3,
	    "what is said before");
	ok(over(until + 1) && !over(until - 1), "is not sent after it either");
	gathered_release(&g);
	end();
}

/* Of an earlier bot, in a slot; it has left its process group. */
static pid_t
left_over(unsigned slot)
{
	char path[640], told;
	int fd, ready[2];
	pid_t pid;

	snprintf(path, sizeof(path), "%s/readers", dir);
	(void)mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/readers/bot.b.%u.run", dir, slot);
	if (pipe(ready) != 0)
		abort();
	pid = fork();
	if (pid == 0) {
		fd = open(path, O_RDWR | O_CREAT, 0600);
		if (fd < 0 || flock(fd, LOCK_EX) != 0 ||
		    write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	if (pid < 0 || read(ready[0], &told, 1) != 1)
		abort();
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void
test_left_over(void)
{
	const struct plan_timer *p;
	struct gathered g;
	int64_t again = 0;
	pid_t pid[HOOKS_MAX];
	unsigned noted, i;

	begin("Beacons", TRUE_HOOK);
	pid[0] = left_over(1);
	p = timer(&g);
	put(p, DEED_BEGUN, 1, bot.now - 10);
	ok(!act_do(&bot.a, &g.f, p, bot.now, &again),
	    "a program of an earlier bot that is at work is waited for");
	put(p, DEED_BEGUN, 1, bot.now - 3600);
	ok(act_do(&bot.a, &g.f, p, bot.now, &again),
	    "but not for ever: one that nobody can end keeps no action");
	reaped();
	ok(act_do(&bot.a, &g.f, p, bot.now, &again),
	    "which is done in another slot");
	gathered_release(&g);
	end();
	begin("Beacons", TRUE_HOOK);
	for (i = 1; i < HOOKS_MAX; i++)
		pid[i] = left_over(i + 1);
	kill(pid[0], SIGKILL);
	waitpid(pid[0], NULL, 0);
	pid[0] = left_over(1);
	p = timer(&g);
	noted = cli_noted();
	ok(!act_do(&bot.a, &g.f, p, bot.now, &again) &&
		cli_noted() == noted + 1,
	    "that they hold all slots is told");
	ok(!act_do(&bot.a, &g.f, p, bot.now + 60, &again) &&
		cli_noted() == noted + 1,
	    "and not each time");
	for (i = 0; i < HOOKS_MAX; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
	}
	gathered_release(&g);
	end();
}

/* What the hook was given, by its own word. */
static void
given(const char *subject, char out[1024])
{
	const struct plan_timer *p;
	char rules[1024], path[640];
	struct gathered g;
	int64_t again = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/given", scratch());
	snprintf(rules, sizeof(rules),
	    "[hook h]\nrun /bin/sh -c \"printf %%s \\\"$1\\\" >%s\" x "
	    "{subject}\n[rule a]\nat once: notify h\n",
	    path);
	begin(subject, rules);
	p = timer(&g);
	if (!act_do(&bot.a, &g.f, p, bot.now, &again))
		abort();
	reaped();
	fd = open(path, O_RDONLY);
	n = fd >= 0 ? read(fd, out, 1023) : 0;
	out[n > 0 ? n : 0] = '\0';
	close(fd);
	gathered_release(&g);
	end();
}

static void
test_arguments(void)
{
	static char subject[150000];
	char out[1024];

	given("Beacons in SCADA", out);
	is_str(out, "Beacons in SCADA", "an argument is what its field says");
	memset(subject, 'x', sizeof(subject) - 1);
	subject[sizeof(subject) - 1] = '\0';
	memcpy(subject + 499, "\xc3\xa9", 2);
	given(subject, out);
	is_int((long long)strlen(out), 499 + 3,
	    "a subject without end is cut, and not within a character: no "
	    "program would take all of it");
	given("--output=/etc/passwd", out);
	is_str(out, " --output=/etc/passwd",
	    "a stranger's words that begin one are no option of the program");
}

/* A claim that stays another's: the next look is always a second away. */
static void
test_idle(void)
{
	begin("Beacons", TRUE_HOOK);
	if (gather_pass(bot.gather, bot.now, look, &bot) != TOCSIN_OK)
		abort();
	gather_later(bot.gather, first, bot.now + 3600);
	ok(is_idle(&bot, backoff_now()), "--once leaves what has time");
	gather_later(bot.gather, first, bot.now + 1);
	ok(!is_idle(&bot, backoff_now()),
	    "waits for what can be done in a second");
	ok(is_idle(&bot, backoff_now() - IDLE_MS - 1),
	    "and not for ever, if that never comes");
	end();
}

int
main(void)
{
	test_post_once();
	test_refused(TOCSIN_EQUOTA, "the broker refused it");
	test_refused(TOCSIN_ETIMEOUT, "did not reach the broker");
	test_refused_record();
	test_ended_under_claim();
	test_end_of_claim();
	test_left_over();
	test_arguments();
	test_idle();
	return tap_done();
}
