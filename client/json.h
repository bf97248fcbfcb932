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

/* At most `most` objects and arrays within each other. */
bool json_shallow(struct span text, unsigned most);

#endif
