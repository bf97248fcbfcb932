/* SPDX-License-Identifier: ISC */
#include "client/bot/hooks.h"

#include "client/desk.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum state { FREE, RUNS, ENDED };

struct slot {
	struct hooks *of;
	struct held held;
	bool locked; /* by us */
	enum state state;
	pthread_t thread;
	char action[PLAN_ID + 1];
	struct run run;
	struct run_env env;
	char **argv;
	struct buf input;
	struct run_end end;
};

struct hooks {
	struct cli *c;
	struct desk *desk;
	const char *home;
	char name[64];
	pthread_mutex_t lock; /* of the slots' states */
	struct slot slot[HOOKS_MAX];
};

bool
hooks_new(struct hooks **out, struct cli *c, const char *name,
    struct desk *desk, const char *home)
{
	struct hooks *h = calloc(1, sizeof(*h));
	size_t i;

	*out = h;
	if (h == NULL)
		return false;
	h->c = c;
	h->desk = desk;
	h->home = home;
	snprintf(h->name, sizeof(h->name), "%s", name);
	pthread_mutex_init(&h->lock, NULL);
	for (i = 0; i < HOOKS_MAX; i++) {
		h->slot[i].of = h;
		h->slot[i].held = held_none;
	}
	return true;
}

static void
slot_clear(struct slot *s)
{
	size_t i;

	for (i = 0; s->argv != NULL && s->argv[i] != NULL; i++)
		free(s->argv[i]);
	free(s->argv);
	s->argv = NULL;
	run_env_release(&s->env);
	s->env = (struct run_env){ 0 };
	buf_release(&s->input);
	s->state = FREE;
}

void
hooks_free(struct hooks *h)
{
	size_t i;

	if (h == NULL)
		return;
	for (i = 0; i < HOOKS_MAX; i++) {
		struct slot *s = &h->slot[i];

		if (s->state != FREE) {
			pthread_join(s->thread, NULL);
			buf_release(&s->end.kept);
			slot_clear(s);
		}
		held_release(&s->held);
	}
	pthread_mutex_destroy(&h->lock);
	free(h);
}

static enum state
state_of(struct slot *s)
{
	enum state state;

	pthread_mutex_lock(&s->of->lock);
	state = s->state;
	pthread_mutex_unlock(&s->of->lock);
	return state;
}

static bool
lock_slot(struct hooks *h, unsigned i)
{
	struct slot *s = &h->slot[i];
	char name[96];

	if (s->locked)
		return true;
	snprintf(name, sizeof(name), "bot.%s.%u", h->name, i + 1);
	s->locked = held_free(&s->held, h->c, name);
	return s->locked;
}

unsigned
hooks_slot(struct hooks *h)
{
	unsigned i;

	for (i = 0; i < HOOKS_MAX; i++)
		if (state_of(&h->slot[i]) == FREE && lock_slot(h, i))
			return i + 1;
	return 0;
}

bool
hooks_left(struct hooks *h, unsigned slot)
{
	return slot >= 1 && slot <= HOOKS_MAX && !lock_slot(h, slot - 1);
}

void
hooks_end_left(struct hooks *h, unsigned slot)
{
	if (slot >= 1 && slot <= HOOKS_MAX)
		held_end(&h->slot[slot - 1].held);
}

/* ---- running ---- */

static void *
work(void *arg)
{
	struct slot *s = arg;

	run_program(&s->run, &s->end);
	pthread_mutex_lock(&s->of->lock);
	s->state = ENDED;
	pthread_mutex_unlock(&s->of->lock);
	desk_wake(s->of->desk);
	return NULL;
}

/* What a program may expect of any machine, and who it is for. */
static void
set_env(struct slot *s, const struct hook_start *start)
{
	char attempt[16];

	snprintf(attempt, sizeof(attempt), "%u", start->attempt);
	run_set(&s->env, "PATH",
	    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	run_set(&s->env, "LANG", "C.UTF-8");
	run_set(&s->env, "HOME", getenv("HOME"));
	run_set(&s->env, "TZ", getenv("TZ"));
	run_set(&s->env, "TOCSIN_HOME", s->of->home);
	run_set(&s->env, "TOCSIN_ACTION", start->action);
	run_set(&s->env, "TOCSIN_ATTEMPT", attempt);
	run_set(&s->env, "TOCSIN_RULE", start->rule);
	run_set(&s->env, "TOCSIN_THREAD", start->thread);
}

static bool
copy_argv(struct slot *s, char *const *argv)
{
	size_t i, n = 0;

	while (argv[n] != NULL)
		n++;
	s->argv = calloc(n + 1, sizeof(*s->argv));
	if (s->argv == NULL)
		return false;
	for (i = 0; i < n; i++)
		if ((s->argv[i] = strdup(argv[i])) == NULL)
			return false;
	return true;
}

bool
hooks_start(struct hooks *h, unsigned slot, const struct hook_start *start)
{
	struct slot *s = &h->slot[slot - 1];

	snprintf(s->action, sizeof(s->action), "%s", start->action);
	buf_add(&s->input, start->input);
	set_env(s, start);
	s->run = (struct run){ .env = s->env.var,
		.dir = "/",
		.input = buf_span(&s->input),
		.seconds = start->seconds,
		.output = RUN_TAIL,
		.max = 4096,
		.limits = { start->seconds, HOOK_MEMORY, HOOK_FILE,
		    HOOK_FILES },
		.held = &s->held };
	if (copy_argv(s, start->argv) && buf_ok(&s->input) && !s->env.failed) {
		s->run.argv = s->argv;
		s->state = RUNS;
		if (pthread_create(&s->thread, NULL, work, s) == 0)
			return true;
	}
	slot_clear(s);
	return false;
}

bool
hooks_running(struct hooks *h, const char *action)
{
	size_t i;

	for (i = 0; i < HOOKS_MAX; i++)
		if (state_of(&h->slot[i]) != FREE &&
		    strcmp(h->slot[i].action, action) == 0)
			return true;
	return false;
}

unsigned
hooks_busy(struct hooks *h)
{
	unsigned i, n = 0;

	for (i = 0; i < HOOKS_MAX; i++)
		n += state_of(&h->slot[i]) != FREE;
	return n;
}

bool
hooks_ended(struct hooks *h, struct hook_end *out)
{
	size_t i;

	for (i = 0; i < HOOKS_MAX; i++) {
		struct slot *s = &h->slot[i];

		if (state_of(s) != ENDED)
			continue;
		pthread_join(s->thread, NULL);
		memcpy(out->action, s->action, sizeof(out->action));
		out->end = s->end;
		slot_clear(s);
		return true;
	}
	return false;
}
