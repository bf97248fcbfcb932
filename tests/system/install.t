#!/bin/sh
# SPDX-License-Identifier: ISC
# What is installed is enough to build and run a program against.
set -u
cd "$TOP" || exit 1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0
check() # SENTENCE COMMAND...
{
	n=$((n + 1))
	said=$1
	shift
	if "$@"; then echo "ok $n - $said"; else echo "not ok $n - $said"; fi
}
# The release build: a program is not linked with our sanitizers. Of the make
# that runs the tests nothing is taken over.
umask 077
check 'make install' env -u B -u MODE -u MAKEFLAGS -u MAKELEVEL \
	make -s MODE=release PREFIX=/usr DESTDIR="$dir" install
for file in bin/tocsin sbin/tocsind lib/libtocsin.a lib/libtocsin.so \
	include/tocsin.h include/tocsin_err.h share/man/man1/tocsin.1 \
	share/man/man8/tocsind.8 share/man/man5/tocsind.conf.5 \
	share/man/man5/tocsin-rules.5 \
	share/doc/tocsin/examples/escalation.rules \
	share/man/man3/libtocsin.3 \
	share/doc/tocsin/examples/tocsind.service; do
	check "$file is there" [ -e "$dir/usr/$file" ]
done
check 'all of it is for others to read, whatever the umask was' \
	[ -z "$(find "$dir/usr" ! -type l ! -perm -004)" ]
cat >"$dir/small.c" <<'END'
#include <stdio.h>
#include <tocsin.h>
int
main(void)
{
	struct tocsin *t;
	enum tocsin_err err = tocsin_open(&t, "/nonexistent", NULL);

	puts(tocsin_err_name(err));
	return err != TOCSIN_ENOTFOUND;
}
END
# From inside: pkg-config takes no folder with a space in its name as a root.
cd "$dir" || exit 1
PKG_CONFIG_PATH=usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=.
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
# shellcheck disable=SC2046
check 'a program compiles with what pkg-config says' \
	cc -o small small.c $(pkg-config --cflags --libs tocsin)
check 'and runs' env LD_LIBRARY_PATH="$dir/usr/lib" "$dir/small"
check 'the library shows nothing but tocsin_*' [ -z "$(nm -D --defined-only \
	"$dir/usr/lib/libtocsin.so" | awk '{print $3}' |
	grep -v '^tocsin_\|^LIBTOCSIN')" ]
echo "1..$n"
