/* SPDX-License-Identifier: ISC */
/* The process that answers browsers; serve.h says what it may. */
#include "client/cli/serve.h"
#include "client/cli/serve_fence.h"

#include <dlfcn.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIBRARY "libmicrohttpd.so.12"
#define CONNECTIONS 64
#define IDLE 15		    /* seconds, until a connection is closed */
#define REQUEST (16 * 1024) /* bytes of its line and headers */

/* ---- the library, as far as it is used ---- */

static struct {
	__typeof__(MHD_start_daemon) *start_daemon;
	__typeof__(MHD_stop_daemon) *stop_daemon;
	__typeof__(MHD_get_daemon_info) *get_daemon_info;
	__typeof__(MHD_get_connection_values) *get_connection_values;
	__typeof__(MHD_create_response_from_buffer)
	    *create_response_from_buffer;
	__typeof__(MHD_add_response_header) *add_response_header;
	__typeof__(MHD_queue_response) *queue_response;
	__typeof__(MHD_destroy_response) *destroy_response;
} mhd;

static bool
load(void)
{
	const struct {
		const char *name;
		void *to;
	} names[] = {
		{ "MHD_start_daemon", &mhd.start_daemon },
		{ "MHD_stop_daemon", &mhd.stop_daemon },
		{ "MHD_get_daemon_info", &mhd.get_daemon_info },
		{ "MHD_get_connection_values", &mhd.get_connection_values },
		{ "MHD_create_response_from_buffer",
		    &mhd.create_response_from_buffer },
		{ "MHD_add_response_header", &mhd.add_response_header },
		{ "MHD_queue_response", &mhd.queue_response },
		{ "MHD_destroy_response", &mhd.destroy_response },
	};
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL), *symbol;
	size_t i;

	if (library == NULL)
		return false;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		symbol = dlsym(library, names[i].name);
		if (symbol == NULL)
			return false;
		memcpy(names[i].to, &symbol, sizeof(symbol));
	}
	return true;
}

/* ---- what is handed out ---- */

static struct {
	pthread_mutex_t lock;
	char *bytes[3]; /* page, its policy with a NUL, figures */
	size_t n[3];
	char path[SERVE_TOKEN + 3]; /* "/TOKEN/" */
	char host[2][72];	    /* what a request may call us */
} held = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* In the same time for every wrong path. */
static bool
below_path(const char *url, const char **rest)
{
	size_t n = strlen(held.path);

	*rest = url + n;
	return strlen(url) >= n && sodium_memcmp(url, held.path, n) == 0;
}

struct hosts {
	unsigned all, ours;
};

static enum MHD_Result
see_header(
    void *arg, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct hosts *h = arg;

	(void)kind;
	if (strcasecmp(key, "Host") != 0)
		return MHD_YES;
	h->all++;
	h->ours += value != NULL && (strcasecmp(value, held.host[0]) == 0 ||
					strcasecmp(value, held.host[1]) == 0);
	return MHD_YES;
}

static bool
names_us(struct MHD_Connection *c)
{
	struct hosts h = { 0, 0 };

	pthread_mutex_lock(&held.lock); /* until serve_http() has set them */
	pthread_mutex_unlock(&held.lock);
	mhd.get_connection_values(c, MHD_HEADER_KIND, see_header, &h);
	return h.all == 1 && h.ours == 1;
}

/* ---- answers ---- */

static enum MHD_Result
answer(struct MHD_Connection *c, unsigned status, struct MHD_Response *r,
    const char *type, const char *policy)
{
	static const char *const headers[][2] = {
		{ "Cache-Control", "no-store" },
		{ "X-Content-Type-Options", "nosniff" },
		{ "X-Frame-Options", "DENY" },
		{ "Referrer-Policy", "no-referrer" },
		{ "Cross-Origin-Resource-Policy", "same-origin" },
		{ "Cross-Origin-Opener-Policy", "same-origin" },
	};
	enum MHD_Result rc = MHD_NO;
	size_t i;

	if (r == NULL)
		return MHD_NO;
	for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		mhd.add_response_header(r, headers[i][0], headers[i][1]);
	mhd.add_response_header(r, "Content-Type", type);
	mhd.add_response_header(r, "Content-Security-Policy", policy);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		mhd.add_response_header(r, "Allow", "GET, HEAD");
	rc = mhd.queue_response(c, status, r);
	mhd.destroy_response(r);
	return rc;
}

static enum MHD_Result
refuse(struct MHD_Connection *c, unsigned status, const char *words)
{
	return answer(c, status,
	    mhd.create_response_from_buffer(
		strlen(words), strdup(words), MHD_RESPMEM_MUST_FREE),
	    "text/plain; charset=utf-8", "default-src 'none'");
}

