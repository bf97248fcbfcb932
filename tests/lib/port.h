/* SPDX-License-Identifier: ISC */
/*
 * port.h - a port for a listener that will go away and come back
 *
 * The kernel gives outgoing connections ports of 32768 and up, and a listener
 * on port 0 one of the same. While that listener is away, any connection may
 * sit on its port; even a client that dials it may be given it as its own end,
 * and is then connected to itself. So tests take one from below.
 */
#ifndef TOCSIN_TESTS_PORT_H
#define TOCSIN_TESTS_PORT_H

#include <stdint.h>

/* One of 127.0.0.1 on which nobody listens, another one each time. */
uint16_t port_of_ours(void);

#endif
