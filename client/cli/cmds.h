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

/* There is no such format: says so, and which is the nearest. */
int cli_no_form(const char *typed);

#endif
