/* SPDX-License-Identifier: ISC */
/*
 * tocsind run: the daemon. The first thread starts everything, keeps the door
 * standing, looks after nng's health and waits for signals.
 *
 *	no roster yet	the store is open, the operator's socket and the door
 *			are there; the door finds nobody behind it
 *	ready		a broker runs
 *	the end		_exit(): nothing waits for what may never come
 *
 * The store's lock makes sure that there is one of us.
 */
#include "broker/admin.h"
#include "broker/clock.h"
#include "broker/cmd.h"
#include "broker/fence.h"
#include "broker/file.h"
#include "broker/gatekeeper.h"
#include "broker/health.h"
#include "broker/intake.h"
#include "broker/log.h"
#include "broker/notify.h"
#include "broker/relay.h"
#include "broker/setup.h"
#include "broker/status.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONFIG };

enum {
	STOP_MS = 1800,	  /* an orderly end takes no longer, or is forced */
	FDS_BESIDE = 512, /* descriptors beyond one for each connection */
};

const struct cmd_option run_options[] = {
	{ "config", "file", "default: " CONFIG_DEFAULT_FILE },
	{ 0 },
};

struct run {
	const char *file;
	struct config conf;
	struct setup setup;
	struct identity id;
	struct gatekeeper gate;
	struct admin *admin;
	int64_t started;
	unsigned tick;
	struct health health;
	int64_t period; /* of signs of life; 0: nobody wants them */
	int64_t pulse_at;
	struct pulse pulse;

	pthread_mutex_t lock; /* what follows */
	pthread_cond_t changed;
	struct store *waiting; /* open, for want of a roster; or NULL */
	struct broker *broker; /* or NULL */
};

/* ---- the process ---- */

/* Faults are not to wait for us; all else is taken by run_loop(). */
static void
block_signals(sigset_t *ours)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT,
		SIGTRAP, SIGSYS };
	sigset_t all;
	size_t i;

	sigfillset(&all);
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigdelset(&all, faults[i]);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(ours);
	sigaddset(ours, SIGTERM);
	sigaddset(ours, SIGINT);
	sigaddset(ours, SIGHUP);
	sigaddset(ours, SIGCHLD);
	sigaddset(ours, SIGUSR1);
}

#define DAMAGED                                                             \
	"the store's own pages are damaged, or its file was cut; see what " \
	"tocsind verify says, and restore the newest backup with tocsind "  \
	"restore"

static _Noreturn void
store_fell(const char *what)
{
	log_event(LOG_ERROR, "store-damaged", LOG_Z("what", what),
	    LOG_Z("why", DAMAGED), LOG_END);
	_exit(1);
}

static struct sigaction fault_before[2]; /* of SIGSEGV, SIGBUS */

/*
 * A mapped page that the disk no longer gives, or an engine that follows a
 * damaged page to nowhere. Nothing is on disk that was not committed, so this
 * is as good an end as another; it should only say what to do. Other faults go
 * where they went.
 */
static void
on_fault(int sig, siginfo_t *info, void *context)
{
	static const char said[] =
	    "level=error event=store-damaged why=\"" DAMAGED "\"\n";

	(void)info;
	(void)context;
	if (sig == SIGBUS || store_inside()) {
		ssize_t n = write(STDERR_FILENO, said, sizeof(said) - 1);

		_exit(n > 0 ? 1 : 2);
	}
	sigaction(sig, &fault_before[sig == SIGBUS], NULL); /* it comes again */
}

static void
catch_faults(void)
{
	struct sigaction sa = { .sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO };

	store_on_fatal(store_fell);
	sigaction(SIGSEGV, &sa, &fault_before[0]);
	sigaction(SIGBUS, &sa, &fault_before[1]);
}

/* No core, no debugger but root's; descriptors for all connections. */
static void
confine_process(const struct config *c)
{
	rlim_t want = (rlim_t)c->connections + FDS_BESIDE;
	struct rlimit none = { 0, 0 }, fds;

	umask(0077);
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (getrlimit(RLIMIT_NOFILE, &fds) != 0)
		return;
	if (fds.rlim_cur < want) {
		fds.rlim_cur = fds.rlim_max < want ? fds.rlim_max : want;
		setrlimit(RLIMIT_NOFILE, &fds);
	}
	if (fds.rlim_cur < want)
		log_event(LOG_WARN, "few-descriptors",
		    LOG_U("have", fds.rlim_cur), LOG_U("want", want), LOG_END);
	if (!secret_can_lock())
		log_event(LOG_WARN, "memory-not-locked", LOG_END);
}

/* ---- the operator's words; in the thread of the socket ---- */

static void
answer_status(struct run *r, bool json, struct buf *out)
{
	struct door_counters door;
	struct status_source src = { .conf = &r->conf,
		.broker = r->broker,
		.up_ms = clock_ms() - r->started };

	if (gatekeeper_ask(&r->gate, &door))
		src.door = &door;
	(json ? status_json : status_text)(out, &src);
}

