/* SPDX-License-Identifier: ISC */
/*
 * view_json.h - messages, places and times as programs get them
 *
 * The members are those of tocsin(1) and of docs/schema, which a test compares
 * with what is printed. One that does not apply is null, so that all objects of
 * one command have the same members; and all that is put in is a string that
 * JSON has, or the whole object would not be printed.
 *
 * Each function gives a new object, the caller's; NULL is no memory, which
 * print_json() tells.
 */
#ifndef TOCSIN_CLI_VIEW_JSON_H
#define TOCSIN_CLI_VIEW_JSON_H

#include "client/tocsin.h"
#include "crypto/wire.h"

struct json_t;

/*
 * A message with what its ticket adds: deadlines and, unless the message says
 * so itself, what may be done. NULL: nothing is known of that.
 */
struct json_t *view_message_json(
    const struct tocsin_message *m, const struct tocsin_status *s);

/* Of one that came alone: tocsin_refresh() first, as far as it is to be had. */
struct json_t *view_event_json(struct tocsin *t, struct tocsin_message *m);

struct json_t *view_place_json(
    const struct tocsin_status *s, const struct tocsin_place *p);
struct json_t *view_deadlines_json(const struct tocsin_status *s);

/* A time as 2026-11-21T03:14:15Z, or null for 0. */
struct json_t *view_time(int64_t t);

/* What is no UTF-8 becomes U+FFFD, since JSON has no such string. */
struct json_t *view_bytes(struct span s);
struct json_t *view_string(const char *s); /* null for NULL */

/* ---- what a message says in JSON itself ---- */

/* Its ticket.json; NULL if it has none. */
struct json_t *view_content(const struct tocsin_message *m);

/* The string of a member, or of a member of that one; or NULL. */
const char *view_member(
    const struct json_t *o, const char *name, const char *inner);

#endif
