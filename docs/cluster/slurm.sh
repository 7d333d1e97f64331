#!/bin/bash
# Trains on several machines of a SLURM cluster. What follows the script is for `au train`:
#     sbatch docs/cluster/slurm.sh mgrrnet_disfa --fold 1 --set data.root=/shared/disfa-box49 --out /shared/runs/fold1
# Before its time is over the run writes its state, the job is queued again and goes on from there.
#SBATCH --job-name=au-train
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --time=24:00:00
#SBATCH --signal=B:TERM@300
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail
: "${1:?a recipe, and what else au train takes}"
processes=${PROCESSES:-1} # a machine: its GPUs, or 1
export OMP_NUM_THREADS=$((${SLURM_CPUS_ON_NODE:?is set by SLURM} / processes))
export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 # or processes that are restarted look for those before
mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")

srun torchrun --nnodes "${#nodes[@]}" --nproc-per-node "$processes" --max-restarts 3 \
    --rdzv-backend c10d --rdzv-endpoint "${nodes[0]}:29500" --rdzv-id "$SLURM_JOB_ID" \
    -m actionunits train "$@" &
step=$!
trap 'kill -TERM "$step"; wait "$step" || true; scontrol requeue "$SLURM_JOB_ID"' TERM
wait "$step"
