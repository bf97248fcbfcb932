/* SPDX-License-Identifier: ISC */
/*
 * setup.h - from a configuration file to what a broker is started with
 *
 * Reads tocsind.conf and the keys, and fills a struct broker_config from them.
 * The struct's strings point into the setup, which must outlive the broker.
 */
#ifndef TOCSIN_BROKER_SETUP_H
#define TOCSIN_BROKER_SETUP_H

#include "broker/broker.h"
#include "broker/config.h"
#include "broker/identity.h"

struct setup {
	struct config config;
	struct identity id;
	struct broker_config broker;
	char store[CONFIG_PATH_MAX + 1];
	char sockets[CONFIG_PATH_MAX + 1];
	char admin[CONFIG_PATH_MAX + 1];
};

/* 0, or an exit status after it said why. */
int setup_open(struct setup *s, const char *config_file);
void setup_release(struct setup *s);

#endif
