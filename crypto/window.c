/* SPDX-License-Identifier: ISC */
#include "crypto/window.h"

#include <string.h>

static uint64_t *
word(struct window *w, uint64_t n)
{
	return &w->bits[n / 64 % WINDOW_WORDS];
}

enum window_state
window_check(const struct window *w, uint64_t n)
{
	if (n == UINT64_MAX)
		return WINDOW_OLD;
	if (n >= w->next)
		return WINDOW_NEW;
	if (w->next - n > WINDOW_SIZE)
		return WINDOW_OLD;
	return w->bits[n / 64 % WINDOW_WORDS] >> (n % 64) & 1 ? WINDOW_SEEN
							      : WINDOW_NEW;
}

/* The words after the newest's, up to that of n, begin empty. */
static void
advance(struct window *w, uint64_t n)
{
	uint64_t first = w->next / 64 + (w->next % 64 != 0);
	uint64_t last = n / 64;

	if (last >= first && last - first >= WINDOW_WORDS)
		first = last - WINDOW_WORDS + 1;
	for (; first <= last; first++)
		w->bits[first % WINDOW_WORDS] = 0;
	w->next = n + 1;
}

enum window_state
window_mark(struct window *w, uint64_t n)
{
	enum window_state state = window_check(w, n);

	if (state != WINDOW_NEW)
		return state;
	if (n >= w->next)
		advance(w, n);
	*word(w, n) |= UINT64_C(1) << (n % 64);
	return WINDOW_NEW;
}
