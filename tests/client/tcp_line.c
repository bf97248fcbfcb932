/* SPDX-License-Identifier: ISC */
#include "client/tcp_line.h"
#include "tests/lib/line_check.h"

int
main(void)
{
	line_checks();
	return tap_done();
}
