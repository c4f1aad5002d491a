#!/bin/sh
# Follows deploy/Dockerfile without a container engine: each stage is a debootstrap root in which the steps are done in
# order. Then the image's program is started in it as the image's user, with the root file system read-only, and asked
# whether it lives; and the other files of deploy/ are checked as far as tools for that are here. Needs root, debootstrap
# and some minutes; not a part of `make test`.
#   sh scripts/check_deploy.sh [FOLDER]      the roots are kept in FOLDER if given
set -eu
cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || { echo "check_deploy: this needs root" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "check_deploy: debootstrap is not installed" >&2; exit 1; }
work=${1:-$(mktemp -d)}
mkdir -p "$work"
service=""
finish() {
    [ -z "$service" ] || kill "$service" 2>/dev/null || true
    service=""
    for at in "$work"/*/dev/null "$work"/*/proc; do
        mountpoint -q "$at" && umount "$at"
    done
    [ $# -gt 0 ] || rm -rf "$work"
}
trap 'finish ${1:+keep}' EXIT

# The image debian:12-slim, nearly.
[ -d "$work/base" ] || debootstrap --variant=minbase bookworm "$work/base" "${DEBIAN_MIRROR:-}" >/dev/null
rm -rf "$work"/base/var/cache/apt/* "$work"/base/var/lib/apt/lists/*

root="" folder=/ stage="" user=0 environment="" entry="" health="" unknown=""
begin_stage() { # "debian:12-slim AS build"
    stage=${1##* AS }
    [ "$stage" != "$1" ] || stage=image
    root=$work/$stage folder=/
    rm -rf "$root"
    cp -a "$work/base" "$root"
    cp /etc/resolv.conf "$root/etc/"
    [ ! -f /etc/apt/apt.conf.d/proxy ] || cp /etc/apt/apt.conf.d/proxy "$root/etc/apt/apt.conf.d/"
    touch "$root/dev/null"
    mount --bind /dev/null "$root/dev/null"
    mount -t proc proc "$root/proc"
}
copy() { # SOURCE TARGET, from the tree or from another stage
    case $1 in
    --from=*)
        mkdir -p "$root$(dirname "$3")"
        cp "$work/${1#--from=}$2" "$root$3"
        ;;
    .)
        mkdir -p "$root$2"
        git ls-files -z --cached --others --exclude-standard | xargs -0 tar c | tar x -C "$root$2"
        ;;
    *) unknown="$unknown COPY:$1" ;;
    esac
}
words() { printf '%s' "$1" | sed 's/[][",]/ /g'; } # of ["a", "b"]

# One instruction a line, without comments.
sed -e '/^ *#/d' -e ':a' -e '/\\$/N' -e 's/\\\n */ /' -e 'ta' deploy/Dockerfile >"$work/steps"
while read -r what rest; do
    [ -z "$what" ] || echo "$stage: $what $(printf '%.90s' "$rest")"
    case $what in
    FROM) begin_stage "$rest" ;;
    # shellcheck disable=SC2086 # the words of the instruction
    COPY) copy $rest ;;
    RUN)
        chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
            ${http_proxy:+http_proxy="$http_proxy"} sh -ec "cd $folder && $rest" >"$work/log" 2>&1 </dev/null || {
            tail -30 "$work/log"
            exit 1
        }
        ;;
    WORKDIR)
        folder=$rest
        mkdir -p "$root$folder"
        ;;
    USER) user=$rest ;;
    ENV) environment="$environment $rest" ;;
    ENTRYPOINT) entry=$(words "$rest") ;;
    CMD) entry="$entry $(words "$rest")" ;;
    HEALTHCHECK) health=$(words "${rest##*CMD }") ;;
    VOLUME | EXPOSE | STOPSIGNAL | "") ;;
    *) unknown="$unknown $what" ;;
    esac
done <"$work/steps"
[ -z "$unknown" ] || { echo "check_deploy: instructions that this script does not know:$unknown" >&2; exit 1; }
echo "image: $(du -sm --exclude=proc "$root" | cut -f1) MB, of which the base is $(du -sm "$work/base" | cut -f1) MB"

# A root that cannot be written, but for /data and /tmp.
inside() { # COMMAND...; run=exec: as this very process
    # shellcheck disable=SC2086
    ${run:-} unshare --mount sh -ec 'root=$1 user=$2; shift 2
        mount --rbind "$root" "$root"
        mount --bind "$root/data" "$root/data"
        mount -t tmpfs tmpfs "$root/tmp"
        mount -o remount,bind,ro "$root"
        exec chroot --userspec="$user" --groups= "$root" env -i PATH=/usr/local/bin:/usr/bin:/bin "$@"' \
        sh "$root" "$user" $environment "$@"
}
! inside sh -c 'touch /usr/x' 2>/dev/null || { echo "check_deploy: the root can be written" >&2; exit 1; }
[ "$(inside id -u)" -ne 0 ] || { echo "check_deploy: the image's user is root" >&2; exit 1; }
# shellcheck disable=SC2086
run=exec inside PEEL_PORT="${PORT:-18000}" PEEL_SEARCH_PORT="${SEARCH_PORT:-18118}" PEEL_DRAIN_MS=0 $entry >"$work/service.log" 2>&1 &
service=$!
tries=0
# shellcheck disable=SC2086
until inside PEEL_PORT="${PORT:-18000}" $health 2>/dev/null; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] && kill -0 "$service" || { cat "$work/service.log"; echo "check_deploy: it does not live" >&2; exit 1; }
    sleep 0.1
done
kill "$service"
wait "$service" || { cat "$work/service.log"; echo "check_deploy: it did not end well" >&2; exit 1; }
service=""
echo "image: serves as user $user on a read-only root, its health check says so, and SIGTERM ends it with status 0"

if command -v systemd-analyze >/dev/null; then
    mkdir -p "$work/units"
    for unit in deploy/systemd/*.service; do
        sed "s|/usr/local/bin/peel|$PWD/peel|" "$unit" >"$work/units/$(basename "$unit")"
        systemd-analyze verify "$work/units/$(basename "$unit")"
        systemd-analyze security --offline=true "$unit" | tail -n 1
    done
else
    echo "systemd units: not checked, systemd-analyze is not here"
fi
echo "checked"