static void
answer_roster(struct run *r, struct buf *out)
{
	struct trust *t = r->broker ? trust_get(r->broker->trust) : NULL;

	buf_addf(out, "%" PRIu64, t ? trust_roster(t)->serial : 0);
	trust_put(t);
}

/* The first roster; then the first thread starts the broker. */
static enum tocsin_err
install_first(struct run *r, struct span file)
{
	enum tocsin_err err =
	    trust_install_genesis(r->waiting, file, clock_now());

	if (err)
		return err;
	kill(getpid(), SIGUSR1);
	while (!r->broker)
		pthread_cond_wait(&r->changed, &r->lock);
	return TOCSIN_OK;
}

static enum tocsin_err
answer(void *arg, const char *word, struct span body, struct buf *out)
{
	struct run *r = arg;
	enum tocsin_err err = TOCSIN_OK;
	struct broker *b;

	pthread_mutex_lock(&r->lock);
	b = r->broker;
	if (strcmp(word, "status") == 0 || strcmp(word, "status-json") == 0)
		answer_status(r, strcmp(word, "status-json") == 0, out);
	else if (strcmp(word, "roster") == 0)
		answer_roster(r, out);
	else if (strcmp(word, "install") != 0)
		err = TOCSIN_EUNSUPPORTED;
	else if (!b)
		err = install_first(r, body);
	pthread_mutex_unlock(&r->lock);
	if (b && strcmp(word, "install") == 0) {
		err = intake_install(b, STORE_ROSTER, body);
		log_event(LOG_INFO, "roster-install", LOG_ERR(err), LOG_END);
	}
	if (err)
		buf_addz(out, tocsin_err_text(err));
	return err;
}

/* ---- start ---- */

static int
failed(struct run *r, enum tocsin_err err, const char *why)
{
	log_event(LOG_ERROR, "start-failed", LOG_ERR(err), LOG_Z("why", why),
	    LOG_END);
	return cmd_fail(err, "%s: %s", r->conf.name, why);
}

/*
 * The broker, or, for want of a roster, its store alone. Nobody else asks for
 * the store while we have neither, but for another tocsind.
 */
static int
start_broker(struct run *r)
{
	int64_t began = r->tick > 0 ? clock_ms() : r->started;
	const char *why = NULL;
	struct broker *b = NULL;
	struct store *s = NULL;
	enum tocsin_err err;

	setup_keys(&r->setup, &r->id);
	err = broker_start(&b, &r->setup.broker, &why);
	if (err == TOCSIN_EROSTERUNKNOWN)
		err = store_open(
		    &s, r->setup.store, &r->setup.broker.store, &why);
	if (err)
		return failed(r, err, why ? why : tocsin_err_text(err));
	pthread_mutex_lock(&r->lock);
	r->broker = b;
	r->waiting = s;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
	if (b)
		log_event(LOG_INFO, "ready", LOG_Z("broker", r->conf.name),
		    LOG_U("port", r->gate.port),
		    LOG_I("ms", clock_ms() - began), LOG_END);
	else
		log_event(LOG_WARN, "waiting-for-roster",
		    LOG_Z("broker", r->conf.name), LOG_END);
	return 0;
}

static int
start_folders(struct run *r)
{
	char keys[CONFIG_PATH_MAX + 1], why[IDENTITY_WHY];
	enum tocsin_err err;

	errno = 0;
	err = folder_private(r->conf.state);
	if (err)
		return cmd_fail_at(err, r->conf.state);
	err = folder_private(r->setup.run);
	if (err)
		return cmd_fail_at(err, r->setup.run);
	config_path(keys, &r->conf, "keys");
	err = identity_open(&r->id, keys, r->conf.name, why);
	return err ? cmd_fail_at(err, why) : 0;
}

/*
 * Before the first thread, for all inherit it. The config is read again when a
 * SIGHUP comes, also if it is another file by then, or a link to one.
 */
static void
fence_process(const struct run *r)
{
	char folder[CONFIG_PATH_MAX + 1];
	const char *slash = strrchr(r->file, '/');
	const char *const own[] = { r->conf.state, r->setup.store, r->setup.run,
		NULL };
	const char *const read[] = { folder, r->file, NULL };
	int abi = fence_abi();

	snprintf(folder, sizeof(folder), "%.*s",
	    slash ? (int)(slash - r->file) + 1 : 1, slash ? r->file : ".");
	if (abi == 0)
		log_event(LOG_INFO, "no-landlock", LOG_END);
	else if (fence_files(own, read))
		log_event(LOG_INFO, "landlock", LOG_I("abi", abi), LOG_END);
	else
		log_event(LOG_WARN, "no-landlock", LOG_ERRNO(errno), LOG_END);
}

/* The store's lock comes first: what follows takes places of another's. */
static int
start_all(struct run *r)
{
	enum tocsin_err err;
	int status = start_folders(r);

	if (status)
		return status;
	fence_process(r);
	err = gatekeeper_init(&r->gate, &r->setup.door);
	if (err && errno != EADDRINUSE)
		return cmd_fail_at(err, r->conf.listen);
	if (err) {
		/* By one of us? Then its lock says so, and that is clearer. */
		int kept = errno;

		status = start_broker(r);
		errno = kept;
		return status ? status : cmd_fail_at(err, r->conf.listen);
	}
	status = start_broker(r);
	if (status)
		return status;
	err = admin_start(&r->admin, r->setup.admin, answer, r);
	if (err)
		return cmd_fail_at(err, r->setup.admin);
	gatekeeper_tend(&r->gate, clock_ms());
	notify("READY=1");
	return 0;
}