static enum MHD_Result
hand_out(struct MHD_Connection *c, bool figures)
{
	int which = figures ? 2 : 0;
	struct MHD_Response *r = NULL;
	char *policy = NULL;
	enum MHD_Result rc;

	pthread_mutex_lock(&held.lock);
	if (held.bytes[which] != NULL) {
		r = mhd.create_response_from_buffer(
		    held.n[which], held.bytes[which], MHD_RESPMEM_MUST_COPY);
		policy = strdup(figures ? "default-src 'none'" : held.bytes[1]);
	}
	pthread_mutex_unlock(&held.lock);
	if (policy == NULL)
		rc = refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE,
		    "tocsin: there is no picture yet\n");
	else
		rc = answer(c, MHD_HTTP_OK, r,
		    figures ? "application/json" : "text/html; charset=utf-8",
		    policy);
	free(policy);
	return rc;
}

static enum MHD_Result
on_request(void *arg, struct MHD_Connection *c, const char *url,
    const char *method, const char *version, const char *upload, size_t *size,
    void **state)
{
	const char *rest;

	(void)arg;
	(void)version;
	(void)upload;
	(void)size;
	(void)state;
	if (!names_us(c))
		return refuse(c, MHD_HTTP_MISDIRECTED_REQUEST,
		    "tocsin: this is not the host that was asked for\n");
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return refuse(c, MHD_HTTP_METHOD_NOT_ALLOWED,
		    "tocsin: there is only GET here\n");
	if (below_path(url, &rest) && rest[0] == '\0')
		return hand_out(c, false);
	if (below_path(url, &rest) && strcmp(rest, "board.json") == 0)
		return hand_out(c, true);
	return refuse(c, MHD_HTTP_NOT_FOUND,
	    "tocsin: there is nothing here; the whole URL is what `tocsin "
	    "board --serve` printed\n");
}

/* ---- pages ---- */

static bool
read_all(int fd, char *to, size_t n)
{
	while (n > 0) {
		ssize_t got = read(fd, to, n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		to += got;
		n -= (size_t)got;
	}
	return true;
}

static bool
take_page(int fd)
{
	uint8_t head[SERVE_FRAME];
	struct rd r = rd_init((struct span){ head, sizeof(head) });
	char *bytes[3] = { NULL, NULL, NULL }, *old;
	bool good = read_all(fd, (char *)head, sizeof(head));
	size_t n[3], i;

	for (i = 0; i < 3; i++) {
		n[i] = rd_u32(&r);
		good = good && n[i] <= SERVE_MAX;
	}
	for (i = 0; good && i < 3; i++) {
		bytes[i] = calloc(1, n[i] + 1);
		good = bytes[i] != NULL && read_all(fd, bytes[i], n[i]);
	}
	pthread_mutex_lock(&held.lock);
	for (i = 0; i < 3; i++) {
		old = good ? held.bytes[i] : bytes[i];
		if (good) {
			held.bytes[i] = bytes[i];
			held.n[i] = n[i];
		}
		free(old);
	}
	pthread_mutex_unlock(&held.lock);
	return good;
}

/* If nobody hears it, nobody asks. */
static void
say(int fd, char sign, const char *words)
{
	char line[256];
	int n = snprintf(line, sizeof(line) - 1, "%c%s", sign, words);
	ssize_t sent;

	if (n <= 0 || (size_t)n >= sizeof(line) - 1)
		return;
	line[n] = '\n';
	sent = write(fd, line, (size_t)n + 1);
	(void)sent;
}

static struct MHD_Daemon *
listen_at(const struct serve_at *at)
{
	const struct sockaddr *sa =
	    at->six ? (const void *)&at->in6 : (const void *)&at->in;
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL;

	return mhd.start_daemon(flags | (at->six ? MHD_USE_IPv6 : 0), at->port,
	    NULL, NULL, on_request, NULL, MHD_OPTION_SOCK_ADDR, sa,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
	    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST,
	    MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
}

void
serve_http(int fd, const struct serve_at *at, const char *token)
{
	const union MHD_DaemonInfo *info;
	struct MHD_Daemon *daemon;
	char port[8];

	if (!load()) {
		say(fd, '-',
		    LIBRARY " is not on this machine (Debian: apt install "
			    "libmicrohttpd12); `-o FILE` needs no server");
		return;
	}
	snprintf(held.path, sizeof(held.path), "/%s/", token);
	pthread_mutex_lock(
	    &held.lock); /* nobody is answered before it is set */
	daemon = listen_at(at);
	info = daemon == NULL
		   ? NULL
		   : mhd.get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
	if (info == NULL) {
		say(fd, '-',
		    errno != 0 ? strerror(errno) : "no socket to listen on");
		return;
	}
	snprintf(port, sizeof(port), "%u", (unsigned)info->port);
	snprintf(held.host[0], sizeof(held.host[0]), "%s:%s", at->host, port);
	snprintf(held.host[1], sizeof(held.host[1]), "localhost:%s", port);
	pthread_mutex_unlock(&held.lock);
	if (!serve_fence()) {
		say(fd, '-',
		    "this kernel cannot confine the server (seccomp); `-o "
		    "FILE` needs none");
		return;
	}
	say(fd, '+', port);
	while (take_page(fd))
		;
	mhd.stop_daemon(daemon);
}
