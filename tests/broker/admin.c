/* SPDX-License-Identifier: ISC */
/* The operator's socket: who is served, and what cannot hold it up. */
#include "broker/admin.h"

#include "broker/log.h"
#include "tests/lib/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char path[104];
static unsigned calls;

/* Says what it heard; "large" as much as fits and more, "no" refuses. */
static enum tocsin_err
answer(void *arg, const char *word, struct span body, struct buf *out)
{
	static const uint8_t zeros[65536];
	size_t n = 0;

	++*(unsigned *)arg;
	if (strcmp(word, "no") == 0) {
		buf_addz(out, "a sentence");
		return TOCSIN_EPOLICYDENIED;
	}
	if (strcmp(word, "large") == 0)
		for (; n <= ADMIN_ANSWER_MAX; n += sizeof(zeros))
			buf_add(out, SPAN(zeros));
	buf_addf(out, "%s %zu", word, body.n);
	return TOCSIN_OK;
}

static enum tocsin_err
ask(const char *word, struct span body, struct buf *out)
{
	buf_release(out);
	return admin_ask(path, word, body, out);
}

static void
test_asking(void)
{
	uint8_t *most = xmalloc(ADMIN_BODY_MAX + 1);
	struct buf out = { 0 };
	char all[64];

	memset(most, 'x', ADMIN_BODY_MAX + 1);
	is_int(ask("status", (struct span){ 0 }, &out), TOCSIN_OK,
	    "a word is answered");
	ok(span_is(buf_span(&out), "status 0"), "with what was asked for");
	is_int(ask("install", (struct span){ most, ADMIN_BODY_MAX }, &out),
	    TOCSIN_OK, "it may bring a file of the largest size");
	snprintf(all, sizeof(all), "install %zu", (size_t)ADMIN_BODY_MAX);
	ok(span_is(buf_span(&out), all), "all of which comes");
	is_int(ask("no", (struct span){ 0 }, &out), TOCSIN_EPOLICYDENIED,
	    "a refusal has its reason");
	ok(span_is(buf_span(&out), "a sentence"), "and its sentence");
	calls = 0;
	is_int(ask("install", (struct span){ most, ADMIN_BODY_MAX + 1 }, &out),
	    TOCSIN_ETIMEOUT, "a byte more is not taken");
	is_int(calls, 0, "nor handed on");
	is_int(ask("large", (struct span){ 0 }, &out), TOCSIN_EINTERNAL,
	    "an answer that is too large is a fault, not half an answer");
	buf_release(&out);
	free(most);
}

/* ---- who does not keep to it ---- */

static int
dial(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(sun.sun_path, path, strlen(path));
	if (fd < 0 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0)
		abort();
	return fd;
}

/* Sends that, and says whether it is shown out without an answer. */
static bool
shown_out(const void *bytes, size_t n)
{
	struct pollfd p = { .fd = dial(), .events = POLLIN };
	char c;
	bool out;

	if (send(p.fd, bytes, n, MSG_NOSIGNAL) != (ssize_t)n)
		abort();
	out = poll(&p, 1, 30000) == 1 && recv(p.fd, &c, 1, 0) <= 0;
	close(p.fd);
	return out;
}

static void
test_strange(void)
{
	static const char *const heads[] = { "status\n", "status x\n",
		"status 9999999999999999999\n", "status -1\n", " 0\n",
		"status  0\n" };
	char endless[200];
	struct buf out = { 0 };
	size_t i;
	int fd;

	calls = 0;
	memset(endless, 'a', sizeof(endless));
	ok(shown_out(endless, sizeof(endless)), "a word without an end");
	for (i = 0; i < 4; i++)
		ok(shown_out(heads[i], strlen(heads[i])), "no head: %.20s",
		    heads[i]);
	is_int(calls, 0, "nothing of these is handed on");
	fd = dial();
	close(fd);
	fd = dial();
	if (send(fd, "sta", 3, MSG_NOSIGNAL) != 3)
		abort();
	is_int(ask("status", (struct span){ 0 }, &out), TOCSIN_OK,
	    "who stops in the middle holds up nobody for long");
	close(fd);
	buf_release(&out);
}

static void
test_life(void)
{
	struct admin *a = NULL;
	struct buf out = { 0 };
	struct stat st;
	char far[300];

	is_int(ask("status", (struct span){ 0 }, &out), TOCSIN_EUNAVAILABLE,
	    "before it is there, nobody is");
	is_int(admin_start(&a, path, answer, &calls), TOCSIN_OK, "it starts");
	ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600,
	    "for its own user alone");
	test_asking();
	test_strange();
	admin_free(a);
	ok(access(path, F_OK) != 0, "it takes its socket away");
	is_int(ask("status", (struct span){ 0 }, &out), TOCSIN_EUNAVAILABLE,
	    "and nobody is there");
	close(creat(path, 0600));
	is_int(admin_start(&a, path, answer, &calls), TOCSIN_OK,
	    "what one that was killed has left is replaced");
	is_int(ask("status", (struct span){ 0 }, &out), TOCSIN_OK,
	    "and it answers");
	admin_free(a);
	memset(far, 'x', sizeof(far) - 1);
	far[0] = '/';
	far[sizeof(far) - 1] = '\0';
	is_int(admin_start(&a, far, answer, &calls), TOCSIN_EUNAVAILABLE,
	    "a path that no socket can have is refused");
	is_int(errno, ENAMETOOLONG, "and errno says why");
	is_int(admin_ask(far, "status", (struct span){ 0 }, &out),
	    TOCSIN_EUNAVAILABLE, "asking there as well");
	buf_release(&out);
}

int
main(void)
{
	log_open(-1, LOG_ERROR);
	snprintf(path, sizeof(path), "%s/admin.sock", scratch());
	test_life();
	return tap_done();
}
