# For the installers beside it, which source it: what they need of the system, and what to do where that is missing.

# Take apt-get for granted from here on, or end and say what to install by other means: $1.
needs_apt() {
  command -v apt-get >/dev/null || { echo "${0##*/}: there is no apt-get here. Install $1 by the means of your system." >&2; exit 1; }
}

# Set $as_root to what runs a command as root.
needs_root() {
  as_root=
  [ "$(id -u)" != 0 ] || return 0
  command -v sudo >/dev/null || { echo "${0##*/}: this needs root, and sudo is not here. Run it as root." >&2; exit 1; }
  as_root=sudo
}

# Download Debian's packages into the folder and unpack them there, without installing them.
unpack() {
  (cd "$1" && shift && apt-get download -qq "$@" 2>apt.log && for one in *.deb; do dpkg-deb -x "$one" .; done) && return 0
  cat "$1/apt.log" >&2
  echo "${0##*/}: the packages could not be downloaded. Has apt-get update been run, as root?" >&2
  return 1
}
