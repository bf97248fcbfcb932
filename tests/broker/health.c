/* SPDX-License-Identifier: ISC */
/*
 * A transport that is stuck ends the process. nng's reaper is stuck for real:
 * it is the thread that tells of a connection's end, and whoever is told does
 * not return. nng does not survive a fork, so each case is a child of a process
 * without it.
 */
#include "broker/health.h"

#include "broker/clock.h"
#include "broker/log.h"
#include "broker/net_canary.h"
#include "tests/lib/tap.h"

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool told;

static void
on_gone(nng_pipe pipe, nng_pipe_ev ev, void *arg)
{
	(void)pipe;
	(void)ev;
	(void)arg;
	atomic_store(&told, true);
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
}

static void *
close_it(void *arg)
{
	nng_close(*(nng_socket *)arg);
	return NULL;
}

static void
stick_reaper(void)
{
	static nng_socket a, b;
	pthread_t thread;

	pthread_mutex_lock(&gate);
	if (nng_pair0_open(&a) || nng_pair0_open(&b) ||
	    nng_pipe_notify(a, NNG_PIPE_EV_REM_POST, on_gone, NULL) ||
	    nng_listen(a, "inproc://stuck", NULL, 0) ||
	    nng_dial(b, "inproc://stuck", NULL, 0) ||
	    pthread_create(&thread, NULL, close_it, &b))
		_exit(9);
	while (!atomic_load(&told))
		usleep(1000);
}

/* ---- what children do ---- */

static void
healthy(void)
{
	struct health h = { 0 };
	unsigned tick;

	for (tick = 0; tick < 4 * HEALTH_EVERY; tick++) {
		while (h.canary_ticks > 0 && !net_canary_back())
			usleep(1000);
		health_canary(&h, tick);
	}
	_exit(h.canary_ticks > 0 ? 8 : 0);
}

/* It is out for no longer than it may be. */
static void
slow(void)
{
	struct health h = { 0 };
	unsigned tick;

	stick_reaper();
	for (tick = 0; tick < HEALTH_STUCK; tick++)
		health_canary(&h, tick);
	if (net_canary_back())
		_exit(8);
	pthread_mutex_unlock(&gate);
	while (!net_canary_back())
		usleep(1000);
	for (; tick < 2 * HEALTH_STUCK; tick++)
		health_canary(&h, tick);
	_exit(0);
}

static void
stuck(void)
{
	struct health h = { 0 };
	unsigned tick;

	stick_reaper();
	for (tick = 0; tick <= HEALTH_STUCK; tick++)
		health_canary(&h, tick);
	_exit(8);
}

static void
deaf_once(void)
{
	struct health h = { 0 };

	health_probe(&h, "/nowhere/rpc.ipc", "/nowhere/relay.ipc");
	_exit(0);
}

static void
deaf_twice(void)
{
	struct health h = { 0 };

	health_probe(&h, "/nowhere/rpc.ipc", "/nowhere/relay.ipc");
	health_probe(&h, "/nowhere/rpc.ipc", "/nowhere/relay.ipc");
	_exit(8);
}

/* The machine has no time: the probes come late, and nobody can answer. */
static void
deaf_late(struct health *h, unsigned n)
{
	for (; n > 0; n--) {
		h->looked = clock_ms() - 2 * HEALTH_EVERY * HEALTH_TICK_MS;
		health_probe(h, "/nowhere/rpc.ipc", "/nowhere/relay.ipc");
	}
}

static void
deaf_and_busy(void)
{
	struct health h = { 0 };

	deaf_late(&h, HEALTH_DEAF - 1);
	_exit(0);
}

static void
deaf_and_busy_for_ever(void)
{
	struct health h = { 0 };

	deaf_late(&h, HEALTH_DEAF);
	_exit(8);
}

/* One was not late, so it isn't the machine. */
static void
deaf_and_busy_once(void)
{
	struct health h = { 0 };

	deaf_late(&h, HEALTH_ON_TIME);
	health_probe(&h, "/nowhere/rpc.ipc", "/nowhere/relay.ipc");
	_exit(8);
}

static void
ends(void (*child)(void), int signal_wanted, const char *says)
{
	struct rlimit none = { 0, 0 };
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &none);
		signal(SIGABRT, SIG_DFL);
		child();
		_exit(7);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	if (signal_wanted)
		ok(WIFSIGNALED(status) && WTERMSIG(status) == signal_wanted,
		    "%s (status %#x)", says, (unsigned)status);
	else
		ok(status == 0, "%s (status %#x)", says, (unsigned)status);
}

int
main(void)
{
	log_open(-1, LOG_ERROR);
	ends(healthy, 0, "with a healthy nng every canary comes back");
	ends(slow, 0, "one that takes its time is waited for");
	ends(stuck, SIGABRT, "a reaper that is stuck ends the process");
	ends(deaf_once, 0, "a probe that nobody answers is told");
	ends(deaf_twice, SIGABRT, "two end the process");
	ends(deaf_and_busy, 0, "not those that were late themselves");
	ends(deaf_and_busy_for_ever, SIGABRT, "unless they are many");
	ends(deaf_and_busy_once, SIGABRT, "or one was on time");
	return tap_done();
}
