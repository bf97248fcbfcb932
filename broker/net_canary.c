/* SPDX-License-Identifier: ISC */
#include "broker/net_canary.h"

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

static atomic_uint sent, back;

/* Open, join, close. nng_close() returns only after the reaper did its part. */
static void *
fly(void *arg)
{
	nng_socket a = NNG_SOCKET_INITIALIZER, b = NNG_SOCKET_INITIALIZER;
	char url[64];

	snprintf(
	    url, sizeof(url), "inproc://canary-%ju", (uintmax_t)(uintptr_t)arg);
	if (nng_pair0_open(&a) == 0 && nng_pair0_open(&b) == 0 &&
	    nng_listen(a, url, NULL, 0) == 0)
		(void)nng_dial(b, url, NULL, 0);
	nng_close(b);
	nng_close(a);
	atomic_fetch_add(&back, 1);
	return NULL;
}

bool
net_canary_send(void)
{
	unsigned n = atomic_load(&sent) + 1;
	pthread_t thread;

	if (pthread_create(&thread, NULL, fly, (void *)(uintptr_t)n) != 0)
		return false;
	pthread_detach(thread);
	atomic_store(&sent, n);
	return true;
}

bool
net_canary_back(void)
{
	return atomic_load(&back) == atomic_load(&sent);
}
