/* SPDX-License-Identifier: ISC */
#include "client/cli/run.h"

#include "client/backoff.h"
#include "client/cli/print.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_MAX_BYTES (64 * 1024) /* longer ones are passed on in pieces */
#define LOCK_FD 3		   /* of the command */
#define DRAIN_MAX 512		   /* reads after the end */

struct stream {
	int fd; /* -1: at its end */
	FILE *to;
	enum run_output how;
	size_t max;
	bool over;
	struct buf own, *b; /* b: own, or another's that both write into */
};

struct running {
	const struct run *x;
	struct stream out, err;
	int in, to_out, to_err; /* the program's ends */
	int pidfd;
	pid_t pid;
	bool timed_out;
};

/* ---- the environment ---- */

void
run_set(struct run_env *e, const char *name, const char *value)
{
	if (value == NULL)
		return;
	if (e->n == RUN_ENV ||
	    asprintf(&e->var[e->n], "%s=%s", name, value) < 0) {
		e->var[e->n] = NULL;
		e->failed = true;
		return;
	}
	e->var[++e->n] = NULL;
}

void
run_env_release(struct run_env *e)
{
	while (e->n > 0)
		free(e->var[--e->n]);
}

/* ---- descriptors ---- */

/* Beyond those that the command gets, so that none replaces another. */
static int
high(int fd)
{
	int up = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, LOCK_FD + 1) : -1;

	if (fd >= 0)
		close(fd);
	return up;
}

static void
drop(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static bool
open_pipe(int *ours, int *theirs)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC) != 0)
		return false;
	*ours = high(fd[0]);
	*theirs = high(fd[1]);
	return *ours >= 0 && *theirs >= 0 &&
	       fcntl(*ours, F_SETFL, O_NONBLOCK) == 0;
}

/* A file in memory: no pipe to fill while the program fills another. */
static bool
open_input(int *fd, struct span s)
{
	ssize_t n;

	*fd = high(memfd_create("input", MFD_CLOEXEC));
	if (*fd < 0)
		return false;
	while (s.n > 0) {
		n = write(*fd, s.p, s.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		s = span_cut(s, (size_t)n, s.n);
	}
	return lseek(*fd, 0, SEEK_SET) == 0;
}

/* ---- what it writes ---- */

static void
pass_on(struct stream *s, bool all)
{
	size_t n = s->b->n;

	while (!all && n > 0 && s->b->p[n - 1] != '\n')
		n--;
	if (n == 0 && s->b->n < LINE_MAX_BYTES)
		return;
	if (n == 0)
		n = s->b->n;
	safe_span(s->to, span_cut(buf_span(s->b), 0, n), SAFE_BODY);
	fflush(s->to);
	memmove(s->b->p, s->b->p + n, s->b->n - n);
	buf_cut(s->b, s->b->n - n);
}

static void
keep(struct stream *s, struct span bytes)
{
	size_t gone;

	if (s->how == RUN_KEEP && s->b->n + bytes.n > s->max) {
		s->over = true;
		return;
	}
	buf_add(s->b, bytes);
	if (s->how == RUN_PASS)
		pass_on(s, false);
	if (s->how == RUN_TAIL && s->b->n > s->max) {
		gone = s->b->n - s->max;
		memmove(s->b->p, s->b->p + gone, s->max);
		buf_cut(s->b, s->max);
	}
}

/* All that is there; false when it would wait, or at the end. */
static bool
take(struct stream *s)
{
	uint8_t bytes[4096];
	ssize_t n = s->fd >= 0 ? read(s->fd, bytes, sizeof(bytes)) : 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		drop(&s->fd);
		return false;
	}
	keep(s, (struct span){ bytes, (size_t)n });
	return true;
}

static void
take_rest(struct stream *s)
{
	int i;

	/* Who has left the group may write for ever. */
	for (i = 0; i < DRAIN_MAX && take(s); i++)
		;
	if (s->how == RUN_PASS && s->b->n > 0) {
		pass_on(s, true);
		if (s->to == stdout) /* the next begins on a line of its own */
			putc('\n', s->to);
	}
	drop(&s->fd);
}

/* ---- running ---- */

static int
move_fds(const struct running *r, posix_spawn_file_actions_t *fa)
{
	const struct held *held = r->x->held;
	int rc = posix_spawn_file_actions_adddup2(fa, r->in, 0);

	if (rc == 0 && r->x->dir != NULL)
		rc = posix_spawn_file_actions_addchdir_np(fa, r->x->dir);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(fa, r->to_out, 1);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(fa, r->to_err, 2);
	if (rc == 0 && held != NULL)
		rc = posix_spawn_file_actions_adddup2(fa, held->run, LOCK_FD);
	if (rc == 0)
		rc = posix_spawn_file_actions_addclosefrom_np(
		    fa, LOCK_FD + (held != NULL));
	return rc;
}

