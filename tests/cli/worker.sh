#!/bin/sh
# Stands in for pipeline-worker where a test needs no libtorch: answers --facts, leaves the files that each kind promises and
# notes each stage in ran.txt. Walls hide the project from it, so that file and those that steer it lie in $STUB_FOLDER:
# `fail-<kind>` makes that kind fail, `slow` makes every stage take a while, `hook` is run first and may set `facts`, `lie`
# leaves no completion record. A write that fails ends it without a word.
if [ "$1" = --facts ]; then
    echo "{\"version\":\"$STUB_VERSION\",\"libtorch\":\"2.11.0\",\"cuda_devices\":[$STUB_DEVICES]}"
    exit
fi
set -e
job=$1
value() { sed -n "s/^  \"$1\": \"\(.*\)\",\{0,1\}\$/\1/p" "$job"; }
out=$(value out)
state=$(value state)
key=$(value key)
kind=$(sed -n '/^  "stage": {/{
n
s/^ *"\([a-z]*\)".*/\1/p
}' "$job")
echo "$kind $key" >>"$STUB_FOLDER/ran.txt"
facts={}
if [ -e "$STUB_FOLDER/slow" ]; then sleep 0.3; fi
if [ -e "$STUB_FOLDER/hook" ]; then . "$STUB_FOLDER/hook"; fi
if [ -e "$STUB_FOLDER/fail-$kind" ]; then
    echo '{"event":"failed","message":"asked to fail","hint":"remove the file","interrupted":false}'
    exit 1
fi
model='{"architecture":{"imdn":{"scale":2}},"scheme":"train","parameters":1}'
case $kind in
prepare) echo '{"degrade":{"sr":2},"seed":0,"pairs":[]}' >"$out/pairs.json" ;;
mask) echo '{"count":4,"images":[]}' >"$out/masks.json" ;;
pretrained | train | tune)
    echo "weights of $key" >"$out/weights.safetensors"
    echo "$model" >"$out/model.json"
    echo 'iteration,loss,lr,psnr' >"$out/steps.csv"
    ;;
evaluate)
    printf 'image,psnr,ssim\na,30,0.9\n' >"$out/metrics.csv"
    echo '{"images":1,"luma":"unrounded","shave":2,"tiling":"official","model":'"$model}" >"$out/summary.json"
    ;;
esac
[ -e "$STUB_FOLDER/lie" ] || echo "{\"key\":\"$key\"}" >"$state/done.json"
echo '{"event":"done","facts":'"$facts"'}'
