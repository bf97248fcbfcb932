/* SPDX-License-Identifier: ISC */
/*
 * Around the loop of the door: what its parent does to start one, and what the
 * new process does before it opens.
 */
#include "broker/confine.h"
#include "broker/door.h"
#include "broker/log.h"
#include "broker/sp.h"
#include "broker/tcp_tune.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum {
	BACKLOG = 1024,
	LISTEN_FD = 3, /* in the child */
	CONTROL_FD = 4,
	FIRST_FREE_FD = 5,
	FDS_BESIDE = 320, /* beyond two per connection */
	ASK_MS = 1000,
};

const char *
door_counter_name(enum door_counter c)
{
#define NAME(name) #name,
	static const char *const names[] = { DOOR_COUNTERS(NAME) };
#undef NAME

	return c < DOOR_COUNTER_COUNT ? names[c] : "";
}

/* Listening. */

static void
set_int(int fd, int level, int name, int value)
{
	setsockopt(fd, level, name, &value, sizeof(value));
}

/* Linux hands these down to every connection that is accepted. */
static void
set_options(int fd)
{
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	tcp_tune(fd);
}

/* "host:port" or "[v6]:port"; an empty host is any. */
static struct addrinfo *
resolve(const char *address)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM };
	const char *colon = strrchr(address, ':');
	struct addrinfo *found = NULL;
	char host[256];
	size_t n;

	errno = EINVAL;
	if (colon == NULL || colon[1] == '\0')
		return NULL;
	n = (size_t)(colon - address);
	if (n >= 2 && address[0] == '[' && address[n - 1] == ']') {
		address++;
		n -= 2;
	}
	if (n >= sizeof(host))
		return NULL;
	memcpy(host, address, n);
	host[n] = '\0';
	if (getaddrinfo(n > 0 ? host : NULL, colon + 1, &hints, &found) != 0) {
		errno = EADDRNOTAVAIL;
		return NULL;
	}
	return found;
}

enum tocsin_err
door_listen(const char *address, int *listen_fd)
{
	struct addrinfo *ai = resolve(address);
	int fd, kept;

	if (ai == NULL)
		return TOCSIN_EUNAVAILABLE;
	fd = socket(
	    ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		set_options(fd);
		if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 ||
		    listen(fd, BACKLOG) != 0) {
			kept = errno;
			close(fd);
			errno = kept;
			fd = -1;
		}
	}
	kept = errno;
	freeaddrinfo(ai);
	errno = kept;
	if (fd < 0)
		return TOCSIN_EUNAVAILABLE;
	*listen_fd = fd;
	return TOCSIN_OK;
}

uint16_t
door_port(int listen_fd)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in6 six;
	struct sockaddr_in four;
	socklen_t n = sizeof(ss);

	if (getsockname(listen_fd, (struct sockaddr *)&ss, &n) != 0)
		return 0;
	memcpy(&four, &ss, sizeof(four));
	memcpy(&six, &ss, sizeof(six));
	return ntohs(ss.ss_family == AF_INET6 ? six.sin6_port : four.sin_port);
}

/* The configuration, as arguments of a program and back. */

/* clang-format off */
#define NUMBER(f) { #f, offsetof(struct door_config, f), false }
#define TEXT(f)   { #f, offsetof(struct door_config, f), true }
static const struct setting {
	const char *name;
	size_t at;
	bool text;
} settings[] = {
	TEXT(rpc), TEXT(relay),
	NUMBER(max_rpc), NUMBER(max_relay),
	NUMBER(header_ms), NUMBER(first_ms), NUMBER(frame_ms),
	NUMBER(idle_ms), NUMBER(stall_ms), NUMBER(close_ms),
	NUMBER(max_conns), NUMBER(max_source),
	NUMBER(rate), NUMBER(burst), NUMBER(max_held),
};
/* clang-format on */

enum {
	SETTINGS = sizeof(settings) / sizeof(settings[0]),
	ARG_MAX_LEN = DOOR_PATH_MAX + 32
};

