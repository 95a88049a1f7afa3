#!/bin/sh
# The whole system in one sitting: world, data, VAE, pictures, films, a sample, its score.
# About 10 minutes on two CPU cores; what was fetched is kept, and the same command goes on where it was interrupted.
#
#   sh examples/end_to_end.sh                  # results in runs/end-to-end
#   PYTHON=.venv/bin/python sh examples/end_to_end.sh elsewhere
set -eu

python=${PYTHON:-python}
out=${1:-runs/end-to-end}
here=$(dirname "$0")
mkdir -p "$out"

echo "1. The world: clips with exact captions, drawn by formula."
[ -e "$out/world.png" ] || "$python" -m muybridge worlds sprites-flat --preview "$out/world.png" --clips 6

echo "2. What training would take."
"$python" -m muybridge train sketch --out "$out" --dry-run

echo "3. VAE, latents and text states, pictures, films; then a model folder."
"$python" -m muybridge train sketch --out "$out"

echo "4. A sample."
"$python" -m muybridge generate "A red car drives to the right in front of a blue wall." \
    --model "$out/sketch" --seed 7 -o "$out/car.mp4"

echo "5. Its score, by the renderer's own facts, beside what the probe makes of real clips."
"$python" "$here/../benchmarks/gallop_scores.py" --model "$out/sketch" --out "$out/scores" --no-report \
    --num 12 --num-through-vae 6 --subjects horse car elephant rocket || [ $? -eq 1 ]  # 1: a sketch misses targets

echo "All of it lies in $out."