static int
spawn_it(struct running *r)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	sigset_t none, all;
	int rc;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&fa);
	posix_spawnattr_init(&at);
	posix_spawnattr_setflags(&at, POSIX_SPAWN_SETPGROUP |
					  POSIX_SPAWN_SETSIGDEF |
					  POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setpgroup(&at, 0);
	posix_spawnattr_setsigmask(&at, &none);
	posix_spawnattr_setsigdefault(&at, &all);
	rc = move_fds(r, &fa);
	if (rc == 0)
		rc = (r->x->by_path ? posix_spawnp : posix_spawn)(
		    &r->pid, r->x->argv[0], &fa, &at, r->x->argv, r->x->env);
	posix_spawnattr_destroy(&at);
	posix_spawn_file_actions_destroy(&fa);
	drop(&r->in);
	drop(&r->to_out);
	drop(&r->to_err);
	return rc;
}

static void
limit(const struct running *r)
{
	const struct run_limits *l = &r->x->limits;
	const struct {
		__rlimit_resource_t what;
		uint64_t most;
	} all[] = { { RLIMIT_CPU, l->cpu_seconds }, { RLIMIT_AS, l->memory },
		{ RLIMIT_FSIZE, l->file_size }, { RLIMIT_NOFILE, l->files } };
	const struct rlimit none = { 0, 0 };
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const struct rlimit most = { all[i].most, all[i].most };

		if (all[i].most > 0)
			(void)!prlimit(r->pid, all[i].what, &most, NULL);
	}
	(void)!prlimit(r->pid, RLIMIT_CORE, &none, NULL);
}

/* Until it has ended or its time is over; signals don't shorten that. */
static void
wait_for(struct running *r)
{
	const int64_t end = backoff_now() + (int64_t)r->x->seconds * 1000;

	for (;;) {
		struct pollfd p[] = { { r->pidfd, POLLIN, 0 },
			{ r->out.fd, POLLIN, 0 }, { r->err.fd, POLLIN, 0 } };
		int64_t left = end - backoff_now();

		if (left <= 0) {
			r->timed_out = true;
			return;
		}
		if (poll(p, 3, left > 1000 ? 1000 : (int)left) <= 0)
			continue;
		if (p[1].revents != 0)
			(void)take(&r->out);
		if (p[2].revents != 0)
			(void)take(&r->err);
		if (p[0].revents != 0)
			return;
	}
}

/*
 * Kill the group before its leader is waited for: until then its number is
 * nobody else's. The leader by itself as well, for it may have gone into
 * another group, ours for one, and would be waited for without end.
 */
static int
end_group(struct running *r)
{
	int status = 0;

	kill(-r->pid, SIGKILL);
	kill(r->pid, SIGKILL);
	while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static void
judge(const struct running *r, int status, struct run_end *out)
{
	const size_t n = sizeof(out->why);
	const char *name =
	    WIFSIGNALED(status) ? sigdescr_np(WTERMSIG(status)) : NULL;

	if (r->timed_out)
		snprintf(out->why, n, "it ran longer than %u second%s",
		    r->x->seconds, r->x->seconds == 1 ? "" : "s");
	else if (WIFSIGNALED(status))
		snprintf(out->why, n, "signal %d (%s) ended it",
		    WTERMSIG(status), name != NULL ? name : "of its own");
	else if (WEXITSTATUS(status) != 0)
		snprintf(out->why, n, "it ended with status %d",
		    WEXITSTATUS(status));
	else if (r->out.over)
		snprintf(out->why, n, "it wrote more than %zu KiB",
		    r->x->max / 1024);
	else if (!buf_ok(r->out.b))
		snprintf(out->why, n, "no memory for what it wrote");
	else
		out->good = true;
}

static bool
open_all(struct running *r)
{
	return open_input(&r->in, r->x->input) &&
	       open_pipe(&r->out.fd, &r->to_out) &&
	       open_pipe(&r->err.fd, &r->to_err);
}

static void
run(struct running *r, struct run_end *out)
{
	int status;

	out->started = true;
	limit(r);
	if (r->x->held != NULL)
		held_by(r->x->held, r->pid);
	r->pidfd = pidfd_open(r->pid, 0);
	if (r->pidfd >= 0)
		wait_for(r);
	else
		r->timed_out = true;
	status = end_group(r);
	if (r->x->held != NULL)
		held_by(r->x->held, 0);
	take_rest(&r->out);
	take_rest(&r->err);
	judge(r, status, out);
}

void
run_program(const struct run *x, struct run_end *out)
{
	struct running r = { .x = x,
		.out = { .fd = -1, .to = stdout, .how = x->output },
		.err = { .fd = -1, .to = stderr, .how = x->output },
		.in = -1,
		.to_out = -1,
		.to_err = -1,
		.pidfd = -1 };
	int rc;

	memset(out, 0, sizeof(*out));
	r.out.max = r.err.max = x->max;
	r.out.b = &r.out.own;
	r.err.b = x->output == RUN_TAIL ? r.out.b : &r.err.own;
	if (x->output == RUN_KEEP)
		r.err.how = RUN_PASS;
	if (!open_all(&r))
		snprintf(out->why, sizeof(out->why), "it was not started: %s",
		    strerrordesc_np(errno));
	else if ((rc = spawn_it(&r)) != 0)
		snprintf(out->why, sizeof(out->why), "%s was not started: %s",
		    x->argv[0], strerrordesc_np(rc));
	else
		run(&r, out);
	drop(&r.in);
	drop(&r.to_out);
	drop(&r.to_err);
	drop(&r.out.fd);
	drop(&r.err.fd);
	drop(&r.pidfd);
	buf_release(&r.err.own);
	out->kept = r.out.own;
}
