#!/bin/bash
# Debian's packages of Redmine into a chroot:  debian.sh FOLDER
# Their scripts also make the database and load Redmine's default data.
set -euo pipefail

# In a mount namespace of its own nothing stays mounted, even if this script is killed. A container
# may not have one; debootstrap does without mounts there.
if [ "${2:-}" != apart ] && unshare --mount true; then exec unshare --mount "$0" "$1" apart; fi

ROOT=$1
SUITE=forky
PACKAGES=(redmine redmine-sqlite puma)
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

if ! command -v debootstrap; then
  apt-get update
  apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=60 \
    debootstrap debian-archive-keyring
fi

# The mirror that this machine's own apt uses; apt knows the labels only after an update.
mirror() {
  # shellcheck disable=SC2016 # apt expands these
  apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' |
    sed -n 's/^Debian //p' | sort --unique | head --lines 1
}
if [ -z "$(mirror)" ]; then apt-get update; fi
MIRROR=$(mirror)
: "${MIRROR:?apt knows no Debian mirror here}"

# An older debootstrap has no script for the suite; sid's fits.
SCRIPT=/usr/share/debootstrap/scripts/$SUITE
if [ ! -e "$SCRIPT" ]; then SCRIPT=/usr/share/debootstrap/scripts/sid; fi
debootstrap --variant=minbase --include=ca-certificates "$SUITE" "$ROOT" "$MIRROR" "$SCRIPT"

# A mirror may be a snapshot whose Release file has expired.
cat >"$ROOT/etc/apt/apt.conf.d/90real-redmine" <<'END'
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
APT::Install-Recommends "false";
END
# The redmine package looks into redmine-sqlite's folder to learn which databases it can have.
cat >"$ROOT/etc/dpkg/dpkg.cfg.d/90real-redmine" <<'END'
path-exclude=/usr/share/man/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/doc/*
path-include=/usr/share/doc/redmine*
END
# No service starts in the chroot.
printf '#!/bin/sh\nexit 101\n' >"$ROOT/usr/sbin/policy-rc.d"
chmod 755 "$ROOT/usr/sbin/policy-rc.d"

cp --dereference /etc/resolv.conf "$ROOT/etc/resolv.conf"
chroot "$ROOT" debconf-set-selections <<'END'
redmine redmine/instances/default/dbconfig-install boolean true
redmine redmine/instances/default/database-type select sqlite3
redmine redmine/instances/default/default-language select en
END
chroot "$ROOT" apt-get update
chroot "$ROOT" apt-get install --yes "${PACKAGES[@]}"
chroot "$ROOT" apt-get clean