static void
setting_print(const struct setting *s, const struct door_config *cfg,
    char arg[ARG_MAX_LEN])
{
	const char *at = (const char *)cfg + s->at;
	const char *text;
	uint32_t number;

	if (s->text) {
		memcpy(&text, at, sizeof(text));
		snprintf(arg, ARG_MAX_LEN, "%s=%s", s->name, text);
	} else {
		memcpy(&number, at, sizeof(number));
		snprintf(arg, ARG_MAX_LEN, "%s=%u", s->name, number);
	}
}

static bool
setting_parse(struct door_config *cfg, const char *arg)
{
	const char *value = strchr(arg, '=');
	unsigned long long number;
	const struct setting *s;
	uint32_t small;
	char *end;

	if (value++ == NULL)
		return false;
	for (s = settings; s < settings + SETTINGS; s++)
		if (strncmp(arg, s->name, strlen(s->name)) == 0 &&
		    arg[strlen(s->name)] == '=')
			break;
	if (s == settings + SETTINGS)
		return false;
	if (s->text) {
		memcpy((char *)cfg + s->at, &value, sizeof(value));
		return strlen(value) < DOOR_PATH_MAX;
	}
	number = strtoull(value, &end, 10);
	small = (uint32_t)number;
	memcpy((char *)cfg + s->at, &small, sizeof(small));
	return *value != '\0' && *end == '\0' && number <= UINT32_MAX;
}

/* Starting. */

static int
spawn(int listen_fd, int control_fd, char **argv, pid_t *pid)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int err;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(
	    &attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&files, 0, 1);
	posix_spawn_file_actions_adddup2(&files, listen_fd, LISTEN_FD);
	posix_spawn_file_actions_adddup2(&files, control_fd, CONTROL_FD);
	posix_spawn_file_actions_addclosefrom_np(&files, FIRST_FREE_FD);
	err = posix_spawn(pid, "/proc/self/exe", &files, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return err;
}

/*
 * Copies out of the way of the numbers that they will have in the child, so
 * that moving one there does not close the other.
 */
