/* SPDX-License-Identifier: ISC */
/*
 * cmds.h - the commands, each in a file of its own
 *
 * argv[0] is the command's name. The result is the exit status. What they take
 * and do is said in main.c's table and in tocsin(1).
 */
#ifndef TOCSIN_CLI_CMDS_H
#define TOCSIN_CLI_CMDS_H

#include "client/cli/cli.h"

int cmd_ack(struct cli *c, int argc, char **argv);
int cmd_authority(struct cli *c, int argc, char **argv);
int cmd_board(struct cli *c, int argc, char **argv);
int cmd_circles(struct cli *c, int argc, char **argv);
int cmd_bot(struct cli *c, int argc, char **argv);
int cmd_completion(struct cli *c, int argc, char **argv);
int cmd_export(struct cli *c, int argc, char **argv);
int cmd_import(struct cli *c, int argc, char **argv);
int cmd_desk(struct cli *c, int argc, char **argv);
int cmd_do(struct cli *c, int argc, char **argv);
int cmd_drill(struct cli *c, int argc, char **argv);
int cmd_due(struct cli *c, int argc, char **argv);
int cmd_find(struct cli *c, int argc, char **argv);
int cmd_inbox(struct cli *c, int argc, char **argv);
int cmd_init(struct cli *c, int argc, char **argv);
int cmd_keys(struct cli *c, int argc, char **argv);
int cmd_lock(struct cli *c, int argc, char **argv);
int cmd_permit(struct cli *c, int argc, char **argv);
int cmd_post(struct cli *c, int argc, char **argv);
int cmd_roster(struct cli *c, int argc, char **argv);
int cmd_save(struct cli *c, int argc, char **argv);
int cmd_say(struct cli *c, int argc, char **argv);
int cmd_show(struct cli *c, int argc, char **argv);
int cmd_status(struct cli *c, int argc, char **argv);
int cmd_trust(struct cli *c, int argc, char **argv);
int cmd_unlock(struct cli *c, int argc, char **argv);
int cmd_verify(struct cli *c, int argc, char **argv);
int cmd_watch(struct cli *c, int argc, char **argv);
int cmd_why(struct cli *c, int argc, char **argv);
int cmd_words(struct cli *c, int argc, char **argv);

/* ---- what `do` has of them ---- */

struct json_t;
struct keys;

/* An announcement, as tocsin(1) lists it for keys. */
struct json_t *keys_json(const struct keys *k);

/* What is known of a reason code; NULL: it is none. */
struct json_t *why_code(const char *typed);

/* And of a message and its recipients: added to an array. */
enum tocsin_err why_message(
    struct tocsin *t, const char *id, struct json_t *list) TOCSIN_MUST_USE;

/* Deadlines of a ticket, or of all tickets if id is NULL: added to an array. */
enum tocsin_err due_list(struct tocsin *t, const char *id, bool all,
    struct json_t *into) TOCSIN_MUST_USE;

/*
 * A word about a clock is for our own member alone: what d->clock_* say becomes
 * such a draft. EUSAGE: there is no such clock, and which is the nearest.
 */
struct due_to {
	char member[64];
	const char *list[2];
};
enum tocsin_err due_draft(struct tocsin *t, struct tocsin_draft *d,
    struct due_to *to) TOCSIN_MUST_USE;

/* There is no such format: says so, and which is the nearest. */
int cli_no_form(const char *typed);

#endif
