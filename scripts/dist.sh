#!/bin/bash
# Makes dist/: one archive for any Linux of this processor, and a plain .deb. Needs dpkg-deb (every Debian has it).
#
# The program is built with optimisation on this machine, so it runs where the C library is as new as here or newer.
set -eu -o pipefail
cd "$(dirname "$0")/.."
version=$(sed -n 's/^version *= *"\(.*\)"/\1/p' Cargo.toml | head -n 1)
machine=$(uname -m)
program=${CARGO_TARGET_DIR:-target}/release/lets-meet
[ -x "$program" ] || { echo "Build it first: make dist does." >&2; exit 1; }
out=dist
rm -rf "$out"
mkdir -p "$out"
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

# --- What both hold -------------------------------------------------------------------------------------------------
fill() {
    install -D -m 755 "$program" "$1/bin/lets-meet"
    strip --strip-debug "$1/bin/lets-meet"
    install -D -m 644 packaging/lets-meet.desktop "$1/share/applications/lets-meet.desktop"
    install -D -m 644 packaging/lets-meet.svg "$1/share/icons/hicolor/scalable/apps/lets-meet.svg"
    install -D -m 644 README.md "$1/share/doc/lets-meet/README.md"
    install -D -m 644 CHANGELOG.md "$1/share/doc/lets-meet/changelog.md"
    install -D -m 644 assets/fonts/OFL.txt "$1/share/doc/lets-meet/fonts-OFL.txt"
    { cat LICENSE-MIT; echo; cat LICENSE-APACHE; } > "$1/share/doc/lets-meet/copyright"
    chmod 644 "$1/share/doc/lets-meet/copyright"
}

# --- The archive ----------------------------------------------------------------------------------------------------
name=lets-meet-$version-linux-$machine
fill "$tree/$name"
tar -C "$tree" --owner=0 --group=0 --sort=name -czf "$out/$name.tar.gz" "$name"

# --- The .deb -------------------------------------------------------------------------------------------------------
architecture=$(dpkg --print-architecture)
root=$tree/deb
fill "$root/usr"
mkdir -p "$root/DEBIAN"
# What the program is linked to, as packages; and what it opens by name while it runs (window, keyboard, GPU).
libraries=$(objdump -p "$program" | awk '/NEEDED/ { print $2 }')
depends=$(for library in $libraries; do
    path=$(ldd "$program" | awk -v l="$library" '$1 == l { print $3 }')
    # The loader itself has no path here; it belongs to libc6.
    [ -n "$path" ] || continue
    { dpkg -S "$(realpath "$path")" 2>/dev/null || dpkg -S "$path"; } | cut -d: -f1 | head -n 1
done | sort -u)
libc=$(dpkg-query -W -f '${Version}' libc6 | sed 's/-.*//')
list="libc6 (>= $libc)"
for package in $depends; do
    [ "$package" = libc6 ] || list="$list, $package"
done
cat > "$root/DEBIAN/control" <<CONTROL
Package: lets-meet
Version: $version
Architecture: $architecture
Maintainer: The Lets Meet authors <lets-meet@localhost>
Section: net
Priority: optional
Installed-Size: $(du -sk "$root/usr" | cut -f1)
Depends: $list, libx11-6, libx11-xcb1, libxcursor1, libxi6, libxrandr2, libxkbcommon0, libxkbcommon-x11-0, fontconfig
Recommends: libwayland-client0, libvulkan1, mesa-vulkan-drivers, xdg-desktop-portal, xdg-utils, libasound2-plugins, fonts-noto-core, fonts-noto-cjk, fonts-noto-color-emoji
Description: meetings between people, with no server in between
 Video, voice, chat and encrypted file drop over QUIC. People on one network
 find each other by themselves; nothing is configured and no company is in
 the middle.
CONTROL
cat > "$root/DEBIAN/postinst" <<'SCRIPT'
#!/bin/sh
# Links of the form letsmeet:// open in the program from now on.
set -e
command -v update-desktop-database >/dev/null 2>&1 && update-desktop-database -q || true
SCRIPT
cp "$root/DEBIAN/postinst" "$root/DEBIAN/postrm"
chmod 755 "$root/DEBIAN/postinst" "$root/DEBIAN/postrm"
dpkg-deb --root-owner-group --build "$root" "$out/lets-meet_${version}_$architecture.deb" >/dev/null
ls -l "$out"
