/* SPDX-License-Identifier: ISC */
/*
 * figures.h - the picture for programs
 *
 * The same numbers as the page, as one JSON object; its members are those of
 * tocsin(1).
 */
#ifndef TOCSIN_CLI_FIGURES_H
#define TOCSIN_CLI_FIGURES_H

#include "client/cli/page.h"

struct json_t;

/* A new reference; NULL: no memory. */
struct json_t *figures_json(
    const struct picture *p, const struct page_about *about);

#endif
