/* SPDX-License-Identifier: ISC */
/*
 * drill.h - what the files of `tocsin drill` have in common
 *
 *	cmd_drill.c    the command; check, pause, resume, status
 *	drill_run.c    the exercise's control: posts each inject in its time
 *	drill_status.c how far it is, and what comes next
 *	drill_data.c   what the desk has of an exercise, as rows for a report
 *	drill_out.c    the report as text and as JSON
 *	drill_page.c   and as one page
 *
 * The script and its clock are client/drill/. What control does is kept in the
 * desk: the clock under `drill/EXERCISE`, what is to come under
 * `drill-agenda/EXERCISE` (agenda.h), and each inject is posted under the key
 * EXERCISE/INJECT, so that who is killed and started again posts it once.
 */
#ifndef TOCSIN_CLI_DRILL_H
#define TOCSIN_CLI_DRILL_H

#include "client/cli/cli.h"
#include "client/drill/clock.h"
#include "client/drill/script.h"

#define DRILL_READER "drill"
#define DRILL_VALUE "drill/"

/* A script that was read and taken, or a status and a sentence. */
int drill_load(struct cli *c, const char *path, struct script *out);

/* Where an attachment lies: beside the script, if it is no absolute path. */
void drill_file(char out[1024], const char *script, const char *file);

/* All attachments can be read; 0, or a status and a sentence. */
int drill_files(const char *path, const struct script *s);

/* ---- the clock in the desk ---- */

int64_t drill_now_ms(void);
void drill_value(char out[128], const char *exercise);

/* NOTFOUND: it has not begun. */
enum tocsin_err MUST_USE drill_clock_load(
    struct desk *desk, const char *exercise, struct drill_clock *out);
enum tocsin_err MUST_USE drill_clock_save(
    struct desk *desk, const char *exercise, const struct drill_clock *c);

/* A value of the desk, in a change of its own. */
enum tocsin_err MUST_USE drill_keep(
    struct desk *desk, const char *name, const struct buf *b);

/* Under which an inject is posted once. */
#define DRILL_KEY (EXERCISE_MAX + LABEL_MAX + 2)
void drill_key(char out[DRILL_KEY], const char *exercise, const char *inject);

/* ---- what is to come ---- */

enum tocsin_err MUST_USE drill_agenda_save(
    struct desk *desk, const struct script *s);

/* Prints how far it is, and what comes next. */
void drill_standing(struct cli *c, const struct keystore *k, struct desk *desk,
    const struct drill_clock *clock);

/* ---- the words ---- */

int drill_run(struct cli *c, int argc, char **argv);
int drill_report(struct cli *c, int argc, char **argv);

#endif
