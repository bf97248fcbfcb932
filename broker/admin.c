/* SPDX-License-Identifier: ISC */
#include "broker/admin.h"

#include "broker/clock.h"
#include "broker/file.h"
#include "broker/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	HEAD_MAX = 64,
	SERVE_MS = 5000, /* for a caller to say what it wants */
	ASK_MS = 60000,	 /* a commit on a slow disk may take its time */
};

struct admin {
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int fd;
	int stop[2]; /* a pipe whose end ends the thread */
	pthread_t thread;
	admin_fn *fn;
	void *arg;
};

/* ---- bytes with a deadline ---- */

static bool
wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left;
	int n;

	do {
		left = deadline - clock_ms();
		if (left <= 0)
			return false;
		n = poll(&p, 1, (int)left);
	} while (n < 0 && errno == EINTR);
	return n == 1;
}

static bool
send_all(int fd, struct span s, int64_t deadline)
{
	while (s.n > 0) {
		ssize_t n;

		if (!wait_for(fd, POLLOUT, deadline))
			return false;
		n = send(fd, s.p, s.n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		if (n > 0)
			s = span_cut(s, (size_t)n, s.n);
	}
	return true;
}

static bool
receive(int fd, uint8_t *to, size_t want, int64_t deadline)
{
	while (want > 0) {
		ssize_t n;

		if (!wait_for(fd, POLLIN, deadline))
			return false;
		n = recv(fd, to, want, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return false;
		if (n > 0) {
			to += n;
			want -= (size_t)n;
		}
	}
	return true;
}

/* WORD N LF and the bytes; both directions look the same. */
static bool
receive_message(
    int fd, char word[HEAD_MAX], struct buf *body, size_t max, int64_t deadline)
{
	char head[HEAD_MAX];
	size_t n = 0;
	uint64_t size;
	char *space;
	uint8_t *to;

	do {
		if (n + 1 >= sizeof(head) ||
		    !receive(fd, (uint8_t *)head + n, 1, deadline))
			return false;
	} while (head[n++] != '\n');
	head[n - 1] = '\0';
	space = strchr(head, ' ');
	if (!space || !num_parse(span_of(space + 1), &size) || size > max)
		return false;
	*space = '\0';
	snprintf(word, HEAD_MAX, "%s", head);
	to = buf_grow(body, (size_t)size);
	return (to || size == 0) && receive(fd, to, (size_t)size, deadline);
}

static bool
send_message(int fd, const char *word, struct span body, int64_t deadline)
{
	char head[HEAD_MAX];

	snprintf(head, sizeof(head), "%s %zu\n", word, body.n);
	return send_all(fd, span_of(head), deadline) &&
	       send_all(fd, body, deadline);
}

/* ---- serving ---- */

static bool
may_ask(int fd)
{
	static struct log_limit limit = LOG_LIMIT(10, 60000);
	struct ucred who;
	socklen_t n = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) != 0)
		return false;
	if (who.uid == 0 || who.uid == geteuid())
		return true;
	log_limited(&limit, LOG_WARN, "admin-refused", LOG_U("uid", who.uid));
	return false;
}

static void
serve(struct admin *a, int fd)
{
	struct buf body = { .max = ADMIN_BODY_MAX };
	struct buf answer = { .max = ADMIN_ANSWER_MAX };
	char word[HEAD_MAX];
	enum tocsin_err err;

	if (receive_message(
		fd, word, &body, ADMIN_BODY_MAX, clock_ms() + SERVE_MS)) {
		err = a->fn(a->arg, word, buf_span(&body), &answer);
		if (!buf_ok(&answer))
			err = TOCSIN_EINTERNAL;
		if (!send_message(fd, tocsin_err_name(err), buf_span(&answer),
			clock_ms() + SERVE_MS))
			log_event(LOG_INFO, "admin-gone",
			    LOG_S("word", span_of(word)), LOG_END);
	}
	buf_release(&body);
	buf_release(&answer);
}

static void *
admin_main(void *arg)
{
	struct admin *a = arg;
	struct pollfd p[2] = { { .fd = a->fd, .events = POLLIN },
		{ .fd = a->stop[0], .events = POLLIN } };
	int fd;

	for (;;) {
		if (poll(p, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			break;
		}
		if (p[1].revents)
			break;
		fd = accept4(a->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0) {
			/* Out of descriptors: don't spin. */
			poll(&p[1], 1, 100);
			continue;
		}
		if (may_ask(fd))
			serve(a, fd);
		close(fd);
	}
	log_event(p[1].revents ? LOG_DEBUG : LOG_ERROR, "admin-ended", LOG_END);
	return NULL;
}

static int
address(struct sockaddr_un *sun, const char *path)
{
	*sun = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(sun->sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sun->sun_path, path, strlen(path) + 1);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static bool
listen_at(struct admin *a, const char *path)
{
	struct sockaddr_un sun;

	a->fd = address(&sun, path);
	if (a->fd < 0)
		return false;
	memcpy(a->path, sun.sun_path, sizeof(a->path));
	unlink(path);
	/* The folder is private, so nobody comes before the mode is set. */
	return bind(a->fd, (struct sockaddr *)&sun, sizeof(sun)) == 0 &&
	       chmod(path, 0600) == 0 && listen(a->fd, 16) == 0;
}

enum tocsin_err
admin_start(struct admin **out, const char *path, admin_fn *fn, void *arg)
{
	struct admin *a = calloc(1, sizeof(*a));
	int rc;

	if (!a)
		return TOCSIN_EINTERNAL;
	a->fn = fn;
	a->arg = arg;
	a->fd = a->stop[0] = a->stop[1] = -1;
	rc = listen_at(a, path) && pipe2(a->stop, O_CLOEXEC) == 0 ? 0 : errno;
	if (rc == 0)
		rc = pthread_create(&a->thread, NULL, admin_main, a);
	if (rc == 0) {
		*out = a;
		return TOCSIN_OK;
	}
	close(a->fd);
	close(a->stop[0]);
	close(a->stop[1]);
	free(a);
	errno = rc;
	return TOCSIN_EUNAVAILABLE;
}

void
admin_close(struct admin *a)
{
	if (a)
		unlink(a->path);
}

void
admin_free(struct admin *a)
{
	if (!a)
		return;
	admin_close(a);
	close(a->stop[1]);
	pthread_join(a->thread, NULL);
	close(a->stop[0]);
	close(a->fd);
	free(a);
}

/* ---- asking ---- */

static enum tocsin_err
reason_of(const char *word)
{
	unsigned i;

	for (i = 0; i < TOCSIN_ERR_COUNT; i++)
		if (strcmp(word, tocsin_err_name((enum tocsin_err)i)) == 0)
			return (enum tocsin_err)i;
	return TOCSIN_EINTERNAL;
}

enum tocsin_err
admin_ask(
    const char *path, const char *word, struct span body, struct buf *answer)
{
	int64_t deadline = clock_ms() + ASK_MS;
	char reason[HEAD_MAX];
	struct sockaddr_un sun;
	enum tocsin_err err = TOCSIN_EUNAVAILABLE;
	int fd = address(&sun, path);

	if (fd < 0)
		return TOCSIN_EUNAVAILABLE;
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0) {
		if (errno != ECONNREFUSED && errno != ENOENT)
			err = file_error(errno);
	} else if (!send_message(fd, word, body, deadline) ||
		   !receive_message(
		       fd, reason, answer, ADMIN_ANSWER_MAX, deadline)) {
		errno = 0;
		err = TOCSIN_ETIMEOUT;
	} else {
		errno = 0;
		err = reason_of(reason);
	}
	close(fd);
	return err;
}
