/* SPDX-License-Identifier: ISC */
/*
 * setup.h - from configuration and keys to the parts of a broker
 *
 * What each part is told: paths below the state folder, limits, keys. The
 * strings that the parts' options point to live in the setup.
 */
#ifndef TOCSIN_BROKER_SETUP_H
#define TOCSIN_BROKER_SETUP_H

#include "broker/broker.h"
#include "broker/config.h"
#include "broker/door.h"
#include "broker/identity.h"

struct setup {
	char store[CONFIG_PATH_MAX + 1];
	char run[CONFIG_PATH_MAX + 1]; /* nng's sockets */
	char rpc[CONFIG_PATH_MAX + 1];
	char relay[CONFIG_PATH_MAX + 1];
	char admin[CONFIG_PATH_MAX + 1];
	char mark[CONFIG_PATH_MAX + 1]; /* mark.h */
	struct broker_config broker;
	struct door_config door;
};

/* All but the keys. */
void setup_init(struct setup *s, const struct config *c);

/* Points to the secrets, which outlive what is started with them. */
void setup_keys(struct setup *s, const struct identity *id);

/*
 * A broker that is not running, on an open store: it has what intake_install()
 * needs, and no sockets. EROSTERUNKNOWN if no roster was installed yet.
 */
MUST_USE enum tocsin_err idle_open(
    struct broker **out, struct setup *s, struct store *store);
void idle_close(struct broker *b); /* the store stays open */

#endif
