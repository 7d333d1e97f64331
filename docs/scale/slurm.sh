#!/bin/bash
# Reads a list of videos on several machines of a SLURM cluster:
#     sbatch docs/scale/slurm.sh videos.csv /shared/rows
# The same command goes on with what is left, after a limit of time too.
#SBATCH --job-name=au
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --time=24:00:00
set -euo pipefail
inputs=${1:?a folder, a pattern or a list of videos}
out=${2:?a folder that all machines have, or a URL}
port=6379
cores=${SLURM_CPUS_ON_NODE:?is set by SLURM}

# Ray asks for a token, which all machines must have; the home folder is shared.
export RAY_AUTH_MODE=token
[ -s "$HOME/.ray/auth_token" ] || ray get-auth-token --generate > /dev/null

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=$(srun --nodes=1 --ntasks=1 --nodelist="${nodes[0]}" hostname --ip-address | awk '{print $1}')

srun --nodes=1 --ntasks=1 --overlap --nodelist="${nodes[0]}" \
    ray start --head --node-ip-address="$head" --port="$port" --num-cpus="$cores" --block &
sleep 20
if [ "${#nodes[@]}" -gt 1 ]; then
    others=$(IFS=,; echo "${nodes[*]:1}")
    srun --nodes=$((${#nodes[@]} - 1)) --ntasks-per-node=1 --overlap --nodelist="$others" \
        ray start --address="$head:$port" --num-cpus="$cores" --block &
fi
srun --nodes=1 --ntasks=1 --overlap --nodelist="${nodes[0]}" \
    au detect "$inputs" --engine ray --address "$head:$port" --out "$out"
