#!/usr/bin/env bash
#SBATCH --job-name=cytocar
#SBATCH --cpus-per-task=1
#SBATCH --mem=2G
# One shard of a run per job of the array: sbatch --array=1-8 slurm_array.sh SHEET OUT [options of cytocar gate]
set -euo pipefail
sheet=$1 out=$2
shift 2
exec cytocar gate "$sheet" -o "$out/shard-$SLURM_ARRAY_TASK_ID" --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" -j 1 "$@"
