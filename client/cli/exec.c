/* SPDX-License-Identifier: ISC */
#include "client/cli/exec.h"

#include "client/backoff.h"
#include "client/cli/print.h"
#include "client/cli/view.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_MAX_BYTES (64 * 1024) /* longer ones are passed on in pieces */
#define LOCK_FD 3		   /* of the command */
#define NENV 16
#define DRAIN_MAX 512 /* reads after the end */

struct stream {
	int fd; /* -1: at its end */
	FILE *to;
	bool keep, over;
	struct buf b;
};

struct running {
	const struct exec *x;
	struct stream out, err;
	int in, to_out, to_err; /* the command's ends */
	int pidfd;
	pid_t pid;
	bool timed_out;
};

/* ---- the environment ---- */

static const char *const passed[] = { "PATH", "HOME", "LANG", "LC_ALL", "TZ",
	"TMPDIR", "TOCSIN_PASSPHRASE_FILE" };

struct env {
	char *var[NENV + 1];
	size_t n;
	bool failed;
};

static void
set(struct env *e, const char *name, const char *value)
{
	if (value == NULL || e->n == NENV)
		return;
	if (asprintf(&e->var[e->n], "%s=%s", name, value) < 0) {
		e->var[e->n] = NULL;
		e->failed = true;
		return;
	}
	e->var[++e->n] = NULL;
}

static void
env_init(struct env *e, const struct exec *x, const struct tocsin_message *m,
    unsigned attempt)
{
	char number[16];
	size_t i;

	memset(e, 0, sizeof(*e));
	for (i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
		set(e, passed[i], getenv(passed[i]));
	snprintf(number, sizeof(number), "%u", attempt);
	set(e, "TOCSIN_HOME", x->home);
	set(e, "TOCSIN_READER", x->reader);
	set(e, "TOCSIN_ID", m->id);
	set(e, "TOCSIN_THREAD", m->thread);
	set(e, "TOCSIN_KIND", m->kind);
	set(e, "TOCSIN_PRECEDENCE", m->precedence);
	set(e, "TOCSIN_ATTEMPT", number);
}

static void
env_release(struct env *e)
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

/* A file in memory: no pipe to fill while the command fills another. */
static bool
open_message(int *fd, const struct tocsin_message *m)
{
	json_t *o = view_message_json(m);
	char *text = json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII);
	FILE *f = NULL;
	bool good = false;

	*fd = high(memfd_create("message", MFD_CLOEXEC));
	if (*fd >= 0 && text != NULL)
		f = fdopen(dup(*fd), "w");
	if (f != NULL) {
		safe_json(f, span_of(text));
		putc('\n', f);
		good = !ferror(f);
		good = fclose(f) == 0 && good && lseek(*fd, 0, SEEK_SET) == 0;
	}
	free(text);
	json_decref(o);
	return good;
}

/* ---- what it writes ---- */

static void
pass_on(struct stream *s, bool all)
{
	size_t n = s->b.n;

	while (!all && n > 0 && s->b.p[n - 1] != '\n')
		n--;
	if (n == 0 && s->b.n < LINE_MAX_BYTES)
		return;
	if (n == 0)
		n = s->b.n;
	safe_span(s->to, span_cut(buf_span(&s->b), 0, n), SAFE_BODY);
	fflush(s->to);
	memmove(s->b.p, s->b.p + n, s->b.n - n);
	buf_cut(&s->b, s->b.n - n);
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
	if (s->keep && s->b.n + (size_t)n > EXEC_KEPT_MAX)
		s->over = true;
	else
		buf_add(&s->b, (struct span){ bytes, (size_t)n });
	if (!s->keep)
		pass_on(s, false);
	return true;
}

static void
take_rest(struct stream *s)
{
	int i;

	/* Who has left the group may write for ever. */
	for (i = 0; i < DRAIN_MAX && take(s); i++)
		;
	if (!s->keep && s->b.n > 0) {
		pass_on(s, true);
		if (s->to == stdout) /* the next begins on a line of its own */
			putc('\n', s->to);
	}
	drop(&s->fd);
}

/* ---- running ---- */

static int
spawn_it(struct running *r, struct env *e)
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
	rc = posix_spawn_file_actions_adddup2(&fa, r->in, 0);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&fa, r->to_out, 1);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&fa, r->to_err, 2);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(
		    &fa, r->x->held->run, LOCK_FD);
	if (rc == 0)
		rc = posix_spawn_file_actions_addclosefrom_np(&fa, LOCK_FD + 1);
	if (rc == 0)
		rc = posix_spawnp(
		    &r->pid, r->x->argv[0], &fa, &at, r->x->argv, e->var);
	posix_spawnattr_destroy(&at);
	posix_spawn_file_actions_destroy(&fa);
	drop(&r->in);
	drop(&r->to_out);
	drop(&r->to_err);
	return rc;
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
 * nobody else's.
 */
static int
end_group(struct running *r)
{
	int status = 0;

	kill(-r->pid, SIGKILL);
	while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static void
judge(const struct running *r, int status, struct exec_end *out)
{
	const size_t n = sizeof(out->why);

	if (r->timed_out)
		snprintf(out->why, n, "it ran longer than %u seconds",
		    r->x->seconds);
	else if (WIFSIGNALED(status))
		snprintf(out->why, n, "signal %d (%s) ended it",
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		snprintf(out->why, n, "it ended with status %d",
		    WEXITSTATUS(status));
	else if (r->out.over)
		snprintf(out->why, n, "it wrote more than %d KiB",
		    EXEC_KEPT_MAX / 1024);
	else if (!buf_ok(&r->out.b))
		snprintf(out->why, n, "no memory for what it wrote");
	else
		out->handled = true;
}

static bool
open_all(struct running *r, const struct tocsin_message *m)
{
	return open_message(&r->in, m) && open_pipe(&r->out.fd, &r->to_out) &&
	       open_pipe(&r->err.fd, &r->to_err);
}

static void
run(struct running *r, struct exec_end *out)
{
	int status;

	held_by(r->x->held, r->pid);
	r->pidfd = pidfd_open(r->pid, 0);
	if (r->pidfd >= 0)
		wait_for(r);
	else
		r->timed_out = true;
	status = end_group(r);
	held_by(r->x->held, 0);
	take_rest(&r->out);
	take_rest(&r->err);
	judge(r, status, out);
}

void
exec_run(const struct exec *x, const struct tocsin_message *m, unsigned attempt,
    struct exec_end *out)
{
	struct running r = { .x = x,
		.out = { .fd = -1, .to = stdout, .keep = x->keep },
		.err = { .fd = -1, .to = stderr },
		.in = -1,
		.to_out = -1,
		.to_err = -1,
		.pidfd = -1 };
	struct env e;
	int rc;

	memset(out, 0, sizeof(*out));
	env_init(&e, x, m, attempt);
	if (e.failed || !open_all(&r, m)) {
		snprintf(out->why, sizeof(out->why), "it was not started: %s",
		    strerror(errno));
	} else if ((rc = spawn_it(&r, &e)) != 0) {
		snprintf(out->why, sizeof(out->why), "%s was not started: %s",
		    x->argv[0], strerror(rc));
	} else {
		run(&r, out);
	}
	env_release(&e);
	drop(&r.in);
	drop(&r.to_out);
	drop(&r.to_err);
	drop(&r.out.fd);
	drop(&r.err.fd);
	drop(&r.pidfd);
	buf_release(&r.err.b);
	out->kept = r.out.b;
}
