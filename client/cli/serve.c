/* SPDX-License-Identifier: ISC */
#include "client/cli/serve.h"

#include "client/keyfile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILES 96 /* descriptors of the server, its connections too */

/* ---- addresses ---- */

static bool
parse_port(const char *typed, uint16_t *out)
{
	char *end;
	unsigned long n;

	if (typed[0] < '0' || typed[0] > '9')
		return false;
	n = strtoul(typed, &end, 10);
	*out = (uint16_t)n;
	return *end == '\0' && n <= 65535;
}

/* Splits "HOST:PORT" in place; both may be missing. */
static bool
split(char *typed, char **host, char **port)
{
	char *colon;

	*port = NULL;
	*host = typed;
	if (typed[0] == '[') {
		char *close = strchr(typed, ']');

		if (close == NULL || (close[1] != '\0' && close[1] != ':'))
			return false;
		*port = close[1] == ':' ? close + 2 : NULL;
		*close = '\0';
		*host = typed + 1;
		return true;
	}
	colon = strchr(typed, ':');
	if (colon != NULL && strchr(colon + 1, ':') != NULL)
		return true; /* an address of IPv6 without a port */
	if (colon != NULL) {
		*colon = '\0';
		*port = colon + 1;
	} else if (typed[strspn(typed, "0123456789")] == '\0') {
		*port = typed;
		*host = NULL;
	}
	return true;
}

static enum tocsin_err
judge_host(struct serve_at *out, const char *host)
{
	if (host == NULL || host[0] == '\0' || strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	out->in.sin_family = AF_INET;
	out->in6.sin6_family = AF_INET6;
	if (inet_pton(AF_INET, host, &out->in.sin_addr) == 1) {
		snprintf(out->host, sizeof(out->host), "%.15s", host);
		return ntohl(out->in.sin_addr.s_addr) >> 24 == 127
			   ? TOCSIN_OK
			   : TOCSIN_EPERMISSIONS;
	}
	out->six = true;
	if (inet_pton(AF_INET6, host, &out->in6.sin6_addr) != 1)
		return TOCSIN_EUSAGE;
	snprintf(out->host, sizeof(out->host), "[::1]");
	return IN6_IS_ADDR_LOOPBACK(&out->in6.sin6_addr) ? TOCSIN_OK
							 : TOCSIN_EPERMISSIONS;
}

enum tocsin_err
serve_parse(struct serve_at *out, const char *typed)
{
	char copy[128], *host, *port;
	enum tocsin_err err;

	*out = (struct serve_at){ .port = 0 };
	if (typed == NULL)
		typed = "";
	if (strlen(typed) >= sizeof(copy))
		return TOCSIN_EUSAGE;
	strcpy(copy, typed);
	if (copy[0] == '\0') {
		host = port = NULL;
	} else if (!split(copy, &host, &port)) {
		return TOCSIN_EUSAGE;
	}
	err = judge_host(out, host);
	if (err == TOCSIN_OK && port != NULL && !parse_port(port, &out->port))
		err = TOCSIN_EUSAGE;
	out->in.sin_port = out->in6.sin6_port = htons(out->port);
	return err;
}

/* ---- the process ---- */

/* Nothing of ours stays in it but its end of the pair. */
static void
child(int fd, const struct serve_at *at, const char *token)
{
	struct rlimit files = { FILES, FILES };
	struct sigaction none = { .sa_handler = SIG_IGN };
	int null = open("/dev/null", O_RDWR), i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	sigaction(SIGINT, &none, NULL); /* of a terminal: the parent ends us */
	sigaction(SIGPIPE, &none, NULL);
	for (i = 0; null >= 0 && i < 3; i++)
		dup2(null, i);
	dup2(fd, 3);
	close_range(4, ~0u, 0);
	if (chdir("/") != 0 || setrlimit(RLIMIT_NOFILE, &files) != 0)
		_exit(1);
	serve_http(3, at, token);
	_exit(0);
}

/* Its first line. */
static enum tocsin_err
hear(struct serve *s, const struct serve_at *at, const char *token,
    char why[256])
{
	char line[256];
	size_t n = 0;
	ssize_t got = 1;

	while (n < sizeof(line) - 1 && (n == 0 || line[n - 1] != '\n')) {
		got = read(s->fd, line + n, 1);
		if (got <= 0 && errno != EINTR)
			break;
		n += got > 0;
	}
	line[n > 0 ? n - 1 : 0] = '\0';
	if (line[0] == '+') {
		snprintf(s->url, sizeof(s->url), "http://%s:%.5s/%s/", at->host,
		    line + 1, token);
		return TOCSIN_OK;
	}
	snprintf(why, 256, "%s",
	    line[0] == '-' ? line + 1 : "the server ended at once");
	serve_stop(s);
	return TOCSIN_EUNAVAILABLE;
}

enum tocsin_err
serve_start(struct serve *s, const struct serve_at *at, char why[256])
{
	uint8_t random[16];
	char token[SERVE_TOKEN + 1];
	int pair[2];

	*s = (struct serve){ .fd = -1 };
	randombytes_buf(random, sizeof(random));
	sodium_bin2base64(token, sizeof(token), random, sizeof(random),
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0) {
		s->pid = fork();
		if (s->pid == 0)
			child(pair[1], at, token);
		close(pair[1]);
		s->fd = pair[0];
		if (s->pid > 0)
			return hear(s, at, token, why);
		s->pid = 0;
		close(pair[0]);
	}
	snprintf(why, 256, "%s", strerror(errno));
	return TOCSIN_EINTERNAL;
}

static bool
give(int fd, struct span bytes)
{
	while (bytes.n > 0) {
		ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes = span_cut(bytes, (size_t)n, SIZE_MAX);
	}
	return true;
}

enum tocsin_err
serve_put(struct serve *s, const struct serve_page *page)
{
	struct buf head = { 0 };
	bool good;

	buf_u32(&head, (uint32_t)page->html.n);
	buf_u32(&head, (uint32_t)page->policy.n);
	buf_u32(&head, (uint32_t)page->json.n);
	if (!buf_ok(&head) || page->html.n > SERVE_MAX ||
	    page->policy.n > SERVE_MAX || page->json.n > SERVE_MAX) {
		buf_release(&head);
		return TOCSIN_ETOOLARGE;
	}
	good = give(s->fd, buf_span(&head)) && give(s->fd, page->html) &&
	       give(s->fd, page->policy) && give(s->fd, page->json);
	buf_release(&head);
	return good ? TOCSIN_OK : TOCSIN_EUNAVAILABLE;
}

void
serve_stop(struct serve *s)
{
	if (s->pid <= 0)
		return;
	close(s->fd); /* which ends it */
	kill(s->pid, SIGTERM);
	while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
		;
	*s = (struct serve){ .fd = -1 };
}
