/* SPDX-License-Identifier: ISC */
/*
 * json.h - what must be asked of JSON before jansson sees it
 *
 * jansson recurses up to 2,048 deep on the stack. A text of others is asked
 * for its depth first, in one pass without memory.
 */
#ifndef TOCSIN_CLIENT_JSON_H
#define TOCSIN_CLIENT_JSON_H

#include "crypto/wire.h"

struct json_t;
struct json_error_t;

/* At most `most` objects and arrays within each other. */
bool json_shallow(struct span text, unsigned most);

/* What is wrong with a text that jansson did not take, and where. */
void json_fault(char *out, size_t room, const struct json_error_t *e);

/* A whole number from 0 on; 17.0 is one, as some languages write it. */
bool json_whole(const struct json_t *v, uint64_t *out);

#endif
