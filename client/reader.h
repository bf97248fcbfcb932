/* SPDX-License-Identifier: ISC */
/*
 * reader.h - how far each reader of a desk has come
 *
 * A reader is a name and a place: the number of the last message that it has
 * handled. Beside it stand, as values of the desk,
 *
 *	reader/NAME		the place
 *	turn/NAME		how often the message after it was begun
 *	aside/NUMBER/NAME	a message that was given up, and why
 *
 * The one idea: handling ends by a step, which is made in the same change of
 * the desk as all that the handling has written. Who has made a step already
 * cannot make it again, so a second process with the same name, or one that
 * lived on too long, writes nothing.
 *
 * tocsin_next() and what follows it in tocsin.h is implemented here.
 */
#ifndef TOCSIN_CLIENT_READER_H
#define TOCSIN_CLIENT_READER_H

#include "client/handle.h"

/*
 * In a change of the caller's: the reader has handled message `number`.
 * EDUPLICATE if it had already, EUSAGE for a message that is not here, each
 * with a sentence for tocsin_error().
 */
enum tocsin_err MUST_USE reader_step(
    struct desk_tx *tx, const char *reader, uint64_t number);

#endif
