/* SPDX-License-Identifier: ISC */
/*
 * page_static.h - the style and the script of the page
 *
 * Text that is the same for all pages, so that its hash in the policy lets it
 * in and nothing else. The style begins with what depends on the label, which
 * page.c writes: paper has it in the margins of each sheet.
 */
#ifndef TOCSIN_CLI_PAGE_STATIC_H
#define TOCSIN_CLI_PAGE_STATIC_H

extern const char page_style[];
extern const char page_script[];

#endif
