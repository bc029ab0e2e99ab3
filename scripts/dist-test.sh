#!/bin/bash
# Starts what `make dist` made in a bare Debian: a root of its own with nothing but the packages that the .deb names, no
# Rust, and no network (a network namespace with loopback alone). Needs root, debootstrap, and Debian's packages once.
set -eu -o pipefail
cd "$(dirname "$0")/.."
deb=$(echo dist/lets-meet_*.deb)
archive=$(echo dist/lets-meet-*.tar.gz)
[ -e "$deb" ] && [ -e "$archive" ] || { echo "Nothing to try: run make dist." >&2; exit 1; }
[ "$(id -u)" = 0 ] || { echo "A bare root can be made by root only: sudo make dist-test." >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "debootstrap is missing: apt-get install debootstrap." >&2; exit 1; }
root=$(mktemp -d)
finish() {
    umount "$root/proc" 2>/dev/null || true
    rm -rf "$root"
}
trap finish EXIT
suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
# Whence this machine gets its own packages; which of the two kinds of lists it has differs.
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    sed -n 's/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) .*/\2/p; s/^URIs: *\([^ ]*\).*/\1/p' | sed -n 1p) || true
[ -n "$mirror" ] || { echo "No Debian mirror is named in /etc/apt." >&2; exit 1; }
depends=$(dpkg-deb -f "$deb" Depends | sed 's/([^)]*)//g; s/ //g')
echo "Making a bare $suite with: $depends"
debootstrap --variant=minbase --include="$depends" "$suite" "$root" "$mirror" >"$root.log" 2>&1 || { tail -n 5 "$root.log" >&2; exit 1; }
rm -f "$root.log"
mount -t proc proc "$root/proc"
cp "$deb" "$root/lets-meet.deb"
cp "$archive" "$root/lets-meet.tar.gz"
inside() { unshare --net chroot "$root" /bin/sh -c "$1"; }

inside 'dpkg -i /lets-meet.deb' >/dev/null
inside 'lets-meet --version'
inside 'ip link set lo up 2>/dev/null || ifconfig lo up 2>/dev/null || true; HOME=/root lets-meet id'
inside 'test -f /usr/share/applications/lets-meet.desktop && test -f /usr/share/icons/hicolor/scalable/apps/lets-meet.svg'
# Without a display it says so and ends with 6.
code=0
inside 'HOME=/root lets-meet' || code=$?
[ "$code" = 6 ] || { echo "lets-meet without a display ended with $code, not 6." >&2; exit 1; }
# The window itself, on a display outside of the bare root (its socket is let in).
for tool in Xvfb xdotool; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: scripts/prepare.sh test installs it." >&2; exit 1; }
done
number=$((200 + $$ % 500))
Xvfb ":$number" -screen 0 1280x800x24 >/dev/null 2>&1 &
display=$!
trap 'kill $display 2>/dev/null || true; finish' EXIT
mkdir -p "$root/tmp/.X11-unix"
for _ in $(seq 100); do [ -S "/tmp/.X11-unix/X$number" ] && break; sleep 0.1; done
mount --bind /tmp/.X11-unix "$root/tmp/.X11-unix"
trap 'kill $display 2>/dev/null || true; umount "$root/tmp/.X11-unix" 2>/dev/null || true; finish' EXIT
# window PROGRAM: its window comes up within 20 s.
window() {
    inside "HOME=/root DISPLAY=:$number exec $1 --interface lo" &
    program=$!
    DISPLAY=":$number" timeout 20 xdotool search --sync --onlyvisible --name 'Lets Meet' >/dev/null \
        || { echo "No window of $1 came within 20 s." >&2; kill $program 2>/dev/null || true; exit 1; }
    echo "The window of $1 is open."
    kill $program 2>/dev/null || true
    wait $program 2>/dev/null || true
}
window lets-meet
# The archive alone.
inside 'dpkg -r lets-meet' >/dev/null
inside 'cd /tmp && tar xzf /lets-meet.tar.gz && lets-meet-*/bin/lets-meet --version'
window "$(inside 'echo /tmp/lets-meet-*/bin/lets-meet')"
echo "The package and the archive start on a bare $suite."
