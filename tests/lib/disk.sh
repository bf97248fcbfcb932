# SPDX-License-Identifier: ISC
#
# disk.sh - small disks of one's own, for tests of what disks do
#
# Sourced after federation.sh; needs root and loop devices. All mounts are in a
# mount namespace of the script, and so end with it whatever happens:
#
#	disk_private "$@"	first of all; starts the script again, inside
#	disk_new DIR SIZE	an ext4 of that size, at DIR, empty
#	disk_cut DIR		the power fails: unsynced data is lost, writes fail
#	disk_back DIR		and is there again; nobody may have DIR open

# Why this machine cannot, or nothing.
disk_lacks()
{
	if [ "$(id -u)" != 0 ]; then
		echo 'needs root'
	elif ! command -v mkfs.ext4 >/dev/null; then
		echo 'needs mkfs.ext4'
	elif ! unshare -m true 2>/dev/null; then
		echo 'needs mount namespaces'
	else
		disk_try=$(mktemp -d "${TMPDIR:-/tmp}/tocsin.XXXXXX") || return
		truncate -s 8M "$disk_try/image"
		mkfs.ext4 -q -F "$disk_try/image" 2>/dev/null
		# shellcheck disable=SC2016
		unshare -m sh -c 'mount -o loop "$1/image" "$1"' - "$disk_try" \
			2>/dev/null || echo 'needs loop devices'
		rm -rf "$disk_try"
	fi
}

# A function of federation.sh that skips is of use to TAP only: LACKS is what
# the caller does about a machine that cannot.
disk_private() # ARGUMENT...
{
	[ -z "${DISK_PRIVATE:-}" ] || return 0
	disk_why=$(disk_lacks)
	if [ -n "$disk_why" ]; then
		echo "skipped: $disk_why"
		exit 77
	fi
	DISK_PRIVATE=1 exec unshare -m --propagation private "$0" "$@"
}

disk_image() # DIR
{
	echo "$fed/$(echo "${1#"$fed/"}" | tr / -).ext4"
}

disk_new() # DIR SIZE
{
	disk_at=$(disk_image "$1")
	mkdir -p -m 0700 "$1"
	must truncate -s "$2" "$disk_at"
	must mkfs.ext4 -q -F -m 0 "$disk_at"
	must mount -o loop "$disk_at" "$1"
	must rmdir "$1/lost+found"
	must chmod 0700 "$1"
	disk_all="${disk_all:-} $1"
	at_exit='reap_all; ports_release; disk_end; rm -rf "$fed"'
}

disk_end()
{
	for disk_at in $disk_all; do
		wait_until 5 umount "$disk_at" || umount -l "$disk_at"
	done
}

disk_cut() # DIR
{
	must blackout "$1"
}

disk_back() # DIR
{
	wait_until 10 umount "$1" || bail "$1 is in use"
	must mount -o loop "$(disk_image "$1")" "$1"
}
