# Chromium without a screen, and its driver, for tests of pages. Sourced by scripts/services.sh.
# shellcheck shell=bash

chromium_version() {
  command -v chromedriver >/dev/null && timeout 60 chromium --version 2>/dev/null | grep -m 1 -o 'Chromium [0-9.]*'
}

up_chromium() {
  local version
  if version=$(chromium_version); then
    say "chromium: present, $version"
    return
  fi
  require_root_debian chromium 'install chromium and chromium-driver (Debian, Ubuntu)'
  # a font as Chromium itself would have it: without any, a page has no letters
  apt_install chromium chromium-driver fonts-liberation
  version=$(chromium_version) || die "chromium does not start (see: chromium --version)"
  say "chromium: present, $version, installed"
}

status_chromium() {
  local version
  if version=$(chromium_version); then
    say "chromium: present, $version"
  else
    say 'chromium: absent'
    return 1
  fi
}

down_chromium() { say 'chromium: no daemon, nothing to stop'; }
