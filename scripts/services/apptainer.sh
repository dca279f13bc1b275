# Apptainer: a program, no daemon. Sourced by scripts/services.sh.
# shellcheck shell=bash

readonly APPTAINER_HOME=/opt/apptainer

apptainer_version() {
  apptainer --version 2>/dev/null || singularity --version 2>/dev/null
}

up_apptainer() {
  local version
  if version=$(apptainer_version); then
    open_fuse
    say "apptainer: present, $version, used as it is"
    return
  fi
  require_root_debian apptainer 'install Apptainer and try again'
  if [ "$(debian_codename)" = bookworm ]; then
    install_apptainer_bookworm
  else
    apt_install apptainer squashfs-tools squashfuse uidmap
  fi
  open_fuse
  version=$(apptainer_version) || die 'apptainer: installed, but it does not start'
  say "apptainer: present, $version, installed"
}

# An ordinary user's Apptainer mounts images through /dev/fuse, and fails where it may not.
# Debian's fuse3 gives it this mode, where udev runs; only a machine that we set up is changed.
open_fuse() {
  if [ "$(id -u)" -eq 0 ] && [ -d "$APPTAINER_HOME" ] && [ -c /dev/fuse ]; then
    chmod 666 /dev/fuse
  fi
}

# Bookworm has no Apptainer, and unstable's needs a newer libc than bookworm's. So: unstable's
# package beside the libraries that it needs from trixie, both private, bound by interpreter
# and RPATH (not RUNPATH: libsqlite3 would then find bookworm's libm).
install_apptainer_bookworm() {
  local folder=$CACHE/apptainer debs package loader libs new_home=$APPTAINER_HOME.new
  debs=$folder/debs
  mkdir -p "$debs"
  apt_install patchelf squashfs-tools squashfuse uidmap
  download_apptainer "$folder" "$debs"

  rm -rf "$new_home"
  mkdir -p "$new_home"
  for package in "$debs"/*.deb; do dpkg-deb -x "$package" "$new_home"; done
  rm -rf "$APPTAINER_HOME"
  mv "$new_home" "$APPTAINER_HOME"

  loader=$(find "$APPTAINER_HOME/usr/lib" -name 'ld-linux*.so.*' | head -n 1)
  [ -n "$loader" ] || die "apptainer: no loader in the libc6 package under $debs"
  libs=${loader%/*}
  bind_to_libraries "$APPTAINER_HOME/usr/bin/apptainer" "$loader" "$libs"
  bind_to_libraries "$libs/apptainer/bin/starter" "$loader" "$libs"

  mkdir -p /var/lib/apptainer/mnt/session "/usr/lib/${libs##*/}" /etc/apptainer
  cp -a "$APPTAINER_HOME/etc/apptainer/." /etc/apptainer/
  cp -a "$libs/apptainer" "/usr/lib/${libs##*/}/"
  cp -a "$APPTAINER_HOME/usr/bin/apptainer" /usr/bin/apptainer # last: its presence means done
  [ -e /usr/bin/singularity ] || ln -s apptainer /usr/bin/singularity
}

bind_to_libraries() { # FILE LOADER LIBRARY_FOLDER
  patchelf --set-interpreter "$2" "$1"
  patchelf --force-rpath --set-rpath "$3" "$1"
}

download_apptainer() { # FOLDER DEBS ; a private apt: the machine's own lists stay as they are
  local folder=$1 debs=$2 log=$1/apt.log
  local wanted=(apptainer/sid libc6/trixie libseccomp2/trixie libsqlite3-0/trixie)
  if has_debs "$debs"; then return; fi
  note 'downloading: apptainer and the libraries it needs'
  rm -rf "${folder:?}/apt" "${debs:?}"
  mkdir -p "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial" "$debs"
  write_apt_sources >"$folder/apt/sources.list"
  cat >"$folder/apt/apt.conf" <<CONF
Dir::Etc::SourceList "$folder/apt/sources.list";
Dir::Etc::SourceParts "-";
Dir::Etc::PreferencesParts "-";
Dir::State::Lists "$folder/apt/lists";
Dir::Cache "$folder/apt/cache";
APT::Sandbox::User "root";
Acquire::Languages "none";
CONF
  if ! (cd "$debs" && export APT_CONFIG=$folder/apt/apt.conf &&
    apt-get update && apt-get download "${wanted[@]}") >"$log" 2>&1; then
    rm -f "$debs"/*.deb
    fail_with_log apptainer "$log" 'the packages could not be downloaded'
  fi
  rm -rf "$folder/apt"
}

has_debs() { # DEBS
  local name
  for name in apptainer libc6 libseccomp2 libsqlite3-0; do
    compgen -G "$1/${name}_*.deb" >/dev/null || return 1
  done
}

write_apt_sources() {
  local mirror options='' suite keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  mirror=$(machine_mirror)
  if [ -e "$keyring" ]; then options="[signed-by=$keyring] "; fi
  for suite in sid trixie; do printf 'deb %s%s %s main\n' "$options" "$mirror" "$suite"; done
}

status_apptainer() {
  local version
  if version=$(apptainer_version); then
    say "apptainer: present, $version"
  else
    say 'apptainer: absent'
    return 1
  fi
}

down_apptainer() { say 'apptainer: no daemon, nothing to stop'; }
