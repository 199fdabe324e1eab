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

# debian_package NAME VERSION: installed, in a version that begins so; nothing is installed here.
debian_package() {
    version=$(dpkg-query -W -f '${Version}' "$1" 2>/dev/null || true)
    case $version in
    "$2"*) ;;
    '') skip "the package $1 is not installed" ;;
    *) skip "$1 is $version here, the finding is about $2" ;;
    esac
}

# pytorch_among VERSION…: sets torch to the one of these that Debian's python3-torch begins with (on
# Debian 12, 13 and testing 1.13, 2.6 and 2.14); nothing is installed here.
pytorch_among() {
    version=$(dpkg-query -W -f '${Version}' python3-torch 2>/dev/null || true)
    for torch in "$@"; do
        case $version in
        "$torch".*) return ;;
        esac
    done
    skip "python3-torch is ${version:-not installed} here, the finding is about $*"
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