static int
spawn_with(int listen_fd, int control_fd, char **argv, pid_t *pid)
{
	int l = fcntl(listen_fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
	int c = fcntl(control_fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
	int err = l >= 0 && c >= 0 ? 0 : errno;

	if (err == 0)
		err = spawn(l, c, argv, pid);
	if (l >= 0)
		close(l);
	if (c >= 0)
		close(c);
	return err;
}

enum tocsin_err
door_spawn(
    const struct door_config *cfg, int listen_fd, pid_t *pid, int *control_fd)
{
	char program[] = "tocsind", command[] = "door";
	char args[SETTINGS][ARG_MAX_LEN];
	char *argv[SETTINGS + 3] = { program, command };
	int pair[2], err;
	size_t i;

	if (strlen(cfg->rpc) >= DOOR_PATH_MAX ||
	    strlen(cfg->relay) >= DOOR_PATH_MAX) {
		errno = ENAMETOOLONG;
		return TOCSIN_EUNAVAILABLE;
	}
	for (i = 0; i < SETTINGS; i++) {
		setting_print(&settings[i], cfg, args[i]);
		argv[i + 2] = args[i];
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return TOCSIN_EUNAVAILABLE;
	err = spawn_with(listen_fd, pair[1], argv, pid);
	close(pair[1]);
	if (err != 0) {
		close(pair[0]);
		errno = err;
		return TOCSIN_EUNAVAILABLE;
	}
	*control_fd = pair[0];
	return TOCSIN_OK;
}

enum tocsin_err
door_ask(int control_fd, struct door_counters *out)
{
	struct pollfd p = { .fd = control_fd, .events = POLLIN };
	struct door_counters got;
	ssize_t n;

	/* Answers that came too late for an earlier question. */
	while (recv(control_fd, &got, sizeof(got), MSG_DONTWAIT) > 0)
		;
	if (send(control_fd, "?", 1, MSG_NOSIGNAL) != 1 ||
	    poll(&p, 1, ASK_MS) != 1)
		return TOCSIN_EUNAVAILABLE;
	n = recv(control_fd, &got, sizeof(got), MSG_DONTWAIT);
	if (n != (ssize_t)sizeof(got))
		return TOCSIN_EUNAVAILABLE;
	*out = got;
	return TOCSIN_OK;
}

/* Both greetings, each within the time-out of the socket. */
static bool
probe_greet(int fd, uint16_t proto)
{
	uint8_t h[SP_HEADER_LEN];

	sp_header(h, (enum sp_proto)proto);
	return send(fd, h, sizeof(h), MSG_NOSIGNAL) == sizeof(h) &&
	       recv(fd, h, sizeof(h), MSG_WAITALL) == sizeof(h);
}

/*
 * A listener of nng that is lost greets on, but has no pipe that would read. So
 * send the first byte of a message and see whether it is taken.
 */
static bool
probe_is_read(int fd, unsigned timeout_ms)
{
	struct timespec ms = { .tv_nsec = 1000000 };
	int unread = 1;

	if (send(fd, "\1", 1, MSG_NOSIGNAL) != 1)
		return false;
	while (
	    ioctl(fd, SIOCOUTQ, &unread) == 0 && unread > 0 && timeout_ms-- > 0)
		nanosleep(&ms, NULL);
	return unread == 0;
}

enum tocsin_err
door_probe(const char *path, uint16_t proto, unsigned timeout_ms)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct timeval tv = { .tv_sec = timeout_ms / 1000,
		.tv_usec = timeout_ms % 1000 * 1000 };
	enum tocsin_err err = TOCSIN_EUNAVAILABLE;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return TOCSIN_EUNAVAILABLE;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	strncpy(sun.sun_path, path, sizeof(sun.sun_path) - 1);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0)
		err = errno == EAGAIN ? TOCSIN_ETIMEOUT : TOCSIN_EUNAVAILABLE;
	else if (probe_greet(fd, proto) && probe_is_read(fd, timeout_ms))
		err = TOCSIN_OK;
	else
		err = TOCSIN_ETIMEOUT;
	close(fd);
	return err;
}

/* In the child. */

/* Two descriptors per connection, or fewer connections. */
static void
fit_descriptors(struct door_config *cfg)
{
	rlim_t want = (rlim_t)cfg->max_conns * 2 + FDS_BESIDE;
	struct rlimit have;

	if (getrlimit(RLIMIT_NOFILE, &have) != 0)
		return;
	if (have.rlim_cur < want) {
		struct rlimit more = { want, have.rlim_max };

		if (more.rlim_max < want)
			more.rlim_cur = more.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			have = more;
	}
	if (have.rlim_cur >= want)
		return;
	cfg->max_conns = have.rlim_cur > FDS_BESIDE + 2
			     ? (uint32_t)(have.rlim_cur - FDS_BESIDE) / 2
			     : 1;
	log_event(LOG_WARN, "door-small", LOG_U("connections", cfg->max_conns),
	    LOG_Z("limit", "RLIMIT_NOFILE"), LOG_END);
}

static void
confine(void)
{
	struct rlimit none = { 0, 0 };

	prctl(PR_SET_NAME, "tocsin-door");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	setrlimit(RLIMIT_CORE, &none);
	if (!confine_calls())
		log_event(
		    LOG_WARN, "door-unconfined", LOG_ERRNO(errno), LOG_END);
}

int
door_main(int argc, char **argv)
{
	struct door_config cfg = DOOR_DEFAULTS;
	int i;

	for (i = 1; i < argc; i++)
		if (!setting_parse(&cfg, argv[i])) {
			log_event(LOG_ERROR, "door-failed",
			    LOG_Z("argument", argv[i]), LOG_END);
			return 2;
		}
	if (door_port(LISTEN_FD) == 0 || fcntl(CONTROL_FD, F_GETFD) < 0) {
		log_event(LOG_ERROR, "door-failed",
		    LOG_Z("error", "started by hand"), LOG_END);
		return 2;
	}
	fit_descriptors(&cfg);
	fcntl(LISTEN_FD, F_SETFL, O_NONBLOCK | O_RDWR);
	confine();
	return door_run(&cfg, LISTEN_FD, CONTROL_FD);
}