/* ---- the end ---- */

static void *
watchdog(void *arg)
{
	struct timespec t = { STOP_MS / 1000, STOP_MS % 1000 * 1000000 };

	(void)arg;
	while (nanosleep(&t, &t) != 0 && errno == EINTR)
		;
	log_event(LOG_WARN, "stop-forced", LOG_END);
	_exit(1);
}

static _Noreturn void
stop(struct run *r, int sig)
{
	int64_t began = clock_ms();
	pthread_t thread;

	log_event(LOG_INFO, "stopping", LOG_I("signal", sig), LOG_END);
	if (pthread_create(&thread, NULL, watchdog, NULL) != 0)
		_exit(1);
	notify("STOPPING=1");
	admin_close(r->admin);
	if (r->broker)
		broker_halt(r->broker);
	log_event(
	    LOG_INFO, "stopped", LOG_I("ms", clock_ms() - began), LOG_END);
	_exit(0);
}

/* ---- health ---- */

/* What the service manager waits for; without a roster, that we are here. */
static void
live(struct run *r)
{
	int64_t now = clock_ms();

	if (r->period == 0)
		return;
	if (pulse_back(&r->pulse))
		notify("WATCHDOG=1");
	if (now < r->pulse_at)
		return;
	r->pulse_at = now + r->period;
	if (r->broker)
		pulse_send(&r->pulse, r->broker->writer);
	else
		notify("WATCHDOG=1");
}

static void
look_after(struct run *r)
{
	if (!r->broker || !r->conf.canary)
		return;
	if (r->tick % HEALTH_EVERY == 0)
		health_probe(&r->health, r->setup.rpc, r->setup.relay);
	health_canary(&r->health, r->tick);
}

static void
reload(const struct run *r)
{
	struct config_fault fault;
	struct config c;

	if (config_read(&c, r->file, &fault) == TOCSIN_OK) {
		log_open(STDERR_FILENO, (enum log_level)c.log);
		log_event(LOG_INFO, "log-level", LOG_END);
	} else {
		log_event(LOG_WARN, "config-not-read", LOG_Z("why", fault.text),
		    LOG_END);
	}
}

/* The door may have left nng with half a greeting: see door_probe(). */
static void
on_child(struct run *r)
{
	if (gatekeeper_reap(&r->gate, clock_ms()) && r->broker)
		health_probe(&r->health, r->setup.rpc, r->setup.relay);
}

static int
on_first_roster(struct run *r)
{
	pthread_mutex_lock(&r->lock);
	store_close(r->waiting);
	r->waiting = NULL;
	pthread_mutex_unlock(&r->lock);
	return start_broker(r);
}

static int
run_loop(struct run *r, const sigset_t *ours)
{
	const struct timespec tick = { 0, HEALTH_TICK_MS * 1000000L };
	int status = 0;

	while (status == 0) {
		switch (sigtimedwait(ours, NULL, &tick)) {
		case SIGTERM:
			stop(r, SIGTERM);
		case SIGINT:
			stop(r, SIGINT);
		case SIGHUP:
			reload(r);
			break;
		case SIGCHLD:
			on_child(r);
			break;
		case SIGUSR1:
			if (r->waiting)
				status = on_first_roster(r);
			break;
		default:
			r->tick++;
			look_after(r);
			live(r);
		}
		gatekeeper_tend(&r->gate, clock_ms());
	}
	return status;
}

/*
 * An answer is 60 KiB, and as often as the last of a heap is given back the
 * allocator hands 128 KiB to the kernel, to fault them in again for the next
 * one. A few MiB are kept. To set one of the two fixes the other, so both.
 */
static void
keep_freed_memory(void)
{
	mallopt(M_TRIM_THRESHOLD, 2 * 1024 * 1024);
	mallopt(M_MMAP_THRESHOLD, 1024 * 1024);
}

static int
run(struct run *r)
{
	sigset_t ours;
	int status;

	keep_freed_memory();
	block_signals(&ours);
	log_open(STDERR_FILENO, (enum log_level)r->conf.log);
	catch_faults();
	confine_process(&r->conf);
	setup_init(&r->setup, &r->conf);
	r->period = notify_period();
	status = start_all(r);
	if (status == 0)
		status = run_loop(r, &ours);
	/* Threads may be running: no exit handlers. */
	fflush(stderr);
	_exit(status);
}

int
cmd_run(const char **opt, int argc, char **argv)
{
	static struct run r = { .lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER };
	int status;

	(void)argc;
	(void)argv;
	r.started = clock_ms();
	r.file = opt[CONFIG] ? opt[CONFIG] : CONFIG_DEFAULT_FILE;
	status = cmd_config(&r.conf, r.file);
	return status ? status : run(&r);
}
