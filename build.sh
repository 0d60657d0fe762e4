#!/usr/bin/env bash
# The commands of this repository. Each sets up what the machine lacks, builds quietly and says which packages it uses.
set -euo pipefail

usage='usage: build.sh train|test|bench|run [--packages | --stand-ins] [--gpu] [arguments of the program]
  train        the main job: trains a small GPT on the .NET documentation that the SDK carries
  test         builds everything with warnings as errors and runs every test
  bench        speed and memory, beside peers in the same run
  run ...      any command of the samples; run --help lists them
  --packages   the genuine Microsoft.ML and TorchSharp, whatever the feed was found to serve
  --stand-ins  the substitutes in standins/ for both
  --gpu        the CUDA build of libtorch; of the tests, those that need a GPU'

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
log=$(mktemp)
trap 'rm -f "$log"' EXIT

fail() { echo "build.sh: $*" >&2; exit 1; }
quietly() { "$@" >"$log" 2>&1 || { cat "$log" >&2; fail "$1 ${2:-} failed"; }; }

export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 MSBUILDDISABLENODEREUSE=1

[ $# -gt 0 ] || { echo "$usage" >&2; exit 2; }
command=$1; shift
properties=(-p:Configuration=Release)
category='TestCategory!=Gpu'
rest=()
for argument in "$@"; do
  case $argument in
    --packages) properties+=(-p:UseStandIns=false) ;;
    --stand-ins) properties+=(-p:UseStandIns=true) ;;
    --gpu) properties+=(-p:TorchRuntime=cuda); category='TestCategory=Gpu' ;;
    *) rest+=("$argument") ;;
  esac
done
set -- ${rest[@]+"${rest[@]}"}

# Installs Debian packages: install WHAT-NEEDS-THEM PACKAGE...
install() {
  local what=$1 sudo=(); shift
  [ $# -gt 0 ] || return 0
  command -v apt-get >/dev/null || fail "$what needs $*; install it and run this again"
  [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && sudo=(sudo); } || fail "$what needs $*; install it as root and run this again"
  echo "Installing $*"
  quietly ${sudo[@]+"${sudo[@]}"} apt-get update
  quietly ${sudo[@]+"${sudo[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

has_package() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

# What the TorchSharp stand-in is compiled against. A libtorch of one's own is named in Torch_DIR or CMAKE_PREFIX_PATH.
install_native_needs() {
  local missing=() package
  command -v cmake >/dev/null || missing+=(cmake)
  command -v c++ >/dev/null || missing+=(g++)
  if command -v dpkg-query >/dev/null && [ -z "${Torch_DIR:-}${CMAKE_PREFIX_PATH:-}" ]; then
    for package in libtorch-dev libopenblas0-openmp; do
      has_package "$package" || missing+=("$package")
    done
  fi
  install 'the TorchSharp stand-in' ${missing[@]+"${missing[@]}"}
}

# The benchmark's peer in Python, with the fast BLAS: against Debian's slow default the comparison would mean nothing.
install_peer_needs() {
  local missing=() package
  [[ " $* " != *' --python'* && " $* " != *' --help '* ]] || return 0
  for package in python3-torch python3-numpy libopenblas0-openmp; do
    has_package "$package" || missing+=("$package")
  done
  install 'the PyTorch peer (or name a Python that has torch: --python FILE)' ${missing[@]+"${missing[@]}"}
}

prepare() {
  command -v dotnet >/dev/null || fail 'the .NET SDK 10 is missing: https://dotnet.microsoft.com/download'
  dotnet --version >/dev/null 2>&1 || fail "the .NET SDK that global.json asks for is missing: https://dotnet.microsoft.com/download"
  quietly dotnet restore -v quiet "${properties[@]}"
  local sources ml=genuine torch=genuine
  sources=$(dotnet msbuild src/Samples -getProperty:UseMicrosoftMLStandIn,UseTorchSharpStandIn "${properties[@]}") || fail "the properties of src/Samples cannot be read"
  [[ $sources != *'"UseMicrosoftMLStandIn": "true"'* ]] || ml=stand-in
  [[ $sources != *'"UseTorchSharpStandIn": "true"'* ]] || { torch=stand-in; install_native_needs; }
  echo "Sources: Microsoft.ML $ml, TorchSharp $torch"
}

# Builds one project and runs it where the caller stands, so that relative paths mean what they say.
run_project() {
  local project=$1; shift
  (cd "$root" && prepare && quietly dotnet build --no-restore -v quiet "$project" "${properties[@]}") || exit 1
  dotnet run --no-build --project "$root/$project" "${properties[@]}" -- "$@"
}

run_tests() {
  cd "$root"
  prepare
  quietly dotnet build --no-restore -v quiet "${properties[@]}"
  [[ " $* " == *' --filter'* ]] || set -- --filter "$category" "$@"
  local status=0
  dotnet test --no-build "${properties[@]}" "$@" </dev/null 2>&1 | tee "$log" || status=$?
  local passed failed skipped
  passed=$(count succeeded) failed=$(count failed) skipped=$(count skipped)
  [ "$status" != 0 ] || [ "$passed" -gt 0 ] || status=1
  echo "$passed passed, $failed failed$([ "$skipped" = 0 ] || echo ", $skipped skipped")"
  return "$status"
}
count() { local n; n=$(sed -n "s/^  $1: \([0-9][0-9]*\)\$/\1/p" "$log" | tail -n 1); echo "${n:-0}"; }

case $command in
  train) run_project src/Samples train "$@" ;;
  run) run_project src/Samples "$@" ;;
  test) run_tests "$@" ;;
  bench)
    [ -d "$root/tests/MLNetExtension.Benchmarks" ] || fail 'this tree has no tests/MLNetExtension.Benchmarks'
    install_peer_needs "$@"
    run_project tests/MLNetExtension.Benchmarks "$@" ;;
  -h | --help | help) echo "$usage" ;;
  *) echo "$usage" >&2; exit 2 ;;
esac
