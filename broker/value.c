/* SPDX-License-Identifier: ISC */
#include "broker/value.h"

#include <stdarg.h>
#include <stdio.h>

struct made {
	char text[STORE_NAME_MAX + 1];
	int n;
};

static void make_name(struct made *m, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

static void
make_name(struct made *m, const char *fmt, va_list ap)
{
	m->n = vsnprintf(m->text, sizeof(m->text), fmt, ap);
}

#define MAKE_NAME(m, name)               \
	do {                             \
		va_list ap_;             \
		va_start(ap_, name);     \
		make_name(m, name, ap_); \
		va_end(ap_);             \
	} while (0)

static bool
made_span(const struct made *m, struct span *out)
{
	if (m->n <= 0 || (size_t)m->n >= sizeof(m->text))
		return false;
	*out = (struct span){ (const uint8_t *)m->text, (size_t)m->n };
	return true;
}

enum tocsin_err
value_put(struct store_tx *tx, struct span value, const char *name, ...)
{
	struct made m;
	struct span s;

	MAKE_NAME(&m, name);
	if (!made_span(&m, &s))
		return TOCSIN_EINTERNAL;
	return store_value_put(tx, s, value);
}

enum tocsin_err
value_put_u64(struct store_tx *tx, uint64_t value, const char *name, ...)
{
	uint8_t be[8];
	struct made m;
	struct span s;
	int i;

	MAKE_NAME(&m, name);
	if (!made_span(&m, &s))
		return TOCSIN_EINTERNAL;
	for (i = 0; i < 8; i++)
		be[i] = (uint8_t)(value >> (56 - 8 * i));
	return store_value_put(tx, s, SPAN(be));
}

enum tocsin_err
value_get(struct store_rx *rx, struct span *value, const char *name, ...)
{
	struct made m;
	struct span s;

	MAKE_NAME(&m, name);
	if (!made_span(&m, &s))
		return TOCSIN_EINTERNAL;
	return store_value_get(rx, s, value);
}

enum tocsin_err
value_get_u64(struct store_rx *rx, uint64_t *value, const char *name, ...)
{
	struct span s, got = { 0 };
	enum tocsin_err err;
	struct made m;
	struct rd r;

	*value = 0;
	MAKE_NAME(&m, name);
	if (!made_span(&m, &s))
		return TOCSIN_EINTERNAL;
	err = store_value_get(rx, s, &got);
	if (err)
		return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
	r = rd_init(got);
	*value = rd_u64(&r);
	return rd_done(&r) ? TOCSIN_OK : TOCSIN_EINTERNAL;
}
