/* SPDX-License-Identifier: ISC */
#include "broker/gatekeeper.h"

#include "broker/log.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	DELAY_MIN = 100,
	DELAY_MAX = 5000,
	LONG_LIFE = 60000, /* after which a death is no habit */
};

enum tocsin_err
gatekeeper_init(struct gatekeeper *g, const struct door_config *door)
{
	enum tocsin_err err;

	*g = (struct gatekeeper){ .door = door,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.control_fd = -1 };
	err = door_listen(door->listen, &g->listen_fd);
	if (!err)
		g->port = door_port(g->listen_fd);
	return err;
}

void
gatekeeper_tend(struct gatekeeper *g, int64_t now_ms)
{
	int control = -1;

	if (g->pid > 0 || now_ms < g->again)
		return;
	g->delay = g->delay ? g->delay * 2 : DELAY_MIN;
	if (g->delay > DELAY_MAX)
		g->delay = DELAY_MAX;
	g->started = now_ms;
	g->again = now_ms + g->delay;
	if (door_spawn(g->door, g->listen_fd, &g->pid, &control)) {
		log_event(
		    LOG_ERROR, "door-not-started", LOG_ERRNO(errno), LOG_END);
		g->pid = 0;
		return;
	}
	pthread_mutex_lock(&g->lock);
	g->control_fd = control;
	pthread_mutex_unlock(&g->lock);
}

static void
say_ended(const struct gatekeeper *g, int status)
{
	if (WIFSIGNALED(status))
		log_event(LOG_WARN, "door-ended", LOG_I("pid", g->pid),
		    LOG_I("signal", WTERMSIG(status)), LOG_END);
	else
		log_event(LOG_WARN, "door-ended", LOG_I("pid", g->pid),
		    LOG_I("status", WEXITSTATUS(status)), LOG_END);
}

bool
gatekeeper_reap(struct gatekeeper *g, int64_t now_ms)
{
	int status;

	if (g->pid <= 0 || waitpid(g->pid, &status, WNOHANG) != g->pid)
		return false;
	say_ended(g, status);
	pthread_mutex_lock(&g->lock);
	close(g->control_fd);
	g->control_fd = -1;
	pthread_mutex_unlock(&g->lock);
	g->pid = 0;
	if (now_ms - g->started >= LONG_LIFE) {
		g->delay = 0;
		g->again = now_ms;
	}
	return true;
}

bool
gatekeeper_ask(struct gatekeeper *g, struct door_counters *out)
{
	bool answered;

	pthread_mutex_lock(&g->lock);
	answered =
	    g->control_fd >= 0 && door_ask(g->control_fd, out) == TOCSIN_OK;
	pthread_mutex_unlock(&g->lock);
	return answered;
}
