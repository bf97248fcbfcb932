/* SPDX-License-Identifier: ISC */
#include "client/tcp_line.h"

#include <linux/inet_diag.h>
#include <linux/sockios.h>
#include <linux/tcp.h> /* all of tcp_info, which netinet/tcp.h has not */
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* BBR's gains, in 256ths: as it seeks the speed, and as it stops. */
#define SEEKING 512
#define STOPPED 256

#define FRESH_MS 8000
#define LOOK_MS 200
#define HELD_UP 4 /* of a round trip may it take that part */

static bool
ask_tcp(int fd, struct tcp_info *i)
{
	socklen_t len = sizeof(*i);

	*i = (struct tcp_info){ 0 };
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, i, &len) == 0;
}

static bool
ask_bbr(int fd, struct tcp_bbr_info *b)
{
	union tcp_cc_info info = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_CC_INFO, &info, &len) != 0 ||
	    len != sizeof(info.bbr))
		return false;
	*b = info.bbr;
	return true;
}

/* What BBR believes, once it has found the speed; not while it measures. */
static bool
believes(int fd, uint64_t *speed, uint32_t *rtt_us)
{
	struct tcp_bbr_info b;

	if (!ask_bbr(fd, &b) || b.bbr_pacing_gain >= SEEKING ||
	    b.bbr_cwnd_gain <= STOPPED)
		return false;
	*speed = (uint64_t)b.bbr_bw_hi << 32 | b.bbr_bw_lo;
	*rtt_us = b.bbr_min_rtt;
	return *speed > 0;
}

/*
 * Round trips take less than twice as long as we believe that they must, so
 * that even if they did now, with that belief the line would be filled. Not
 * while it is cut.
 */
static bool
is_short_queue(int fd, uint32_t rtt_us)
{
	struct tcp_info i;

	return ask_tcp(fd, &i) && i.tcpi_rtt < 2 * rtt_us &&
	       i.tcpi_ca_state != TCP_CA_Loss;
}

static void
set_limit(int fd, uint64_t speed)
{
	(void)setsockopt(
	    fd, SOL_SOCKET, SO_MAX_PACING_RATE, &speed, sizeof(speed));
}

static void
be_young(struct tcp_line *l, int fd, int64_t now)
{
	set_limit(fd, l->speed - l->speed / 16);
	l->young = true;
	l->fresh_until = now + FRESH_MS;
}

void
tcp_line_begin(struct tcp_line *l, int fd, int64_t now)
{
	l->young = false;
	l->fresh_until = now + FRESH_MS;
	if (l->speed > 0 && now - l->speed_at <= TCP_LINE_KNOWN_MS)
		be_young(l, fd, now);
}

void
tcp_line_end(struct tcp_line *l, int fd, int64_t now)
{
	uint32_t rtt_us;
	uint64_t speed;

	if (believes(fd, &speed, &rtt_us)) {
		l->speed = speed;
		l->speed_at = now;
	}
}

/* Another congestion control, and back: that is how BBR begins anew. */
static void
begin_anew(int fd)
{
	(void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3);
}

int64_t
tcp_line_look(struct tcp_line *l, int fd, int64_t now)
{
	uint32_t rtt_us;
	uint64_t speed;
	bool found = believes(fd, &speed, &rtt_us);

	if (!found)
		return now + LOOK_MS;
	if (l->young)
		set_limit(fd, UINT64_MAX);
	l->young = false;
	l->speed = speed;
	l->speed_at = now;
	if (now < l->fresh_until)
		return l->fresh_until;
	if (is_short_queue(fd, rtt_us)) {
		be_young(l, fd, now);
		begin_anew(fd);
	}
	return now + LOOK_MS;
}

/* Nothing else is on the way, and this takes a good part of a round trip. */
static bool
is_held_up(int fd, size_t n)
{
	struct tcp_bbr_info b;
	struct tcp_info i;
	int out;

	return ioctl(fd, SIOCOUTQ, &out) == 0 && (size_t)out <= n &&
	       ask_tcp(fd, &i) && i.tcpi_pacing_rate > 0 &&
	       (uint64_t)n * HELD_UP * 1000000 / i.tcpi_pacing_rate >
		   i.tcpi_rtt &&
	       ask_bbr(fd, &b);
}

void
tcp_line_little(int fd, size_t n)
{
	if (is_held_up(fd, n))
		begin_anew(fd);
}
