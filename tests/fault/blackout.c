/* SPDX-License-Identifier: ISC */
/*
 * blackout - take the power from a file system
 *
 *	blackout DIR
 *
 * From here on nothing reaches the disk below DIR: what was not synced is lost,
 * as it is in a power cut, and every later write fails. Who unmounts it and
 * mounts it again finds what a machine finds when the power is back. For ext4,
 * by its EXT4_IOC_SHUTDOWN without flushing the log.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define EXT4_SHUTDOWN _IOR('X', 125, uint32_t)
#define NO_LOG_FLUSH 2

int
main(int argc, char **argv)
{
	uint32_t how = NO_LOG_FLUSH;
	int fd;

	if (argc != 2) {
		fputs("usage: blackout DIR\n", stderr);
		return 2;
	}
	fd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, EXT4_SHUTDOWN, &how) != 0) {
		fprintf(stderr, "blackout: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	close(fd);
	return 0;
}
