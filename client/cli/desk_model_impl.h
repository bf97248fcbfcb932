/* SPDX-License-Identifier: ISC */
/*
 * desk_model_impl.h - what the three files of the desk's model share
 *
 *	desk_model.c	keys: what each does in each mode, and what is said
 *	desk_list.c	rows: which are listed, in what order, which is chosen
 *	desk_deed.c	deeds: question by question, with what is typed
 *
 * Keys call the other two, which don't call each other.
 */
#ifndef TOCSIN_CLI_DESK_MODEL_IMPL_H
#define TOCSIN_CLI_DESK_MODEL_IMPL_H

#include "client/cli/desk_model.h"

/* ---- desk_list.c ---- */

/*
 * The list anew. The line that was chosen is chosen again; its ticket stays in
 * the list until the officer moves, whatever became of it, with `stays`.
 */
void model_relist(struct model *m, bool stays);
void model_choose_first(struct model *m);
void model_sort(struct model *m);

/* So many lines; what stayed only because it was chosen goes then. */
void model_move_by(struct model *m, size_t n, bool down);

/* `way` is 0 for the other way round, else 1 to unfold and -1 to fold. */
void model_turn(struct model *m, int way);

bool model_is_damaged(const struct row *r);
void model_release_list(struct model *m);

/* ---- desk_deed.c ---- */

const struct deed *model_deed_of(uint32_t key);

/* What is typed. model_edit(): true if the key changed it. */
void model_set_input(struct model *m, const char *s);
bool model_edit(struct model *m, uint32_t key);

/* As far as all that fit agree. */
void model_complete(struct model *m);

/* What was typed answers the question; the next one, or the deed. */
enum want model_answer(struct model *m);

/* The deed and its answers are forgotten. */
void model_drop(struct model *m);

/* Or it is said why not. */
bool model_may_open(struct model *m, const struct row *r);

#endif
