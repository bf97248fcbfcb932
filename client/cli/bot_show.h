/* SPDX-License-Identifier: ISC */
/*
 * bot_show.h - rules for people: their faults, what they would do, and why
 *
 * What `tocsin bot` prints when it does not act. All are exit statuses.
 */
#ifndef TOCSIN_CLI_BOT_SHOW_H
#define TOCSIN_CLI_BOT_SHOW_H

#include "client/bot/act.h"

/* On stderr; without faults `why`. */
void bot_faults(
    const char *path, const struct rules_faults *faults, const char *why);

/* What is no fault of the file, and will not do here; on stderr. */
void bot_warn(const char *path, const struct rules *r);

/* --check, when there was no fault. */
int bot_checked(struct cli *c, const char *path, const struct rules *r);

/* --dry-run; `since` as typed, or NULL: 30d. */
int bot_rehearse(struct actor *a, const char *since);

/* --explain ID */
int bot_explain(struct actor *a, const char *typed);

#endif
