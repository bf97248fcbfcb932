/* SPDX-License-Identifier: ISC */
/*
 * tocsind run: the daemon. The main thread starts everything, then waits for
 * signals, watches the door, and ends it all.
 */
#include "broker/admin.h"
#include "broker/clock.h"
#include "broker/cmd.h"
#include "broker/door.h"
#include "broker/file.h"
#include "broker/intake.h"
#include "broker/log.h"
#include "broker/park.h"
#include "broker/relay.h"
#include "broker/setup.h"
#include "broker/sp.h"
#include "broker/writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define END_MS 1800	  /* then we leave whatever still hangs */
#define DOOR_AGAIN_MS 200 /* before a dead door is replaced */
#define DOOR_AGAIN_MAX 5000
#define PROBE_MS 2000
#define PROBE_EVERY_MS 10000
#define PEERS_MAX 512

enum { CONFIG };

const struct cmd_option run_options[] = {
	{ "config", "file", "default: " CONFIG_DEFAULT_FILE },
	{ 0 },
};

struct daemon {
	struct setup setup;
	struct broker *broker;
	struct admin *admin;
	struct door_config door;
	char rpc[CONFIG_PATH_MAX + 16];
	char relay[CONFIG_PATH_MAX + 16];
	int listen_fd;
	pid_t door_pid;
	int door_fd;
	int64_t door_again; /* when to start it again; 0: it runs */
	unsigned door_wait;
	int64_t probe_at;
};

/* ---- what the operator's socket serves ---- */

static void
status_peers(struct buf *out, struct daemon *d)
{
	struct relay_status *peer = calloc(PEERS_MAX, sizeof(*peer));
	size_t n, i;

	n = peer ? relay_status(d->broker->relay, peer, PEERS_MAX) : 0;
	for (i = 0; i < n && i < PEERS_MAX; i++)
		buf_addf(out,
		    "%s{\"peer\":\"%s\",\"nation\":\"%s\",\"up\":%s,"
		    "\"waiting\":%llu,\"in_flight\":%llu,\"repeats\":%llu,"
		    "\"frames_out\":%llu,\"bytes_out\":%llu,"
		    "\"heard_ms\":%lld}",
		    i > 0 ? "," : "", peer[i].peer, peer[i].nation,
		    peer[i].up ? "true" : "false",
		    (unsigned long long)peer[i].waiting,
		    (unsigned long long)peer[i].in_flight,
		    (unsigned long long)peer[i].repeats,
		    (unsigned long long)peer[i].frames_out,
		    (unsigned long long)peer[i].bytes_out,
		    (long long)peer[i].heard_ms);
	free(peer);
}

static void
status_counters(struct buf *out, struct daemon *d)
{
	int i;

	for (i = 0; i < BROKER_COUNTER_COUNT; i++)
		buf_addf(out, "%s\"%s\":%llu", i > 0 ? "," : "",
		    broker_counter_name((enum broker_counter)i),
		    (unsigned long long)atomic_load(&d->broker->count[i]));
}

static enum tocsin_err
serve_status(struct daemon *d, struct buf *out)
{
	struct trust *t = trust_get(d->broker->trust);
	const struct roster *r = trust_roster(t);
	char expires[TIME_TEXT + 1];
	uint64_t used, limit, entries = 0;
	struct store_rx *rx;

	if (store_read(d->broker->store, &rx) == TOCSIN_OK) {
		entries = store_head(rx);
		store_read_end(rx);
	}
	store_usage(d->broker->store, &used, &limit);
	time_print(expires, r->expires);
	buf_addf(out,
	    "{\"broker\":\"%s\",\"federation\":\"%s\",\"pid\":%d,"
	    "\"entries\":%llu,\"store_used\":%llu,\"store_limit\":%llu,"
	    "\"roster\":%llu,\"roster_expires\":\"%s\",\"parked\":%u,"
	    "\"counters\":{",
	    d->broker->conf.name, d->broker->conf.federation, (int)getpid(),
	    (unsigned long long)entries, (unsigned long long)used,
	    (unsigned long long)limit, (unsigned long long)r->serial, expires,
	    parks_count(d->broker->parks));
	trust_put(t);
	status_counters(out, d);
	buf_addz(out, "},\"peers\":[");
	status_peers(out, d);
	buf_addz(out, "]}\n");
	return TOCSIN_OK;
}

static enum tocsin_err
serve(void *arg, const char *word, struct span body, struct buf *answer)
{
	struct daemon *d = arg;
	struct trust *t;
	enum tocsin_err err;

	if (strcmp(word, "status") == 0)
		return serve_status(d, answer);
	if (strcmp(word, "install") == 0) {
		err = intake_install(d->broker, STORE_ROSTER, body);
		if (err)
			buf_addz(answer, tocsin_err_text(err));
		return err;
	}
	if (strcmp(word, "roster") == 0) {
		t = trust_get(d->broker->trust);
		buf_addf(answer, "%llu\n",
		    (unsigned long long)trust_roster(t)->serial);
		trust_put(t);
		return TOCSIN_OK;
	}
	buf_addz(answer, "there is no such request");
	return TOCSIN_EUNSUPPORTED;
}

/* ---- the door ---- */

static void
open_door(struct daemon *d)
{
	enum tocsin_err err =
	    door_spawn(&d->door, d->listen_fd, &d->door_pid, &d->door_fd);

	if (err) {
		log_event(LOG_ERROR, "door-failed", LOG_ERR(err), LOG_END);
		d->door_pid = 0;
		d->door_again = clock_ms() + DOOR_AGAIN_MAX;
		return;
	}
	d->door_again = 0;
	d->probe_at = clock_ms() + DOOR_AGAIN_MS;
}

