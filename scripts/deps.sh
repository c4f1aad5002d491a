# deps.sh: installs what is missing with apt, and says so. Sourced by run.sh and test.sh.
#
#     . scripts/deps.sh
#     need $BUILD_PACKAGES
#
# Other distributions: install the counterparts of these packages, the scripts then find nothing missing to do
# when PEEL_NO_APT=1 is set.

BUILD_PACKAGES="gcc libc6-dev make pkg-config libmicrohttpd-dev libcurl4-openssl-dev libssl-dev libjansson-dev
libsqlite3-dev libsodium-dev libutf8proc-dev libxxhash-dev libjpeg-dev libpng-dev zlib1g-dev libwebp-dev libgif-dev
libpq-dev librsvg2-dev libxml2-dev libarchive-dev libstemmer-dev libgmp-dev libmd4c-dev libmd4c-html0-dev libqrencode-dev
libzstd-dev librlottie-dev libheif-dev libvpx-dev"
RUN_PACKAGES="ca-certificates"
TEST_PACKAGES="git postgresql libcmocka-dev clang libclang-rt-14-dev clang-format python3 python3-pip python3-yaml procps nginx haproxy openssl chromium fonts-dejavu-core libtesseract5 tesseract-ocr-eng
ca-certificates debhelper lintian valgrind"

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "peel: this needs root: $*" >&2
        exit 1
    fi
}

is_installed() {
    case $(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null) in ii*) return 0 ;; esac
    # a virtual package, such as libjpeg-dev
    [ -n "$(dpkg-query -W -f '${Provides}, ${db:Status-Abbrev}\n' 2>/dev/null | grep -E "(^|, )$1( \([^)]*\))?, .*ii")" ]
}

# Installs those of the named packages that are missing.
need() {
    [ -z "${PEEL_NO_APT:-}" ] || return 0
    if ! command -v apt-get >/dev/null; then
        echo "peel: no apt-get here; install the counterparts of: $*" >&2
        exit 1
    fi
    [ $# -gt 0 ] || return 0
    missing=
    # Asks for all of them at once, which is quick when nothing is missing, and then for each.
    [ "$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "$@" 2>/dev/null | grep '^ii' | sort -u | wc -l)" -lt $# ] || return 0
    for package in "$@"; do
        is_installed "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    echo "Installing with apt:$missing"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# Ubuntu 24.04 and Debian 13 have libheif's decoders and encoders in packages of their own; Debian 12 has them in libheif1.
need_heif_codecs() {
    # shellcheck disable=SC2046 # a list of words
    need $(apt-cache policy libheif-plugin-libde265 libheif-plugin-aomdec libheif-plugin-aomenc 2>/dev/null |
        awk '/^[^ ]/ { sub(":$", ""); package = $0 } /Candidate:/ && $2 != "(none)" { print package }')
}

# Node.js and npm, from wherever they came.
need_npm() {
    command -v node >/dev/null && command -v npm >/dev/null || need nodejs npm
}

# Python's pip, from wherever it came.
need_pip() {
    python3 -m pip --version >/dev/null 2>&1 || need python3 python3-pip
}
