/* SPDX-License-Identifier: ISC */
#include "broker/count.h"

static const char *const counter_names[] = {
#define BROKER_NAME(name) #name,
	BROKER_COUNTERS(BROKER_NAME)
#undef BROKER_NAME
};

const char *
broker_counter_name(enum broker_counter c)
{
	return (unsigned)c < BROKER_COUNTER_COUNT ? counter_names[c] : "";
}
