/* SPDX-License-Identifier: ISC */
/*
 * view.h - messages, tickets and times as people and programs see them
 *
 * The TLP label comes first, on every line that begins a message. The JSON
 * members are those of tocsin(1); a member that does not apply is null, so that
 * all objects of one command have the same ones.
 */
#ifndef TOCSIN_CLI_VIEW_H
#define TOCSIN_CLI_VIEW_H

#include "client/cli/cli.h"

struct json_t;

/* One message in full, and as an item of a list. */
void view_message(const struct tocsin_message *m);
void view_brief(const struct tocsin_message *m);

/* Of two bots, whose turn it is: of no use to people when that is over. */
bool view_is_claim(const struct tocsin_message *m, int64_t *until);

/*
 * A message for programs, with what its ticket adds: deadlines and, unless the
 * message says so itself, what may be done. NULL: nothing is known of that.
 */
struct json_t *view_message_json(
    const struct tocsin_message *m, const struct tocsin_status *s);

/* Of one that came alone: tocsin_refresh() first, as far as it is to be had. */
struct json_t *view_event_json(struct tocsin *t, struct tocsin_message *m);

/*
 * "120 of 960 KiB", of a message that is coming; what of an attachment is here:
 * "not fetched", "12 of 40 KiB here", "complete", "saved".
 */
void view_coming(char out[64], const struct tocsin_message *m);
void view_part(char out[64], const struct tocsin_part *p);

/* The reason of that name, or TOCSIN_ERR_COUNT. */
enum tocsin_err view_reason(const char *name);

/*
 * Of a place that a broker refused: its reason and what to do, as a sentence.
 * False if it was not, or not by a broker.
 */
bool view_turned_away(char out[512], const struct tocsin_place *p);

/* "my: the broker my took it without X: ..., [too-large]"; and whose it is. */
void view_left_out(const struct tocsin_left *l);
bool view_is_left_by(const struct tocsin_left *l, const struct tocsin_place *p);

/* Whether a refusal may pass by itself (PROTOCOL.md 7.6). */
bool view_may_pass(const struct tocsin_message *m);

/* One recipient's place, and by which steps it came there. */
void view_place(const struct tocsin_place *p);
void view_steps(const struct tocsin_place *p);
struct json_t *view_place_json(
    const struct tocsin_status *s, const struct tocsin_place *p);

/* "3h05m left", "LATE by 12m" or "done"; and all deadlines of a ticket. */
void view_left(int64_t due, int64_t done);
void view_deadlines(const struct tocsin_status *s);
struct json_t *view_deadlines_json(const struct tocsin_status *s);

/* A time as 2026-11-21T03:14:15Z, or null for 0. */
struct json_t *view_time(int64_t t);

/* What is no UTF-8 becomes U+FFFD, since JSON has no such string. */
struct json_t *view_bytes(struct span s);
struct json_t *view_string(const char *s); /* null for NULL */

/* The short id of a full one. */
void view_short(char out[TOCSIN_SHORT_TEXT], const char *id);

/* Whether a device, or a member, belongs to the member of another device. */
bool view_same_member(const char *a, const char *b);

/*
 * "30m", "2h", "3d", or a time as above; false with a sentence, or without one
 * if `option` is NULL.
 */
bool view_when(const char *option, const char *typed, int64_t *out);

/* The same, and so long ago. */
bool view_past(const char *option, const char *typed, int64_t *out);
/* And not later than now. */
bool view_been(const char *option, const char *typed, int64_t *out);

#endif
