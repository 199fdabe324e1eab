# What findings share: a temporary folder, packages of a pinned version, one verdict. Sourced by
# a finding, which runs `set -eu` first. What a library does is each finding's own.
# shellcheck shell=sh

# A folder that goes when the script ends; the script works in it.
FOLDER=$(mktemp -d "${TMPDIR:-/tmp}/finding.XXXXXX")
trap 'rm -rf "$FOLDER"' EXIT
trap 'exit 1' HUP INT TERM
cd "$FOLDER" || exit 1

# skip REASON: the version that the finding is about cannot be had here.
skip() {
    echo "skipped: $*"
    exit 77
}

# npm_install NAME@VERSION…: into the temporary folder; no script of a package is run.
npm_install() {
    command -v npm >/dev/null || skip "npm is not installed"
    npm install --silent --no-audit --no-fund --no-save --ignore-scripts --prefix "$FOLDER" \
        "$@" >npm.log 2>&1 || skip "npm cannot install $*: $(tail -n 1 npm.log)"
}

# debian_package NAME VERSION…: sets found to the one of these that the installed version is, or
# begins with (1.0.1 is not 1.0.10); nothing is installed here.
debian_package() {
    package=$1
    shift
    version=$(dpkg-query -W -f '${Version}' "$package" 2>/dev/null || true)
    for found in "$@"; do
        case $version in
        "$found" | "$found"[!0-9]*) return ;;
        esac
    done
    [ -n "$version" ] || skip "the package $package is not installed"
    skip "$package is $version here, the finding is about $*"
}

# pytorch_among VERSION…: sets torch likewise, of Debian's python3-torch (on Debian 12, 13 and
# testing 1.13, 2.6 and 2.14).
pytorch_among() {
    debian_package python3-torch "$@"
    # shellcheck disable=SC2034 # the finding reads it
    torch=$found
}

# compile NAME FLAG…: NAME, of NAME.c.
compile() {
    command -v gcc >/dev/null || skip "gcc is not installed"
    name=$1
    shift
    gcc -o "$name" "$name.c" "$@"
}

# verdict EXPECTED SEEN WHAT: the last line of a finding.
verdict() {
    if [ "$1" = "$2" ]; then
        echo "ok: $3"
    else
        printf 'changed: %s\nexpected:\n%s\nseen:\n%s\n' "$3" "$1" "$2"
        exit 1
    fi
}
