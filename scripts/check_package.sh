#!/bin/sh
# Installs the Debian package as a machine would have it: with apt, in a debootstrap root that boots systemd. Then checks that
# nothing runs until it is enabled, that both services run in their sandboxes and still decode images, and what removing
# and purging leave. Needs root, debootstrap, systemd-container, lintian and some minutes; not a part of the tests.
#   sh scripts/check_package.sh PEEL.deb [FOLDER]      the root is kept in FOLDER if given, and used again
set -eu
[ $# -ge 1 ] && [ -f "$1" ] || { echo "usage: sh scripts/check_package.sh PEEL.deb [FOLDER]" >&2; exit 2; }
[ "$(id -u)" -eq 0 ] || { echo "check_package: this needs root" >&2; exit 1; }
for tool in debootstrap systemd-nspawn lintian; do
    command -v "$tool" >/dev/null || { echo "check_package: $tool is not installed" >&2; exit 1; }
done
work=${2:-$(mktemp -d)}
mkdir -p "$work"
root=$work/root machine=""
finish() {
    [ -z "$machine" ] || { kill "$machine" && wait "$machine"; } 2>/dev/null || true
    [ $# -gt 0 ] || rm -rf "$work"
}
trap 'finish ${2:+keep}' EXIT
fail() {
    echo "check_package: $*" >&2
    exit 1
}

lintian --fail-on error,warning --info "$1"

[ -d "$work/base" ] || debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,curl bookworm "$work/base" "${DEBIAN_MIRROR:-}" >/dev/null
rm -rf "$root"
cp -a "$work/base" "$root"
cp -L /etc/resolv.conf "$root/etc/"
[ ! -f /etc/apt/apt.conf.d/proxy ] || cp /etc/apt/apt.conf.d/proxy "$root/etc/apt/apt.conf.d/"
cp "$1" "$root/peel.deb"

# Boots, on this machine's network; every later command runs inside.
systemd-nspawn --quiet --register=no --keep-unit --directory="$root" --boot >"$work/boot.log" 2>&1 &
machine=$!
inside() { nsenter --target "$(pgrep -P "$machine")" --all env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }
until_true() { # SECONDS COMMAND...
    seconds=$1 waited=0
    shift
    until "$@" >/dev/null 2>&1; do
        waited=$((waited + 1))
        if [ $waited -gt "$seconds" ] || ! kill -0 "$machine"; then
            inside journalctl --no-pager --lines=30 --unit='peel-*' || tail "$work/boot.log"
            fail "it did not come true within $seconds s: $*"
        fi
        sleep 1
    done
}
until_true 120 inside systemctl is-active multi-user.target

inside apt-get update -qq
inside apt-get install -y -qq --no-install-recommends /peel.deb >"$work/log" 2>&1 || fail "$(tail -20 "$work/log")"
for unit in peel-search peel-sticker; do
    ! inside systemctl is-active --quiet "$unit" && ! inside systemctl is-enabled --quiet "$unit" || fail "$unit was started"
done
[ "$(stat -c %a%U "$root/etc/peel") $(stat -c %a "$root/etc/peel/admin-password")" = "750root 600" ] || fail "others can read the secrets"
echo "installed; nothing was started"

port=${PORT:-18000} search_port=${SEARCH_PORT:-18118}
printf 'PEEL_PORT=%s\nPEEL_SEARCH_URL=http://127.0.0.1:%s\n' "$port" "$search_port" >>"$root/etc/peel/sticker.env"
printf 'PEEL_SEARCH_PORT=%s\n' "$search_port" >>"$root/etc/peel/search.env"
inside systemctl enable --quiet --now peel-search peel-sticker
until_true 60 inside peel health "http://127.0.0.1:$port"
until_true 60 inside peel health "http://127.0.0.1:$search_port"
mkdir "$root/srv/photos"
echo '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><circle cx="32" cy="32" r="9"/></svg>' >"$root/srv/photos/dog.svg"
inside runuser -u peel -- peel import --quiet --data /var/lib/peel /srv/photos
until_true 60 sh -c "curl -sf 'http://127.0.0.1:$port/api/search/?query=dog' | grep -q '\"stickers\":\[\"dog.svg\"\].*\"legs\"'"
answer=$(curl -s -o /dev/null -w '%{http_code} %{content_type}' "http://127.0.0.1:$port/media/dog.svg?w=256")
[ "$answer" = "200 image/webp" ] || fail "a thumbnail is answered $answer: workers cannot decode images in the unit's sandbox"
pid=$(inside systemctl show --property=MainPID --value peel-sticker)
[ "$(inside stat -c %U "/proc/$pid")" = peel ] || fail "the service does not run as the user peel"
for unit in peel-search peel-sticker; do
    inside systemd-analyze security --no-pager --threshold=20 "$unit" | tail -n 1
done
echo "enabled; both services run as the user peel, and decode images in their sandboxes"

inside apt-get install -y -qq --reinstall /peel.deb >"$work/log" 2>&1 || fail "$(tail -20 "$work/log")"
until_true 60 inside peel health "http://127.0.0.1:$port"
[ "$(inside systemctl show --property=MainPID --value peel-sticker)" != "$pid" ] || fail "an upgrade does not restart the services"
echo "upgraded; both services were restarted"

inside apt-get remove -y -qq peel >"$work/log" 2>&1 || fail "$(tail -20 "$work/log")"
! inside systemctl is-active --quiet peel-sticker || fail "removed, but it still runs"
[ -e "$root/etc/peel/admin-password" ] && [ -e "$root/etc/peel/sticker.env" ] || fail "removing deletes settings"
inside apt-get purge -y -qq peel >"$work/log" 2>&1 || fail "$(tail -20 "$work/log")"
[ ! -e "$root/etc/peel" ] && [ ! -e "$root/var/lib/peel/cache" ] && [ ! -e "$root/var/lib/peel/search.token" ] || fail "purging leaves settings, secrets or caches"
[ -e "$root/var/lib/peel/sticker.db" ] || fail "purging deletes stickers and votes"
echo "removed and purged; stickers and votes are left"
echo "checked"
