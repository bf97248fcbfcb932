/* SPDX-License-Identifier: ISC */
/*
 * iodef.h - IODEF version 2 between its two spellings
 *
 * RFC 8727 says how a document of RFC 7970 looks as JSON: attributes and
 * elements become members alike. So only that form is read and written, and
 * iodef_xml.c is no more than a change of spelling.
 */
#ifndef TOCSIN_FORM_IODEF_H
#define TOCSIN_FORM_IODEF_H

#include "client/form/form.h"

/* A document in the form of RFC 8727. EMALFORMED: it has no incident. */
enum tocsin_err MUST_USE iodef_read(struct form_in *out, const json_t *root);
json_t *iodef_write(struct form_out *from);

#endif