/* A door that died is replaced, sooner the longer it has lived. */
static void
watch_door(struct daemon *d)
{
	int status;

	if (d->door_pid > 0 &&
	    waitpid(d->door_pid, &status, WNOHANG) == d->door_pid) {
		log_event(LOG_WARN, "door-died",
		    LOG_U("status", (unsigned)status), LOG_END);
		close(d->door_fd);
		d->door_pid = 0;
		d->door_again = clock_ms() + d->door_wait;
		d->door_wait = d->door_wait * 2 > DOOR_AGAIN_MAX
				   ? DOOR_AGAIN_MAX
				   : d->door_wait * 2;
	}
	if (d->door_again > 0 && clock_ms() >= d->door_again)
		open_door(d);
}

/* nng may lose a listener or its reaper for good; only a new start helps. */
static void
probe(struct daemon *d)
{
	if (d->setup.config.canary == 0 || clock_ms() < d->probe_at)
		return;
	if (door_probe(d->rpc, SP_REQ, PROBE_MS) == TOCSIN_ETIMEOUT ||
	    door_probe(d->relay, SP_PUB, PROBE_MS) == TOCSIN_ETIMEOUT) {
		log_event(LOG_ERROR, "listener-lost", LOG_END);
		_exit(1);
	}
	d->probe_at = clock_ms() + PROBE_EVERY_MS;
	d->door_wait = DOOR_AGAIN_MS;
}

static int
prepare_door(struct daemon *d)
{
	const struct config *c = &d->setup.config;

	snprintf(d->rpc, sizeof(d->rpc), "%s/rpc.ipc", d->setup.sockets);
	snprintf(d->relay, sizeof(d->relay), "%s/relay.ipc", d->setup.sockets);
	d->door = (struct door_config)DOOR_DEFAULTS;
	d->door.listen = c->listen;
	d->door.rpc = d->rpc;
	d->door.relay = d->relay;
	d->door.max_conns = (uint32_t)c->connections;
	d->door.max_source = (uint32_t)c->per_source;
	d->door.rate = (uint32_t)c->source_rate;
	d->door.burst = (uint32_t)c->source_burst;
	d->door.idle_ms = (uint32_t)c->idle;
	d->door_wait = DOOR_AGAIN_MS;
	errno = 0;
	if (door_listen(c->listen, &d->listen_fd) != TOCSIN_OK)
		return cmd_fail_at(TOCSIN_EUNAVAILABLE, c->listen);
	return 0;
}

/* ---- beginning and end ---- */

/* No core with keys in it, no other user's debugger, enough descriptors. */
static void
harden(void)
{
	struct rlimit none = { 0, 0 }, files;

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	signal(SIGPIPE, SIG_IGN);
}

static void
notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd;

	if (!path || strlen(path) >= sizeof(to.sun_path))
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	strcpy(to.sun_path, path);
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	(void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL,
	    (struct sockaddr *)&to,
	    (socklen_t)(sizeof(sa_family_t) + strlen(path)));
	close(fd);
}

static void *
leave_late(void *arg)
{
	const struct timespec t = { END_MS / 1000, END_MS % 1000 * 1000000L };

	(void)arg;
	nanosleep(&t, NULL);
	log_event(LOG_WARN, "end-forced", LOG_END);
	_exit(0); /* what was answered is on disk */
}

static _Noreturn void
end(struct daemon *d)
{
	pthread_t watchdog;

	log_event(LOG_INFO, "ending", LOG_END);
	notify("STOPPING=1");
	(void)pthread_create(&watchdog, NULL, leave_late, NULL);
	admin_close(d->admin);
	if (d->door_pid > 0)
		close(d->door_fd);
	broker_halt(d->broker);
	log_event(LOG_INFO, "ended", LOG_END);
	_exit(0);
}

static int
start(struct daemon *d)
{
	const char *why = NULL;
	enum tocsin_err err;

	errno = 0;
	err = folder_private(d->setup.sockets);
	if (err)
		return cmd_fail_at(err, d->setup.sockets);
	err = broker_start(&d->broker, &d->setup.broker, &why);
	if (err)
		return cmd_fail(err, "%s", why ? why : tocsin_err_text(err));
	errno = 0;
	err = admin_start(&d->admin, d->setup.admin, serve, d);
	if (err)
		return cmd_fail_at(err, d->setup.admin);
	open_door(d);
	return 0;
}

static void
run(struct daemon *d, const sigset_t *set)
{
	const struct timespec tick = { 0, 200 * 1000000L };

	for (;;) {
		int sig = sigtimedwait(set, NULL, &tick);

		if (sig == SIGTERM || sig == SIGINT)
			end(d);
		watch_door(d);
		probe(d);
	}
}

int
cmd_run(const char **opt, int argc, char **argv)
{
	static struct daemon d; /* threads use it until the process ends */
	int64_t began = clock_ms();
	sigset_t set;
	int rc;

	(void)argc;
	(void)argv;
	rc = setup_open(&d.setup, opt[CONFIG]);
	if (rc)
		return rc;
	log_open(STDERR_FILENO, (enum log_level)d.setup.config.log);
	harden();
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	rc = prepare_door(&d);
	if (!rc)
		rc = start(&d);
	if (rc)
		_exit(rc); /* threads may run already */
	log_event(LOG_INFO, "ready", LOG_Z("broker", d.setup.config.name),
	    LOG_Z("listen", d.setup.config.listen),
	    LOG_U("ms", (uint64_t)(clock_ms() - began)), LOG_END);
	notify("READY=1");
	run(&d, &set);
	return 0;
}
