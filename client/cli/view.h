/* SPDX-License-Identifier: ISC */
/*
 * view.h - messages, tickets and times as people see them, and type them
 *
 * The TLP label comes first, on every line that begins a message. What programs
 * get instead is view_json.h.
 */
#ifndef TOCSIN_CLI_VIEW_H
#define TOCSIN_CLI_VIEW_H

#include "client/cli/cli.h"
#include "client/cli/view_json.h"

/* One message in full, and as an item of a list. */
void view_message(const struct tocsin_message *m);
void view_brief(const struct tocsin_message *m);

/* Of two bots, whose turn it is: of no use to people when that is over. */
bool view_is_claim(const struct tocsin_message *m, int64_t *until);

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

/* Nobody of it has said a word since it was asked. */
bool view_silent(const struct tocsin_place *p);

/* "3h05m left", "LATE by 12m" or "done"; and all deadlines of a ticket. */
void view_left(int64_t due, int64_t done);
void view_deadlines(const struct tocsin_status *s);

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
