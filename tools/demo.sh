#!/bin/sh
# The minute's tour: packs the model in the box, looks at the capsule, runs it here and in Node, and compares.
set -eu
cd "$(dirname "$0")/.."
wisp=build/wisp
capsule=build/story.wasm
prompt='Once upon a time'
node='node --no-warnings examples/node/run.mjs'

bold() { if [ -t 1 ]; then printf '\n\033[1m%s\033[0m\n' "$1"; else printf '\n%s\n' "$1"; fi; }

bold "1. A model and the engine become one file"
echo "\$ wisp pack models/wisp-stories.gguf -o $capsule"
$wisp pack models/wisp-stories.gguf -o $capsule
ls -l $capsule | awk '{ print $5 " bytes" }'

bold "2. What the file says about itself"
echo "\$ wisp inspect $capsule"
$wisp inspect $capsule

bold "3. It runs here, in a sandbox, with native kernels"
echo "\$ wisp run $capsule -p '$prompt' -n 120 --temp 0"
printf '%s' "$prompt"
$wisp run $capsule -p "$prompt" -n 120 --temp 0 --stats

bold "4. The same file in Node"
echo "\$ $node $capsule -p '$prompt' -n 120 --temp 0"
printf '%s' "$prompt"
$node $capsule -p "$prompt" -n 120 --temp 0 | tee build/demo-node.txt
$wisp run $capsule -p "$prompt" -n 120 --temp 0 >build/demo-native.txt
cmp build/demo-native.txt build/demo-node.txt
echo "The two texts are equal."

bold "5. And not only the text: every bit of the logits"
here=$($wisp logits $capsule -p "$prompt" --greedy 40 --json | sed 's/.*"sha256":"\([0-9a-f]*\)".*/\1/')
there=$($node $capsule --logits -p "$prompt" --greedy 40 | sed 's/.*"sha256":"\([0-9a-f]*\)".*/\1/')
echo "wisp  $here"
echo "node  $there"
[ -n "$here" ] && [ "$here" = "$there" ]
echo "The digests are equal."
