# Four nodes on one machine, each with one "GPU" (a harmless device, so that --gres=gpu:1 can be
# asked for). In the partition `short` each has two CPUs; `gpu_short` is what the shipped cluster
# profiles name, and lets a job ask n4 for the 16 CPUs and 32 GB that they want, whatever this
# machine has. No accounting: sacct answers nothing, as on many clusters.
# Sourced by scripts/services.sh.
# shellcheck shell=bash

readonly SLURM_CONF=/etc/slurm/slurm.conf
readonly SLURM_MARK='# Written by scripts/services.sh; edits are lost at the next start.'
readonly SLURM_STATE=/var/spool/cyto-slurm

slurm_usable_nodes() { # prints how many nodes take jobs
  # a node shows once for each of its partitions
  timeout 20 sinfo -h -N -o '%N %T' 2>/dev/null | sort -u |
    grep -c -E ' (idle|mixed|allocated|completing)' || true
}

slurm_ready() { [ "$(slurm_usable_nodes)" -ge "${1:-1}" ]; }

slurm_is_ours() { grep -qsxF "$SLURM_MARK" "$SLURM_CONF"; }

up_slurm() {
  local node
  if slurm_is_ours && [ "$(slurm_configuration)" != "$(cat "$SLURM_CONF")" ]; then
    down_slurm # an older version of this script started it
  fi
  if slurm_ready "$(if slurm_is_ours; then echo 4; else echo 1; fi)"; then
    say "slurm: up, $(sinfo --version), $(slurm_usable_nodes) nodes, used as it is"
    return
  fi
  require_root_debian slurm 'start Slurm and try again'
  if [ -e "$SLURM_CONF" ] && ! slurm_is_ours; then
    die "slurm does not answer, and $SLURM_CONF is another's: start that cluster, or move the file away"
  fi
  if ! have_all slurmctld slurmd sbatch munged; then apt_install slurm-wlm munge; fi
  mkdir -p "${SLURM_CONF%/*}" "$SLURM_STATE"
  slurm_configuration >"$SLURM_CONF"
  printf '%s\nNodeName=n[1-4] Name=gpu File=/dev/null\n' "$SLURM_MARK" >"${SLURM_CONF%/*}/gres.conf"
  start_munge
  own_pid slurmctld slurmctld >/dev/null || start_detached slurmctld slurmctld -D -c
  for node in n1 n2 n3 n4; do
    own_pid "slurmd-$node" slurmd >/dev/null || start_detached "slurmd-$node" slurmd -D -N "$node"
  done
  if ! wait_until 60 slurm_ready 4; then
    tail -n 5 "$(log_file slurmd-n1)" >&2 || true
    fail_with_log slurm "$(log_file slurmctld)" 'four nodes were not ready within 60 s'
  fi
  say "slurm: up, $(sinfo --version), $(slurm_usable_nodes) nodes, started"
}

have_all() { # COMMAND...
  local name
  for name in "$@"; do command -v "$name" >/dev/null || return 1; done
}

start_munge() {
  if munge_answers; then return; fi
  [ -s /etc/munge/munge.key ] || die 'slurm: /etc/munge/munge.key is missing (run: mungekey --create)'
  install -d -o munge -g munge -m 755 /run/munge
  start_detached munged setpriv --reuid munge --regid munge --clear-groups munged --foreground --force
  wait_until 20 munge_answers || fail_with_log slurm "$(log_file munged)" 'munge did not start'
}

munge_answers() { munge -n 2>/dev/null | unmunge >/dev/null 2>&1; }

slurm_configuration() {
  local host
  host=$(hostname -s)
  cat <<CONF
$SLURM_MARK
ClusterName=cyto
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
StateSaveLocation=$SLURM_STATE/ctld
SlurmdSpoolDir=$SLURM_STATE/%n
SlurmctldPidFile=$SLURM_STATE/slurmctld.pid
SlurmdPidFile=$SLURM_STATE/%n.pid
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,bf_interval=1
AccountingStorageType=accounting_storage/none
MpiDefault=none
MailProg=/bin/true
ReturnToService=2
GresTypes=gpu
NodeName=n[1-3] NodeHostname=$host NodeAddr=127.0.0.1 Port=[17001-17003] CPUs=2 RealMemory=4000 Gres=gpu:1
NodeName=n4 NodeHostname=$host NodeAddr=127.0.0.1 Port=17004 CPUs=16 RealMemory=40000 Gres=gpu:1 Weight=9
PartitionName=short Nodes=n[1-4] Default=YES MaxCPUsPerNode=2 MaxTime=INFINITE State=UP
PartitionName=gpu_short Nodes=n4 MaxTime=INFINITE State=UP
CONF
}

status_slurm() {
  local nodes
  nodes=$(slurm_usable_nodes)
  if [ "$nodes" -eq 0 ]; then
    say 'slurm: down'
    return 1
  fi
  say "slurm: up, $(sinfo --version), $nodes nodes$(if slurm_is_ours; then printf ', started by this script'; fi)"
}

down_slurm() {
  local node
  if ! slurm_is_ours || ! own_pid slurmctld slurmctld >/dev/null; then
    say 'slurm: nothing of ours to stop'
    return
  fi
  # Jobs outlive their slurmd.
  squeue -h -o '%A' 2>/dev/null | sort -u | xargs -r scancel || true
  wait_until 15 slurm_empty || note 'slurm: some jobs did not end within 15 s'
  for node in n1 n2 n3 n4; do stop_own "slurmd-$node" slurmd; done
  stop_own slurmctld slurmctld
  stop_own munged munged
}

slurm_empty() { [ -z "$(squeue -h -o '%A')" ]; }
