/* SPDX-License-Identifier: ISC */
/*
 * saving.h - which attachment is meant, and where it may go
 */
#ifndef TOCSIN_CLI_SAVING_H
#define TOCSIN_CLI_SAVING_H

#include "client/tocsin.h"

/*
 * The id may be of the ticket, and the attachment came with a later message:
 * the newest of that name is meant, unless the id is of one that has it.
 */
enum tocsin_err saving_find(struct tocsin *t, const char *typed,
    const char *name, char id[TOCSIN_ID_TEXT]) TOCSIN_MUST_USE;

bool saving_folder(const char *dir);

#endif
