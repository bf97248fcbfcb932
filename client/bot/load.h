/* SPDX-License-Identifier: ISC */
/*
 * load.h - rules from their file, and what they name beside it
 *
 * rules_parse() is pure; this is what gives it bytes and time zones. A file
 * that the rules name lies beside theirs unless its name begins with '/'.
 */
#ifndef TOCSIN_CLIENT_BOT_LOAD_H
#define TOCSIN_CLIENT_BOT_LOAD_H

#include "client/bot/rules.h"

/*
 * EMALFORMED: there are faults. Else the rules file itself cannot be read, and
 * `why` says so. The caller releases *out in any case.
 */
enum tocsin_err MUST_USE rules_load(struct rules *out, const char *path,
    int64_t now, struct rules_faults *faults, char why[512]);

#endif
